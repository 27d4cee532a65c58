import { minutesAgo, NOW } from '../../mocks/db.ts';
import { token } from '../../mocks/account.ts';
import { accessible, expect, test } from '../support/mock.ts';

test('the result of connecting a provider is told once', async ({ page, open }) => {
  await open('/dashboard/settings?connect_error=already_linked');
  await expect(page.getByText('This GitHub account is connected to another account.')).toBeVisible();
  await expect(page).toHaveURL('/dashboard/settings');
});

test('a wrong current password is told at its field and does not end the login', async ({
  page,
  open,
  allowed,
}) => {
  allowed.push(/401/);
  await open('/dashboard/settings');
  await page.getByRole('button', { name: 'Change…' }).click();
  await page.getByRole('textbox', { name: 'Current password' }).fill('wrong');
  await page.getByRole('textbox', { name: 'New password', exact: true }).fill('long enough');
  await page.getByRole('textbox', { name: 'New password again' }).fill('long enough');
  await page.getByRole('button', { name: 'Set password' }).click();
  await expect(page.getByText('The password is wrong.')).toBeVisible();
  await expect(page.getByText('Your login has ended')).toHaveCount(0);
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('a new name shows in the side bar', async ({ page, open }) => {
  await open('/dashboard/settings');
  await page.getByLabel('Name', { exact: true }).fill('Countess');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.locator('[data-person]').first()).toHaveText('Countess');
});

test('the looks change at once and are kept', async ({ page, open }) => {
  await open('/dashboard/settings');
  await page.getByText('Compact').click();
  await expect(page.locator('html')).toHaveAttribute('data-density', 'compact');
  await page.reload();
  await expect(page.getByRole('radio', { name: 'Compact' })).toBeChecked();
  await test.step('the page has no violation that axe finds', () => accessible(page));
});

test('the last way into an account cannot be disconnected', async ({ page, db, open }) => {
  db.me.has_password = false;
  db.me.providers = ['github'];
  await open('/dashboard/settings');
  await expect(page.getByRole('button', { name: 'Disconnect…' })).toHaveAttribute('aria-disabled', 'true');
});

test('the logins of the account are listed, the own one first, and the others can be ended', async ({
  page,
  db,
  open,
  allowed,
}) => {
  allowed.push(/500/);
  const expires_at = new Date(NOW + 3_600_000).toISOString();
  const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0';
  const one = { expires_at, created_at: minutesAgo(60), client: firefox };
  db.logins = [
    {
      ...one,
      id: 'ses-1',
      current: false,
      client: 'curl/8.5',
      address: '192.0.2.7',
      last_used_at: minutesAgo(9),
    },
    { ...one, id: 'ses-2', current: true, address: '192.0.2.1' },
    { ...one, id: 'ses-3', current: false },
    { ...one, id: 'ses-4', current: false, client: null },
  ];
  await open('/dashboard/settings');
  const list = page.getByRole('list', { name: 'Logins of the account' });
  await expect(list.getByRole('listitem').first()).toContainText('Firefox on Linux, 192.0.2.1');
  await expect(list.getByRole('listitem').first()).toContainText('this browser');
  await expect(list.getByRole('listitem').first().getByRole('button')).toHaveCount(0);
  await expect(list).toContainText('used 9 min ago');
  await page.getByRole('button', { name: 'End the login of curl/8.5, 192.0.2.7' }).click();
  await expect(list.getByRole('listitem')).toHaveCount(3);
  await expect(page.getByText('The login of curl/8.5, 192.0.2.7 has ended.')).toBeVisible();
  db.failures['DELETE /v1/me/sessions/ses-4'] = { status: 500, code: 'internal_error', message: 'it broke' };
  await page.getByRole('button', { name: 'End the login of An unknown program' }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'It broke.' })).toBeVisible();
  await accessible(page);
  await page.getByRole('button', { name: 'End all others…' }).click();
  await expect(page.getByText('2 logins end')).toBeVisible();
  await page.getByRole('button', { name: 'End the others' }).click();
  await expect(list.getByRole('listitem')).toHaveCount(1);
  await expect(page.getByRole('button', { name: 'End all others…' })).toHaveAttribute(
    'aria-disabled',
    'true',
  );
});

test('a login is renewed while the page is used; one that ends leads to the sign-in and back', async ({
  page,
  db,
  open,
  allowed,
}) => {
  allowed.push(/401/);
  db.tokenEnd = NOW / 1000 + 65 * 60;
  await open('/dashboard/settings?from=here');
  await expect(page.getByRole('heading', { name: 'Settings' })).toBeVisible();
  const renewals = () => db.requests.filter((one) => one === 'POST /v1/auth/renew').length;
  await page.clock.runFor(60_000);
  expect(renewals()).toBe(0);
  await page.keyboard.press('Shift');
  await page.clock.fastForward(6 * 60_000);
  await page.clock.runFor(1000);
  await expect.poll(renewals).toBe(1);
  await expect
    .poll(() => page.evaluate(() => sessionStorage.getItem('locule.session')))
    .toContain(token(db.me.team_id, db.tokenEnd));

  // Nobody uses the page: it says so before it asks for the password.
  await page.clock.fastForward(6 * 3_600_000 + 50 * 60_000);
  await page.clock.runFor(1000);
  await expect(page.getByText('because the page was not used')).toBeVisible();
  await page.clock.fastForward(10 * 60_000);
  await page.clock.runFor(1000);
  await expect(page.getByRole('heading', { name: 'Your login has ended' })).toBeVisible();
  await accessible(page);
  db.tokenEnd += 12 * 3600;
  await page.getByRole('button', { name: 'Sign in another way' }).click();
  await expect(page).toHaveURL('/login?next=%2Fdashboard%2Fsettings%3Ffrom%3Dhere');
  await page.getByLabel('E-mail').fill(db.me.email);
  await page.getByLabel('Password', { exact: true }).fill(db.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page).toHaveURL('/dashboard/settings?from=here');
  await expect(page.getByRole('heading', { name: 'Settings' })).toBeVisible();
});

test('an account without a password signs in again where its provider is, and comes back', async ({
  page,
  db,
  open,
  allowed,
}) => {
  allowed.push(/401/);
  db.me.has_password = false;
  db.me.providers = ['github'];
  await open('/dashboard/settings');
  db.failures['PATCH /v1/me'] = { status: 401, code: 'unauthorized', message: 'the login has ended' };
  await page.getByLabel('Name', { exact: true }).fill('Countess');
  await page.getByRole('button', { name: 'Save' }).click();
  const dialog = page.getByRole('dialog', { name: 'Your login has ended' });
  await expect(dialog.getByText('The sign-in leads back to this page.')).toBeVisible();
  await expect(dialog.getByLabel('Password')).toHaveCount(0);
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL('/login?next=%2Fdashboard%2Fsettings');
});
