/** The values of the launch dialog, and the request that they make. */
import type { CreateSandbox } from '#lib/api/types.ts';
import { record, twice, type Pair } from '#lib/components/pairs.ts';

export const VCPUS = { min: 1, max: 8 };
export const MEMORY = { min: 128, max: 8192, step: 128 };

export interface Launch {
  template: string;
  vcpus: number;
  memory: number;
  /** Idle seconds; 0: never. */
  timeout: number;
  /** Seconds until the end; 0: never. */
  expires: number;
  onTimeout: 'kill' | 'pause';
  autoResume: boolean;
  publicTraffic: boolean;
  labels: Pair[];
  envs: Pair[];
}

export function begin(from: Partial<CreateSandbox>, template: string): Launch {
  return {
    template: from.template ?? template,
    vcpus: from.vcpus ?? 1,
    memory: from.memory_mb ?? 512,
    timeout: from.timeout_sec ?? 900,
    expires: from.expires_in_sec ?? 0,
    onTimeout: from.on_timeout ?? 'kill',
    autoResume: from.auto_resume ?? false,
    publicTraffic: from.public_traffic ?? false,
    labels: pairs(from.labels),
    envs: pairs(from.envs),
  };
}

const pairs = (from: Record<string, string> | undefined): Pair[] =>
  Object.entries(from ?? {}).map(([name, value]) => ({ name, value }));

export type Body = Partial<CreateSandbox>;

/** The body of the request: what differs from the defaults of the API, and what the dialog shows. */
export function body(launch: Launch): Body {
  const labels = record(launch.labels);
  const envs = record(launch.envs);
  return {
    template: launch.template.trim() || 'minimal',
    vcpus: launch.vcpus,
    memory_mb: launch.memory,
    timeout_sec: launch.timeout,
    ...(launch.expires > 0
      ? {
          expires_in_sec: launch.expires,
          ...(launch.onTimeout === 'pause' ? { on_timeout: 'pause' as const } : {}),
        }
      : {}),
    ...(launch.autoResume ? { auto_resume: true } : {}),
    ...(launch.publicTraffic ? { public_traffic: true } : {}),
    ...(labels ? { labels } : {}),
    ...(envs ? { envs } : {}),
  };
}

export type Faults = Partial<Record<'template' | 'vcpus' | 'memory' | 'labels' | 'envs', string>>;

/** What is wrong with the values, by field. */
export function faults(launch: Launch): Faults {
  const found: Faults = {};
  if (launch.template.trim() === '') found.template = 'Choose a template';
  if (!Number.isInteger(launch.vcpus) || launch.vcpus < VCPUS.min || launch.vcpus > VCPUS.max)
    found.vcpus = `A capsule has ${VCPUS.min} to ${VCPUS.max} vCPU`;
  if (launch.memory < MEMORY.min || launch.memory > MEMORY.max)
    found.memory = `Memory is ${MEMORY.min} to ${MEMORY.max} MB`;
  else if (launch.memory % MEMORY.step !== 0) found.memory = `Memory is a multiple of ${MEMORY.step} MB`;
  const label = twice(launch.labels);
  if (label) found.labels = `The label ${label} stands twice`;
  const variable = twice(launch.envs);
  if (variable) found.envs = `The variable ${variable} stands twice`;
  return found;
}
