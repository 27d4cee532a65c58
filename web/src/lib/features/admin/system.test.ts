import { expect, test } from 'vitest';
import { CallError } from '#lib/api/errors.ts';
import { facts, healthWords, stateOf, summary, type Task } from './system.ts';

const NOW = Date.parse('2026-11-14T14:32:00Z');
const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();
const task = (more: Partial<Task>): Task => ({ name: 'sandbox sweep', period_sec: 15, ...more });

test('the state of a task follows from its latest pass', () => {
  const state = (more: Partial<Task>) => stateOf(task(more), NOW);
  expect(state({})).toBe('pending');
  expect(state({ last_started_at: ago(9) })).toBe('running');
  expect(state({ last_started_at: ago(9), last_finished_at: ago(20) })).toBe('running');
  expect(state({ last_started_at: ago(9), last_finished_at: ago(8) })).toBe('success');
  expect(state({ last_started_at: ago(9), last_finished_at: ago(8), last_error: 'no' })).toBe('failed');
});

test('a task is late after three periods, and a quick one after a minute', () => {
  const of = (period_sec: number, age: number) =>
    stateOf(task({ period_sec, last_started_at: ago(age), last_finished_at: ago(age) }), NOW);
  expect(of(15, 55)).toBe('success');
  expect(of(15, 61)).toBe('late');
  expect(of(3600, 10_000)).toBe('success');
  expect(of(3600, 11_000)).toBe('late');
});

test('one bad task makes the summary bad', () => {
  const good = task({ last_started_at: ago(9), last_finished_at: ago(8) });
  expect(summary([good], NOW)).toEqual({ status: 'success', text: '1 task on time' });
  expect(summary([good, { ...good, last_error: 'no' }], NOW).text).toBe('1 task failed or late');
});

test('emulation and a missing host are told with what they mean', () => {
  const info = { version: '1', sign_up: 'closed' as const, mail: true, providers: ['github'] };
  const note = (accelerator: string | null) =>
    facts({ ...info, accelerator }).find(({ label }) => label === 'Accelerator')?.note;
  expect(note('kvm')).toBeUndefined();
  expect(note('tcg')).toContain('trusted code only');
  expect(note(null)).toBe('No host answers.');
});

test('a platform that is not ready says why', () => {
  const failure = new CallError({ status: 503, code: 'not_ready', message: 'the host does not answer' });
  expect(healthWords({ failure }).text).toBe('No capsule can be made: the host does not answer.');
  expect(healthWords({ value: { status: 'ok', version: '1' } }).word).toBe('ready');
});
