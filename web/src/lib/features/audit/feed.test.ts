import { expect, test } from 'vitest';
import type { AuditEntry } from '#lib/api/types.ts';
import { Feed, LIMIT } from './feed.svelte.ts';

const entry = (id: number) => ({ id: `log-${id}` }) as AuditEntry;
const entries = (from: number, to: number) =>
  Array.from({ length: from - to + 1 }, (_, index) => entry(from - index));

test('older entries are appended once, newer ones wait for the user', async () => {
  const pages = [
    { items: entries(LIMIT - 1, 0), next_before: 'b' },
    { items: entries(LIMIT + 2, 3), next_before: 'c' },
  ];
  const asked: (string | undefined)[] = [];
  const feed = new Feed(
    {
      page: async (before) => {
        asked.push(before);
        return pages.shift() ?? { items: [] };
      },
      matches: () => true,
    },
    { items: entries(2 * LIMIT - 1, LIMIT), next_before: 'a' },
  );
  expect([feed.entries.length, feed.done]).toEqual([LIMIT, false]);
  await feed.more();
  expect([feed.entries.length, asked]).toEqual([2 * LIMIT, ['a']]);
  const before = feed.entries;
  pages[0] = { items: entries(2 * LIMIT + 1, LIMIT + 2), next_before: 'a' };
  await feed.look();
  expect(feed.entries).toBe(before);
  expect(feed.fresh.map(({ id }) => id)).toEqual([`log-${2 * LIMIT + 1}`, `log-${2 * LIMIT}`]);
  feed.show();
  expect([feed.entries[0]?.id, feed.fresh.length]).toEqual([`log-${2 * LIMIT + 1}`, 0]);
});

test('a failure keeps the entries, and the next attempt goes on', async () => {
  let fails = true;
  const feed = new Feed(
    {
      page: async () => {
        if (fails) throw new Error('away');
        return { items: [entry(1)] };
      },
      matches: () => true,
    },
    { items: entries(LIMIT + 1, 2), next_before: 'a' },
  );
  await feed.more();
  expect([feed.entries.length, feed.failure !== undefined, feed.done]).toEqual([LIMIT, true, false]);
  fails = false;
  await feed.more();
  expect([feed.entries.length, feed.failure, feed.done]).toEqual([LIMIT + 1, undefined, true]);
});
