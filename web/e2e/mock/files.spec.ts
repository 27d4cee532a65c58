import { bodies, idOf, numbered } from '../../mocks/db.ts';
import { disk, file, folder } from '../../mocks/files.ts';
import { accessible, expect, test } from '../support/mock.ts';

const files = `/dashboard/capsules/${idOf(0)}?tab=files`;
const call = (act: string) => `POST /v1/sandboxes/${idOf(0)}/files/${act}` as const;

test.beforeEach(({ db }) => {
  db.sandboxes = [numbered(0)];
  db.disk = disk(
    file('/home/user/train.py', 'import os\nprint(1)\n'),
    folder('/home/user/models'),
    file('/home/user/models/a.bin', '', { size: 20_000_000 }),
    file('/home/user/a\u202egnp.exe'),
    file('/home/user/page.svg', '<svg onload="alert(1)"></svg>'),
  );
});

test('the tab begins at the home folder, folders first, and shows names that would mislead', async ({
  page,
  open,
}) => {
  await open(files);
  await expect(page.getByRole('row').nth(1)).toContainText('models');
  await expect(page.getByRole('navigation', { name: 'Path' })).toContainText('user');
  await expect(page.getByText('a\\u{202e}gnp.exe', { exact: true })).toBeVisible();
  await accessible(page);
});

test('the tree is used by keys, and the opened file stands in the address', async ({ page, db, open }) => {
  await open(`${files}&path=/home/user`);
  const train = page.getByRole('row', { name: /train\.py/ });
  const models = page.getByRole('row', { name: /models/ });
  await test.step('keys walk the tree', async () => {
    await models.focus();
    await page.keyboard.press('ArrowRight');
    await expect(page.getByRole('row', { name: /a\.bin/ })).toHaveAttribute('aria-level', '2');
    await page.keyboard.press('t');
    await expect(train).toBeFocused();
  });
  await test.step('the opened file stands in the address, and Back closes it', async () => {
    await page.keyboard.press('Enter');
    await expect(page.locator('.cm-content')).toContainText('import os');
    await expect(page).toHaveURL(/file=%2Fhome%2Fuser%2Ftrain\.py/);
    await accessible(page);
    await page.goBack();
    await expect(page.locator('.cm-content')).toHaveCount(0);
    await train.focus();
    await page.keyboard.press('Backspace');
    await expect(page).toHaveURL(/path=%2Fhome(&|$)/);
    await page.goBack();
    await expect(train).toBeVisible();
  });
  await test.step('F2 renames in place, and refuses a name that is taken before the platform is asked', async () => {
    await train.focus();
    await page.keyboard.press('F2');
    const name = page.getByLabel('Name', { exact: true });
    await expect(name).toHaveValue('train.py');
    await name.fill('models');
    await expect(page.getByText('This name is taken.')).toBeVisible();
    expect(bodies(db, call('move'))).toEqual([]);
    await name.fill('test.py');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('row', { name: /test\.py/ })).toBeVisible();
    await expect(page.getByRole('dialog')).toHaveCount(0);
    expect(bodies(db, call('move'))).toEqual([{ from: '/home/user/train.py', to: '/home/user/test.py' }]);
  });
  await test.step('a removal names what is lost and its number, and begins at Cancel', async () => {
    await models.focus();
    await page.keyboard.press('Delete');
    await expect(page.getByText('The folder models is gone for good, with 1 entry in it.')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Cancel' })).toBeFocused();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await expect(models).toHaveCount(0);
    expect(db.disk.has('/home/user/models/a.bin')).toBe(false);
  });
});

test('markup of a guest is shown as text, a large file is not read, and a missing folder says so', async ({
  page,
  db,
  open,
  allowed,
}) => {
  allowed.push(/status of 404/);
  await test.step('markup of a guest is shown as text', async () => {
    await open(`${files}&path=/home/user`);
    await page.getByRole('row', { name: /page\.svg/ }).click();
    await expect(page.locator('.cm-content')).toContainText('<svg onload="alert(1)"></svg>');
  });
  await test.step('a large file is not read', async () => {
    await open(`${files}&path=/home/user/models&file=/home/user/models/a.bin`);
    await expect(page.getByText('The file is larger than 10 MB and is not shown here.')).toBeVisible();
    expect(bodies(db, call('read'))).not.toContainEqual({ path: '/home/user/models/a.bin' });
  });
  await test.step('a folder that is not there says so in its place', async () => {
    await open(`${files}&path=/nope`);
    await expect(page.getByRole('alert')).toContainText("Path '/nope' does not exist.");
  });
});

test('an upload sends the path before the file, and asks where the name is taken', async ({
  page,
  db,
  open,
}) => {
  await open(`${files}&path=/home/user`);
  await expect(page.getByRole('row', { name: /train\.py/ })).toBeVisible();
  await page.getByLabel('Files to upload').setInputFiles([
    { name: 'train.py', mimeType: 'text/plain', buffer: Buffer.from('new') },
    { name: 'other.txt', mimeType: 'text/plain', buffer: Buffer.from('other') },
  ]);
  await expect(page.getByRole('dialog', { name: 'The name is taken' })).toContainText('train.py');
  await page.getByRole('button', { name: 'Keep both' }).click();
  await expect(page.getByText('Uploads are done')).toBeVisible();
  const contents = ['other.txt', 'train (2).py', 'train.py'].map(
    (name) => db.disk.get(`/home/user/${name}`)?.content,
  );
  expect(contents).toEqual(['other', 'new', 'import os\nprint(1)\n']);
});
