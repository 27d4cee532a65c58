import { expect, test } from 'vitest';
import { ALL, type AdminSandbox, filtered, offered, parse, print, request, whyNotOpen } from './capsules.ts';

const read = (text: string) => parse(new URLSearchParams(text));

test('an address keeps every filter, and leaves the defaults out', () => {
  const text =
    '?q=codex&status=running%2Cpaused&team=team-1&host=host-1&template=minimal&by=usr-1&label=a&label=b%3D1&ended=true&cursor=c';
  expect(print(read(text))).toBe(text);
  expect(print(ALL)).toBe('');
  expect(read('')).toEqual(ALL);
});

test('what an address does not mean is left out', () => {
  expect(read('status=nonsense,running&team=&ended=yes&label=')).toEqual({ ...ALL, status: ['running'] });
});

test('the request has the names of the API and nothing that was not asked', () => {
  expect(request(ALL)).toEqual({ limit: 100 });
  expect(request({ ...ALL, by: 'key-1', team: 'team-1', status: ['paused'], cursor: 'c' })).toEqual({
    limit: 100,
    created_by: 'key-1',
    team: 'team-1',
    status: ['paused'],
    cursor: 'c',
  });
});

test('a page further on or the ended ones are no filter', () => {
  expect(filtered({ ...ALL, cursor: 'c', ended: true })).toBe(false);
  expect(filtered({ ...ALL, host: 'host-1' })).toBe(true);
});

test('a filter offers what the rows have, and the chosen value although no row has it', () => {
  const rows = [
    { team: { id: 'b', name: 'Boreas' } },
    { team: { id: 'a', name: 'Atlas' } },
  ] as AdminSandbox[];
  const teams = offered(
    rows,
    ({ team }) => [[team.id, team.name]],
    ['c'],
    (id) => `team ${id}`,
  );
  expect(teams.map(({ label }) => label)).toEqual(['Atlas', 'Boreas', 'team c']);
});

test('only members of its team open a capsule', () => {
  const capsule = { team: { id: 'a', name: 'Atlas' } } as AdminSandbox;
  expect(whyNotOpen(capsule, [{ id: 'a' }])).toBeUndefined();
  expect(whyNotOpen(capsule, [])).toBe('Only members of Atlas can open it');
});
