/** What a page may cost. Times are measured by `npm run measure`; what does not depend on the machine is held here. */
import type { Page } from '@playwright/test';
import { ATLAS, NOW, sandbox, team, type Db } from '../../mocks/db.ts';
import { addHost, hostOf } from '../../mocks/hosts.ts';
import { expect, test } from '../support/mock.ts';
import { LIST, PAGES, weigh } from '../support/weight.ts';

const KIB = 1024;
const ROWS = 1000;
const idOf = (index: number) => `sb-${String(index).padStart(8, '0')}-0000-4000-8000-000000000000`;
const nodes = (page: Page) => page.evaluate(() => document.querySelectorAll('*').length);

test.use({ viewport: { width: 1440, height: 900 } });

function thousand(db: Db): void {
  db.sandboxes = Array.from({ length: ROWS }, (_, index) =>
    sandbox({
      id: idOf(index),
      labels: { agent: 'codex', run: String(index) },
      started_at: new Date(NOW - index * 60_000).toISOString(),
    } as Parameters<typeof sandbox>[0]),
  );
}

test('the first load of a list is under 300 KiB, with 120 of scripts at most', async ({ page, db, open }) => {
  db.me.is_admin = true;
  db.teams = [team(ATLAS, 'Atlas', 'owner', { is_byoc: true })];
  addHost(db, hostOf(1, { team_id: ATLAS }), ['running']);
  thousand(db);
  for (const path of PAGES)
    await test.step(path, async () => {
      const loaded = await weigh(page, async () => {
        await open(path);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await page.evaluate(() => document.fonts.ready);
      });
      expect.soft(loaded.fonts, 'the fonts are a part of it').toBeGreaterThan(0);
      expect.soft(loaded.scripts / KIB).toBeLessThanOrEqual(120);
      expect.soft(loaded.all / KIB).toBeLessThan(300);
    });
});

test('a scroll through a thousand rows fills few elements again and again', async ({ page, db, open }) => {
  thousand(db);
  await open(LIST);
  await expect(page.locator('[data-row]').first()).toBeVisible();
  await page.evaluate(() => {
    // An element that only moves is none that was made.
    const made = new Set<Node>();
    const seen = { made: 0, most: 0 };
    Object.assign(window, { seen });
    new MutationObserver((changes) => {
      for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes]))
        if (node instanceof Element && node.matches('[data-row]')) made.add(node);
      seen.made = made.size;
      seen.most = Math.max(seen.most, document.querySelectorAll('[data-row]').length);
    }).observe(document.body, { childList: true, subtree: true });
  });
  expect(await nodes(page)).toBeLessThan(1500);
  const last = page.locator(`[data-row="${idOf(ROWS - 1)}"]`);
  await expect(async () => {
    await page.mouse.move(700, 500);
    await page.mouse.wheel(0, 1500);
    expect(await nodes(page)).toBeLessThan(1500);
    expect(await last.count()).toBe(1);
  }).toPass({ intervals: [0], timeout: 25_000 });
  const seen = await page.evaluate(
    () => (window as unknown as { seen: { made: number; most: number } }).seen,
  );
  expect(seen.most).toBeLessThan(60);
  expect(seen.made).toBeLessThan(60);
});

test('a poll of a thousand rows changes texts only: no row is drawn anew', async ({ page, db, open }) => {
  thousand(db);
  await open(LIST);
  await expect(page.locator('[data-row]').first()).toBeVisible();
  await page.evaluate(() => {
    const seen = { elements: 0, texts: 0 };
    Object.assign(window, { seen });
    new MutationObserver((changes) => {
      for (const change of changes)
        if (change.type === 'characterData') seen.texts += 1;
        else seen.elements += [...change.addedNodes].filter((node) => node instanceof Element).length;
    }).observe(document.querySelector('tbody') as Element, {
      childList: true,
      characterData: true,
      subtree: true,
    });
  });
  db.sandboxes = db.sandboxes.map((one) => ({ ...one, memory_mb: 1024, vcpus: 2 }));
  await page.clock.runFor(35_000);
  await expect(page.locator('[data-row]').first()).toContainText('1 GB');
  const seen = await page.evaluate(
    () => (window as unknown as { seen: { elements: number; texts: number } }).seen,
  );
  expect(seen.elements).toBe(0);
  expect(seen.texts).toBeGreaterThan(0);
});

test('over ten polls with new numbers nothing moves: focus, selection, scroll and layout stay', async ({
  page,
  db,
  open,
}) => {
  thousand(db);
  db.sandboxes = db.sandboxes.map((one, index) =>
    index % 10 === 0 ? { ...one, status: 'paused', desired: 'paused' } : one,
  );
  await open(LIST);
  const row = (index: number) => page.locator(`[data-row="${idOf(index)}"]`);
  await row(3).getByRole('checkbox').check();
  await row(8).getByRole('link').focus();
  await page.mouse.move(700, 500);
  await page.mouse.wheel(0, 200);
  await expect.poll(() => page.evaluate(() => scrollY)).toBe(200);
  await page.evaluate(() => {
    const shifts: unknown[] = [];
    Object.assign(window, { shifts });
    new PerformanceObserver((list) =>
      shifts.push(...list.getEntries().map((entry) => entry.toJSON())),
    ).observe({
      type: 'layout-shift',
    });
  });
  // Three digits of running capsules in each answer: a number at the right edge of its column begins elsewhere with another length.
  for (let poll = 1; poll <= 10; poll += 1) {
    const pauses = (index: number) => index % 10 === 0 || (index % 3 === 0 && poll % 2 === 1);
    db.sandboxes = db.sandboxes.map((one, index) => ({
      ...one,
      status: pauses(index) ? 'paused' : 'running',
      desired: pauses(index) ? 'paused' : 'running',
      last_active_at: new Date(NOW + poll * 30_000 - index * 1000).toISOString(),
    }));
    await page.clock.runFor(35_000);
    await expect(row(3)).toContainText(poll % 2 === 1 ? 'paused' : 'running');
  }
  await expect(row(8).getByRole('link')).toBeFocused();
  await expect(row(3).getByRole('checkbox')).toBeChecked();
  expect(await page.evaluate(() => scrollY)).toBe(200);
  expect(await page.evaluate(() => (window as unknown as { shifts: unknown[] }).shifts)).toEqual([]);
});
