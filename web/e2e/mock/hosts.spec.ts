import type { Locator, Page } from '@playwright/test';
import { ATLAS, BOREAS, bodies, type Db, member, team } from '../../mocks/db.ts';
import { addHost, arrive, holdWithoutRow, hostId, hostOf, pendingHost } from '../../mocks/hosts.ts';
import { accessible, expect, stopClock, test } from '../support/mock.ts';

test.use({ viewport: { width: 1440, height: 900 } });

const BYOC = { type: 'byoc', team_id: ATLAS, team_name: 'Atlas' } as const;
const short = (number: number) => hostId(number).slice(0, 13);
const row = (page: Page, number: number) => page.getByRole('row').filter({ hasText: short(number) });
const asked = (db: Db, name: string) => db.requests.filter((one) => one === name).length;

/** The animations of an element and of what is inside of it, with the properties that they change. */
const motions = (element: Locator) =>
  element.evaluate((node) =>
    node.getAnimations({ subtree: true }).map((animation) => {
      const { animationName: name } = animation as CSSAnimation;
      const effect = animation.effect as KeyframeEffect;
      const changed = effect
        .getKeyframes()
        .flatMap((frame) => Object.keys(frame))
        .filter((key) => !['offset', 'computedOffset', 'easing', 'composite'].includes(key));
      return { name, changed: [...new Set(changed)].sort(), duration: effect.getTiming().duration };
    }),
  );

async function choose(page: Page, number: number, item: string): Promise<void> {
  await row(page, number)
    .getByRole('button', { name: `Actions for ${short(number)}` })
    .click();
  await page.getByRole('menuitem', { name: item }).click();
}

test.describe('the hosts of a team (B-100)', () => {
  test.beforeEach(({ db }) => {
    db.teams = [team(ATLAS, 'Atlas', 'owner', { is_byoc: true }), team(BOREAS, 'Boreas', 'owner')];
    addHost(db, hostOf(1, BYOC), ['running', 'running', 'paused']);
    addHost(db, hostOf(2, { ...BYOC, status: 'unreachable' }), ['missing']);
    addHost(db, hostOf(7));
  });

  test('the hosts show their state, load and capsules; an online host pulses on the compositor', async ({
    page,
    db,
    open,
  }) => {
    // An administrator of the platform sees the hosts of this team only.
    db.me.is_admin = true;
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    await open('/dashboard/byoc');
    await expect(page.getByRole('row')).toHaveCount(3);
    await expect(page.locator('[data-pills]')).toContainText('1 online');
    await expect(page.locator('[data-pills]')).toContainText('1 away');
    for (const text of ['hetzner · 16 cores · 64 GB', '10.0.0.1:50051', 'eu1', 'online', '2 %', ' s ago'])
      await expect(row(page, 1)).toContainText(text);
    await expect(row(page, 1)).toContainText(/2\s*running\s*\+ 1\s*paused/);
    await expect(row(page, 2)).toContainText('unreachable');
    expect(await motions(row(page, 1))).toEqual([
      { name: 'ring', changed: ['opacity', 'transform'], duration: 2400 },
    ]);
    expect(await motions(row(page, 2))).toEqual([]);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    expect(await motions(row(page, 1))).toEqual([]);
    await accessible(page);
  });

  test('a first load that takes long shimmers, and one that fails says so in place', async ({
    page,
    db,
    open,
    allowed,
  }) => {
    allowed.push(/500/);
    db.failures['GET /v1/hosts'] = 'hang';
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    await open('/dashboard/byoc');
    await page.clock.runFor(200);
    const skeleton = page.getByRole('main').getByRole('status', { name: 'Loading' });
    await expect(skeleton).toBeVisible();
    const shimmer = await motions(skeleton);
    expect(shimmer.length).toBeGreaterThan(8);
    for (const motion of shimmer) expect(motion).toMatchObject({ name: 'shimmer', changed: ['opacity'] });
    await page.emulateMedia({ reducedMotion: 'reduce' });
    db.failures['GET /v1/hosts'] = { status: 500, code: 'internal_error', message: 'it broke' };
    await page.reload();
    await expect(page.getByRole('alert')).toContainText('req-1');
    db.failures = {};
    await page.getByRole('button', { name: 'Try again' }).click();
    await expect(row(page, 1)).toBeVisible();
    const before = asked(db, 'GET /v1/hosts');
    await page.clock.runFor(17_000);
    await expect.poll(() => asked(db, 'GET /v1/hosts')).toBeGreaterThan(before);
  });

  test('a registration shows its command once, and says when the host has come', async ({
    page,
    db,
    open,
  }) => {
    await open('/dashboard/byoc');
    await expect(row(page, 1)).toBeVisible();
    await page.keyboard.press('n');
    const dialog = page.getByRole('dialog', { name: 'Register host' });
    await dialog.getByLabel('Provider').fill('rack 4');
    await dialog.getByLabel('Zone').fill('cellar');
    await accessible(page);
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    await page.keyboard.press('Enter');
    const shown = page.getByRole('dialog', { name: 'Run this on the machine' });
    await expect(shown).toContainText('locule agent');
    expect(bodies(db, 'POST /v1/hosts')).toEqual([
      { type: 'byoc', team_id: ATLAS, provider: 'rack 4', availability_zone: 'cellar' },
    ]);
    await test.step('the command is whole, and a check is drawn beside it', async () => {
      await expect(shown.locator('[data-secret]')).toHaveText(
        /locule agent .*--server https:\/\/hosts\.example:8443 .*--ca-hash sha256:[0-9a-f]{64} .*--register reg_\w+ .*--address ADDRESS:50051/s,
      );
      const path = shown.locator('[data-secret]').locator('..').locator('path[pathLength]').first();
      const drawn = await path.evaluate((node) => {
        const style = getComputedStyle(node);
        return { name: style.animationName, duration: style.animationDuration };
      });
      expect(drawn).toEqual({ name: 'draw', duration: '0.4s' });
      await page.emulateMedia({ reducedMotion: 'reduce' });
    });
    await test.step('Escape does not close it', async () => {
      await page.keyboard.press('Escape');
      await expect(shown.getByRole('status').filter({ hasText: 'no heartbeat yet' })).toBeVisible();
      await accessible(page);
    });
    await test.step('the page looks every 2 s until the host has come, and every 15 s from then on', async () => {
      const before = asked(db, 'GET /v1/hosts');
      await page.clock.runFor(2300);
      await expect.poll(() => asked(db, 'GET /v1/hosts')).toBeGreaterThan(before);
      const made = db.hosts.at(-1);
      if (made) arrive(made);
      await page.clock.runFor(2300);
      await expect(shown.getByRole('status').filter({ hasText: 'has come' })).toContainText('online');
      await stopClock(page);
      const after = asked(db, 'GET /v1/hosts');
      await page.clock.runFor(8000);
      expect(asked(db, 'GET /v1/hosts')).toBe(after);
    });
    await shown.getByRole('button', { name: 'Copy' }).click();
    await shown.getByRole('button', { name: 'Done' }).click();
    await expect(page.getByText('reg_4f1d9a7c2e8b')).toHaveCount(0);
    await expect(row(page, 93)).toContainText('cellar');
  });

  test('a host that has not come gets another command, and nothing else', async ({ page, db, open }) => {
    addHost(db, pendingHost(3, BYOC));
    await open('/dashboard/byoc');
    await expect(row(page, 3)).toContainText('pending');
    await expect(row(page, 3)).toContainText('never');
    await row(page, 3)
      .getByRole('button', { name: /Actions/ })
      .click();
    await expect(page.getByRole('menuitem', { name: /Drain…/ })).toContainText('has not registered yet');
    await page.getByRole('menuitem', { name: 'New command…' }).click();
    await expect(page.getByRole('dialog')).toContainText('--register reg_');
    expect(asked(db, `POST /v1/hosts/${hostId(3)}/token`)).toBe(1);
  });

  test('a cordon is put on and taken off, and Undo takes it back', async ({ page, db, open }) => {
    await open('/dashboard/byoc');
    await choose(page, 1, 'Cordon');
    await expect(row(page, 1)).toContainText('cordoned');
    await page.getByRole('button', { name: 'Undo' }).click();
    await expect(row(page, 1)).toContainText('online');
    expect(bodies(db, `PATCH /v1/hosts/${hostId(1)}`)).toEqual([{ cordoned: true }, { cordoned: false }]);
  });

  test('a deletion counts the capsules, names them, and wants the word force', async ({ page, db, open }) => {
    await open('/dashboard/byoc');
    await choose(page, 1, 'Delete…');
    const dialog = page.getByRole('dialog');
    await expect(dialog).toContainText('3 capsules are destroyed with it (2 run, 1 is paused)');
    await expect(dialog.getByRole('listitem')).toHaveCount(3);
    const button = dialog.getByRole('button', { name: 'Delete by force' });
    await expect(button).toHaveAttribute('aria-disabled', 'true');
    await accessible(page);
    await button.click({ force: true });
    expect(asked(db, `DELETE /v1/hosts/${hostId(1)}`)).toBe(0);
    await dialog.getByLabel('Type force').fill('force');
    await button.click();
    await expect(dialog).toBeHidden();
    await expect(row(page, 1)).toHaveCount(0);
    const sent = db.asked.find(({ method, path }) => method === 'DELETE' && path.includes('/hosts/'));
    expect(sent?.query.get('force')).toBe('true');
  });

  test('a host without capsules goes at once; one that got some meanwhile is looked at again', async ({
    page,
    db,
    open,
    allowed,
  }) => {
    allowed.push(/409/);
    db.hostSandboxes[hostId(2)] = [];
    await open('/dashboard/byoc');
    await choose(page, 2, 'Delete…');
    const dialog = page.getByRole('dialog');
    await expect(dialog).toContainText('The host has no capsule');
    db.hostSandboxes[hostId(2)] = (db.hostSandboxes[hostId(1)] ?? []).slice(0, 1);
    await dialog.getByRole('button', { name: 'Delete host' }).click();
    await expect(dialog.getByRole('alert')).toContainText('The host has sandboxes.');
    await expect(dialog).toContainText('1 capsule is destroyed with it');
    db.hostSandboxes[hostId(2)] = [];
    await page.keyboard.press('Escape');
    await choose(page, 2, 'Delete…');
    await dialog.getByRole('button', { name: 'Delete host' }).click();
    await expect(row(page, 2)).toHaveCount(0);
  });

  test('members see no buttons, and are told whom to ask', async ({ page, db, open }) => {
    db.teams = [team(ATLAS, 'Atlas', 'member', { is_byoc: true })];
    db.members[ATLAS] = [
      member(db.me.user_id, 'Ada Lovelace'),
      member('usr-orion', 'Orion', { role: 'owner' }),
      member('usr-vega', 'Vega', { role: 'admin' }),
    ];
    await open('/dashboard/byoc');
    await expect(row(page, 1)).toBeVisible();
    await expect(page.getByRole('button', { name: /Register|Actions/ })).toHaveCount(0);
    for (const host of db.hosts) holdWithoutRow(db, host, 1);
    await page.getByRole('link', { name: short(1) }).click();
    await expect(page.getByRole('region', { name: 'Quarantine' })).toContainText('A capsule on this host');
    await expect(page.getByRole('button', { name: 'Import' })).toHaveCount(0);
    await page.goBack();
    db.hosts = [];
    await page.reload();
    await expect(page.getByText('Ask Orion or Vega.')).toBeVisible();
    await expect(page.getByRole('button', { name: /Register/ })).toHaveCount(0);
    await accessible(page);
  });

  test('without a host the page begins with the command, and old addresses lead to it', async ({
    page,
    db,
    open,
  }) => {
    db.hosts = [];
    await open('/dashboard/hosts');
    await expect(page).toHaveURL('/dashboard/byoc');
    await expect(page.getByRole('heading', { name: 'Bring a machine of your own' })).toBeVisible();
    await page.getByRole('button', { name: 'Register host' }).click();
    await expect(page.getByRole('dialog', { name: 'Register host' })).toBeVisible();
    await page.keyboard.press('Escape');
    db.teams = [team(ATLAS, 'Atlas', 'owner')];
    await page.reload();
    await expect(page.getByRole('heading', { name: 'Atlas brings no hosts of its own' })).toBeVisible();
  });

  test('the page of a host has its capsules, its capacity, and what a drain will do', async ({
    page,
    db,
    open,
  }) => {
    const twelve = Array.from({ length: 12 }, (_, index) => (index < 9 ? 'running' : 'paused'));
    addHost(db, hostOf(4, BYOC), twelve);
    await open('/dashboard/byoc');
    await page.getByRole('link', { name: short(4) }).click();
    await expect(page).toHaveURL(`/dashboard/byoc/${hostId(4)}`);
    await expect(page.getByText('9 run, 3 are paused')).toBeVisible();
    for (const text of ['Memory reserved for capsules', 'Free in the pool', '480 GB', '0.1.0', 'KVM'])
      await expect(page.getByRole('main')).toContainText(text);
    await expect(page.getByRole('table', { name: 'Capsules of the host' }).getByRole('link')).toHaveCount(12);
    await accessible(page);
    await page.keyboard.press('d');
    const dialog = page.getByRole('dialog', { name: `Drain ${short(4)}?` });
    await expect(dialog).toContainText('12 capsules: 9 run and are paused, 3 are paused and stay.');
    await dialog.getByRole('radio', { name: /Wait/ }).check();
    await expect(dialog).toContainText('12 capsules: 9 run on until they end, 3 are paused and stay.');
    await accessible(page);
    await dialog.getByRole('radio', { name: /Pause/ }).check();
    await dialog.getByRole('button', { name: 'Start the drain' }).click();
    await expect(dialog).toBeHidden();
    expect(bodies(db, `POST /v1/hosts/${hostId(4)}/drain`)).toEqual([{ running: 'pause' }]);
    await expect(page.getByText('12 are paused', { exact: true })).toBeVisible();
    await expect(page.getByText('drained', { exact: true })).toBeVisible();
    await page.getByRole('button', { name: 'Acts on the host' }).click();
    await page.getByRole('menuitem', { name: 'End the drain' }).click();
    await expect(page.getByText('online', { exact: true })).toBeVisible();
  });

  test('a host that is gone says so, and a deletion leads to the list', async ({ page, open, allowed }) => {
    allowed.push(/404/);
    await open(`/dashboard/byoc/${hostId(66)}`);
    await expect(page.getByRole('heading', { name: 'No such host' })).toBeVisible();
    await page.getByRole('link', { name: 'To the hosts' }).click();
    await page.getByRole('link', { name: short(2) }).click();
    await page.getByRole('button', { name: 'Acts on the host' }).click();
    await page.getByRole('menuitem', { name: 'Delete…' }).click();
    await page.getByLabel('Type force').fill('force');
    await page.getByRole('button', { name: 'Delete by force' }).click();
    await expect(page).toHaveURL('/dashboard/byoc');
    await expect(row(page, 2)).toHaveCount(0);
  });
});

test.describe('the hosts of the platform (B-101)', () => {
  test.beforeEach(({ db }) => {
    db.me.is_admin = true;
    addHost(db, hostOf(1), ['running', 'running', 'paused']);
    addHost(db, pendingHost(2));
  });

  test('the tabs stand in the address, and hosts of teams stand under the names of the teams (B-108)', async ({
    page,
    db,
    open,
  }) => {
    addHost(db, hostOf(3, { type: 'byoc', team_id: BOREAS, team_name: 'Boreas' }));
    for (let number = 4; number < 56; number += 1) addHost(db, hostOf(number, BYOC));
    await open('/admin/hosts');
    await expect(page.getByRole('row')).toHaveCount(3);
    await expect(page.locator('[data-pills]')).toContainText('54 online');
    await expect(page.locator('[data-pills]')).toContainText('1 pending');
    await page.getByRole('link', { name: /^BYOC\s*53$/ }).click();
    await expect(page).toHaveURL('/admin/hosts?tab=byoc');
    await expect(page.getByRole('rowheader', { name: 'Atlas 52 hosts' })).toBeVisible();
    await expect(page.locator('tr[data-host]')).toHaveCount(50);
    await page.getByRole('link', { name: 'Next' }).click();
    await expect(page).toHaveURL('/admin/hosts?tab=byoc&page=2');
    await expect(page.locator('tr[data-host]')).toHaveCount(3);
    await expect(page.getByRole('rowheader', { name: 'Boreas 1 host' })).toBeVisible();
    // Here and not on the first page: axe looks for five seconds at fifty rows, which are all made alike.
    await accessible(page);
    await page.goBack();
    await page.goBack();
    await expect(page).toHaveURL('/admin/hosts');
  });

  test('a host has a strip of its capsules, one cell each', async ({ page, open }) => {
    await open('/admin/hosts');
    const cells = row(page, 1).locator('[data-cell]');
    await expect(cells).toHaveCount(3);
    await expect(row(page, 1).locator('[data-cell="paused"]')).toHaveAttribute(
      'title',
      'sb-01000002 of Atlas: paused, 2 GB, 3 % of the memory of its host',
    );
    await accessible(page);
    await cells.first().click();
    await expect(page).toHaveURL(/\/admin\/capsules\?q=sb-01000000/);
  });

  test('a first load shimmers; a new host slides in, and its tint fades in 2.5 s', async ({
    page,
    db,
    open,
  }) => {
    db.failures['GET /v1/hosts'] = 'hang';
    await open('/admin/hosts');
    await page.clock.runFor(200);
    await expect(page.getByRole('main').getByRole('status', { name: 'Loading' })).toBeVisible();
    await expect(page.getByRole('link', { name: 'BYOC' })).toBeVisible();
    db.failures = {};
    await page.reload();
    await expect(row(page, 1)).toBeVisible();
    const slides = (number: number) =>
      row(page, number).evaluate((node) => {
        const { animationName: names, animationDuration: durations } = getComputedStyle(node);
        return { names, durations };
      });
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    expect((await slides(1)).names).toBe('none');
    await page.getByRole('button', { name: 'Add host' }).click();
    await page.getByRole('button', { name: 'Make the command' }).click();
    await expect(page.getByRole('dialog', { name: 'Run this' })).toContainText('--register reg_');
    expect(bodies(db, 'POST /v1/hosts')).toEqual([{ type: 'regular' }]);
    expect(await slides(92)).toEqual({ names: 'row-in, tint', durations: '0.18s, 2.5s' });
    expect((await slides(1)).names).toBe('none');
    await page.clock.runFor(2600);
    await expect.poll(async () => (await slides(92)).names).toBe('none');
    await page.emulateMedia({ reducedMotion: 'reduce' });
  });

  test('the page of a host tells the teams of its capsules, and opens those of the own team only', async ({
    page,
    db,
    open,
  }) => {
    for (const one of (db.hostSandboxes[hostId(1)] ?? []).slice(0, 1))
      Object.assign(one, { team_id: BOREAS, team_name: 'Boreas' });
    await open('/admin/hosts');
    await page.getByRole('link', { name: short(1) }).click();
    await expect(page).toHaveURL(`/admin/hosts/${hostId(1)}`);
    const table = page.getByRole('table', { name: 'Capsules of the host' });
    await expect(table.getByRole('row', { name: /Boreas/ }).getByRole('link')).toHaveAttribute(
      'href',
      /^\/admin\/capsules\?q=sb-/,
    );
    await expect(table.getByRole('row', { name: /Atlas/ }).first().getByRole('link')).toHaveAttribute(
      'href',
      /^\/dashboard\/capsules\/sb-/,
    );
    await expect(page.getByRole('link', { name: 'Open in Audit' })).toHaveAttribute(
      'href',
      `/admin/audit?id=${hostId(1)}`,
    );
    const before = asked(db, `GET /v1/hosts/${hostId(1)}`);
    await page.clock.runFor(17_000);
    await expect.poll(() => asked(db, `GET /v1/hosts/${hostId(1)}`)).toBeGreaterThan(before);
  });

  test('capsules without a record are imported, and one that the platform refuses says why', async ({
    page,
    db,
    open,
    allowed,
  }) => {
    allowed.push(/409/);
    holdWithoutRow(db, addHost(db, hostOf(8)), 3);
    await open(`/admin/hosts/${hostId(1)}`);
    await expect(page.getByText('2 run, 1 is paused')).toBeVisible();
    await expect(page.getByRole('region', { name: 'Quarantine' })).toHaveCount(0);
    await open(`/admin/hosts/${hostId(8)}`);
    const card = page.getByRole('region', { name: 'Quarantine' });
    await expect(card).toContainText('3 capsules on this host are not in the database.');
    await expect(card.getByRole('listitem').first()).toContainText('a team that is gone · minimal · 512 MB');
    await accessible(page);
    await card.getByRole('button', { name: 'Import' }).click();
    await expect(page.getByText('Imported 2 capsules')).toBeVisible();
    await expect(page.getByText(/sb-90000000: The team of the sandbox does not exist/)).toBeVisible();
    await expect(card.getByRole('listitem')).toHaveCount(1);
    await expect(page.getByText('2 are paused', { exact: true })).toBeVisible();
  });

  test('at 390 px nothing scrolls sideways, and every act is there', async ({ page, open }) => {
    await page.setViewportSize({ width: 390, height: 844 });
    for (const path of ['/admin/hosts', `/admin/hosts/${hostId(1)}`]) {
      await open(path);
      await expect(page.getByText(short(1)).first()).toBeVisible();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    }
    await page.getByRole('button', { name: 'Acts on the host' }).click();
    for (const name of ['Cordon', 'Drain…', 'Delete…'])
      await expect(page.getByRole('menuitem', { name })).toBeVisible();
  });
});
