import { describe, expect, it, test } from 'vitest';
import { placeOf, placesOf, score } from './pages.ts';

describe('a pasted id', () => {
  it('leads to its page', () => {
    const id = 'sb-7f3a91c2-08d1-4bd8-aa49-52d4a0d1ef25';
    expect(placeOf(` ${id} `)).toBe(`/dashboard/capsules/${id}`);
    expect(placeOf('log-7f3a91c2-08d1-4bd8-aa49-52d4a0d1ef25')).toContain('/dashboard/audit?entry=log-');
  });

  it('leads to a host where the person sees it', () => {
    const id = 'host-7f3a91c2-08d1-4bd8-aa49-52d4a0d1ef25';
    expect(placeOf(id)).toBe(`/dashboard/byoc/${id}`);
    expect(placeOf(id, true)).toBe(`/admin/hosts/${id}`);
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

test('the hosts are a page for owners and admins of teams that bring their own', () => {
  const hosts = (team: Parameters<typeof placesOf>[0]) =>
    placesOf(team).some(({ href }) => href === '/dashboard/byoc');
  expect(hosts({ is_byoc: true, role: 'admin' })).toBe(true);
  expect(hosts({ is_byoc: true, role: 'member' })).toBe(false);
  expect(hosts({ is_byoc: false, role: 'owner' })).toBe(false);
  expect(hosts(undefined)).toBe(false);
});
