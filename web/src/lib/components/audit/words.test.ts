import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { AuditEntry } from '#lib/api/types.ts';
import { dayOf, EVENTS, sentenceOf, textOf } from './words.ts';

const entry = (
  resource_type: string,
  action: string,
  more: Partial<Omit<AuditEntry, 'metadata'>> & { metadata?: unknown } = {},
): AuditEntry =>
  ({
    id: 'log-1',
    actor_type: 'user',
    actor_id: 'usr-1',
    actor_name: 'Vega',
    resource_type,
    resource_id: 'sb-7f3a91c2-08d1-4000-8000-000000000000',
    action,
    scope: 'team',
    status: 'success',
    created_at: '2026-11-29T14:31:00Z',
    metadata: {},
    ...more,
  }) as AuditEntry;

/** Every pair of a resource and an action that the platform writes. */
function written(): string[] {
  const source = readFileSync(
    new URL('../../../../../crates/locule-control/src/audit.rs', import.meta.url),
    'utf8',
  );
  const pairs = new Set<string>();
  for (const [, resource, action] of source.matchAll(/record\(\s*"(\w+)",\s*&?\w+,\s*"(\w+)"/g))
    pairs.add(`${resource}.${action}`);
  for (const [, action] of source.matchAll(/of_user\(\s*&?\w*(?:"")?,\s*"(\w+)"/g))
    pairs.add(`user.${action}`);
  for (const [, kind, body] of source.matchAll(
    /impl (Sandbox|Member|Host)AuditEvent[\s\S]*?\{([\s\S]*?)\n\}/g,
  ))
    for (const [, action] of (body ?? '').matchAll(/\(\s*"(\w+)",\s*"(?:success|info|warning|error)"/g))
      pairs.add(`${kind?.toLowerCase()}.${action}`);
  for (const [, action] of source.matchAll(/\("(set_timeout)", "info"/g)) pairs.add(`sandbox.${action}`);
  return [...pairs].sort();
}

test('every event that the platform writes has a sentence', () => {
  const events = written();
  expect(events.length).toBeGreaterThan(25);
  for (const event of events) {
    const [resource = '', action = ''] = event.split('.');
    expect(EVENTS[resource]?.actions[action], event).toBeDefined();
    expect(textOf(entry(resource, action)), event).toMatch(/^Vega [a-z]/);
  }
});

test('sentences name the actor, the act and the thing', () => {
  expect(textOf(entry('sandbox', 'create', { metadata: { template: 'minimal' } }))).toBe(
    'Vega launched sb-7f3a91c2 from minimal',
  );
  const system = { actor_type: 'system', actor_id: null, actor_name: null };
  expect(textOf(entry('sandbox', 'auto_pause', system))).toBe(
    'The platform paused sb-7f3a91c2 at its timeout',
  );
  expect(textOf(entry('sandbox', 'destroy', { ...system, metadata: { reason: 'vm_lost' } }))).toBe(
    'The platform saw the end of sb-7f3a91c2: its microVM vanished from its host',
  );
  expect(textOf(entry('sandbox', 'destroy'))).toBe('Vega destroyed sb-7f3a91c2');
  expect(textOf(entry('sandbox', 'set_timeout', { metadata: { timeout_sec: 900 } }))).toBe(
    'Vega set the end of sb-7f3a91c2 to 15 min from then',
  );
  expect(
    textOf(entry('api_key', 'revoke', { actor_type: 'api_key', actor_name: 'ci', resource_name: 'laptop' })),
  ).toBe('Key ci revoked the key laptop');
  expect(textOf(entry('member', 'add', { resource_id: 'usr-1', metadata: { role: 'member' } }))).toBe(
    'Vega joined the team as member',
  );
  expect(textOf(entry('member', 'invite', { metadata: { email: 'a@b', role: 'member' } }))).toBe(
    'Vega invited a@b as member',
  );
  expect(textOf(entry('team', 'rename', { metadata: { old_name: 'A', new_name: 'B' } }))).toBe(
    'Vega renamed the team A to B',
  );
});

test('the log tells what became of a host, and of its capsules', () => {
  const host = { resource_id: 'host-7f3a91c2-08d1-4000-8000-000000000000' };
  const away = { ...host, actor_type: 'system', actor_id: null, actor_name: null };
  expect(textOf(entry('host', 'marked_down', away))).toBe('The platform lost the host host-7f3a91c2');
  expect(textOf(entry('host', 'drain', { ...host, metadata: { running: 'wait' } }))).toBe(
    'Vega drained the host host-7f3a91c2 of capsules as they end',
  );
  expect(textOf(entry('host', 'delete', { ...host, metadata: { sandboxes: 3 } }))).toBe(
    'Vega deleted the host host-7f3a91c2 with 3 capsules',
  );
  expect(textOf(entry('host', 'delete', { ...host, metadata: { sandboxes: 0 } }))).toBe(
    'Vega deleted the host host-7f3a91c2',
  );
});

test('an unknown event is told by its name', () => {
  expect(textOf(entry('volume', 'resize', { resource_id: 'vol-1' }))).toBe('Vega: volume.resize vol-1');
  expect(sentenceOf(entry('sandbox', 'teleport')).act).toBe('sandbox.teleport');
});

test('metadata of an unexpected kind does no harm', () => {
  for (const metadata of [null, undefined, 'text', { template: { nested: 1 } }, { template: null }])
    expect(textOf(entry('sandbox', 'create', { metadata }))).toBe('Vega launched sb-7f3a91c2');
});

test('days have names', () => {
  const now = Date.parse('2026-11-29T12:00:00Z');
  expect(dayOf(now - 3600_000, now, 'utc')).toBe('Today');
  expect(dayOf(now - 86_400_000, now, 'utc')).toBe('Yesterday');
  expect(dayOf(now - 9 * 86_400_000, now, 'utc')).toBe('20 November 2026');
});
