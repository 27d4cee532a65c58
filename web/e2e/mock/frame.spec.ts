import { ATLAS, BOREAS, idOf, numbered, team } from '../../mocks/db.ts';
import { accessible, expect, test } from '../support/mock.ts';

const LIST = '/dashboard/capsules/list';

// The side bar shows its words from this width on.
test.use({ viewport: { width: 1440, height: 900 } });

test('the side bar shows the name of the person, not the e-mail address (B-131)', async ({ page, open }) => {
  await open(LIST);
  await expect(page.locator('[data-person]').first()).toHaveText('Ada Lovelace');
  await expect(page.getByText('ada@example.com')).toHaveCount(0);
});

test('without a login a page of the dashboard leads to the sign-in, and back', async ({ page, open }) => {
  await open(`${LIST}?q=a`, { signedIn: false });
  await expect(page).toHaveURL('/login?next=%2Fdashboard%2Fcapsules%2Flist%3Fq%3Da');
});

test('the entry of hosts is there for teams with hosts of their own only, and off for members (B-103)', async ({
  page,
  db,
  open,
}) => {
  db.teams = [team(ATLAS, 'Atlas', 'owner'), team(BOREAS, 'Boreas', 'member', { is_byoc: true })];
  await open(LIST);
  await expect(page.getByRole('navigation', { name: 'Main' }).first()).toBeVisible();
  await expect(page.getByText('Hosts')).toHaveCount(0);
  db.me.team_id = BOREAS;
  await page.reload();
  const hosts = page.getByRole('button', { name: 'Hosts' }).first();
  await expect(hosts).toHaveAttribute('aria-disabled', 'true');
});

test('the way to the administration is there for platform administrators only (B-104)', async ({
  page,
  db,
  open,
}) => {
  await open(LIST);
  await expect(page.locator('[data-person]').first()).toBeVisible();
  await expect(page.getByRole('link', { name: 'Admin' })).toHaveCount(0);
  db.me.is_admin = true;
  await page.reload();
  await expect(page.getByRole('link', { name: 'Admin' }).first()).toBeVisible();
});

test('old addresses lead to their pages', async ({ page, db, open }) => {
  db.sandboxes = [numbered(0)];
  for (const old of ['/dashboard', '/dashboard/capsules', '/dashboard/metrics', '/dashboard/snapshots']) {
    await open(old);
    await expect(page).toHaveURL(LIST);
  }
});

test('the page is used by keys', async ({ page, db, open }) => {
  db.sandboxes = [numbered(0), numbered(1, { labels: { agent: 'codex' } })];
  await open(LIST);
  await expect(page.getByRole('row')).toHaveCount(3);
  await test.step('a letter is left alone while something is typed', async () => {
    await page.getByRole('searchbox', { name: 'Search capsules' }).pressSequentially('n?');
    await expect(page.getByRole('dialog')).toBeHidden();
    await page.keyboard.press('Escape');
    await page.getByRole('searchbox', { name: 'Search capsules' }).blur();
  });
  await test.step('the keys of the page are shown', async () => {
    await page.keyboard.press('?');
    await expect(page.getByRole('dialog', { name: 'Keys' })).toContainText('Launch a capsule');
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toBeHidden();
  });
  await test.step('the palette finds a capsule by its label, and lists its acts', async () => {
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Search or jump to' }).fill('codex');
    await page.keyboard.press('ArrowRight');
    await expect(page.getByRole('option', { name: 'Activity' })).toBeVisible();
    await accessible(page);
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(new RegExp(idOf(1)));
  });
  await test.step('letters that are switched off do nothing', async () => {
    await page.evaluate(() => localStorage.setItem('locule.letters', 'off'));
    await page.goto(LIST);
    await expect(page.getByRole('row')).toHaveCount(3);
    await page.keyboard.press('n');
    await expect(page.getByRole('dialog')).toBeHidden();
  });
});

test('the theme changes at once, and is kept', async ({ page, open }) => {
  await open(LIST);
  await page.getByRole('button', { name: 'Light theme' }).click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  await page.reload();
  await expect(page.getByRole('button', { name: 'Dark theme' })).toBeVisible();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
});

test('a page that lacks a file of the dashboard comes back by itself', async ({ page, open, allowed }) => {
  allowed.push(/Failed to load resource/);
  await open('/dashboard/capsules/list');
  await expect(page.getByRole('heading', { name: 'Capsules' })).toBeVisible();
  const files = '**/_app/immutable/**';
  await page.route(files, (route) => route.abort());
  await page.getByRole('link', { name: 'Keys' }).first().click();
  await expect(page.getByText('A part of the dashboard could not be loaded.')).toBeVisible();
  await page.unroute(files);
  await page.clock.runFor(4000);
  await expect(page.getByRole('heading', { name: 'Keys', level: 1 })).toBeVisible();
});
