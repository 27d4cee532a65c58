import { ATLAS, auditEntry, BOREAS, member, minutesAgo, team } from '../../mocks/db.ts';
import { accessible, expect, test } from '../support/mock.ts';

const log = (n: number) => `log-00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

test.beforeEach(({ db }) => {
  db.members[ATLAS]?.push(member('usr-orion', 'Orion'));
  db.audit = [
    auditEntry({ id: log(4), action: 'destroy', status: 'warning', metadata: {}, created_at: minutesAgo(1) }),
    auditEntry({
      id: log(3),
      resource_type: 'member',
      resource_id: 'usr-orion',
      resource_name: 'Orion',
      action: 'remove',
      status: 'warning',
    }),
    auditEntry({ id: log(2), resource_type: 'volume', resource_id: 'vol-1', action: 'resize' }),
    auditEntry({ id: log(1) }),
  ];
});

test('entries read as sentences, an unknown event too', async ({ page, open }) => {
  await open('/dashboard/audit');
  const entries = page.locator('li[data-entry]');
  await expect(entries).toHaveText([
    /Ada Lovelace destroyed sb-7f3a91c2/,
    /Ada Lovelace removed Orion from the team/,
    /Ada Lovelace: volume\.resize vol-1/,
    /Ada Lovelace launched sb-7f3a91c2 from minimal/,
  ]);
});

test('the filters are in the address, and Back undoes them', async ({ page, open }) => {
  await open('/dashboard/audit');
  await page.getByRole('button', { name: 'Event' }).click();
  await page.getByRole('checkbox', { name: 'destroyed or ended' }).click();
  await expect(page).toHaveURL('/dashboard/audit?action=sandbox.destroy');
  await expect(page.getByRole('checkbox', { name: 'Capsule' })).toHaveJSProperty('indeterminate', true);
  await page.getByRole('checkbox', { name: 'Member' }).click();
  await expect(page).toHaveURL('/dashboard/audit?resource=member&action=sandbox.destroy');
  await page.keyboard.press('Escape');
  await expect(page.locator('li[data-entry]')).toHaveCount(2);
  await page.goBack();
  await expect(page.locator('li[data-entry]')).toHaveCount(1);
  await page.getByRole('button', { name: 'Clear all' }).click();
  await expect(page).toHaveURL('/dashboard/audit');
  await expect(page.locator('li[data-entry]')).toHaveCount(4);
});

test('a filter without an entry says so and can be cleared', async ({ page, open }) => {
  await open('/dashboard/audit?actor=usr-nobody');
  await page.getByRole('button', { name: 'Clear the filters' }).click();
  await expect(page.locator('li[data-entry]')).toHaveCount(4);
});

test('an entry has a link of its own, and leads to all about its thing', async ({ page, open }) => {
  await open(`/dashboard/audit?resource=sandbox&entry=${log(3)}`);
  const linked = page.getByRole('region', { name: 'The entry of the link' });
  await expect(linked).toContainText('member.remove');
  await test.step('the page has no violation that axe finds', () => accessible(page));
  await linked.getByRole('link', { name: 'All about this' }).click();
  await expect(page).toHaveURL('/dashboard/audit?id=usr-orion');
  await expect(page.locator('li[data-entry]')).toHaveCount(1);
});

test('newer entries wait behind a count and move nothing', async ({ page, db, open }) => {
  await open('/dashboard/audit');
  await expect(page.locator('li[data-entry]')).toHaveCount(4);
  db.audit.unshift(auditEntry({ id: log(5), action: 'pause', created_at: minutesAgo(0) }));
  await page.clock.runFor(35_000);
  await expect(page.getByRole('button', { name: '1 new' })).toBeVisible();
  await expect(page.locator('li[data-entry]')).toHaveCount(4);
  await page.getByRole('button', { name: '1 new' }).click();
  await expect(page.locator('li[data-entry]').first()).toContainText('paused');
});

test('older entries load at the end of the list', async ({ page, db, open }) => {
  db.audit = Array.from({ length: 120 }, (_, index) =>
    auditEntry({ id: log(500 - index), created_at: minutesAgo(index) }),
  );
  await open('/dashboard/audit');
  await expect(page.locator('li[data-entry]').first()).toBeVisible();
  await expect
    .poll(async () => {
      await page.mouse.wheel(0, 20_000);
      return page.locator('li[data-entry]').count();
    })
    .toBe(120);
  await expect(page.getByText('The beginning of the log')).toBeVisible();
});

test('a member is told what the log leaves out', async ({ page, db, open }) => {
  db.teams = [team(ATLAS, 'Atlas', 'member'), team(BOREAS, 'Boreas', 'owner')];
  await open('/dashboard/audit');
  await expect(page.getByText(/are for owners and admins/)).toBeVisible();
});
