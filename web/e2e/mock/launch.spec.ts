import { bodies, numbered } from '../../mocks/db.ts';
import { accessible, expect, test } from '../support/mock.ts';

const LIST = '/dashboard/capsules/list';
const CREATE = 'POST /v1/sandboxes';

test('the first run is one button that has the focus and leads to a terminal', async ({
  page,
  db,
  open,
  shells,
}) => {
  await open(LIST);
  const button = page.getByRole('button', { name: 'Launch your first capsule' });
  await expect(button).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/dashboard\/capsules\/sb-.*tab=terminal/);
  await expect.poll(() => shells.start()?.type).toBe('start');
  expect(db.requests.filter((one) => one === CREATE)).toHaveLength(1);
});

test.describe('without a team', () => {
  test.use({ scenario: 'noteam' });

  test('the list points to the side bar, and Launch is off (B-132)', async ({ page, db, open }) => {
    await open(LIST);
    await expect(page.getByRole('heading', { name: 'No team yet' })).toBeVisible();
    const launch = page.getByRole('button', { name: 'Launch capsule' });
    await expect(launch).toHaveAttribute('aria-disabled', 'true');
    await launch.focus();
    await expect(page.getByText('Capsules belong to a team: make one in the side bar first')).toBeVisible();
    await page.keyboard.press('n');
    await expect(page.getByRole('dialog')).toBeHidden();
    expect(db.requests).not.toContain('GET /v1/sandboxes');
  });
});

test('the program of a dialog is loaded again when the network gives it up', async ({
  page,
  db,
  open,
  allowed,
}) => {
  allowed.push(/net::ERR_CONNECTION_RESET/);
  db.sandboxes = [numbered(0)];
  await open(LIST);
  await expect(page.getByRole('row')).toHaveCount(2);
  const refused: string[] = [];
  await page.route(
    '**/_app/immutable/**',
    (route) => {
      refused.push(route.request().url());
      return route.abort('connectionreset');
    },
    { times: 1 },
  );
  await page.keyboard.press('n');
  await expect(page.getByRole('dialog', { name: 'Launch a capsule' })).toBeVisible();
  expect(refused).toHaveLength(1);
});

test('the launch dialog keeps what was chosen until a capsule is there', async ({
  page,
  db,
  open,
  allowed,
}) => {
  allowed.push(/status of 429|net::ERR_/);
  db.sandboxes = [numbered(0)];
  await open(LIST);
  await expect(page.getByRole('row')).toHaveCount(2);
  await page.keyboard.press('n');
  const dialog = page.getByRole('dialog', { name: 'Launch a capsule' });
  const launch = dialog.getByRole('button', { name: 'Launch' });
  await test.step('the dialog has no violation that axe finds', async () => {
    await expect(dialog.getByRole('combobox', { name: 'Template' })).toBeFocused();
    await accessible(page);
  });
  await test.step('the dialog tells the same as code', async () => {
    await dialog.getByLabel('Memory').selectOption('1 GB');
    await dialog.getByText('Labels').click();
    await dialog.getByRole('button', { name: 'Add a label' }).click();
    await dialog.getByLabel('Name', { exact: true }).fill('agent');
    await dialog.getByLabel('Value', { exact: true }).fill('codex');
    await dialog.getByText('As code').click();
    await expect(dialog.getByRole('tabpanel')).toContainText(
      '--memory 1024m --timeout 15m --label agent=codex',
    );
  });
  await test.step('a used-up limit is told with what to do', async () => {
    db.failures[CREATE] = { status: 429, code: 'quota_exceeded', message: 'the team has 20 of 20 sandboxes' };
    await launch.click();
    await expect(page.getByRole('alert')).toContainText('The team has 20 of 20 sandboxes.');
    await expect(page.getByRole('alert')).toContainText('ask an administrator for a higher limit');
  });
  await test.step('after no answer the same key is sent once more', async () => {
    db.failures[CREATE] = 'lost';
    const refused = db.asked.length;
    await launch.click();
    await expect(page.getByRole('alert')).toContainText('not reached');
    db.failures = {};
    await launch.click();
    await expect(dialog).toBeHidden();
    const creates = db.asked.slice(refused).filter(({ method, path }) => `${method} ${path}` === CREATE);
    const keys = creates.map(({ headers }) => headers['idempotency-key']);
    expect(keys.length).toBeGreaterThan(1);
    expect(keys[0]).toBeTruthy();
    expect(new Set(keys).size).toBe(1);
  });
  await test.step('the request holds what the dialog shows, and the row is there', async () => {
    expect(bodies(db, CREATE).at(-1)).toEqual({
      template: 'minimal',
      vcpus: 1,
      memory_mb: 1024,
      timeout_sec: 900,
      labels: { agent: 'codex' },
    });
    await expect(page.getByRole('button', { name: 'Open terminal' })).toBeVisible();
    await expect(page.getByRole('row')).toHaveCount(3);
  });
});
