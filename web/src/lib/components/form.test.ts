// @vitest-environment jsdom
import { expect, test, vi } from 'vitest';
import { CallError } from '#lib/api/errors.ts';
import { FormState } from './form.svelte.ts';

const event = () =>
  ({
    preventDefault: () => undefined,
    currentTarget: document.createElement('form'),
  }) as unknown as SubmitEvent;
const check = ({ name }: { name: string }) => ({ name: name === '' ? 'Enter a name.' : undefined });

test('a field is checked on leaving it and on sending, never at the first key', async () => {
  const send = vi.fn(async () => undefined);
  const form = new FormState({
    initial: { name: '' },
    check: ({ name }) => ({ name: name.length < 3 ? 'Too short.' : undefined }),
    send,
  });
  form.values.name = 'a';
  expect(form.error('name')).toBeUndefined();
  form.leave('name');
  expect(form.error('name')).toBe('Too short.');
  await form.submit(event());
  expect(send).not.toHaveBeenCalled();
  form.values.name = 'abc';
  await form.submit(event());
  expect(send).toHaveBeenCalledWith({ name: 'abc' });
});

test('an empty field is left alone until the form is sent', async () => {
  const form = new FormState({ initial: { name: '' }, check, send: async () => undefined });
  form.leave('name');
  expect(form.error('name')).toBeUndefined();
  await form.submit(event());
  expect(form.error('name')).toBe('Enter a name.');
});

test('a sentence of the server stands at its field until the value changes', async () => {
  const failure = new CallError({ status: 409, code: 'email_taken', message: 'taken' });
  const form = new FormState({
    initial: { name: 'a' },
    fields: () => ({ name: 'Taken.' }),
    send: () => Promise.reject(failure),
  });
  await form.submit(event());
  expect(form.error('name')).toBe('Taken.');
  expect(form.failure).toBeUndefined();
  form.values.name = 'b';
  expect(form.error('name')).toBeUndefined();
});

test('a form that was sent too often waits', async () => {
  const failure = new CallError({ status: 429, code: 'rate_limited', message: 'slow', retryAfter: 30 });
  const send = vi.fn(() => Promise.reject(failure));
  const form = new FormState({ initial: { name: 'a' }, send });
  await form.submit(event());
  await form.submit(event());
  expect(send).toHaveBeenCalledTimes(1);
  expect(form.blockedUntil).toBeGreaterThan(Date.now() + 20_000);
});
