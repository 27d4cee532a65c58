import { describe, expect, it } from 'vitest';
import type { Sandbox, SandboxStatus } from '#lib/api/types.ts';
import { actsOf, doingOf, sandboxCan, whyNoLaunch } from './can.ts';
import { bulkWords, clockWords, lossWords, nextLimit, stateWords } from './words.ts';
import { shortId } from '#lib/components/capsule/words.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const at = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();

function sandbox(more: Partial<Sandbox> = {}): Sandbox {
  return {
    id: 'sb-7f3a91c2-08d1-4bd8-aa49-52d4a0d1ef25',
    status: 'running',
    template: 'minimal',
    vcpus: 1,
    memory_mb: 512,
    timeout_sec: 900,
    created_at: at(-600),
    last_active_at: at(-60),
    last_updated: at(-240),
    ...more,
  } as Sandbox;
}
const STATES: SandboxStatus[] = ['pending', 'starting', 'running', 'paused', 'missing', 'stopped', 'error'];

describe('the clock of a capsule', () => {
  it('is the earlier of the idle timeout and the expiry', () => {
    expect(nextLimit(sandbox({ expires_at: at(300) }))).toMatchObject({ kind: 'ends', idle: false });
    expect(nextLimit(sandbox({ expires_at: at(3000) }))).toMatchObject({ kind: 'pauses', idle: true });
    expect(nextLimit(sandbox({ expires_at: at(300), on_timeout: 'pause' }))).toMatchObject({
      kind: 'pauses',
    });
  });

  it('warns in its last minute', () => {
    expect(clockWords(sandbox({ last_active_at: at(-859) }), NOW)).toEqual({
      text: 'pauses in 41 s',
      soon: true,
    });
    expect(clockWords(sandbox(), NOW)).toEqual({ text: 'pauses in 14 min', soon: false });
  });

  it('says that a paused capsule is kept, and one without a limit has no end', () => {
    expect(clockWords(sandbox({ status: 'paused' }), NOW).text).toBe('kept');
    expect(clockWords(sandbox({ timeout_sec: 0 }), NOW).text).toBe('no end');
    expect(clockWords(sandbox({ status: 'error', status_reason: 'create_failed' }), NOW).text).toBe(
      'create failed',
    );
  });
});

describe('the words for a state', () => {
  it('stand for every state but running', () => {
    for (const status of STATES) {
      const words = stateWords(sandbox({ status }), NOW);
      if (status === 'running') expect(words).toBeUndefined();
      else expect(words?.text).toMatch(/^[A-Z].*\.$/);
    }
  });

  it('tell an end that was asked for from one that was not', () => {
    const destroyed = sandbox({
      status: 'stopped',
      status_reason: 'destroyed',
      ended_by: { kind: 'api_key', name: 'ci' },
    });
    expect(stateWords(destroyed, NOW)).toEqual({
      title: 'Ended 4 min ago',
      text: 'The capsule was destroyed by key ci.',
    });
    const vanished = sandbox({ status: 'stopped', status_reason: 'vm_lost', host_id: 'host-3' });
    expect(stateWords(vanished, NOW)?.text).toBe('Its microVM vanished from host-3. Nobody asked for that.');
  });

  it('show a reason that the dashboard does not know', () => {
    expect(stateWords(sandbox({ status: 'stopped', status_reason: 'sun_flare' }), NOW)?.text).toBe(
      'The reason: sun flare.',
    );
  });

  it('name what will be lost by number', () => {
    const all = [sandbox(), sandbox(), sandbox({ status: 'paused' })];
    expect(lossWords(all)).toMatch(/^2 running, 1 paused: /);
    expect(shortId(sandbox().id)).toBe('sb-7f3a91c2');
  });

  it('tell how an act on several capsules went', () => {
    expect(bulkWords('Paused', { done: 1, failures: [] })).toBe('Paused 1 capsule.');
    expect(bulkWords('Destroyed', { done: 2, failures: ['The host is away.'] })).toBe(
      'Destroyed 2 capsules. 1 capsule failed and stays selected: The host is away.',
    );
  });
});

describe('what can be done', () => {
  it('is offered by state', () => {
    expect(STATES.map((status) => actsOf(status).join(' '))).toEqual([
      'destroy',
      'destroy',
      'terminal pause destroy',
      'resume destroy',
      'destroy',
      '',
      '',
    ]);
  });

  it('is refused with a reason while the platform is away, during a change, and after the end', () => {
    for (const act of ['terminal', 'pause', 'resume', 'destroy'] as const) {
      expect(sandboxCan(act, sandbox(), { lost: true })).toMatchObject({ ok: false });
      expect(sandboxCan(act, sandbox({ status: 'stopped' }), { lost: false })).toMatchObject({ ok: false });
    }
    expect(sandboxCan('pause', sandbox(), { lost: false, doing: 'pausing' })).toEqual({
      ok: false,
      why: 'The capsule is pausing',
    });
    expect(sandboxCan('destroy', sandbox(), { lost: false, doing: 'pausing' })).toEqual({ ok: true });
  });

  it('follows what the platform works towards', () => {
    expect(doingOf(sandbox({ desired: 'gone' }))).toBe('destroying');
    expect(doingOf(sandbox({ desired: 'paused' }))).toBe('pausing');
    expect(doingOf(sandbox({ status: 'paused', desired: 'running' }))).toBe('resuming');
    expect(doingOf(sandbox({ status: 'stopped', desired: 'gone' }))).toBeUndefined();
  });

  it('needs a team to launch (B-132)', () => {
    expect(whyNoLaunch(false, false)).toContain('side bar');
    expect(whyNoLaunch(true, false)).toBeUndefined();
  });
});
