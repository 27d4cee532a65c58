// @vitest-environment jsdom
import { expect, test } from 'vitest';
import type { ApiKey } from '#lib/api/types.ts';
import { isExpired, revokeWhy } from './can.ts';
import { creator, expiresAt, revoked, samples } from './words.ts';

const key = (more: Partial<ApiKey> = {}): ApiKey => ({
  id: 'key-1',
  team_id: 'team-1',
  name: 'ci',
  key_prefix: 'e2b_1234',
  scope: 'full',
  created_by: 'usr-1',
  created_at: '2026-11-29T12:00:00Z',
  ...more,
});

test('members revoke their own keys, owners and admins every key', () => {
  expect(revokeWhy(key(), { id: 'usr-1', role: 'member' })).toBeUndefined();
  expect(revokeWhy(key(), { id: 'usr-2', role: 'member' })).toContain('own keys');
  expect(revokeWhy(key({ created_by: null }), { id: 'usr-2', role: 'member' })).toContain('own keys');
  for (const role of ['admin', 'owner'] as const)
    expect(revokeWhy(key(), { id: 'usr-2', role }), role).toBeUndefined();
});

test('a key has expired from its end on', () => {
  const end = '2026-11-29T12:00:00Z';
  expect(isExpired(key({ expires_at: end }), Date.parse(end) - 1)).toBe(false);
  expect(isExpired(key({ expires_at: end }), Date.parse(end))).toBe(true);
  expect(isExpired(key(), Infinity)).toBe(false);
});

test('the table tells names, never e-mail addresses', () => {
  const named = key({ created_by_name: 'Vega', creator_email: 'vega@example.com' });
  expect(creator(named, 'usr-2')).toBe('Vega');
  expect(creator(named, 'usr-1')).toBe('Vega (you)');
  expect(creator(key({ created_by: null }), 'usr-1')).toBe('a deleted account');
});

test('a revoked key tells what it leaves behind', () => {
  const sandbox = { id: 'sb-1' } as never;
  expect(revoked('ci', { sandboxes: [], has_more: false })).toBe('The key ci is revoked.');
  expect(revoked('ci', { sandboxes: [sandbox], has_more: false })).toContain(
    '1 capsule made with it still exists',
  );
  expect(revoked('ci', { sandboxes: [sandbox, sandbox], has_more: true })).toContain('More than 2 capsules');
});

test('code quotes the name of a key', () => {
  const code = samples({ name: "a'; rm -rf /", scope: 'read', days: '7' }, expiresAt('7', 0));
  expect(code[0]?.code).toBe(`locule api-key create 'a'\\''; rm -rf /' --scope read --expires-in 168h`);
  expect(code[1]?.code).toContain('"expires_at":"1970-01-08T00:00:00.000Z"');
});
