import type { Page } from '@playwright/test';
import { administration, asMember, history, keys, log, people } from './data.ts';
import { OVER, scene } from './pictures.ts';

scene('keys', {
  path: '/dashboard/keys',
  given: keys,
  forced: true,
  show: (page) => page.getByText('ci-nightly').first().waitFor(),
});

scene('keys-empty', {
  path: '/dashboard/keys',
  show: (page) => page.getByText('Code signs in with a key').waitFor(),
});

scene('keys-new', {
  path: '/dashboard/keys',
  widths: OVER,
  given: keys,
  show: async (page) => {
    await page.getByRole('button', { name: 'New key' }).click();
    await page.getByRole('button', { name: 'Make key' }).click();
    await page.getByText('Give the key a name').waitFor();
  },
});

scene('keys-shown-once', {
  path: '/dashboard/keys',
  widths: OVER,
  given: keys,
  show: async (page) => {
    await page.getByRole('button', { name: 'New key' }).click();
    await page.getByLabel('Name').fill('build server');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'I have it' }).waitFor();
  },
});

scene('keys-revoke', {
  path: '/dashboard/keys',
  widths: OVER,
  given: keys,
  show: async (page) => {
    await page.getByRole('button', { name: 'Actions for ci-nightly' }).click();
    await page.getByRole('menuitem', { name: 'Revoke…' }).click();
    await page.getByText('It was last used').waitFor();
  },
});

scene('team', {
  path: '/dashboard/team',
  given: people,
  show: (page) => page.getByText('vega@example.com').first().waitFor(),
});

scene('team-member', {
  path: '/dashboard/team',
  given: asMember,
  show: (page) => page.getByText('vega@example.com').first().waitFor(),
});

scene('team-invitation', {
  path: '/dashboard/team',
  widths: OVER,
  given: (db) => {
    people(db);
    db.found = [{ user_id: 'usr-lyra', email: 'lyra@example.com', verified: false }];
  },
  show: async (page) => {
    await page.getByRole('combobox', { name: 'E-mail' }).pressSequentially('lyra@');
    await page.getByRole('option', { name: /lyra@example.com/ }).waitFor();
  },
});

scene('team-invited', {
  path: '/dashboard/team',
  widths: OVER,
  given: people,
  show: async (page) => {
    await page.getByRole('combobox', { name: 'E-mail' }).fill('lyra@example.com');
    await page.getByRole('button', { name: 'Invite' }).click();
    await page.getByRole('button', { name: 'I have it' }).waitFor();
  },
});

scene('team-role', {
  path: '/dashboard/team',
  widths: OVER,
  given: people,
  show: async (page) => {
    await page.getByRole('button', { name: 'Actions for Orion' }).click();
    await page.getByRole('menu').waitFor();
  },
});

scene('team-rename', {
  path: '/dashboard/team',
  given: people,
  show: async (page) => {
    await page.getByRole('button', { name: 'Rename the team' }).click();
    await page.getByLabel('Name of the team').fill('A<b>');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('A name has letters, digits').waitFor();
  },
});

scene('team-delete', {
  path: '/dashboard/team',
  widths: OVER,
  given: people,
  show: async (page) => {
    await page.getByRole('button', { name: 'Delete team…' }).click();
    await page.getByLabel('Type the name of the team').waitFor();
  },
});

scene('audit', {
  path: '/dashboard/audit',
  given: history,
  show: (page) => page.locator('li[data-entry]').first().waitFor(),
});

scene('audit-entry', {
  path: `/dashboard/audit?resource=sandbox,member&entry=${log(7)}`,
  given: history,
  show: (page) => page.getByText('All about this').first().waitFor(),
});

scene('audit-filter', {
  path: '/dashboard/audit?action=sandbox.destroy',
  given: history,
  show: async (page) => {
    await page.locator('li[data-entry]').first().waitFor();
    await page.getByRole('button', { name: /^Event/ }).click();
    await page.getByRole('checkbox', { name: 'destroyed or ended' }).waitFor();
  },
});

scene('audit-no-match', {
  path: '/dashboard/audit?actor=usr-nobody',
  given: history,
  show: (page) => page.getByRole('button', { name: 'Clear the filters' }).waitFor(),
});

/** The page is as long as it gets: a click scrolls it no more than in the picture. */
const loginsListed = (page: Page) => page.getByText('this browser', { exact: true }).waitFor();

scene('settings', {
  path: '/dashboard/settings',
  given: (db) => {
    people(db);
    db.info.mail = true;
    db.info.providers = ['github'];
  },
  show: loginsListed,
});

scene('settings-password', {
  path: '/dashboard/settings',
  widths: OVER,
  given: people,
  show: async (page) => {
    await loginsListed(page);
    await page.getByRole('button', { name: 'Change…' }).click();
    await page.getByRole('textbox', { name: 'Current password' }).waitFor();
  },
});

scene('settings-delete', {
  path: '/dashboard/settings',
  widths: OVER,
  given: people,
  show: async (page) => {
    await loginsListed(page);
    await page.getByRole('button', { name: 'Delete account…' }).click();
    await page.getByLabel('Your e-mail address').waitFor();
  },
});

scene('admin-teams', {
  path: '/admin/teams',
  given: administration,
  show: (page) => page.getByText('Computational chemistry').first().waitFor(),
});

scene('admin-team-limits', {
  path: '/admin/teams',
  widths: OVER,
  given: administration,
  show: async (page) => {
    await page.getByRole('button', { name: 'Actions for Atlas' }).click();
    await page.getByRole('menuitem', { name: 'Limits…' }).click();
    await page.getByRole('button', { name: 'Set limits' }).waitFor();
  },
});

scene('admin-team-delete', {
  path: '/admin/teams',
  widths: OVER,
  given: administration,
  show: async (page) => {
    await page.getByRole('button', { name: 'Actions for Atlas' }).click();
    await page.getByRole('menuitem', { name: 'Delete…' }).click();
    await page.getByText('12 capsules are destroyed').waitFor();
  },
});

scene('admin-users', {
  path: '/admin/users',
  given: administration,
  show: (page) => page.getByText('orion@example.com').first().waitFor(),
});

scene('admin-audit', {
  path: '/admin/audit',
  given: administration,
  show: (page) => page.locator('li[data-entry]').first().waitFor(),
});

scene('admin-none', {
  path: '/admin/users?q=nobody',
  given: administration,
  show: (page) => page.getByRole('heading', { name: 'No user matches' }).waitFor(),
});

scene('admin-capsules', {
  path: '/admin/capsules',
  given: administration,
  show: (page) => page.getByText('sb-7f3a91c2').first().waitFor(),
});

scene('admin-system', {
  path: '/admin/system',
  given: administration,
  show: (page) => page.getByText('Sandbox sweep').waitFor(),
});
