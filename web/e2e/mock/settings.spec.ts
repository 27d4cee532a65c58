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
});

test('the last way into an account cannot be disconnected', async ({ page, db, open }) => {
  db.me.has_password = false;
  db.me.providers = ['github'];
  await open('/dashboard/settings');
  await expect(page.getByRole('button', { name: 'Disconnect…' })).toHaveAttribute('aria-disabled', 'true');
});

test('axe finds nothing on the settings', async ({ page, open }) => {
  await open('/dashboard/settings');
  await expect(page.getByRole('heading', { name: 'Looks' })).toBeVisible();
  await accessible(page);
  await page.getByRole('button', { name: 'Light theme' }).click();
  await accessible(page);
});
