/** A platform with real microVMs for the tests in `e2e/live`: `locule up` in a folder of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, expect } from '@playwright/test';

const READY_MS = 240_000;

export interface Platform {
  url: string;
  email: string;
  password: string;
  apiKey: string;
  /** Kills the process of `locule up` that runs this subcommand, as a crash would. It is started again. */
  kill: (subcommand: 'serve' | 'agent') => void;
  /** Stops all processes of the platform. */
  stop: () => Promise<void>;
  /** Starts the platform again after `stop`. */
  start: () => Promise<void>;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

export function needed(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; \`make test\` sets it`);
  return value;
}

/** The process `locule <subcommand>` among the descendants of `up`. */
function processOf(up: number, subcommand: string): number | undefined {
  const parents = new Map<number, number>();
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (args[0]?.endsWith('locule') && args[1] === subcommand) found.push(pid);
    } catch {
      // The process ended meanwhile.
    }
  }
  return found.find((pid) => {
    for (let at: number | undefined = pid; at && at > 1; at = parents.get(at)) if (at === up) return true;
    return false;
  });
}

/** `locule up` with its folder of data, from the start until it is stopped. */
async function run(
  args: string[],
  folder: string,
  hosts: string,
): Promise<{ up: ChildProcess; stop: () => Promise<void> }> {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    // The platform has servers of its own: a second one on the same database would miss the first one's key.
    DATABASE_URL: undefined,
    REDIS_URL: undefined,
    HOME: folder,
    LOCULE__HOSTS__LISTEN: hosts,
    LOCULE__HOSTS__URL: `https://${hosts}`,
  };
  const up = spawn(needed('LOCULE_BINARY'), args, { env });
  let printed = '';
  const ended = new Promise<number | null>((resolve) => up.once('exit', resolve));
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`locule up is not ready:\n${printed}`)), READY_MS);
    const see = (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes('Ctrl-C pauses')) {
        clearTimeout(timer);
        resolve();
      }
    };
    up.stdout.on('data', see);
    up.stderr.on('data', see);
    void ended.then((code) => reject(new Error(`locule up ended with ${code}:\n${printed}`)));
  });
  const stop = async () => {
    up.kill('SIGINT');
    await ended;
  };
  return { up, stop };
}

async function start(): Promise<{ platform: Platform; end: () => Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'locule-web-'));
  // The servers run as a user of their own.
  chmodSync(folder, 0o711);
  const listen = `127.0.0.1:${await freePort()}`;
  const args = ['up', '--data-dir', join(folder, 'data'), '--listen', listen];
  args.push('--images', needed('LOCULE_IMAGES'), '--pool-size', '6144');
  const hosts = `127.0.0.1:${await freePort()}`;
  let running = await run(args, folder, hosts);
  const kept = JSON.parse(readFileSync(join(folder, 'data/credentials.json'), 'utf8')) as Record<
    string,
    string
  >;
  const platform: Platform = {
    url: `http://${listen}`,
    email: kept.email ?? '',
    password: kept.password ?? '',
    apiKey: kept.api_key ?? '',
    kill: (subcommand) => {
      const found = processOf(running.up.pid ?? 0, subcommand);
      if (found === undefined) throw new Error(`locule ${subcommand} does not run`);
      process.kill(found, 'SIGKILL');
    },
    stop: () => running.stop(),
    start: async () => {
      running = await run(args, folder, hosts);
    },
  };
  const end = async () => {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { platform, end };
}

export const test = base.extend<{ signedIn: boolean; problems: string[] }, { platform: Platform }>({
  platform: [
    async ({}, use) => {
      const { platform, end } = await start();
      await use(platform);
      await end();
    },
    { scope: 'worker', timeout: READY_MS + 60_000 },
  ],
  baseURL: async ({ platform }, use) => use(platform.url),
  page: async ({ page }, use) => {
    const open = page.goto.bind(page);
    // Chromium gives up a load while the machine gets an address, which each new capsule brings.
    page.goto = async (url, options) => {
      for (;;) {
        try {
          return await open(url, options);
        } catch (error) {
          if (!String(error).includes('ERR_NETWORK_CHANGED')) throw error;
        }
      }
    };
    await use(page);
  },
  problems: [
    async ({ page, platform }, use) => {
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(`page: ${error.message}`));
      page.on('console', (message) => {
        // A request that is refused, or lost on purpose, has a line of Chromium's own.
        if (!/Failed to load resource|WebSocket connection to/.test(message.text()))
          problems.push(message.text());
      });
      page.on('request', (request) => {
        const url = new URL(request.url());
        if (url.origin !== platform.url && /^https?:$/.test(url.protocol))
          problems.push(`foreign request: ${url.href}`);
      });
      await use(problems);
      expect(problems).toEqual([]);
    },
    { auto: true },
  ],
  signedIn: async ({ page, platform }, use) => {
    await signIn(page, platform.email, platform.password);
    await use(true);
  },
});

/** A capsule made by a program, so that a test needs none of another test. */
export async function make(platform: Platform, more: Record<string, unknown> = {}): Promise<string> {
  const made = await fetch(`${platform.url}/v1/sandboxes`, {
    method: 'POST',
    headers: { 'x-api-key': platform.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify(more),
  });
  expect(made.status).toBe(201);
  return ((await made.json()) as { id: string }).id;
}

export async function signIn(
  page: import('@playwright/test').Page,
  email: string,
  password: string,
): Promise<void> {
  await page.goto('/login');
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.waitForURL('**/dashboard/**');
}

export { expect };
