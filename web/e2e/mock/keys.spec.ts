import { ATLAS, BOREAS, minutesAgo, team } from '../../mocks/db.ts';
import type { ApiKey } from '../../src/lib/api/types.ts';
import { accessible, expect, test } from '../support/mock.ts';

const key = (name: string, more: Partial<ApiKey> = {}): ApiKey => ({
  id: `key-${name}`,
  team_id: ATLAS,
  name,
  key_prefix: 'e2b_3fa91c',
  scope: 'full',
  created_at: minutesAgo(3000),
  created_by: 'user-other',
  created_by_name: 'Grace Hopper',
  ...more,
});

test('a new key is shown once, and Escape does not close it before it was taken', async ({ page, open }) => {
  await open('/dashboard/keys');
  await page.getByRole('button', { name: 'New key' }).click();
  await page.getByRole('button', { name: 'Make key' }).click();
  await expect(page.getByText('Give the key a name')).toBeVisible();
  await test.step('the dialog has no violation that axe finds', () => accessible(page));
  await page.getByLabel('Name').fill('ci-nightly');
  await page.keyboard.press('Enter');
  await expect(page.getByText('e2b_a1b2c3d4e5f6')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByText('e2b_a1b2c3d4e5f6')).toBeVisible();
  await page.getByRole('button', { name: 'I have it' }).click();
  await expect(page.getByRole('row', { name: /ci-nightly/ })).toContainText('Ada Lovelace (you)');
  await expect(page.getByText('e2b_a1b2c3d4e5f6')).toHaveCount(0);
});

test('a member revokes own keys only, and the reason is told', async ({ page, db, open }) => {
  db.teams = [team(ATLAS, 'Atlas', 'member'), team(BOREAS, 'Boreas', 'owner')];
  db.keys = [key('theirs'), key('mine', { created_by: db.me.user_id, last_used: minutesAgo(4) })];
  await open('/dashboard/keys');
  await page.getByRole('button', { name: 'Actions for theirs' }).click();
  await expect(page.getByText('Members revoke their own keys only')).toBeVisible();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Actions for mine' }).click();
  await page.getByRole('menuitem', { name: 'Revoke…' }).click();
  await expect(page.getByText('It was last used 4 min ago.')).toBeVisible();
  await page.getByRole('button', { name: 'Revoke key' }).click();
  await expect(page.getByText('The key mine is revoked.')).toBeVisible();
  await expect(page.getByRole('row', { name: /mine/ })).toHaveCount(0);
});

test('the table tells names and ends, and an expired key says so', async ({ page, db, open }) => {
  db.keys = [key('old', { expires_at: minutesAgo(5) })];
  await open('/dashboard/keys', { theme: 'light' });
  const row = page.getByRole('row', { name: /old/ });
  await expect(row).toContainText('Grace Hopper');
  await expect(row).toContainText('Expired');
  await expect(row).toContainText('Never');
  await test.step('the page has no violation that axe finds', () => accessible(page));
});

test('a failure stands in place with its request, and a retry helps', async ({ page, db, open, allowed }) => {
  allowed.push(/500/);
  db.failures['GET /v1/api-keys'] = { status: 500, code: 'internal_error', message: 'an internal error' };
  await open('/dashboard/keys');
  await expect(page.getByRole('alert')).toContainText('req-1');
  delete db.failures['GET /v1/api-keys'];
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByText('Code signs in with a key')).toBeVisible();
});
