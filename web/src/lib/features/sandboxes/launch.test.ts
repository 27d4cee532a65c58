import { describe, expect, it } from 'vitest';
import { begin, body, faults } from './launch.ts';
import { python, quoted } from '#lib/components/code.ts';
import { launchSamples } from './samples.ts';

describe('the launch', () => {
  it('asks for what the dialog shows', () => {
    expect(body(begin({}, 'minimal'))).toEqual({
      template: 'minimal',
      vcpus: 1,
      memory_mb: 512,
      timeout_sec: 900,
    });
  });

  it('leaves out what to do at an end that never comes', () => {
    const launch = { ...begin({}, 'minimal'), onTimeout: 'pause' as const };
    expect(body(launch)).not.toHaveProperty('on_timeout');
    expect(body({ ...launch, expires: 60 })).toMatchObject({ expires_in_sec: 60, on_timeout: 'pause' });
  });

  it('finds every fault', () => {
    const twice = [
      { name: 'a', value: '1' },
      { name: ' a', value: '2' },
    ];
    const launch = { ...begin({}, ' '), vcpus: 9, memory: 200, labels: twice, envs: twice };
    expect(Object.keys(faults(launch))).toEqual(['template', 'vcpus', 'memory', 'labels', 'envs']);
    expect(faults(begin({}, 'minimal'))).toEqual({});
  });
});

describe('the launch as code', () => {
  it('quotes what a shell would read otherwise', () => {
    expect(quoted(`it's`)).toBe(`'it'\\''s'`);
    expect(quoted('a=b')).toBe('a=b');
    expect(quoted('$(rm)')).toBe(`'$(rm)'`);
  });

  it('has the values that were typed, and no key', () => {
    const samples = launchSamples('https://locule.example', {
      template: 'py',
      memory_mb: 1024,
      timeout_sec: 900,
      labels: { agent: 'a b' },
    });
    expect(samples[0]?.code).toBe(
      `locule sandbox create --template py --memory 1024m --timeout 15m --label 'agent=a b'`,
    );
    expect(samples.map(({ code }) => code).join()).not.toContain('e2b_');
    expect(samples[1]?.code).toContain('"memory_mb":1024');
  });

  it('writes Python', () => {
    expect(python({ a: true, b: { c: null } })).toBe(
      '{\n    "a": True,\n    "b": {\n        "c": None,\n    },\n}',
    );
  });
});
