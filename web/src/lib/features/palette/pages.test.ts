import { describe, expect, it } from 'vitest';
import { placeOf, score } from './pages.ts';

describe('a pasted id', () => {
  it('leads to its page', () => {
    const id = 'sb-7f3a91c2-08d1-4bd8-aa49-52d4a0d1ef25';
    expect(placeOf(` ${id} `)).toBe(`/dashboard/capsules/${id}`);
    expect(placeOf('log-7f3a91c2-08d1-4bd8-aa49-52d4a0d1ef25')).toContain('/dashboard/audit?entry=log-');
  });

  it('leads nowhere when the kind is unknown, or only the beginning of a capsule is known', () => {
    expect(placeOf('xyz-7f3a91c2')).toBeUndefined();
    expect(placeOf('sb-7f3a91c2')).toBeUndefined();
    expect(placeOf('sb-../../evil')).toBeUndefined();
  });
});

describe('the search', () => {
  it('finds letters in their order, and ranks whole words first', () => {
    expect(score('Capsules', 'cpl')).toBeGreaterThan(-1);
    expect(score('Capsules', 'lpc')).toBeUndefined();
    expect(score('Launch a capsule', 'caps') ?? 0).toBeGreaterThan(score('Copy a past sum', 'caps') ?? 0);
  });
});
