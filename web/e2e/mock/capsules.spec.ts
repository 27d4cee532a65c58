import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { idOf, refusal, sandbox, serve } from './capsules.ts';

const LIST = '/dashboard/capsules/list';
const row = (page: Page, index: number) =>
  page.getByRole('row').filter({ hasText: idOf(index).slice(0, 11) });

test.describe('the list of capsules', () => {
  test('shows a filter of the address, and Back undoes the next one', async ({ page }) => {
    await serve(page, {
      sandboxes: [sandbox(0), sandbox(1, { status: 'paused' }), sandbox(2, { template: 'py' })],
    });
    await page.goto(`${LIST}?status=running`);
    await expect(page.getByRole('row')).toHaveCount(3);
    await page.getByRole('button', { name: 'Template' }).first().click();
    await page.getByRole('checkbox', { name: /^py/ }).check();
    await expect(page).toHaveURL(/template=py/);
    await expect(page.getByRole('row')).toHaveCount(2);
    await page.goBack();
    await expect(page).not.toHaveURL(/template=py/);
    await expect(page.getByRole('row')).toHaveCount(3);
  });

  test('keeps one entry of the history while a search is typed', async ({ page }) => {
    await serve(page, { sandboxes: [sandbox(0), sandbox(1)] });
    await page.goto(LIST);
    const length = await page.evaluate(() => history.length);
    await page.getByRole('searchbox', { name: 'Search capsules' }).pressSequentially('nothing');
    await expect(page.getByRole('heading', { name: 'No capsule matches' })).toBeVisible();
    expect(await page.evaluate(() => history.length)).toBe(length);
    await page.getByRole('button', { name: 'Clear the filters' }).click();
    await expect(page.getByRole('row')).toHaveCount(3);
  });

  test('offers by state what can be done', async ({ page }) => {
    await serve(page, {
      sandboxes: [sandbox(0), sandbox(1, { status: 'paused' }), sandbox(2, { status: 'missing' })],
    });
    await page.goto(LIST);
    const items = async (index: number) => {
      await row(page, index)
        .getByRole('button', { name: /^Acts on/ })
        .click();
      const names = await page.getByRole('menuitem').allInnerTexts();
      await page.keyboard.press('Escape');
      await expect(page.getByRole('menu')).toBeHidden();
      return names.map((name) => name.trim());
    };
    expect(await items(0)).toEqual(['Open terminal', 'Pause', 'Copy id', 'Destroy…']);
    expect(await items(1)).toEqual(['Resume', 'Copy id', 'Destroy…']);
    expect(await items(2)).toEqual(['Copy id', 'Destroy…']);
  });

  test('takes a pause back by Undo, and the running count follows on every route (B-078)', async ({
    page,
  }) => {
    await page.setViewportSize({ width: 1440, height: 900 });
    await serve(page, { sandboxes: [sandbox(0), sandbox(1)] });
    await page.goto(LIST);
    const side = page.getByRole('navigation', { name: 'Main' }).getByLabel(/running$/);
    await expect(page.getByText('2 running')).toBeVisible();
    await row(page, 0)
      .getByRole('button', { name: /^Acts on/ })
      .click();
    await page.getByRole('menuitem', { name: 'Pause' }).click();
    await expect(page.getByText('1 running')).toBeVisible();
    await expect(side).toHaveText('1');
    await page.getByRole('button', { name: 'Undo' }).click();
    await expect(page.getByText('2 running')).toBeVisible();
    await page.getByRole('link', { name: 'Keys' }).click();
    await expect(side).toHaveText('2');
  });

  test('selects a range with shift, and keeps what failed selected', async ({ page }) => {
    const world = await serve(page, { sandboxes: [0, 1, 2, 3].map((index) => sandbox(index)) });
    world.before = async (route, method, path) => {
      if (method !== 'POST' || !path.includes(idOf(1))) return false;
      await refusal(route, 502, 'host_unavailable', 'the host does not answer');
      return true;
    };
    await page.goto(LIST);
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

  test('asks for the number before it destroys more than five, and begins at Cancel before fewer', async ({
    page,
  }) => {
    const world = await serve(page, { sandboxes: [0, 1, 2, 3, 4, 5].map((index) => sandbox(index)) });
    await page.goto(LIST);
    await row(page, 0)
      .getByRole('button', { name: /^Acts on/ })
      .click();
    await page.getByRole('menuitem', { name: 'Destroy…' }).click();
    await expect(page.getByRole('button', { name: 'Cancel' })).toBeFocused();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('checkbox', { name: 'Select all rows' }).check();
    await page.getByRole('button', { name: 'Destroy 6…' }).click();
    await page.getByRole('button', { name: 'Destroy 6', exact: true }).click({ force: true });
    expect(world.calls.filter((call) => call.startsWith('DELETE'))).toEqual([]);
    await page.getByLabel('Type the number of capsules').fill('6');
    await page.getByRole('button', { name: 'Destroy 6', exact: true }).click();
    await expect(page.getByRole('heading', { name: 'Nothing runs' })).toBeVisible();
  });

  test('draws few of a thousand rows, tells their number, and moves by keys', async ({ page }) => {
    await serve(page, { sandboxes: Array.from({ length: 1000 }, (_, index) => sandbox(index)) });
    await page.goto(LIST);
    await expect(page.getByRole('table')).toHaveAttribute('aria-rowcount', '1001');
    expect(await page.getByRole('row').count()).toBeLessThan(80);
    expect(await page.evaluate(() => document.querySelectorAll('*').length)).toBeLessThan(1700);
    for (let press = 0; press < 60; press += 1) await page.keyboard.press('j');
    await expect(page.locator('[data-row]:focus-within')).toHaveAttribute('aria-rowindex', '61');
    await page.keyboard.press('x');
    await expect(page.getByText('1 selected')).toBeVisible();
  });

  test('keeps focus, selection, scroll and layout over polls', async ({ page }) => {
    const world = await serve(page, { sandboxes: Array.from({ length: 40 }, (_, index) => sandbox(index)) });
    await page.goto(LIST);
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
    const loads = () => world.calls.filter((call) => call === 'GET /v1/sandboxes').length;
    for (let poll = 0; poll < 10; poll += 1) {
      for (const one of world.sandboxes) one.last_active_at = new Date().toISOString();
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

  test('says why the first load failed, and loads again on request', async ({ page }) => {
    const world = await serve(page, { sandboxes: [sandbox(0)] });
    world.before = async (route, _, path) => {
      if (path !== '/v1/sandboxes') return false;
      await refusal(route, 500, 'internal_error', 'something failed');
      return true;
    };
    await page.goto(LIST);
    await expect(page.getByRole('alert')).toContainText('Something failed.');
    await expect(page.getByRole('alert')).toContainText('req-1');
    delete world.before;
    await page.getByRole('button', { name: 'Try again' }).click();
    await expect(row(page, 0)).toBeVisible();
  });

  test('has every act at 390 pixels, without sideways scroll', async ({ page }) => {
    await page.setViewportSize({ width: 390, height: 844 });
    await serve(page, {
      sandboxes: [sandbox(0, { labels: { agent: 'codex' } }), sandbox(1, { status: 'paused' })],
    });
    await page.goto(LIST);
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
});

test('ended capsules are listed on request, each with its cause', async ({ page }) => {
  await serve(page, {
    sandboxes: [sandbox(0), sandbox(1, { status: 'error', status_reason: 'create_failed' })],
  });
  await page.goto(LIST);
  await expect(page.getByRole('row')).toHaveCount(2);
  await page.getByRole('checkbox', { name: 'Ended' }).check();
  await expect(page).toHaveURL(/ended=true/);
  await expect(row(page, 1)).toContainText('create failed');
});

test.describe('the first run', () => {
  test('is one button that has the focus and leads to a terminal', async ({ page }) => {
    const world = await serve(page, { had: false });
    await page.goto(LIST);
    const button = page.getByRole('button', { name: 'Launch your first capsule' });
    await expect(button).toBeFocused();
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/\/dashboard\/capsules\/sb-.*tab=terminal/);
    expect(world.calls.filter((call) => call === 'POST /v1/sandboxes')).toHaveLength(1);
  });

  test('does not come back when the team had a capsule', async ({ page }) => {
    await serve(page, { had: true });
    await page.goto(LIST);
    await expect(page.getByRole('heading', { name: 'Nothing runs' })).toBeVisible();
  });

  test('needs a team: without one the page points to the side bar, and Launch is off (B-132)', async ({
    page,
  }) => {
    const world = await serve(page, { team: false });
    await page.goto(LIST);
    await expect(page.getByRole('heading', { name: 'No team yet' })).toBeVisible();
    const launch = page.getByRole('button', { name: 'Launch capsule' });
    await expect(launch).toHaveAttribute('aria-disabled', 'true');
    await launch.focus();
    await expect(page.getByText('Capsules belong to a team: make one in the side bar first')).toBeVisible();
    await page.keyboard.press('n');
    await expect(page.getByRole('dialog')).toBeHidden();
    expect(world.calls).not.toContain('GET /v1/sandboxes');
  });
});

test.describe('the launch dialog', () => {
  test('sends what it shows, tells the same as code, and adds the row', async ({ page }) => {
    const world = await serve(page, { sandboxes: [sandbox(0)] });
    await page.goto(LIST);
    await expect(row(page, 0)).toBeVisible();
    await page.keyboard.press('n');
    const dialog = page.getByRole('dialog', { name: 'Launch a capsule' });
    await expect(dialog.getByRole('combobox', { name: 'Template' })).toBeFocused();
    await dialog.getByLabel('Memory').selectOption('1 GB');
    await dialog.getByText('Labels').click();
    await dialog.getByRole('button', { name: 'Add a label' }).click();
    await dialog.getByLabel('Name', { exact: true }).fill('agent');
    await dialog.getByLabel('Value', { exact: true }).fill('codex');
    await dialog.getByText('As code').click();
    await expect(dialog.getByRole('tabpanel')).toContainText(
      '--memory 1024m --timeout 15m --label agent=codex',
    );
    await dialog.getByRole('button', { name: 'Launch' }).click();
    await expect(dialog).toBeHidden();
    expect(world.bodies).toEqual([
      { template: 'minimal', vcpus: 1, memory_mb: 1024, timeout_sec: 900, labels: { agent: 'codex' } },
    ]);
    await expect(page.getByRole('button', { name: 'Open terminal' })).toBeVisible();
    await expect(page.getByRole('row')).toHaveCount(3);
  });

  test('stays open with the reason and what to do when the limit is used up', async ({ page }) => {
    const world = await serve(page, { sandboxes: [sandbox(0)] });
    world.before = async (route, method, path) => {
      if (method !== 'POST' || path !== '/v1/sandboxes') return false;
      await refusal(route, 429, 'quota_exceeded', 'the team has 20 of 20 sandboxes');
      return true;
    };
    await page.goto(LIST);
    await expect(row(page, 0)).toBeVisible();
    await page.keyboard.press('n');
    await page.getByRole('dialog').getByRole('button', { name: 'Launch' }).click();
    await expect(page.getByRole('alert')).toContainText('The team has 20 of 20 sandboxes.');
    await expect(page.getByRole('alert')).toContainText('ask an administrator for a higher limit');
  });

  test('asks once more with the same key when no answer came', async ({ page }) => {
    const keys: (string | undefined)[] = [];
    const world = await serve(page, { sandboxes: [sandbox(0)] });
    world.before = async (route, method, path) => {
      if (method !== 'POST' || path !== '/v1/sandboxes') return false;
      keys.push(route.request().headers()['idempotency-key']);
      if (keys.length > 1) return false;
      await route.abort();
      return true;
    };
    await page.goto(LIST);
    await expect(row(page, 0)).toBeVisible();
    await page.keyboard.press('n');
    const launch = page.getByRole('dialog').getByRole('button', { name: 'Launch' });
    await launch.click();
    await expect(page.getByRole('alert')).toContainText('not reached');
    await launch.click();
    await expect(page.getByRole('dialog')).toBeHidden();
    expect(keys[0]).toBeTruthy();
    expect(keys[1]).toBe(keys[0]);
  });
});

test.describe('the page of a capsule', () => {
  const at = (index: number, rest = '') => `/dashboard/capsules/${idOf(index)}${rest}`;

  test('tells why the capsule ended, and that nobody asked for it', async ({ page }) => {
    await serve(page, { sandboxes: [sandbox(0, { status: 'stopped', status_reason: 'vm_lost' })] });
    await page.goto(at(0));
    await expect(page.getByText('Nobody asked for that.')).toBeVisible();
    await expect(page.getByText('Ada launched it from minimal')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Pause' })).toBeHidden();
  });

  test('resumes a paused capsule, and has one filled button', async ({ page }) => {
    await serve(page, { sandboxes: [sandbox(0, { status: 'paused', status_reason: 'idle' })] });
    await page.goto(at(0));
    await expect(page.getByText('The capsule was idle for 15 min. Memory and files are kept.')).toBeVisible();
    await page.getByRole('button', { name: 'Resume' }).click();
    await expect(page.getByRole('button', { name: 'Pause', exact: true })).toBeVisible();
  });

  test('leads the old tab of statistics, and an unknown one, to the overview', async ({ page }) => {
    await serve(page, { sandboxes: [sandbox(0)] });
    await page.goto(at(0, '?tab=stats'));
    await expect(page).toHaveURL(new RegExp(`${idOf(0)}$`));
    await page.goto(at(0, '?tab=nothing'));
    await expect(page.getByRole('link', { name: 'Overview' })).toHaveAttribute('aria-current', 'page');
  });

  test('does not ask the guest for its processes before the user does', async ({ page }) => {
    const world = await serve(page, { sandboxes: [sandbox(0)] });
    await page.goto(at(0));
    await expect(page.getByRole('heading', { name: 'Processes' })).toBeVisible();
    expect(world.calls.filter((call) => call.endsWith('/processes'))).toEqual([]);
    await page.getByRole('button', { name: 'Show processes' }).click();
    await expect(page.getByText('python train.py')).toBeVisible();
  });

  test('keeps what was known when a later load fails, and says so', async ({ page }) => {
    const world = await serve(page, { sandboxes: [sandbox(0)] });
    await page.goto(at(0));
    await expect(page.getByRole('heading', { name: 'Clock' })).toBeVisible();
    world.before = async (route, _, path) => {
      if (!path.startsWith('/v1/sandboxes/')) return false;
      await refusal(route, 500, 'internal_error', 'something failed');
      return true;
    };
    await page.keyboard.press('r');
    await expect(page.getByRole('alert')).toContainText('Something failed.');
    await expect(page.getByRole('heading', { name: 'Clock' })).toBeVisible();
  });

  test('explains the clock: what holds it, and the way to change it', async ({ page }) => {
    const world = await serve(page, { sandboxes: [sandbox(0)], held: true });
    await page.goto(at(0));
    await expect(page.getByText('a terminal (pid 412)')).toBeVisible();
    world.held = false;
    await page.getByRole('button', { name: 'Start it afresh' }).click();
    await expect(page.getByRole('meter', { name: 'Idle time left' })).toBeVisible();
    await page.getByRole('button', { name: 'Change…' }).click();
    await page.getByRole('dialog').getByLabel('Idle timeout').selectOption('1 h');
    await page.getByRole('button', { name: 'Change', exact: true }).click();
    await expect(page.getByText('left of 1 h')).toBeVisible();
    expect(world.bodies).toContainEqual({ timeout_sec: 3600, on_timeout: 'kill' });
  });

  test('adds and removes a label', async ({ page }) => {
    const world = await serve(page, { sandboxes: [sandbox(0, { labels: { old: '1' } })] });
    await page.goto(at(0));
    await page.getByRole('button', { name: 'Remove the label old' }).click();
    await expect(page.getByText('old=1')).toBeHidden();
    await page.getByRole('button', { name: 'label', exact: true }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('agent');
    await page.getByRole('dialog').getByLabel('Value').fill('codex');
    await page.keyboard.press('Enter');
    await expect(page.getByText('agent=codex')).toBeVisible();
    expect(world.bodies).toEqual([{ labels: { old: null } }, { labels: { agent: 'codex' } }]);
  });

  test('says that the team has no such capsule', async ({ page }) => {
    await serve(page);
    await page.goto(at(7));
    await expect(page.getByRole('heading', { name: 'No such capsule in Atlas' })).toBeVisible();
  });
});

test.describe('the frame', () => {
  test('leads old addresses to their pages', async ({ page }) => {
    await serve(page, { sandboxes: [sandbox(0)] });
    for (const old of ['/dashboard', '/dashboard/capsules', '/dashboard/metrics', '/dashboard/snapshots']) {
      await page.goto(old);
      await expect(page).toHaveURL(new RegExp(`${LIST}$`));
    }
  });

  test('finds a capsule in the palette by its label, and lists its acts', async ({ page }) => {
    await serve(page, { sandboxes: [sandbox(0), sandbox(1, { labels: { agent: 'codex' } })] });
    await page.goto(LIST);
    await expect(row(page, 0)).toBeVisible();
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Search or jump to' }).fill('codex');
    await page.keyboard.press('ArrowRight');
    await expect(page.getByRole('option', { name: 'Activity' })).toBeVisible();
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(new RegExp(idOf(1)));
  });

  test('leaves letters alone while something is typed, and when they are switched off', async ({ page }) => {
    await serve(page, { sandboxes: [sandbox(0)] });
    await page.goto(LIST);
    await page.getByRole('searchbox', { name: 'Search capsules' }).pressSequentially('n?');
    await expect(page.getByRole('dialog')).toBeHidden();
    await page.evaluate(() => localStorage.setItem('locule.letters', 'off'));
    await page.goto(LIST);
    await expect(row(page, 0)).toBeVisible();
    await page.keyboard.press('n');
    await expect(page.getByRole('dialog')).toBeHidden();
  });

  test('shows the keys of the page', async ({ page }) => {
    await serve(page, { sandboxes: [sandbox(0)] });
    await page.goto(LIST);
    await expect(row(page, 0)).toBeVisible();
    await page.keyboard.press('?');
    await expect(page.getByRole('dialog', { name: 'Keys' })).toContainText('Launch a capsule');
  });
});

for (const theme of ['dark', 'light'])
  test(`axe finds nothing in the ${theme} theme`, async ({ page }) => {
    await page.addInitScript((name) => localStorage.setItem('locule.theme', name), theme);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await serve(page, {
      sandboxes: [sandbox(0, { labels: { agent: 'codex' } }), sandbox(1, { status: 'paused' })],
    });
    const look = async () =>
      expect(
        (await new AxeBuilder({ page }).analyze()).violations.map(({ id, nodes }) => [id, nodes[0]?.html]),
      ).toEqual([]);
    await page.goto(LIST);
    await expect(row(page, 0)).toBeVisible();
    await look();
    await page.keyboard.press('n');
    await expect(page.getByRole('dialog')).toBeVisible();
    await look();
    await page.goto(`/dashboard/capsules/${idOf(0)}`);
    await expect(page.getByRole('heading', { name: 'Clock' })).toBeVisible();
    await look();
    await page.keyboard.press('Control+k');
    await expect(page.getByRole('dialog')).toBeVisible();
    await look();
  });
