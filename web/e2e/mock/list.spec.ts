import type { Page } from '@playwright/test';
import { auditEntry, idOf, minutesAgo, numbered } from '../../mocks/db.ts';
import { accessible, expect, test } from '../support/mock.ts';

const LIST = '/dashboard/capsules/list';
const row = (page: Page, number: number) =>
  page.getByRole('row').filter({ hasText: idOf(number).slice(0, 11) });
const acts = (page: Page, number: number) => row(page, number).getByRole('button', { name: /^Acts on/ });
const many = (count: number) => Array.from({ length: count }, (_, number) => numbered(number));

test('what the list shows stands in the address', async ({ page, db, open }) => {
  db.sandboxes = [
    numbered(0),
    numbered(1, { status: 'paused' }),
    numbered(2, { template: 'py' }),
    numbered(3, { status: 'error', status_reason: 'create_failed' }),
  ];
  await open(`${LIST}?status=running`);
  await test.step('a filter of the address applies, and Back undoes the next one', async () => {
    await expect(page.getByRole('row')).toHaveCount(3);
    await page.getByRole('button', { name: 'Template' }).first().click();
    await page.getByRole('checkbox', { name: /^py/ }).check();
    await expect(page).toHaveURL(/template=py/);
    await expect(page.getByRole('row')).toHaveCount(2);
    await page.goBack();
    await expect(page).not.toHaveURL(/template=py/);
    await expect(page.getByRole('row')).toHaveCount(3);
    await page.keyboard.press('Escape');
    await expect(page.getByRole('checkbox', { name: /^py/ })).toBeHidden();
  });
  await test.step('one entry of the history is kept while a search is typed', async () => {
    const length = await page.evaluate(() => history.length);
    await page.getByRole('searchbox', { name: 'Search capsules' }).pressSequentially('nothing');
    await expect(page.getByRole('heading', { name: 'No capsule matches' })).toBeVisible();
    expect(await page.evaluate(() => history.length)).toBe(length);
    await page.getByRole('button', { name: 'Clear the filters' }).click();
    await expect(page.getByRole('row')).toHaveCount(4);
  });
  await test.step('what was searched for is marked', async () => {
    const search = page.getByRole('searchbox', { name: 'Search capsules' });
    await search.fill('PY');
    const marks = () => page.evaluate(() => [...(CSS.highlights.get('search') ?? [])].map(String));
    await expect.poll(marks).toEqual(['py']);
    await search.fill('');
    await expect.poll(marks).toEqual([]);
  });
  await test.step('the id is copied from the row under the pointer', async () => {
    const copy = page.getByRole('button', { name: 'Copy the id' });
    await row(page, 1).hover();
    await expect(row(page, 1).getByRole('button', { name: 'Copy the id' })).toBeVisible();
    await expect(copy).toHaveCount(1);
  });
  await test.step('ended capsules are listed on request, each with its cause', async () => {
    await page.getByRole('checkbox', { name: 'Ended' }).check();
    await expect(page).toHaveURL(/ended=true/);
    await expect(row(page, 3)).toContainText('create failed');
  });
});

test('a pause is taken back by Undo, and the running count follows on every route (B-078)', async ({
  page,
  db,
  open,
}) => {
  await page.setViewportSize({ width: 1440, height: 900 });
  db.sandboxes = [numbered(0, { labels: { agent: 'codex' } }), numbered(1)];
  await open(LIST);
  const side = page.getByRole('navigation', { name: 'Main' }).getByLabel(/running$/);
  await expect(page.getByText('2 running')).toBeVisible();
  await acts(page, 0).click();
  await page.getByRole('menuitem', { name: 'Pause' }).click();
  await expect(page.getByText('1 running')).toBeVisible();
  await test.step('the page has no violation that axe finds', () => accessible(page));
  await expect(side).toHaveText('1');
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByText('2 running')).toBeVisible();
  await page.getByRole('link', { name: 'Keys' }).click();
  await expect(side).toHaveText('2');
});

test('a row offers by its state what can be done', async ({ page, db, open }) => {
  db.sandboxes = [numbered(0), numbered(1, { status: 'paused' }), numbered(2, { status: 'missing' })];
  await open(LIST);
  const offered = async (number: number) => {
    await acts(page, number).click();
    await expect(page.getByRole('menuitem').first()).toBeVisible();
    const names = await page.getByRole('menuitem').allInnerTexts();
    await page.keyboard.press('Escape');
    await expect(page.getByRole('menu')).toBeHidden();
    return names.map((name) => name.trim());
  };
  expect(await offered(0)).toEqual(['Open terminal', 'Pause', 'Copy id', 'Destroy…']);
  expect(await offered(1)).toEqual(['Resume', 'Copy id', 'Destroy…']);
  expect(await offered(2)).toEqual(['Copy id', 'Destroy…']);
});

test('several capsules are acted on at once', async ({ page, db, open, allowed }) => {
  allowed.push(/status of 502/);
  db.sandboxes = many(6);
  db.audit = [auditEntry({ resource_id: idOf(0) })];
  db.failures[`POST /v1/sandboxes/${idOf(1)}/pause`] = {
    status: 502,
    code: 'host_unavailable',
    message: 'the host does not answer',
  };
  await open(LIST);
  await test.step('Shift selects a range, and what failed stays selected', async () => {
    await row(page, 0).getByRole('checkbox').click();
    await row(page, 2)
      .getByRole('checkbox')
      .click({ modifiers: ['Shift'] });
    await expect(page.getByText('3 selected')).toBeVisible();
    await page.getByRole('button', { name: 'Pause 3' }).click();
    await expect(page.getByRole('alert')).toContainText(
      'Paused 2 capsules. 1 capsule failed and stays selected',
    );
    await expect(page.getByText('1 selected')).toBeVisible();
    await expect(row(page, 1).getByRole('checkbox')).toBeChecked();
  });
  await test.step('the destruction of one capsule asks, and begins at Cancel', async () => {
    await acts(page, 0).click();
    await page.getByRole('menuitem', { name: 'Destroy…' }).click();
    await expect(page.getByRole('button', { name: 'Cancel' })).toBeFocused();
    await page.getByRole('button', { name: 'Cancel' }).click();
  });
  await test.step('the destruction of more than five asks for their number', async () => {
    await page.getByRole('checkbox', { name: 'Select all rows' }).check();
    await page.getByRole('button', { name: 'Destroy 6…' }).click();
    await page.getByRole('button', { name: 'Destroy 6', exact: true }).click({ force: true });
    expect(db.requests.filter((one) => one.startsWith('DELETE'))).toEqual([]);
    await page.getByLabel('Type the number of capsules').fill('6');
    await page.getByRole('button', { name: 'Destroy 6', exact: true }).click();
  });
  await test.step('the first run does not come back when the team had a capsule', async () => {
    await expect(page.getByRole('heading', { name: 'Nothing runs' })).toBeVisible();
  });
});

test.describe('with a thousand capsules', () => {
  test.use({ scenario: 'thousand' });

  test('the list draws few rows, tells their number, and moves by keys', async ({ page, open }) => {
    await open(LIST);
    await expect(page.getByRole('table')).toHaveAttribute('aria-rowcount', '1001');
    expect(await page.locator('[data-row]').count()).toBeLessThan(80);
    expect(await page.evaluate(() => document.querySelectorAll('*').length)).toBeLessThan(1700);
    // Beyond the rows that were drawn at first.
    for (let press = 0; press < 60; press += 1) await page.keyboard.press('j');
    await expect(page.locator('[data-row]:focus-within')).toHaveAttribute('aria-rowindex', '61');
    await page.keyboard.press('x');
    await expect(page.getByText('1 selected')).toBeVisible();
  });
});

test('focus, selection, scroll and layout stay over ten polls', async ({ page, db, open }) => {
  db.sandboxes = many(40);
  await open(LIST);
  await row(page, 5).getByRole('checkbox').check();
  await row(page, 20).getByRole('link').focus();
  await page.evaluate(() => {
    const shifts: number[] = [];
    Object.assign(window, { shifts });
    new PerformanceObserver((list) =>
      list.getEntries().forEach((entry) => shifts.push((entry as unknown as { value: number }).value)),
    ).observe({ type: 'layout-shift' });
  });
  const scroll = await page.evaluate(() => scrollY);
  const loads = () => db.requests.filter((one) => one === 'GET /v1/sandboxes').length;
  for (let poll = 0; poll < 10; poll += 1) {
    for (const one of db.sandboxes) one.last_active_at = minutesAgo(10 - poll);
    const before = loads();
    // A load that still runs is not begun a second time.
    await expect(async () => {
      await page.keyboard.press('r');
      expect(loads()).toBeGreaterThan(before);
    }).toPass();
  }
  await expect(page.getByText('1 selected')).toBeVisible();
  await expect(row(page, 20).getByRole('link')).toBeFocused();
  expect(await page.evaluate(() => scrollY)).toBe(scroll);
  expect(await page.evaluate(() => (window as unknown as { shifts: number[] }).shifts)).toEqual([]);
});

test('a first load that failed says why, and loads again on request', async ({ page, db, open, allowed }) => {
  allowed.push(/status of 500/);
  db.sandboxes = many(1);
  db.failures['GET /v1/sandboxes'] = { status: 500, code: 'internal_error', message: 'something failed' };
  await open(LIST);
  await expect(page.getByRole('alert')).toContainText('Something failed.');
  await expect(page.getByRole('alert')).toContainText('req-1');
  db.failures = {};
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(row(page, 0)).toBeVisible();
});

test('at 390 pixels the list has every act, without sideways scroll', async ({ page, db, open }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  db.sandboxes = [numbered(0, { labels: { agent: 'codex' } }), numbered(1, { status: 'paused' })];
  await open(LIST);
  await expect(page.getByRole('listitem').filter({ hasText: 'sb-00000000' })).toBeVisible();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  await page.getByRole('button', { name: 'Filters' }).click();
  await page
    .getByRole('dialog')
    .getByRole('checkbox', { name: /^paused/ })
    .check();
  await page.getByRole('button', { name: /^Show/ }).click();
  await expect(page).toHaveURL(/status=paused/);
  await expect(page.getByRole('button', { name: 'Launch capsule' })).toBeVisible();
});
