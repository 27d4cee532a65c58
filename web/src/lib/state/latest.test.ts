import { expect, test } from 'vitest';
import { Latest, soon } from './latest.svelte.ts';

test('a failure leaves what is known of the same address, and of no other one', async () => {
  const latest = new Latest<string>();
  await latest.take('a', Promise.resolve({ value: 'rows' }));
  await latest.take('a', Promise.resolve({ failure: 'lost' }));
  expect([latest.value, latest.failure]).toEqual(['rows', 'lost']);
  await latest.take('a', Promise.resolve({ value: 'more rows' }));
  expect(latest.failure).toBeUndefined();
  await latest.take('b', Promise.resolve({ failure: 'lost' }));
  expect([latest.value, latest.failure]).toEqual([undefined, 'lost']);
});

test('an answer that a later one has overtaken is dropped', async () => {
  const latest = new Latest<string>();
  let late: (answer: { value: string }) => void = () => undefined;
  const first = latest.take('a', new Promise((resolve) => (late = resolve)));
  await latest.take('b', Promise.resolve({ value: 'b' }));
  late({ value: 'a' });
  await first;
  expect(latest.value).toBe('b');
});

test('a load that fails is an answer, and no rejection', async () => {
  const { loaded } = await soon(Promise.reject(new Error('no')));
  expect((await loaded).failure).toEqual(new Error('no'));
});
