import { describe, expect, it } from 'vitest';
import { Slots } from './slots.ts';

describe('the elements of a table', () => {
  const slots = new Slots();
  const place = (ids: string[], held?: string) => {
    slots.place(ids, held);
    return ids.map((id) => slots.of(id));
  };

  it('stay with the rows that stay, and are filled again by rows that come', () => {
    expect(place(['a', 'b', 'c'])).toEqual([1, 2, 3]);
    expect(place(['c', 'x', 'b'])).toEqual([3, 1, 2]);
    expect(slots.of('a')).toBeUndefined();
  });

  it('do not take the focus from one row to another', () => {
    expect(place(['x', 'y', 'z'], 'b')).toEqual([1, 3, 4]);
  });

  it('are made when more rows come than go', () => {
    expect(place(['p', 'q', 'y', 'r', 's'])).toEqual([1, 4, 3, 5, 6]);
  });
});
