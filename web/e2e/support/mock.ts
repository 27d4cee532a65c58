/** The fixtures of tests with mocks. Each test fails on a console line, a foreign request, and a request that nobody answers. */
import AxeBuilder from '@axe-core/playwright';
import { test as base, expect, type Page } from '@playwright/test';
import { NOW, type Db, db as makeDb } from '../../mocks/db.ts';
import { answer, login } from '../../mocks/handlers.ts';

interface Fixtures {
  /** What the platform has. Change it before or after the page is opened. */
  db: Db;
  /** Opens a path with a login. */
  open: (path: string, options?: { signedIn?: boolean; theme?: 'dark' | 'light' }) => Promise<void>;
  /** Console lines that the test expects, for example of a refused request. */
  allowed: RegExp[];
}

export const test = base.extend<Fixtures>({
  db: async ({}, use) => use(makeDb()),
  // Chromium prints a line for each answer that is an error.
  allowed: async ({}, use) => use([]),
  open: async ({ page, db, allowed, baseURL }, use) => {
    const problems: string[] = [];
    page.on('console', (message) => {
      const line = `${message.type()}: ${message.text()}`;
      if (!allowed.some((one) => one.test(line))) problems.push(line);
    });
    page.on('pageerror', (error) => problems.push(`page: ${error.message}`));
    await page.clock.setFixedTime(NOW);
    await page.clock.install({ time: NOW });
    await page.route('**/*', async (route) => {
      const request = route.request();
      const url = new URL(request.url());
      if (url.origin !== baseURL) {
        problems.push(`foreign request: ${url.href}`);
        return route.abort();
      }
      if (!/^\/(v1|health|auth\/oauth)/.test(url.pathname)) return route.continue();
      let body: unknown;
      try {
        body = request.postDataJSON();
      } catch {
        body = request.postData();
      }
      const answered = answer(db, {
        method: request.method(),
        path: url.pathname,
        query: url.searchParams,
        body,
      });
      if (answered === undefined) return route.abort('connectionrefused');
      if (answered === 'hang') return;
      return route.fulfill({
        status: answered.status,
        headers: { 'x-request-id': 'req-1', ...answered.headers },
        ...(answered.body === undefined ? {} : { json: answered.body }),
      });
    });
    await use(async (path, { signedIn = true, theme = 'dark' } = {}) => {
      await page.addInitScript((kept) => localStorage.setItem('locule.theme', kept), theme);
      if (signedIn) {
        await page.addInitScript(
          (kept) => {
            if (!sessionStorage.getItem('opened')) {
              sessionStorage.setItem('opened', 'yes');
              sessionStorage.setItem('locule.session', kept);
            }
          },
          JSON.stringify(login(db)),
        );
      }
      await page.goto(path);
    });
    expect(problems).toEqual([]);
  },
});

export { expect };

/** The page has no violation that axe finds. */
export async function accessible(page: Page): Promise<void> {
  const found = await new AxeBuilder({ page }).analyze();
  const told = found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' | ')}`);
  expect(told).toEqual([]);
}
