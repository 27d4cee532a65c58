import type { Page } from '@playwright/test';
import { sandbox } from '../../mocks/db.ts';
import { accessible, expect, test } from '../support/mock.ts';

const running = sandbox({ status: 'running', public_traffic: true });
const network = `/dashboard/capsules/${running.id}?tab=network`;
const address = 'http://3000-sb-7f3a91c2.capsules.example/';

async function ports(page: Page, list: unknown): Promise<void> {
  await page.route('**/ports', (route) => route.fulfill({ json: list }));
}

const listening = {
  url_pattern: 'http://{port}-sb-7f3a91c2.capsules.example',
  ports: [
    { port: 3000, address: '0.0.0.0', pid: 412, process: 'node\u202e', url: address },
    { port: 5432, address: '127.0.0.1', pid: 90, process: 'postgres' },
  ],
};

test('each port has its program, its reach and its address', async ({ page, db, open }) => {
  db.sandboxes = [running];
  await ports(page, listening);
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
  db.sandboxes = [{ ...running, public_traffic: false }];
  await ports(page, listening);
  let made = 0;
  await page.route('**/ports/3000/link', (route) => {
    made += 1;
    return route.fulfill({
      json: { url: 'http://127.0.0.1:1/opened?once=1', expires_at: '2026-11-29T16:00:00Z' },
    });
  });
  await open(network);
  const opened = context.waitForEvent('page');
  await expect(page.getByRole('button', { name: /Open/ })).toBeVisible();
  expect(made).toBe(0);
  await page.getByRole('button', { name: /Open/ }).click();
  await opened;
  expect(made).toBe(1);
});

test('the reach of the ports is changed at once, and a refusal is said', async ({
  page,
  db,
  open,
  allowed,
}) => {
  allowed.push(/status of 403/);
  db.sandboxes = [running];
  await ports(page, { ports: [] });
  const asked: unknown[] = [];
  await page.route(`**/v1/sandboxes/${running.id}`, (route) => {
    if (route.request().method() !== 'PATCH') return route.fallback();
    asked.push(route.request().postDataJSON());
    const error = { code: 'forbidden', message: 'a member may not change the reach' };
    return route.fulfill({ status: 403, json: { error } });
  });
  await open(network);
  await page.getByRole('radio', { name: 'Private' }).click();
  await expect(page.getByRole('alert')).toHaveText('A member may not change the reach.');
  expect(asked).toEqual([{ public_traffic: false }]);
  await expect(page.getByRole('radio', { name: 'Public' })).toBeChecked();
});

test('without a program that listens the page says how to start one', async ({ page, db, open }) => {
  db.sandboxes = [running];
  await ports(page, { ports: [] });
  await open(network);
  await expect(page.getByText('No program listens')).toBeVisible();
  await expect(page.getByText('python3 -m http.server 3000')).toBeVisible();
  await expect(page.getByText('the platform has no domain for capsules')).toBeVisible();
  await accessible(page);
});
