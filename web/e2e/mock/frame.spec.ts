import { ATLAS, BOREAS, team } from '../../mocks/db.ts';
import { accessible, expect, test } from '../support/mock.ts';

// The side bar shows its words from this width on.
test.use({ viewport: { width: 1440, height: 900 } });

test('the side bar shows the name of the person, not the e-mail address (B-131)', async ({ page, open }) => {
  await open('/dashboard/capsules/list');
  await expect(page.locator('[data-person]').first()).toHaveText('Ada Lovelace');
  await expect(page.getByText('ada@example.com')).toHaveCount(0);
});

test('without a login a page of the dashboard leads to the sign-in, and back', async ({ page, open }) => {
  await open('/dashboard/capsules/list?q=a', { signedIn: false });
  await expect(page).toHaveURL('/login?next=%2Fdashboard%2Fcapsules%2Flist%3Fq%3Da');
});

test('the entry of hosts is there for teams with hosts of their own only, and off for members (B-103)', async ({
  page,
  db,
  open,
}) => {
  db.teams = [team(ATLAS, 'Atlas', 'owner'), team(BOREAS, 'Boreas', 'member', { is_byoc: true })];
  await open('/dashboard/capsules/list');
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
  await open('/dashboard/capsules/list');
  await expect(page.locator('[data-person]').first()).toBeVisible();
  await expect(page.getByRole('link', { name: 'Admin' })).toHaveCount(0);
  db.me.is_admin = true;
  await page.reload();
  await expect(page.getByRole('link', { name: 'Admin' }).first()).toBeVisible();
});

test('the frame has no violation that axe finds, dark and light', async ({ page, open }) => {
  await open('/dashboard/capsules/list');
  await expect(page.locator('[data-person]').first()).toBeVisible();
  await accessible(page);
  await page.getByRole('button', { name: 'Light theme' }).click();
  await accessible(page);
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
