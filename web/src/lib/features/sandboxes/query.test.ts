import { describe, expect, it } from 'vitest';
import type { Sandbox } from '#lib/api/types.ts';
import {
  cleared,
  DEFAULT,
  filtered,
  type ListQuery,
  matching,
  newestFirst,
  parse,
  print,
  sorted,
} from './query.ts';

function sandbox(id: string, more: Partial<Sandbox> = {}): Sandbox {
  return {
    id,
    status: 'running',
    template: 'minimal',
    vcpus: 1,
    memory_mb: 512,
    timeout_sec: 0,
    created_at: '2026-01-01T00:00:00Z',
    last_updated: '2026-01-01T00:00:00Z',
    ...more,
  } as Sandbox;
}
const select = (all: Sandbox[], asked: ListQuery) => matching(sorted(newestFirst(all), asked.sort), asked);
const ids = (sandboxes: Sandbox[]) => sandboxes.map(({ id }) => id);
const query = (text: string) => parse(new URLSearchParams(text));

describe('the address of the list', () => {
  it('leaves out every default', () => {
    expect(print(DEFAULT)).toBe('');
    expect(query('')).toEqual(DEFAULT);
  });

  it('comes back as it was printed', () => {
    const text =
      '?q=a%26b&status=running%2Cpaused&template=py&label=agent%3Dcodex&by=key-1&ended=true&sort=memory';
    expect(print(query(text))).toBe(text);
  });

  it('leaves out what it does not understand', () => {
    expect(query('status=flying,running&sort=colour&ended=1&template=%20&x=y')).toEqual({
      ...DEFAULT,
      status: ['running'],
    });
  });

  it('keeps the sort and the ended ones when the filters are cleared', () => {
    const before = query('q=x&label=a&sort=memory&ended=true');
    expect(filtered(before)).toBe(true);
    expect(filtered(cleared(before))).toBe(false);
    expect(print(cleared(before))).toBe('?ended=true&sort=memory');
  });
});

describe('the rows', () => {
  it('match a search in id, template and labels without regard to case', () => {
    const all = [
      sandbox('sb-aa'),
      sandbox('sb-bb', { template: 'Py' }),
      sandbox('sb-cc', { labels: { k: 'AA' } }),
    ];
    expect(ids(select(all, query('q=aa')))).toEqual(['sb-aa', 'sb-cc']);
    expect(ids(select(all, query('q=py')))).toEqual(['sb-bb']);
  });

  it('match all the labels that are asked for, with and without a value', () => {
    const all = [sandbox('sb-1', { labels: { a: '1', b: '2' } }), sandbox('sb-2', { labels: { a: '1' } })];
    expect(ids(select(all, query('label=a&label=b%3D2')))).toEqual(['sb-1']);
  });

  it('sort never after every other idle timeout', () => {
    const all = [sandbox('sb-never'), sandbox('sb-short', { timeout_sec: 60 })];
    expect(ids(select(all, query('sort=timeout')))).toEqual(['sb-short', 'sb-never']);
    expect(ids(select(all, query('sort=-timeout')))).toEqual(['sb-never', 'sb-short']);
  });

  it('keep their order when they are equal', () => {
    const all = [sandbox('sb-old'), sandbox('sb-new', { created_at: '2026-01-02T00:00:00Z' })];
    for (const sort of ['memory', '-memory'])
      expect(ids(select(all, query(`sort=${sort}`)))).toEqual(['sb-new', 'sb-old']);
  });
});
