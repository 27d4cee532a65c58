import { auditEntry, bodies, idOf, minutesAgo, numbered } from '../../mocks/db.ts';
import { accessible, expect, test } from '../support/mock.ts';

const at = (number: number, rest = '') => `/dashboard/capsules/${idOf(number)}${rest}`;

test('a capsule that does not run says why, and offers what helps', async ({ page, db, open, allowed }) => {
  allowed.push(/status of 404/);
  db.sandboxes = [
    numbered(0, { status: 'stopped', status_reason: 'vm_lost' }),
    numbered(1, { status: 'paused', status_reason: 'idle' }),
  ];
  db.audit = [auditEntry({ resource_id: idOf(0) })];
  await test.step('an end that nobody asked for is told as such', async () => {
    await open(at(0));
    await expect(page.getByText('Nobody asked for that.')).toBeVisible();
    await expect(page.getByText('Ada Lovelace launched it from minimal')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Pause' })).toBeHidden();
  });
  await test.step('a paused capsule is resumed', async () => {
    await open(at(1));
    await expect(page.getByText('The capsule was idle for 15 min. Memory and files are kept.')).toBeVisible();
    await page.getByRole('button', { name: 'Resume' }).click();
    await expect(page.getByRole('button', { name: 'Pause', exact: true })).toBeVisible();
  });
  await test.step('a capsule that the team does not have is told', async () => {
    await open(at(7));
    await expect(page.getByRole('heading', { name: 'No such capsule in Atlas' })).toBeVisible();
  });
});

test('the old tab of statistics, and an unknown one, lead to the overview', async ({ page, db, open }) => {
  db.sandboxes = [numbered(0)];
  await open(at(0, '?tab=stats'));
  await expect(page).toHaveURL(new RegExp(`${idOf(0)}$`));
  await open(at(0, '?tab=nothing'));
  await expect(page.getByRole('link', { name: 'Overview' })).toHaveAttribute('aria-current', 'page');
});

test('the overview explains a running capsule and changes it', async ({ page, db, open, allowed }) => {
  allowed.push(/status of 500/);
  const capsule = numbered(0, { labels: { old: '1' } });
  const change = `PATCH /v1/sandboxes/${capsule.id}` as const;
  db.sandboxes = [capsule];
  db.holders = [{ kind: 'terminal', pid: 412, count: 1, since: minutesAgo(1) }];
  db.processes = [{ pid: 412, cmd: 'python', args: ['train.py'] }];
  await open(at(0));
  await test.step('the guest is asked for its processes only when the user asks', async () => {
    await expect(page.getByRole('heading', { name: 'Processes' })).toBeVisible();
    expect(db.requests.filter((one) => one.endsWith('/processes'))).toEqual([]);
    await page.getByRole('button', { name: 'Show processes' }).click();
    await expect(page.getByText('python train.py')).toBeVisible();
  });
  await test.step('the page has no violation that axe finds', () => accessible(page));
  await test.step('the clock tells what holds it, starts afresh, and is changed', async () => {
    await expect(page.getByText('a terminal (pid 412)')).toBeVisible();
    db.holders = [];
    await page.getByRole('button', { name: 'Start it afresh' }).click();
    await expect(page.getByRole('meter', { name: 'Idle time left' })).toBeVisible();
    await page.getByRole('button', { name: 'Change…' }).click();
    await page.getByRole('dialog').getByLabel('Idle timeout').selectOption('1 h');
    await page.getByRole('button', { name: 'Change', exact: true }).click();
    await expect(page.getByText('left of 1 h')).toBeVisible();
  });
  await test.step('a label is removed and added', async () => {
    await page.getByRole('button', { name: 'Remove the label old' }).click();
    await expect(page.getByText('old=1')).toBeHidden();
    await page.getByRole('button', { name: 'label', exact: true }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('agent');
    await page.getByRole('dialog').getByLabel('Value').fill('codex');
    await page.keyboard.press('Enter');
    await expect(page.getByText('agent=codex')).toBeVisible();
  });
  expect(bodies(db, change)).toEqual([
    { timeout_sec: 3600, on_timeout: 'kill' },
    { labels: { old: null } },
    { labels: { agent: 'codex' } },
  ]);
  await test.step('what was known stays when a later load fails, and the failure is told', async () => {
    db.failures[`GET /v1/sandboxes/${capsule.id}`] = {
      status: 500,
      code: 'internal_error',
      message: 'something failed',
    };
    await page.keyboard.press('r');
    await expect(page.getByRole('alert')).toContainText('Something failed.');
    await expect(page.getByRole('heading', { name: 'Clock' })).toBeVisible();
  });
});
