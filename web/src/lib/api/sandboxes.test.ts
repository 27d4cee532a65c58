import { expect, it } from 'vitest';
import { nextCursor } from './sandboxes.ts';

it('the next page is the one that the header names, and none without it', () => {
  expect(nextCursor('</v1/sandboxes?limit=2&cursor=a%3D>; rel="next"')).toBe('a=');
  expect(nextCursor('<http://host/v1/sandboxes?cursor=b>; rel="next"')).toBe('b');
  expect(nextCursor('</v1/sandboxes?cursor=c>; rel="prev"')).toBeUndefined();
  expect(nextCursor(null)).toBeUndefined();
});
