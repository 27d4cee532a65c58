import { expect, test } from 'vitest';
import { LIMITS, limitProblem, limitsOf, limitUse, type Quota, typed, UNSET } from './words.ts';

const use = (used: number, max: number) => ({ used, max });
const quota: Quota = {
  own: { ...UNSET, sandboxes_max: 0, vcpus_max: 12 },
  limits: {
    sandboxes: use(3, 0),
    vcpus: use(4, 12),
    memory_mb: use(1536, 40_960),
    paused_sandboxes: use(0, 100),
    storage_mb: use(9, 102_400),
    creates_per_minute_max: 60,
    sandbox: {
      vcpus_max: 8,
      memory_mb_min: 128,
      memory_mb_max: 8192,
      memory_mb_step: 128,
      timeout_sec_max: 86_400,
    },
  },
};

test('the form of the limits has what is set, empty for a default, and gives it back', () => {
  const values = typed(quota.own);
  expect([values.sandboxes_max, values.vcpus_max, values.memory_mb_max]).toEqual(['0', '12', '']);
  expect(limitsOf(values)).toMatchObject({ sandboxes_max: 0, vcpus_max: 12, memory_mb_max: null });
});

test('a field tells the use, and the default where the team has no limit of its own', () => {
  const told = LIMITS.map((limit) => limitUse(limit, quota));
  expect(told[0]).toEqual({ placeholder: 'default', hint: '3 in use' });
  expect(told[2]).toEqual({ placeholder: '40,960 by default', hint: '1,536 MB in use' });
  expect(told[5]).toEqual({ placeholder: '60 by default', hint: undefined });
});

test('a limit is a whole number or nothing', () => {
  expect(['', ' 12 ', '0'].map(limitProblem)).toEqual([undefined, undefined, undefined]);
  for (const wrong of ['-1', '1.5', 'many', '1e3']) expect(limitProblem(wrong)).toBeDefined();
});
