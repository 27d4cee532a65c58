import { auditEntry, sandbox } from '../../mocks/db.ts';
import { cut, tell } from '../../mocks/events.ts';
import { expect, test } from '../support/mock.ts';

test.use({ viewport: { width: 1440, height: 900 } });

test('a change in the team shows at once, polls are rare meanwhile, and go on when the stream is lost', async ({
  page,
  db,
  open,
  allowed,
}) => {
  allowed.push(/ERR_/);
  const made = sandbox();
  db.sandboxes = [made, sandbox()];
  await open('/dashboard/capsules/list');
  const rows = page.locator('[data-row]');
  await expect(rows).toHaveCount(2);
  await expect.poll(() => db.streams.size).toBe(1);
  const lists = () => db.requests.filter((one) => one === 'GET /v1/sandboxes').length;

  // The first event says to load anew: something may have changed before the stream was there.
  db.sandboxes = [sandbox(), ...db.sandboxes];
  tell(db, { event: 'resync', data: {} });
  await page.clock.runFor(500);
  await expect(rows).toHaveCount(3);
  await expect(page.getByText('3 running').first()).toBeVisible();
  const before = lists();
  await page.clock.runFor(40_000);
  expect(lists()).toBe(before);

  // Many events are one load.
  Object.assign(made, { status: 'paused', desired: 'paused' });
  const told = {
    id: made.id,
    status: 'paused' as const,
    desired: 'paused' as const,
    at: made.created_at,
  };
  for (let count = 0; count < 5; count += 1) tell(db, { event: 'sandbox', data: told });
  await page.clock.runFor(500);
  await expect(page.locator(`[data-row="${made.id}"]`)).toContainText('paused');
  await expect(page.getByText('2 running').first()).toBeVisible();
  expect(lists()).toBe(before + 1);

  // The page of a capsule follows its own capsule.
  await page.getByRole('link', { name: made.id.slice(0, 11) }).click();
  await expect(page.getByRole('heading', { name: /^Paused/ })).toBeVisible();
  Object.assign(made, { status: 'running', desired: 'running' });
  tell(db, { event: 'sandbox', data: { ...told, status: 'running', desired: 'running' } });
  await page.clock.runFor(500);
  await expect(page.getByRole('main').getByText('running', { exact: true }).first()).toBeVisible();

  cut(db);
  await expect.poll(() => db.streams.size).toBe(0);
  await page.clock.runFor(1500);
  await expect.poll(() => db.streams.size).toBe(1);
});

test('the audit log counts a new entry at once; a sign-out ends the stream', async ({ page, db, open }) => {
  db.audit = [auditEntry()];
  await open('/dashboard/audit');
  await expect(page.locator('li[data-entry]')).toHaveCount(1);
  await expect.poll(() => db.streams.size).toBe(1);
  db.audit = [auditEntry({ id: 'log-00000000-0000-4000-8000-000000000002' }), ...db.audit];
  tell(db, { event: 'audit', data: { id: db.audit[0]?.id ?? null } });
  await page.clock.runFor(500);
  await expect(page.getByRole('button', { name: '1 new' })).toBeVisible();
  await page.getByRole('button', { name: 'Sign out' }).first().click();
  await expect(page).toHaveURL('/login');
  await expect.poll(() => db.streams.size).toBe(0);
});
