import type { Page } from '@playwright/test';
import { sandbox } from '../../mocks/db.ts';
import type { FileEntry } from '../../src/lib/api/types.ts';
import { accessible, expect, test } from '../support/mock.ts';

const running = sandbox({ status: 'running' });
const files = `/dashboard/capsules/${running.id}?tab=files`;

function entry(path: string, more: Partial<FileEntry> = {}): FileEntry {
  return {
    name: path.slice(path.lastIndexOf('/') + 1),
    path,
    type: 'file',
    size: 12,
    mode: 0o644,
    permissions: '-rw-r--r--',
    owner: 'user',
    group: 'user',
    modified_at: 1_795_900_000,
    ...more,
  };
}

/** Folders by their paths. `~` is the home folder. */
async function disk(page: Page, folders: Record<string, FileEntry[]>, contents: Record<string, string> = {}) {
  const asked: string[] = [];
  await page.route('**/files/*', async (route) => {
    const act = new URL(route.request().url()).pathname.split('/').at(-1) ?? '';
    const body = route.request().postDataJSON() as { path: string; from?: string; to?: string };
    const { path } = body;
    asked.push(act === 'move' ? `move ${body.from} ${body.to}` : `${act} ${path}`);
    const missing = { error: { code: 'not_found', message: `path '${path}' does not exist` } };
    if (act === 'list') {
      const entries = folders[path === '~' ? '/home/user' : path];
      return entries ? route.fulfill({ json: { entries } }) : route.fulfill({ status: 404, json: missing });
    }
    if (act === 'stat') {
      const at = path === '~' ? '/home/user' : path;
      return route.fulfill({ json: { entry: entry(at, folders[at] ? { type: 'directory' } : {}) } });
    }
    if (act === 'read') {
      const body = contents[path];
      return body === undefined
        ? route.fulfill({ status: 404, json: missing })
        : route.fulfill({ contentType: 'application/octet-stream', body });
    }
    return route.fulfill({ status: 204 });
  });
  return asked;
}

const home = {
  '/home': [entry('/home/user', { type: 'directory' })],
  '/home/user': [
    entry('/home/user/train.py'),
    entry('/home/user/models', { type: 'directory', permissions: 'drwxr-xr-x' }),
    entry('/home/user/a\u202egnp.exe'),
    entry('/home/user/page.svg'),
  ],
  '/home/user/models': [entry('/home/user/models/a.bin', { size: 20_000_000 })],
};

test.beforeEach(({ db }) => {
  db.sandboxes = [running];
});

test('the tab begins at the home folder, folders first, and shows names that would mislead', async ({
  page,
  open,
}) => {
  await disk(page, home);
  await open(files);
  const rows = page.getByRole('row');
  await expect(rows.nth(1)).toContainText('models');
  await expect(page.getByRole('navigation', { name: 'Path' })).toContainText('user');
  await expect(page.getByText('a\\u{202e}gnp.exe', { exact: true })).toBeVisible();
  await accessible(page);
});

test('keys walk the tree; the opened file stands in the address, and Back closes it', async ({
  page,
  open,
}) => {
  await disk(page, home, { '/home/user/train.py': 'import os\nprint(1)\n' });
  await open(`${files}&path=/home/user`);
  await page.getByRole('row', { name: /models/ }).focus();
  await page.keyboard.press('ArrowRight');
  await expect(page.getByRole('row', { name: /a\.bin/ })).toHaveAttribute('aria-level', '2');
  await page.keyboard.press('t');
  await expect(page.getByRole('row', { name: /train\.py/ })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.locator('.cm-content')).toContainText('import os');
  await expect(page).toHaveURL(/file=%2Fhome%2Fuser%2Ftrain\.py/);
  await accessible(page);
  await page.goBack();
  await expect(page.locator('.cm-content')).toHaveCount(0);
  await page.getByRole('row', { name: /train\.py/ }).focus();
  await page.keyboard.press('Backspace');
  await expect(page).toHaveURL(/path=%2Fhome(&|$)/);
  await page.goBack();
  await expect(page.getByRole('row', { name: /train\.py/ })).toBeVisible();
});

test('markup of a guest is shown as text; a large file is not read', async ({ page, open }) => {
  const asked = await disk(page, home, { '/home/user/page.svg': '<svg onload="alert(1)"></svg>' });
  await open(`${files}&path=/home/user`);
  await page.getByRole('row', { name: /page\.svg/ }).click();
  await expect(page.locator('.cm-content')).toContainText('<svg onload="alert(1)"></svg>');
  await open(`${files}&path=/home/user/models&file=/home/user/models/a.bin`);
  await expect(page.getByText('The file is larger than 10 MB and is not shown here.')).toBeVisible();
  expect(asked).not.toContain('read /home/user/models/a.bin');
});

test('an upload sends the path before the file, and asks where the name is taken', async ({ page, open }) => {
  await disk(page, home);
  const bodies: string[] = [];
  await page.route('**/files/stream/write', (route) => {
    bodies.push(route.request().postData() ?? '');
    return route.fulfill({ status: 204 });
  });
  await open(`${files}&path=/home/user`);
  await expect(page.getByRole('row', { name: /train\.py/ })).toBeVisible();
  await page.getByLabel('Files to upload').setInputFiles([
    { name: 'train.py', mimeType: 'text/plain', buffer: Buffer.from('new') },
    { name: 'other.txt', mimeType: 'text/plain', buffer: Buffer.from('other') },
  ]);
  await expect(page.getByRole('dialog', { name: 'The name is taken' })).toContainText('train.py');
  await page.getByRole('button', { name: 'Keep both' }).click();
  await expect(page.getByText('Uploads are done')).toBeVisible();
  const paths = bodies.map((body) => /name="path"\s+(\S.*?)\r\n/.exec(body)?.[1]);
  expect(paths.sort()).toEqual(['/home/user/other.txt', '/home/user/train (2).py']);
  for (const body of bodies) expect(body.indexOf('name="path"')).toBeLessThan(body.indexOf('name="file"'));
});

test('a removal names what is lost and its number, and begins at Cancel', async ({ page, open }) => {
  const asked = await disk(page, home);
  await open(`${files}&path=/home/user`);
  await page.getByRole('row', { name: /models/ }).focus();
  await page.keyboard.press('Delete');
  await expect(page.getByText('The folder models is gone for good, with 1 entry in it.')).toBeVisible();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await expect.poll(() => asked).toContain('remove /home/user/models');
});

test('F2 renames in place, and refuses a name that is taken before the platform is asked', async ({
  page,
  open,
}) => {
  const asked = await disk(page, home);
  await open(`${files}&path=/home/user`);
  await page.getByRole('row', { name: /train\.py/ }).focus();
  await page.keyboard.press('F2');
  const name = page.getByLabel('Name', { exact: true });
  await expect(name).toHaveValue('train.py');
  await name.fill('models');
  await expect(page.getByText('This name is taken.')).toBeVisible();
  await name.fill('test.py');
  await page.keyboard.press('Enter');
  await expect.poll(() => asked).toContain('move /home/user/train.py /home/user/test.py');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('a folder that is not there says so in its place', async ({ page, open, allowed }) => {
  allowed.push(/status of 404/);
  await disk(page, home);
  await open(`${files}&path=/nope`);
  await expect(page.getByRole('alert')).toContainText("Path '/nope' does not exist.");
});
