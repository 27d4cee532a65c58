import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, make, test } from '../support/platform.ts';

const hash = (content: Buffer) => createHash('sha256').update(content).digest('hex');

test('files are uploaded, previewed, renamed, and downloaded with the same content', async ({
  page,
  platform,
  signedIn,
}) => {
  void signedIn;
  const id = await make(platform);
  await page.goto(`/dashboard/capsules/${id}?tab=files`);
  await expect(page.getByRole('treegrid', { name: 'Files' })).toBeVisible({ timeout: 60_000 });

  const folder = mkdtempSync(join(tmpdir(), 'locule-files-'));
  const content = randomBytes(50 * 1024 * 1024);
  writeFileSync(join(folder, 'large.bin'), content);
  writeFileSync(join(folder, 'hello.py'), 'print("hello")\n');
  const input = page.getByLabel('Files to upload');
  await input.setInputFiles([join(folder, 'large.bin'), join(folder, 'hello.py')]);
  const files = page.getByRole('treegrid', { name: 'Files' });
  await expect(files.getByText('hello.py')).toBeVisible({ timeout: 60_000 });
  await expect(files.getByText('large.bin')).toBeVisible({ timeout: 120_000 });
  await files.getByText('hello.py').click();
  await expect(page.getByText('print("hello")')).toBeVisible();

  await files.getByRole('row', { name: /hello\.py/ }).focus();
  await page.keyboard.press('F2');
  await page.getByLabel('Name', { exact: true }).fill('greeting.py');
  await page.keyboard.press('Enter');
  await expect(files.getByText('greeting.py')).toBeVisible();
  // The platform has the new name, and not the old one.
  await page.reload();
  await expect(files.getByText('greeting.py')).toBeVisible({ timeout: 60_000 });
  await expect(files.getByText('hello.py')).toHaveCount(0);

  await files.getByText('large.bin').click();
  const download = page.waitForEvent('download', { timeout: 120_000 });
  await page.getByRole('button', { name: 'Download' }).first().click();
  const kept = join(folder, 'back.bin');
  await (await download).saveAs(kept);
  expect(hash(readFileSync(kept))).toBe(hash(content));
});
