import { bodies, idOf, numbered } from '../../mocks/db.ts';
import { accessible, expect, test } from '../support/mock.ts';

const network = `/dashboard/capsules/${idOf(0)}?tab=network`;
const address = 'http://3000-sb-7f3a91c2.capsules.example/';
const listening = {
  url_pattern: 'http://{port}-sb-7f3a91c2.capsules.example',
  ports: [
    { port: 3000, address: '0.0.0.0', pid: 412, process: 'node\u202e', url: address },
    { port: 5432, address: '127.0.0.1', pid: 90, process: 'postgres' },
  ],
};

test('each port has its program, its reach and its address', async ({ page, db, open }) => {
  db.sandboxes = [numbered(0)];
  db.ports = listening;
  await open(network);
  const list = page.getByRole('region', { name: 'Listening ports' }).getByRole('listitem');
  await expect(list.nth(0)).toContainText('listens on every address');
  await expect(list.nth(0)).not.toContainText('\u202e');
  await expect(list.nth(1)).toContainText('listens on the capsule itself');
  await expect(list.nth(0).getByRole('link', { name: /Open/ })).toHaveAttribute('href', address);
  await expect(list.nth(1).getByRole('link')).toHaveCount(0);
  await expect(page.getByText('http://PORT-sb-7f3a91c2.capsules.example')).toBeVisible();
  await accessible(page);
});

test('a private port opens by a link that is made at the click', async ({ page, context, db, open }) => {
  const link = `POST /v1/sandboxes/${idOf(0)}/ports/3000/link`;
  db.sandboxes = [numbered(0, { public_traffic: false })];
  db.ports = { ports: [{ port: 3000, address: '0.0.0.0', url: 'http://127.0.0.1:1/opened' }] };
  await open(network);
  const opened = context.waitForEvent('page');
  await expect(page.getByRole('button', { name: /Open/ })).toBeVisible();
  expect(db.requests).not.toContain(link);
  await page.getByRole('button', { name: /Open/ }).click();
  await opened;
  expect(db.requests.filter((one) => one === link)).toHaveLength(1);
});

test('without a program that listens the page says how to start one, and a refused reach is said', async ({
  page,
  db,
  open,
  allowed,
}) => {
  const change = `PATCH /v1/sandboxes/${idOf(0)}` as const;
  allowed.push(/status of 403/);
  db.sandboxes = [numbered(0)];
  db.failures[change] = { status: 403, code: 'forbidden', message: 'a member may not change the reach' };
  await open(network);
  await test.step('the page says how to start a program', async () => {
    await expect(page.getByText('No program listens')).toBeVisible();
    await expect(page.getByText('python3 -m http.server 3000')).toBeVisible();
    await expect(page.getByText('the platform has no domain for capsules')).toBeVisible();
    await accessible(page);
  });
  await test.step('the reach of the ports is changed at once, and a refusal is said', async () => {
    await page.getByRole('radio', { name: 'Private' }).click();
    await expect(page.getByRole('alert')).toHaveText('A member may not change the reach.');
    expect(bodies(db, change)).toEqual([{ public_traffic: false }]);
    await expect(page.getByRole('radio', { name: 'Public' })).toBeChecked();
  });
});
