import { adminTeam, adminUser, UNSET } from '../../mocks/admin.ts';
import { ATLAS, auditEntry, BOREAS, bodies, minutesAgo } from '../../mocks/db.ts';
import { accessible, expect, test } from '../support/mock.ts';

test.beforeEach(({ db }) => {
  db.me.is_admin = true;
  db.allTeams = [
    adminTeam(ATLAS, 'Atlas', { active_sandbox_count: 12 }),
    adminTeam(BOREAS, 'Boreas', { deleted_at: minutesAgo(9) }),
  ];
  db.allUsers = [adminUser('usr-orion', 'Orion')];
});

test('the administration is for administrators of the platform only', async ({ page, db, open }) => {
  db.me.is_admin = false;
  await open('/admin/teams');
  await expect(page).toHaveURL('/dashboard/capsules/list');
  expect(db.requests.filter((one) => one.includes('/v1/admin'))).toEqual([]);
});

test('the administration begins at its first page and leads back', async ({ page, open }) => {
  await open('/admin');
  await expect(page).toHaveURL('/admin/teams');
  await page.getByRole('link', { name: 'Back to Atlas' }).first().click();
  await expect(page).toHaveURL('/dashboard/capsules/list');
});

test.describe('with words in the side bar', () => {
  test.use({ viewport: { width: 1440, height: 900 } });

  test('the side bar of the administration has an accent at its top, and a pill (B-102)', async ({
    page,
    open,
  }) => {
    await open('/admin');
    const bar = page.locator('div:has(> nav[aria-label="Administration"])').first();
    const pill = bar.getByText('Admin', { exact: true });
    await expect(pill).toBeVisible();
    await expect(bar).toHaveCSS('border-top-width', '3px');
    const accent = await pill.evaluate((element) => getComputedStyle(element).borderTopColor);
    await expect(bar).toHaveCSS('border-top-color', accent);
    await page.getByRole('link', { name: 'Back to Atlas' }).first().click();
    const main = page.locator('div:has(> nav[aria-label="Main"])').first();
    await expect(main).toHaveCSS('border-top-width', '0px');
  });
});

test('a team gets hosts of its own after a question; a deleted team has no acts', async ({
  page,
  db,
  open,
}) => {
  await open('/admin/teams');
  await expect(page.getByRole('row', { name: /Atlas/ })).toBeVisible();
  await expect(
    page.getByRole('row', { name: /Boreas/ }).getByRole('button', { name: /Actions/ }),
  ).toHaveCount(0);
  await test.step('the page has no violation that axe finds', () => accessible(page));
  await page.getByRole('button', { name: 'Actions for Atlas' }).click();
  await page.getByRole('menuitem', { name: 'Allow own hosts…' }).click();
  await page.getByRole('button', { name: 'Allow own hosts' }).click();
  await expect(page.getByRole('row', { name: /Atlas/ })).toContainText('Allowed');
  expect(db.allTeams[0]?.is_byoc).toBe(true);
});

test('the deletion of a team tells what ends, and wants its name', async ({ page, open }) => {
  await open('/admin/teams');
  await page.getByRole('button', { name: 'Actions for Atlas' }).click();
  await page.getByRole('menuitem', { name: 'Delete…' }).click();
  await expect(page.getByText('12 capsules are destroyed')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Delete team' })).toHaveAttribute('aria-disabled', 'true');
});

test('the limits of a team are shown with their use, and what is not changed stays', async ({
  page,
  db,
  open,
  allowed,
}) => {
  allowed.push(/500/);
  db.quotas[ATLAS] = { ...UNSET, sandboxes_max: 12 };
  const quota = `/v1/admin/teams/${ATLAS}/quota`;
  db.failures[`GET ${quota}`] = { status: 500, code: 'internal_error', message: 'it broke' };
  await open('/admin/teams');
  await page.getByRole('button', { name: 'Actions for Atlas' }).click();
  await page.getByRole('menuitem', { name: 'Limits…' }).click();
  // Without the limits of the team nothing can be set: an empty field would take the default.
  const set = page.getByRole('button', { name: 'Set limits' });
  await expect(page.getByRole('alert')).toContainText('It broke.');
  await expect(set).toHaveAttribute('aria-disabled', 'true');
  db.failures = {};
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByLabel('Running capsules', { exact: true })).toHaveValue('12');
  const vcpus = page.getByLabel('vCPU of running capsules');
  await expect(vcpus).toHaveValue('');
  await expect(vcpus).toHaveAttribute('placeholder', '40 by default');
  await expect(page.getByText('95,000 MB in use')).toBeVisible();
  await accessible(page);
  await vcpus.fill('many');
  await set.click();
  await expect(page.getByText('Enter a whole number, or nothing.')).toBeVisible();
  await vcpus.fill('24');
  await set.click();
  await expect(page.getByText('The limits of Atlas are set.')).toBeVisible();
  expect(bodies(db, `PUT ${quota}`)).toEqual([{ ...UNSET, sandboxes_max: 12, vcpus_max: 24 }]);
});

test('the search of teams is in the address', async ({ page, open }) => {
  await open('/admin/teams?q=Bor');
  await expect(page.getByRole('row', { name: /Boreas/ })).toBeVisible();
  await expect(page.getByRole('row', { name: /Atlas/ })).toHaveCount(0);
  await page.getByRole('searchbox').fill('none such');
  await page.clock.runFor(1000);
  await expect(page).toHaveURL('/admin/teams?q=none+such');
  await page.getByRole('button', { name: 'Clear the search' }).last().click();
  await expect(page).toHaveURL('/admin/teams');
  await expect(page.getByRole('row', { name: /Atlas/ })).toBeVisible();
});

test('the switch of an account says what stops', async ({ page, open }) => {
  await open('/admin/users');
  await expect(page.getByRole('row', { name: /Orion/ })).toBeVisible();
  await test.step('the page has no violation that axe finds', () => accessible(page));
  await page.getByRole('button', { name: 'Actions for Orion' }).click();
  await page.getByRole('menuitem', { name: 'Disable…' }).click();
  await expect(page.getByText('The capsules of the team that the account owns are destroyed.')).toBeVisible();
  await page.getByRole('button', { name: 'Disable account' }).click();
  await expect(page.getByRole('row', { name: /Orion/ })).toContainText('disabled');
});

test('the log of the platform reads as sentences', async ({ page, db, open }) => {
  db.audit = [auditEntry({ resource_type: 'user', action: 'login', metadata: { address: '10.0.0.9' } })];
  await open('/admin/audit');
  await expect(page.locator('li[data-entry]')).toContainText('Ada Lovelace signed in from 10.0.0.9');
  await test.step('the page has no violation that axe finds', () => accessible(page));
});
