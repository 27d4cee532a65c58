/** The fixtures of tests with mocks. Each test fails on a console line, a foreign request, and a request that nobody answers. */
import { test as base, expect, type Page } from '@playwright/test';
import axe from 'axe-core';
import { login } from '../../mocks/account.ts';
import { NOW, type Db } from '../../mocks/db.ts';
import { type Scenario, scenario } from '../../mocks/scenarios.ts';
import type { Shells } from '../../mocks/shells.ts';
import { Site } from './site.ts';

interface Fixtures {
  scenario: Scenario;
  /** What the platform has. Change it before or after the page is opened. */
  db: Db;
  /** The terminals of the capsules. */
  shells: Shells;
  /** Opens a path with a login. */
  open: (
    path: string,
    options?: { signedIn?: boolean; theme?: 'dark' | 'light' | 'system' },
  ) => Promise<void>;
  /** Console lines that the test expects, for example of a refused request. */
  allowed: RegExp[];
}

export const test = base.extend<Fixtures, { site: Site }>({
  site: [
    async ({}, use) => {
      const site = await Site.start();
      await use(site);
      await site.stop();
    },
    { scope: 'worker' },
  ],
  baseURL: async ({ site }, use) => use(site.origin),
  scenario: ['empty', { option: true }],
  db: async ({ page, site, scenario: name }, use) => {
    // The page has left the test before, whose requests are none of this platform's.
    expect(page.url()).toBe('about:blank');
    const db = (site.db = scenario(name));
    await use(db);
    site.db = undefined;
  },
  shells: async ({ db }, use) => use(db.shells),
  // Chromium prints a line for each answer that is an error.
  allowed: async ({}, use) => use([]),
  open: async ({ page, db, allowed, baseURL, site }, use, { testId, repeatEachIndex, retry }) => {
    const problems: string[] = [];
    site.unknown = problems;
    page.on('console', (message) => {
      const line = `${message.type()}: ${message.text()}`;
      if (!allowed.some((one) => one.test(line))) problems.push(line);
    });
    page.on('pageerror', (error) => problems.push(`page: ${error.message}`));
    page.on('request', (request) => {
      const { origin, protocol } = new URL(request.url());
      if (origin !== baseURL && protocol !== 'blob:' && protocol !== 'data:')
        problems.push(`foreign request: ${request.url()}`);
    });
    await page.clock.setFixedTime(NOW);
    await page.clock.install({ time: NOW });
    const test = [testId, repeatEachIndex, retry].join();
    await use(async (path, { signedIn = true, theme = 'dark' } = {}) => {
      await page.addInitScript(begin, {
        test,
        theme,
        session: signedIn ? JSON.stringify(login(db)) : undefined,
      });
      await page.goto(path);
    });
    expect(problems).toEqual([]);
  },
});

/** Runs in the page before anything else. The tab is the one of the test before: its storage is cleared once. */
function begin({ test, theme, session }: { test: string; theme: string; session: string | undefined }): void {
  if (sessionStorage.getItem('test') === test) return;
  sessionStorage.clear();
  localStorage.clear();
  sessionStorage.setItem('test', test);
  localStorage.setItem('locule.theme', theme);
  if (session) sessionStorage.setItem('locule.session', session);
}

export { expect };

/**
 * From here on, two seconds later, time passes by `page.clock.runFor` only: a slow machine brings nothing that the test does not expect.
 * Not before a page is left: the router waits for timers.
 */
export async function stopClock(page: Page): Promise<void> {
  await page.clock.pauseAt((await page.evaluate(() => Date.now())) + 2000);
}

/** The page has no violation that axe finds, and neither has the other theme, which differs in its colours only. */
export async function accessible(page: Page): Promise<void> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { axe: finder } = window as unknown as { axe: typeof axe };
    const { dataset } = document.documentElement;
    const told: string[] = [];
    const look = async (options: axe.RunOptions) => {
      const { violations } = await finder.run({ ...options, resultTypes: ['violations'] });
      for (const { id, nodes } of violations)
        told.push(`${dataset.theme} ${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
    };
    const theme = dataset.theme ?? '';
    await look({});
    dataset.theme = theme === 'dark' ? 'light' : 'dark';
    await look({ runOnly: ['color-contrast'] });
    dataset.theme = theme;
    return told;
  });
  expect(found).toEqual([]);
}
