import { describe, expect, it } from 'vitest';
import type { AuditEntry, Sandbox } from '#lib/api/types.ts';
import { activityWords } from './activity.ts';
import { clockOf, holderWords } from './clock.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const at = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();
const sandbox = {
  id: 'sb-7f3a91c2-08d1-4bd8-aa49-52d4a0d1ef25',
  status: 'running',
  template: 'minimal',
  vcpus: 1,
  memory_mb: 512,
  timeout_sec: 900,
  created_at: at(-600),
  last_active_at: at(-300),
  last_updated: at(0),
} as Sandbox;

describe('the clock', () => {
  it('counts from the last activity', () => {
    expect(clockOf(sandbox, undefined, NOW)).toMatchObject({ idleLeft: 600_000, held: [] });
  });

  it('stands still while something holds the capsule awake', () => {
    const clock = clockOf(
      sandbox,
      { now: at(0), held_by: [{ kind: 'terminal', pid: 412, count: 1, since: at(-9) }] },
      NOW,
    );
    expect(clock.idleLeft).toBeUndefined();
    expect(clock.held).toEqual(['a terminal (pid 412)']);
  });

  it('never runs below nothing, and not at all in a paused capsule', () => {
    expect(clockOf({ ...sandbox, last_active_at: at(-9000) }, undefined, NOW).idleLeft).toBe(0);
    expect(clockOf({ ...sandbox, status: 'paused' }, undefined, NOW).idleLeft).toBeUndefined();
  });

  it('says what the platform may add later by its own word', () => {
    expect(holderWords({ kind: 'moon_phase', tag: 'full' })).toBe('moon phase full');
    expect(holderWords({ kind: 'port', count: 3 })).toBe('3 connections to its ports');
  });
});

describe('the activity', () => {
  const entry = (action: string, more: Partial<AuditEntry> = {}): AuditEntry => ({
    id: 'log-1',
    actor_type: 'api_key',
    actor_name: 'ci',
    resource_type: 'sandbox',
    action,
    scope: 'team',
    status: 'success',
    created_at: at(0),
    ...more,
  });

  const details = (metadata: unknown) => ({ metadata }) as Partial<AuditEntry>;

  it('has a sentence for every event of a sandbox', () => {
    for (const action of ['create', 'pause', 'auto_pause', 'resume', 'set_timeout', 'update', 'destroy'])
      expect(activityWords(entry(action)), action).not.toContain('sandbox.');
    expect(activityWords(entry('create', details({ template: 'py' })))).toBe('Key ci launched it from py');
  });

  it('tells an end that nobody asked for from one that was asked for', () => {
    expect(activityWords(entry('destroy'))).toBe('Key ci destroyed it');
    const vanished = entry('destroy', { actor_type: 'system', ...details({ reason: 'vm_lost' }) });
    expect(activityWords(vanished)).toMatch(/^The platform saw the end of it.*vanished/);
  });

  it('still reads when the event is unknown', () => {
    expect(activityWords(entry('resize'))).toBe('Key ci: sandbox.resize');
  });
});
