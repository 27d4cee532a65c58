import type { Page } from '@playwright/test';
import { sandbox } from '../../mocks/db.ts';
import { busy, ended, history, idOf, paused, running, vanished } from './data.ts';
import { OVER, scene } from './pictures.ts';

const LIST = '/dashboard/capsules/list';
const listed = (page: Page) => page.getByText('sb-7f3a91c2').first().waitFor();
const menu = (page: Page, name: string) =>
  page.getByRole('button', { name }).filter({ visible: true }).click();

scene('capsules', { path: LIST, given: busy, show: listed, forced: true });

scene('capsules-compact', {
  path: LIST,
  given: busy,
  widths: [1440],
  before: (page) => page.addInitScript(() => localStorage.setItem('locule.density', 'compact')),
  show: listed,
});

scene('capsules-thousand', {
  path: LIST,
  given: (db) => {
    busy(db);
    db.sandboxes = Array.from({ length: 1004 }, (_, index) => ({
      ...(db.sandboxes[index % 9] ?? running),
      id: idOf((0x7f3a91c2 - index * 7919).toString(16).padStart(8, '0')),
    }));
  },
  show: (page) => page.locator('[data-row]').first().waitFor(),
});

scene('capsules-selected', {
  path: LIST,
  given: busy,
  show: listed,
  again: async (page) => {
    const boxes = page.getByRole('checkbox', { name: /^Select sb-/ });
    await boxes.nth(0).check();
    await boxes.nth(5).check();
    await page.getByText('2 selected').waitFor();
  },
});

scene('capsules-menu', {
  path: LIST,
  given: busy,
  widths: [1440, 1024],
  show: async (page) => {
    await listed(page);
    await menu(page, 'Acts on sb-7f3a91c2');
    await page.getByRole('menu').waitFor();
  },
});

scene('capsules-menu-of-a-card', {
  path: LIST,
  given: busy,
  widths: [390],
  show: listed,
  again: async (page) => {
    await menu(page, 'Acts on sb-7f3a91c2');
    await page.getByRole('menu').waitFor();
  },
});

scene('capsules-filter', {
  path: `${LIST}?status=running,paused`,
  given: busy,
  widths: [1440, 1024],
  show: listed,
  again: async (page) => {
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Label', exact: true }).click();
    await page.getByRole('checkbox', { name: /agent=codex/ }).waitFor();
  },
});

scene('capsules-filters', {
  path: `${LIST}?status=running,paused`,
  given: busy,
  widths: [390],
  show: listed,
  again: async (page) => {
    await page.getByRole('button', { name: /^Filters/ }).click();
    await page.getByRole('dialog', { name: 'Filters' }).waitFor();
  },
});

scene('capsules-search', { path: `${LIST}?q=codex`, given: busy, show: listed });

scene('capsules-no-match', {
  path: `${LIST}?q=nothing+like+this`,
  given: busy,
  show: (page) => page.getByRole('heading', { name: 'No capsule matches' }).waitFor(),
});

scene('capsules-ended', {
  path: `${LIST}?ended=true`,
  given: (db) => {
    busy(db);
    db.sandboxes = [running, ended, vanished];
  },
  show: listed,
});

scene('capsules-none', {
  path: LIST,
  given: (db) => {
    history(db);
    db.sandboxes = [];
  },
  show: (page) => page.getByRole('heading', { name: 'Nothing runs' }).waitFor(),
});

scene('first-run', {
  path: LIST,
  show: (page) => page.getByRole('button', { name: 'Launch your first capsule' }).waitFor(),
});

scene('capsules-loading', {
  path: LIST,
  given: (db) => (db.failures['GET /v1/sandboxes'] = 'hang'),
  show: (page) => page.getByRole('heading', { name: 'Capsules' }).waitFor(),
});

scene('capsules-failed', {
  path: LIST,
  allowed: /500/,
  given: (db) =>
    (db.failures['GET /v1/sandboxes'] = { status: 500, code: 'internal_error', message: 'something failed' }),
  show: (page) => page.getByRole('alert').waitFor(),
});

scene('launch', {
  path: LIST,
  widths: OVER,
  given: busy,
  forced: true,
  show: async (page) => {
    await listed(page);
    await page.keyboard.press('n');
    await page.getByText(/of 20 capsules/).waitFor();
  },
});

scene('launch-as-code', {
  path: LIST,
  widths: OVER,
  given: busy,
  allowed: /429/,
  show: async (page, { db }) => {
    await listed(page);
    db.failures['POST /v1/sandboxes'] = {
      status: 429,
      code: 'quota_exceeded',
      message: 'the team has 20 of 20 sandboxes',
    };
    await page.keyboard.press('n');
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Labels').click();
    await dialog.getByRole('button', { name: 'Add a label' }).click();
    await dialog.getByLabel('Name', { exact: true }).fill('agent');
    await dialog.getByLabel('Value', { exact: true }).fill('codex');
    await dialog.getByText('As code').click();
    await dialog.getByRole('button', { name: 'Launch' }).click();
    await dialog.getByRole('alert').waitFor();
  },
});

scene('destroy-one', {
  path: LIST,
  widths: OVER,
  given: busy,
  show: async (page) => {
    await listed(page);
    await menu(page, 'Acts on sb-7f3a91c2');
    await page.getByRole('menuitem', { name: 'Destroy…' }).click();
    await page.getByRole('dialog').waitFor();
  },
});

scene('destroy-many', {
  path: LIST,
  widths: OVER,
  given: (db) =>
    (db.sandboxes = [
      running,
      ...Array.from({ length: 14 }, (_, at) => sandbox({ ...paused, id: idOf(`00${at + 10}00aa`) })),
    ]),
  show: async (page) => {
    await listed(page);
    await page.getByRole('checkbox', { name: 'Select all rows' }).check();
    await page.getByRole('button', { name: 'Destroy 15…' }).click();
    await page.getByLabel('Type the number of capsules').waitFor();
  },
});
