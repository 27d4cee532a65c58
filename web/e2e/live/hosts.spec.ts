import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, freePort, make, needed, test } from '../support/platform.ts';

/** A host agent with the stub VMM on this machine, by the command that the page shows. */
async function follow(command: string, folder: string): Promise<ChildProcess> {
  const words = command.replaceAll('\\\n', ' ').split(/\s+/).filter(Boolean);
  const agent = words.slice(words.indexOf('agent'));
  const given = agent.map((word) => (word.startsWith('ADDRESS:') ? '127.0.0.1' : word));
  const address = `127.0.0.1:${await freePort()}`;
  const args = given.map((word) => (word === '127.0.0.1' ? address : word));
  const binary = needed('LOCULE_BINARY');
  args.push('--data-dir', join(folder, 'agent'), '--images', needed('LOCULE_IMAGES'), '--accel', 'tcg');
  args.push('--qemu', join(dirname(binary), 'locule-stub-vmm'), '--pool-size', '4096', '--warm', '0');
  const log = openSync(join(folder, 'agent.log'), 'a');
  return spawn(binary, args, { stdio: ['ignore', log, log], cwd: folder });
}

test('a machine joins by the command of the page, is drained, and is deleted', async ({
  page,
  platform,
  signedIn,
}) => {
  void signedIn;
  const folder = mkdtempSync(join(tmpdir(), 'locule-host-'));
  await page.goto('/admin/hosts');
  await page.getByRole('button', { name: 'Add host' }).click();
  await page.getByRole('button', { name: 'Make the command' }).click();
  const shown = page.getByRole('dialog', { name: 'Run this' });
  const command = await shown.locator('[data-secret]').textContent();
  const agent = await follow(command ?? '', folder);
  const ended = new Promise<number | null>((resolve) => agent.once('exit', resolve));
  try {
    await expect(shown.getByRole('status').filter({ hasText: 'has come' })).toContainText('online', {
      timeout: 120_000,
    });
    await shown.getByRole('button', { name: 'Done' }).click();
    const rows = page.locator('tr[data-host]');
    await expect(rows).toHaveCount(2);
    const added = rows.last();
    await expect(added).toContainText('online');

    // New capsules go to the hosts in turn.
    const made = [await make(platform), await make(platform)];
    await added.getByRole('link').first().click();
    const capsules = page.getByRole('table', { name: 'Capsules of the host' });
    await expect(capsules.getByRole('link')).toHaveCount(1);
    const here = (await capsules.getByRole('link').first().textContent()) ?? '';
    expect(made.some((id) => id.startsWith(here.trim()))).toBe(true);
    await expect(page.getByText('1 runs', { exact: true })).toBeVisible();

    await page.keyboard.press('d');
    const drain = page.getByRole('dialog', { name: /^Drain/ });
    await drain.getByRole('radio', { name: /Pause/ }).check();
    await drain.getByRole('button', { name: 'Start the drain' }).click();
    await expect(page.getByText('drained', { exact: true })).toBeVisible({ timeout: 60_000 });
    await expect(capsules.getByRole('row', { name: /paused/ })).toHaveCount(1);

    await page.getByRole('button', { name: 'Acts on the host' }).click();
    await page.getByRole('menuitem', { name: 'Delete…' }).click();
    await page.getByLabel('Type force').fill('force');
    await page.getByRole('button', { name: 'Delete by force' }).click();
    await expect(page).toHaveURL('/admin/hosts');
    await expect(rows).toHaveCount(1);
    expect(await ended).toBe(0);
  } catch (error) {
    throw new Error(`the agent said:\n${readFileSync(join(folder, 'agent.log'), 'utf8')}`, { cause: error });
  } finally {
    agent.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
});
