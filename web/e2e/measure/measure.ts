/**
 * Measures the production build with a thousand capsules, and prints one JSON object: `npm run -s measure`.
 * Script times come from Chromium's own account; a time depends on the machine, so that no test holds it.
 */
import { chromium, type CDPSession, type Page } from '@playwright/test';
import { db as makeDb, sandbox } from '../../mocks/db.ts';
import { login } from '../../mocks/account.ts';
import { CHROMIUM } from '../support/chromium.ts';
import { Site } from '../support/site.ts';
import { LIST, PAGES, weigh } from '../support/weight.ts';

const ROWS = 1000;
const ROUNDS = 5;
/** After the first polls the page has made whatever it keeps. */
const WARM_POLLS = 10;
const POLLS = 100;

const db = makeDb();
db.me.is_admin = true;
db.sandboxes = Array.from({ length: ROWS }, (_, index) =>
  sandbox({ vcpus: (index % 8) + 1, labels: { run: String(index) } } as Parameters<typeof sandbox>[0]),
);

async function scriptMs(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics');
  return 1000 * (metrics.find(({ name }) => name === 'ScriptDuration')?.value ?? 0);
}

/** What the page keeps in the heap of its scripts, without what nothing refers to any more. */
async function heapBytes(session: CDPSession): Promise<number> {
  await session.send('HeapProfiler.collectGarbage');
  return (await session.send('Runtime.getHeapUsage')).usedSize;
}

const frames = (page: Page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

const tenth = (value: number) => Math.round(value * 10) / 10;

/** The times in scripts that an act takes. */
async function cost(
  page: Page,
  session: CDPSession,
  act: (round: number) => Promise<unknown>,
  back: () => Promise<unknown> = async () => undefined,
): Promise<number[]> {
  const costs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = await scriptMs(session);
    await act(round);
    await frames(page);
    costs.push((await scriptMs(session)) - before);
    await back();
    await frames(page);
  }
  return costs.map(tenth);
}

/** Scrolls from the first row to the last, several times: the longest task of each, and the time in scripts of a step of each. */
async function scrolls(page: Page, session: CDPSession): Promise<{ longest: number[]; step: number[] }> {
  await page.evaluate(() => {
    const tasks: number[] = [];
    const observer = new PerformanceObserver((list) =>
      tasks.push(...list.getEntries().map(({ duration }) => duration)),
    );
    observer.observe({ type: 'longtask' });
    const taken = () => {
      tasks.push(...observer.takeRecords().map(({ duration }) => duration));
      return tasks.splice(0);
    };
    Object.assign(window, { taken });
  });
  const taken = () => page.evaluate(() => (window as unknown as { taken: () => number[] }).taken());
  const end = () => page.evaluate(() => innerHeight + scrollY >= document.documentElement.scrollHeight - 1);
  const longest: number[] = [];
  const step: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await page.evaluate(() => scrollTo({ top: 0 }));
    await frames(page);
    await frames(page);
    await page.mouse.move(700, 500);
    // The way back to the first row fills all rows at once, which is no part of a scroll.
    await taken();
    const before = await scriptMs(session);
    let steps = 0;
    for (; steps < 500 && !(await end()); steps += 1) {
      await page.mouse.wheel(0, 400);
      await frames(page);
    }
    longest.push(Math.round(Math.max(0, ...(await taken()))));
    step.push(tenth(((await scriptMs(session)) - before) / Math.max(1, steps)));
  }
  return { longest, step };
}

async function measure(page: Page): Promise<Record<string, unknown>> {
  await page.addInitScript(
    (kept) => sessionStorage.setItem('locule.session', kept),
    JSON.stringify(login(db)),
  );
  const firstLoadBytes: Record<string, unknown> = {};
  for (const path of PAGES)
    firstLoadBytes[path] = await weigh(page, async () => {
      // The stream of events never ends: the page is there when its heading and its fonts are.
      await page.goto(path);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.evaluate(() => document.fonts.ready);
    });
  await page.goto(LIST);
  await page.locator('[data-row]').first().waitFor();
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });

  // What waits for the end of an act must cost next to nothing, since Chromium counts it too: so no locator of Playwright.
  const counted = (part: boolean) =>
    page.waitForFunction(
      (wanted) =>
        document.querySelector('[aria-live="polite"].numbers')?.textContent?.includes(' of ') === wanted,
      part,
    );
  await page.getByRole('searchbox', { name: 'Search capsules' }).focus();
  const filter = await cost(
    page,
    session,
    async () => {
      await page.keyboard.insertText('7');
      await counted(true);
    },
    async () => {
      await page.keyboard.press('Backspace');
      await counted(false);
    },
  );
  const head = await page.getByRole('button', { name: 'vCPU' }).boundingBox();
  if (!head) throw new Error('the column vCPU has no head');
  const sort = await cost(page, session, async (round) => {
    await page.mouse.click(head.x + head.width / 2, head.y + head.height / 2);
    await page.waitForFunction(
      (order) => document.querySelector(`th[aria-sort="${order}"]`),
      round % 2 === 0 ? 'ascending' : 'descending',
    );
  });
  const loadAnew = async (round: number) => {
    const memory = `${128 * (round + 1)} MB`;
    db.sandboxes = db.sandboxes.map((one) => ({ ...one, memory_mb: 128 * (round + 1), status: 'running' }));
    await page.keyboard.press('r');
    await page.waitForFunction(
      (text) => document.querySelector('[data-row]')?.textContent?.includes(text),
      memory,
    );
  };
  const poll = await cost(page, session, loadAnew);

  for (let round = 0; round < WARM_POLLS; round += 1) await loadAnew(round % 4);
  const heapBefore = await heapBytes(session);
  for (let round = 0; round < POLLS; round += 1) await loadAnew(round % 4);
  const heapAfter = await heapBytes(session);

  const scroll = await scrolls(page, session);
  return {
    first_load_bytes: firstLoadBytes,
    // Of each scroll. A task under 50 ms is not reported by browsers: 0 says that there was none above.
    longest_task_ms: scroll.longest,
    scroll_step_ms: scroll.step,
    filter_ms: filter,
    sort_ms: sort,
    poll_ms: poll,
    heap_bytes: { before: heapBefore, after_100_polls: heapAfter },
    n: ROWS,
    nodes: await page.evaluate(() => document.querySelectorAll('*').length),
  };
}

const site = await Site.start();
site.db = db;
const browser = await chromium.launch(CHROMIUM);
const context = await browser.newContext({ baseURL: site.origin, viewport: { width: 1440, height: 900 } });
const result = await measure(await context.newPage());
console.log(JSON.stringify({ ...result, chromium: browser.version() }));
await browser.close();
await site.stop();
