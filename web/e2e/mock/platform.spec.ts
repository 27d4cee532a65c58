import { adminSandbox, adminTeam } from '../../mocks/admin.ts';
import { ATLAS, BOREAS, minutesAgo } from '../../mocks/db.ts';
import { accessible, expect, test } from '../support/mock.ts';

test.use({ viewport: { width: 1440, height: 900 } });

const GAIA = 'team-66666666-6666-4666-8666-666666666666';
const rows = (page: import('@playwright/test').Page) => page.getByRole('table').locator('tbody tr');

test.beforeEach(({ db }) => {
  db.me.is_admin = true;
  db.allTeams = [adminTeam(ATLAS, 'Atlas'), adminTeam(GAIA, 'Gaia')];
  const key = {
    kind: 'api_key' as const,
    id: 'key-77777777-7777-4777-8777-777777777777',
    name: 'ci-nightly',
  };
  db.allSandboxes = [
    adminSandbox({ id: ATLAS, name: 'Atlas' }, { id: 'sb-aaaaaaaa-08d1-4a44-9f00-000000000000' }),
    adminSandbox(
      { id: BOREAS, name: 'Boreas' },
      { id: 'sb-bbbbbbbb-08d1-4a44-9f00-000000000000', status: 'paused' },
    ),
    adminSandbox(
      { id: GAIA, name: 'Gaia' },
      {
        id: 'sb-cccccccc-08d1-4a44-9f00-000000000000',
        created_by: key,
        labels: { agent: 'codex', run: '881', stage: 'test' },
      },
    ),
    adminSandbox(
      { id: GAIA, name: 'Gaia' },
      { id: 'sb-dddddddd-08d1-4a44-9f00-000000000000', status: 'error', host_id: null },
    ),
  ];
});

test('the capsules of all teams are listed with team, maker and host; what a row offers follows the membership', async ({
  page,
  db,
  open,
}) => {
  await open('/admin/capsules');
  await expect(rows(page)).toHaveCount(3);
  await expect(page.getByText('3 capsules', { exact: true })).toBeVisible();
  const gaia = page.getByRole('row', { name: /sb-cccccccc/ });
  for (const text of ['Gaia', 'key ci-nightly', 'host-55555555', 'agent=codex', '+1'])
    await expect(gaia).toContainText(text);
  // Neither the row nor its menu leads into a team of others.
  await expect(gaia.getByRole('link', { name: 'sb-cccccccc' })).toHaveCount(0);
  await page.getByRole('button', { name: 'Actions for sb-cccccccc' }).click();
  await expect(page.getByRole('menuitem', { name: /Open in Gaia/ })).toContainText('Only members of Gaia');
  await expect(page.getByRole('menuitem', { name: 'Show the team' })).toHaveAttribute(
    'href',
    `/admin/teams?q=${GAIA}`,
  );
  await page.keyboard.press('Escape');
  await expect(page.getByRole('link', { name: 'sb-aaaaaaaa' })).toHaveAttribute(
    'href',
    '/dashboard/capsules/sb-aaaaaaaa-08d1-4a44-9f00-000000000000',
  );
  await accessible(page);
  // The administrator is a member of Boreas: the page switches to it.
  db.sandboxes = db.allSandboxes.filter(({ team }) => team.id === BOREAS);
  await page.getByRole('button', { name: 'Actions for sb-bbbbbbbb' }).click();
  await page.getByRole('menuitem', { name: 'Open in Boreas' }).click();
  await expect(page).toHaveURL('/dashboard/capsules/sb-bbbbbbbb-08d1-4a44-9f00-000000000000');
});

test('the filters of the list of all capsules stand in the address, and in the request', async ({
  page,
  open,
}) => {
  await open(`/admin/capsules?team=${GAIA}&ended=true`);
  await expect(rows(page)).toHaveCount(2);
  await page.getByRole('link', { name: 'host-55555555' }).click();
  await expect(page).toHaveURL(/host=host-5555/);
  await expect(rows(page)).toHaveCount(1);
  await page.goBack();
  await expect(rows(page)).toHaveCount(2);
  await page.getByRole('button', { name: 'Status' }).click();
  await page.getByRole('checkbox', { name: 'paused' }).check();
  await expect(page).toHaveURL(/status=paused/);
  await expect(page.getByRole('heading', { name: 'No capsule matches' })).toBeVisible();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Clear the filters' }).click();
  await expect(page).toHaveURL('/admin/capsules?ended=true');
  await expect(rows(page)).toHaveCount(4);
  await page.getByRole('button', { name: 'Team', exact: true }).click();
  await page.getByRole('button', { name: 'Atlas', exact: true }).click();
  await expect(page).toHaveURL(new RegExp(`team=${ATLAS}`));
  await expect(rows(page)).toHaveCount(1);
  await page.keyboard.press('Escape');
  await page.getByRole('searchbox', { name: 'Search capsules' }).fill('none such');
  await page.clock.runFor(1000);
  await expect(page).toHaveURL(/q=none\+such/);
});

test('a long list of capsules has pages, loads anew every 15 s, and keeps its rows when a load fails', async ({
  page,
  db,
  open,
  allowed,
}) => {
  allowed.push(/500/);
  db.allSandboxes = Array.from({ length: 130 }, () => adminSandbox({ id: GAIA, name: 'Gaia' }));
  await open('/admin/capsules');
  await expect(rows(page)).toHaveCount(100);
  await expect(page.getByText('130 capsules', { exact: true })).toBeVisible();
  await page.getByRole('link', { name: 'Next' }).click();
  await expect(page).toHaveURL('/admin/capsules?cursor=100');
  await expect(rows(page)).toHaveCount(30);
  await expect(page.getByRole('button', { name: 'Next' })).toHaveAttribute('aria-disabled', 'true');
  await page.getByRole('link', { name: 'First page' }).click();
  await expect(rows(page)).toHaveCount(100);

  const asked = () => db.requests.filter((one) => one === 'GET /v1/admin/sandboxes').length;
  const before = asked();
  db.allSandboxes = db.allSandboxes.slice(0, 2);
  await page.clock.runFor(17_000);
  await expect(rows(page)).toHaveCount(2);
  expect(asked()).toBeGreaterThan(before);
  db.failures['GET /v1/admin/sandboxes'] = { status: 500, code: 'internal_error', message: 'it broke' };
  await page.clock.runFor(17_000);
  await expect(page.getByRole('alert')).toContainText('It broke.');
  await expect(rows(page)).toHaveCount(2);
  db.failures = {};
  db.allSandboxes = [];
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('heading', { name: 'None' })).toBeVisible();
  await page.getByRole('button', { name: 'Show the ones that ended' }).click();
  await expect(page).toHaveURL('/admin/capsules?ended=true');
});

test('a first load that hangs shows a skeleton, and one that fails says so in place', async ({
  page,
  db,
  open,
  allowed,
}) => {
  allowed.push(/500/);
  db.failures['GET /v1/admin/sandboxes'] = 'hang';
  await open('/admin/capsules');
  await page.clock.runFor(200);
  await expect(page.getByRole('heading', { name: 'Capsules', level: 1 })).toBeVisible();
  await expect(page.getByRole('main').getByRole('status', { name: 'Loading' })).toBeVisible();
  db.failures['GET /v1/admin/sandboxes'] = { status: 500, code: 'internal_error', message: 'it broke' };
  await page.getByRole('checkbox', { name: 'Ended' }).check();
  await expect(page.getByRole('alert')).toContainText('req-1');
});

test('at 390 px every filter of the list of all capsules is in a dialog', async ({ page, open }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open('/admin/capsules');
  await page.getByRole('button', { name: 'Filters' }).click();
  await page.getByRole('button', { name: 'Gaia' }).click();
  await page.getByRole('button', { name: 'Show 1' }).click();
  await expect(rows(page)).toHaveCount(1);
  await expect(page.getByRole('button', { name: 'Filters' })).toContainText('1');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(wide).toBeLessThanOrEqual(390);
});

test('the system page tells the platform, its health and the state of each task, and follows them', async ({
  page,
  db,
  open,
  allowed,
}) => {
  allowed.push(/503/);
  const seconds = (count: number) => minutesAgo(count / 60);
  db.info = { ...db.info, accelerator: 'tcg', url: 'http://locule.example' };
  db.tasks = [
    { name: 'jobs', period_sec: 5, last_started_at: seconds(3), last_finished_at: seconds(3) },
    {
      name: 'sandbox sweep',
      period_sec: 15,
      last_started_at: seconds(9),
      last_finished_at: seconds(8),
      last_error: 'the host does not answer',
    },
    {
      name: 'retention',
      period_sec: 3600,
      last_started_at: seconds(90 * 60),
      last_finished_at: seconds(5399),
    },
    { name: 'sweep of the moon', period_sec: 60 },
  ];
  await open('/admin/system');
  await expect(page.getByText('1 task failed or late')).toBeVisible();
  await expect(page.getByText('Capsules can be made.')).toBeVisible();
  await expect(page.getByText('emulation is no security boundary')).toBeVisible();
  await expect(page.getByRole('row', { name: /Jobs/ })).toContainText('success');
  await expect(page.getByRole('row', { name: /Sandbox sweep/ })).toContainText('the host does not answer');
  await expect(page.getByRole('row', { name: /Retention/ })).toContainText('1 h ago');
  await expect(page.getByRole('row', { name: /Sweep of the moon/ })).toContainText('not yet');
  await accessible(page);

  db.notReady = 'the host does not answer';
  db.tasks = db.tasks.slice(0, 1);
  await page.clock.runFor(17_000);
  await expect(page.getByText('No capsule can be made: the host does not answer.')).toBeVisible();
  await expect(page.getByText('1 task on time')).toBeVisible();
  // A part that fails leaves what is known of it.
  db.failures['GET /v1/admin/tasks'] = { status: 503, code: 'not_ready', message: 'not now' };
  await page.clock.runFor(17_000);
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page.getByRole('row', { name: /Jobs/ })).toBeVisible();
});
