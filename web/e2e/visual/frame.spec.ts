import { BOREAS, team } from '../../mocks/db.ts';
import { busy } from './data.ts';
import { OVER, scene } from './pictures.ts';

const LIST = '/dashboard/capsules/list';
const listed = (page: Parameters<Parameters<typeof scene>[1]['show']>[0]) =>
  page.getByText('sb-7f3a91c2').first().waitFor();

scene('team-switcher', {
  path: LIST,
  given: (db) => {
    busy(db);
    db.teams.push(team('team-5', 'Computational chemistry, second floor', 'admin'));
  },
  widths: [1440, 1024],
  show: async (page) => {
    await listed(page);
  },
  again: async (page) => {
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Team: Atlas' }).filter({ visible: true }).click();
    await page.getByText('Create team').waitFor();
  },
});

scene('drawer', {
  path: LIST,
  given: busy,
  widths: [390],
  show: listed,
  again: async (page) => {
    await page.getByRole('button', { name: 'Menu', exact: true }).first().click();
    await page.getByRole('dialog', { name: 'Menu' }).waitFor();
  },
});

scene('palette', {
  path: LIST,
  widths: OVER,
  given: busy,
  forced: true,
  show: async (page) => {
    await listed(page);
    await page.keyboard.press('Control+k');
    await page.getByRole('option').first().waitFor();
  },
});

scene('palette-found', {
  path: LIST,
  widths: OVER,
  given: busy,
  show: async (page) => {
    await listed(page);
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Search or jump to' }).fill('codex');
    await page.getByRole('option').first().waitFor();
  },
});

scene('keys-of-the-page', {
  path: LIST,
  widths: OVER,
  given: busy,
  show: async (page) => {
    await listed(page);
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  },
});

scene('toasts', {
  path: LIST,
  given: busy,
  show: async (page) => {
    await listed(page);
    await page.getByText('sb-7f3a91c2').first().focus();
    await page.keyboard.press('p');
    await page.getByRole('button', { name: 'Undo' }).waitFor();
    // A toast with the focus in it stays.
    await page.getByRole('button', { name: 'Undo' }).focus();
  },
});

scene('connection-lost', {
  path: LIST,
  given: busy,
  allowed: /ERR_|Failed to load/,
  show: async (page, { db }) => {
    await listed(page);
    // The page does not come to its second attempt.
    await page.evaluate(() => (window.setTimeout = (() => 0) as unknown as typeof setTimeout));
    db.failures['*'] = 'lost';
    for (const stream of db.streams) (stream as unknown as { destroy: () => void }).destroy();
    await page.keyboard.press('r');
    await page.getByRole('button', { name: 'Load anew (R)' }).click();
    await page.keyboard.press('r');
    await page.getByText('The platform has not answered since').waitFor();
  },
});

scene('login-ended', {
  path: LIST,
  widths: OVER,
  given: busy,
  allowed: /401/,
  show: async (page, { db }) => {
    await listed(page);
    db.failures['GET /v1/sandboxes'] = { status: 401, code: 'unauthorized', message: 'the token is over' };
    await page.keyboard.press('r');
    await page.getByRole('dialog', { name: 'Your login has ended' }).waitFor();
  },
});

scene('no-team', {
  path: LIST,
  given: (db) => {
    db.teams = [];
    db.me.team_id = null;
  },
  show: (page) => page.getByRole('heading', { name: 'No team yet' }).waitFor(),
});

scene('hosts-of-its-own', {
  path: '/dashboard/keys',
  widths: [1440],
  given: (db) => {
    db.teams = [team(BOREAS, 'Boreas', 'member', { is_byoc: true })];
    db.me = { ...db.me, team_id: BOREAS, is_admin: true };
  },
  show: (page) => page.getByText('Code signs in with a key').waitFor(),
});
