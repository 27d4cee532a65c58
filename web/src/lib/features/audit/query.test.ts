import { expect, test } from 'vitest';
import { matches, NONE, parse, print, request, tick, tickOf, toggleAction, toggleResource } from './query.ts';

const read = (text: string) => parse(new URLSearchParams(text));

test('an address is read and printed without loss', () => {
  const text = '?resource=sandbox,team&action=member.remove&actor=usr-1a&id=sb-7f3a&from=7d&to=2026-11-29';
  expect(print(read(text))).toBe(text);
  expect(print(NONE)).toBe('');
  expect(print(NONE, 'log-1')).toBe('?entry=log-1');
});

test('a broken address is read without what is broken', () => {
  for (const text of [
    'resource=<b>',
    'action=destroy',
    'actor=a b',
    'id=%00',
    'from=yesterdayish',
    'to=7d',
    'x=1',
  ])
    expect(read(text), text).toEqual(NONE);
});

test('a whole resource covers its events in an address', () => {
  expect(print(read('resource=sandbox&action=sandbox.pause,member.add'))).toBe(
    '?resource=sandbox&action=member.add',
  );
});

test('a relative period is counted from now', () => {
  const now = Date.parse('2026-11-29T12:00:00Z');
  expect(request(read('from=24h'), now)).toEqual({ from: '2026-11-28T12:00:00.000Z' });
  expect(request(read('from=7d'), now)).toEqual({ from: '2026-11-22T12:00:00.000Z' });
});

test('mixed filters ask for more, and the page narrows the answer', () => {
  const query = read('resource=sandbox&action=member.remove');
  expect(request(query, 0)).toEqual({ resource_type: ['sandbox', 'member'] });
  expect(matches(query, { resource_type: 'sandbox', action: 'new_one' })).toBe(true);
  expect(matches(query, { resource_type: 'member', action: 'remove' })).toBe(true);
  expect(matches(query, { resource_type: 'member', action: 'add' })).toBe(false);
  expect(request(read('action=sandbox.destroy,member.remove'), 0)).toEqual({
    resource_type: ['sandbox', 'member'],
    action: ['destroy', 'remove'],
  });
  expect(matches(read('action=sandbox.destroy'), { resource_type: 'sandbox', action: 'pause' })).toBe(false);
});

test('the tree has three states', () => {
  let query = toggleAction(NONE, 'api_key', 'create');
  expect([tick(query, 'api_key'), print(query)]).toEqual(['some', '?action=api_key.create']);
  query = toggleAction(query, 'api_key', 'revoke');
  expect([tick(query, 'api_key'), print(query)]).toEqual(['on', '?resource=api_key']);
  query = toggleAction(query, 'api_key', 'create');
  expect(tickOf(query, 'api_key', 'create')).toBe(false);
  expect(print(query)).toBe('?action=api_key.revoke');
  query = toggleResource(query, 'api_key');
  expect(tick(query, 'api_key')).toBe('on');
  expect(toggleResource(query, 'api_key')).toEqual(NONE);
});
