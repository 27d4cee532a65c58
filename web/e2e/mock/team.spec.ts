import { ATLAS, BOREAS, member, team } from '../../mocks/db.ts';
import { accessible, expect, test } from '../support/mock.ts';

test.beforeEach(({ db }) => {
  db.members[ATLAS]?.push(
    member('usr-orion', 'Orion', { role: 'admin' }),
    member('usr-vega', '', { status: 'invited', email: 'vega@example.com' }),
  );
});

test('the table has names and e-mails in columns of their own, and no act on oneself (B-131)', async ({
  page,
  open,
}) => {
  await open('/dashboard/team');
  for (const name of ['Name', 'E-mail', 'Role', 'Joined'])
    await expect(page.getByRole('columnheader', { name, exact: true })).toBeVisible();
  const own = page.getByRole('row', { name: /Ada Lovelace/ });
  await expect(own.getByRole('cell', { name: 'ada@example.com' })).toBeVisible();
  await expect(own.getByRole('button')).toHaveCount(0);
  await expect(page.getByRole('row', { name: /vega@example.com/ })).toContainText('invited');
  await test.step('the page has no violation that axe finds', () => accessible(page));
});

test('an invitation without mail shows its link once; names are searched after an at sign', async ({
  page,
  db,
  open,
}) => {
  db.found = [{ user_id: 'usr-lyra', email: 'lyra@example.com', verified: false }];
  await open('/dashboard/team');
  const field = page.getByRole('combobox', { name: 'E-mail' });
  await field.pressSequentially('lyra');
  await page.clock.runFor(1000);
  expect(db.requests.filter((one) => one.includes('/users/search'))).toEqual([]);
  await field.pressSequentially('@');
  await page.clock.runFor(1000);
  await page.getByRole('option', { name: /lyra@example.com/ }).click();
  await expect(field).toHaveValue('lyra@example.com');
  await page.getByRole('button', { name: 'Invite' }).click();
  await expect(page.getByText('http://host.example/invitation?token=abc')).toBeVisible();
  await page.getByRole('button', { name: 'I have it' }).click();
  await expect(page.getByText('http://host.example/invitation?token=abc')).toHaveCount(0);
  await expect(page.getByRole('row', { name: /lyra@example.com/ })).toContainText('invited');
});

test('a role changes at once, and Undo brings the old one back', async ({ page, db, open }) => {
  await open('/dashboard/team');
  await page.getByRole('button', { name: 'Actions for Orion' }).click();
  await page.getByRole('menuitem', { name: 'Make member' }).click();
  await expect(page.getByRole('row', { name: /Orion/ })).toContainText('member');
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByRole('row', { name: /Orion/ })).toContainText('admin');
  expect(db.members[ATLAS]?.[1]?.role).toBe('admin');
});

test('the removal of a member says which keys end', async ({ page, db, open }) => {
  const made = {
    team_id: ATLAS,
    key_prefix: 'e2b_1',
    scope: 'full' as const,
    created_at: '2026-11-01T00:00:00Z',
  };
  db.keys = [1, 2].map((n) => ({ ...made, id: `key-${n}`, name: `k${n}`, created_by: 'usr-orion' }));
  await open('/dashboard/team');
  await page.getByRole('button', { name: 'Actions for Orion' }).click();
  await page.getByRole('menuitem', { name: 'Remove…' }).click();
  await expect(page.getByText('2 keys made by Orion end now.')).toBeVisible();
  await page.getByRole('button', { name: 'Remove member' }).click();
  await expect(page.getByRole('row', { name: /Orion/ })).toHaveCount(0);
});

test('the name may hold hyphens, at signs and apostrophes, and nothing stranger (B-140)', async ({
  page,
  open,
}) => {
  await open('/dashboard/team');
  await page.getByRole('button', { name: 'Rename the team' }).click();
  const name = page.getByLabel('Name of the team');
  await name.fill('A<b>');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('A name has letters, digits')).toBeVisible();
  await name.fill("Ada's team @-1");
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('heading', { name: "Ada's team @-1" })).toBeVisible();
});

test('the last team can be neither deleted nor left, and the hint says what to do (B-142)', async ({
  page,
  db,
  open,
}) => {
  db.teams = [team(ATLAS, 'Atlas', 'owner')];
  await open('/dashboard/team');
  await expect(page.getByRole('button', { name: 'Delete team…' })).toHaveAttribute('aria-disabled', 'true');
  await expect(page.getByText('Create another team first')).toBeVisible();
});

test('after the end of a team the person acts for the next one (B-141)', async ({ page, db, open }) => {
  await open('/dashboard/team');
  await page.getByRole('button', { name: 'Delete team…' }).click();
  await expect(page.getByText('The team holds no capsule and no key.')).toBeVisible();
  await page.getByLabel('Type the name of the team').fill('Atlas');
  await page.getByRole('button', { name: 'Delete team', exact: true }).click();
  await expect(page.getByText('Atlas is deleted. You act for Boreas now.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Team: Boreas' }).first()).toBeVisible();
  expect(db.me.team_id).toBe(BOREAS);
});

test('with no team left the person stays signed in and is asked to create one (B-141)', async ({
  page,
  db,
  open,
}) => {
  db.teams = [team(ATLAS, 'Atlas', 'member'), team(BOREAS, 'Boreas', 'member')];
  await open('/dashboard/team');
  await page.getByRole('button', { name: 'Leave team…' }).click();
  db.teams = [team(ATLAS, 'Atlas', 'member')];
  await page.getByRole('button', { name: 'Leave team', exact: true }).click();
  await expect(page.getByText(/You are in no team now. Create one/)).toBeVisible();
  await expect(page.getByRole('heading', { name: 'No team yet' })).toBeVisible();
  await expect(page).toHaveURL('/dashboard/team');
});

test('without a team the page points to the switcher of the side bar (B-143)', async ({ page, db, open }) => {
  db.teams = [];
  db.me.team_id = null;
  await open('/dashboard/team');
  await expect(page.getByText('Make one with the team switcher')).toBeVisible();
});

test('all teams load in parallel with the team (B-144)', async ({ page, db, open }) => {
  db.failures[`GET /v1/teams/${ATLAS}`] = 'hang';
  await open('/dashboard/team');
  await expect
    .poll(() => db.requests.filter((one) => one === 'GET /v1/teams').length, { timeout: 10_000 })
    .toBeGreaterThan(1);
  expect(db.requests).toContain(`GET /v1/teams/${ATLAS}`);
  await expect(page.getByRole('row', { name: /Orion/ })).toHaveCount(0);
});

test('the limits tell how much of them is used', async ({ page, open }) => {
  await open('/dashboard/team');
  await expect(page.getByRole('meter', { name: 'Memory of running capsules' })).toHaveAttribute(
    'aria-valuetext',
    '1 GB of 40 GB',
  );
});

test('a member is told who may change the team', async ({ page, db, open }) => {
  db.teams = [team(ATLAS, 'Atlas', 'member'), team(BOREAS, 'Boreas', 'owner')];
  await open('/dashboard/team');
  await expect(page.getByText('Owners and admins of the team invite and remove members.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Rename the team' })).toHaveAttribute(
    'aria-disabled',
    'true',
  );
  await expect(page.getByRole('button', { name: /^Actions for/ })).toHaveCount(0);
});
