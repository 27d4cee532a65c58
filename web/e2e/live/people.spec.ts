import { execFileSync } from 'node:child_process';
import { expect, test } from '../support/platform.ts';

test('a key is made, used by the SDK, seen as used, revoked, and refused', async ({
  page,
  platform,
  signedIn,
}) => {
  void signedIn;
  await page.goto('/dashboard/keys');
  await page.getByRole('button', { name: 'New key' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('laptop');
  await dialog.getByRole('button', { name: 'Make key' }).click();
  const key = await page.locator('[data-secret]').innerText();
  expect(key).toMatch(/^e2b_[0-9a-f]+$/);
  await page.getByRole('button', { name: 'I have it' }).click();
  const row = page.getByRole('row', { name: /laptop/ });
  const used = row.getByRole('cell').nth(-2);
  await expect(used).toHaveText('Never');

  const list = (): string => {
    const python = (process.env.LOCULE_PYTHON_SDKS ?? '').split(':')[0] ?? 'python3';
    const program = 'from e2b import Sandbox; print(len(Sandbox.list().next_items()))';
    return execFileSync(python, ['-c', program], {
      env: { ...process.env, E2B_API_KEY: key, E2B_API_URL: platform.url, E2B_SANDBOX_URL: platform.url },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  };
  expect(list().trim()).toMatch(/^\d+$/);
  await expect(async () => {
    await page.reload();
    await expect(used).toContainText('ago', { timeout: 2000 });
  }).toPass({ timeout: 60_000 });
  await row.getByRole('button', { name: 'Actions for laptop' }).click();
  await page.getByRole('menuitem', { name: /Revoke/ }).click();
  await page
    .getByRole('dialog')
    .getByRole('button', { name: /Revoke/ })
    .click();
  await expect(row).toHaveCount(0);
  expect(list).toThrow();
});

test('a person joins by an invitation, and is taken out while looking on', async ({
  page,
  browser,
  signedIn,
  platform,
}) => {
  void signedIn;
  await page.goto('/dashboard/team');
  await page.getByRole('combobox', { name: 'E-mail' }).fill('grace@example.com');
  await page.getByRole('button', { name: 'Invite' }).click();
  const link = await page.locator('[data-secret]').innerText();
  await page.getByRole('button', { name: 'I have it' }).click();
  await expect(page.getByRole('row', { name: /grace@example.com/ })).toContainText('invited');

  const other = await browser.newContext({ baseURL: platform.url });
  const grace = await other.newPage();
  await grace.goto(link);
  await grace.getByLabel('Name').fill('Grace Hopper');
  await grace.getByLabel('E-mail').fill('grace@example.com');
  for (const field of ['Password', 'Password again']) {
    await grace.getByLabel(field, { exact: true }).fill('a long pass word');
  }
  await grace.getByRole('button', { name: /account|join/i }).click();
  await grace.waitForURL('**/dashboard/**');
  await expect(grace.locator('[data-person]').first()).toHaveText('Grace Hopper');

  await grace.goto('/dashboard/team');
  await expect(grace.getByRole('row', { name: /Administrator/ })).toBeVisible();
  await grace.goto('/dashboard/capsules/list');

  await page.reload();
  const row = page.getByRole('row', { name: /Grace Hopper/ });
  await row.getByRole('button', { name: /Actions for/ }).click();
  await page.getByRole('menuitem', { name: 'Make admin' }).click();
  await expect(row).toContainText('admin');
  await row.getByRole('button', { name: /Actions for/ }).click();
  await page.getByRole('menuitem', { name: /Remove/ }).click();
  await page
    .getByRole('dialog')
    .getByRole('button', { name: /Remove/ })
    .click();
  await expect(row).toHaveCount(0);
  // The other page hears of it by itself.
  await expect(grace.getByText(/You are no member of .* You act for Grace Hopper's Team now/)).toBeVisible({
    timeout: 90_000,
  });
  await grace.goto('/dashboard/team');
  await expect(grace.getByRole('row', { name: /Grace Hopper/ })).toBeVisible();
  await expect(grace.getByRole('row', { name: /Administrator/ })).toHaveCount(0);
  await other.close();
});

test('the page says that the platform is away, and comes back by itself', async ({
  page,
  platform,
  signedIn,
}) => {
  void signedIn;
  await page.goto('/dashboard/capsules/list');
  await expect(page.getByRole('heading', { name: 'Capsules' })).toBeVisible();
  const mark = await page.evaluate(() => ((window as unknown as { mark: number }).mark = 1));
  await platform.stop();
  await expect(page.getByText(/has not answered since/)).toBeVisible({ timeout: 60_000 });
  await platform.start();
  await expect(page.getByText(/has not answered since/)).toBeHidden({ timeout: 90_000 });
  expect(await page.evaluate(() => (window as unknown as { mark: number }).mark)).toBe(mark);
});
