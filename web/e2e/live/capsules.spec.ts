import { expect, make, signIn, test } from '../support/platform.ts';
import { prompted, run, screen } from '../support/terminal.ts';

test('a wrong password is told nothing; from the printed one a button leads to a prompt that answers', async ({
  page,
  platform,
}) => {
  await page.goto('/login');
  await page.getByLabel('E-mail').fill(platform.email);
  await page.getByLabel('Password', { exact: true }).fill('wrong pass word');
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByText('The e-mail address or the password is wrong.')).toBeVisible();
  await signIn(page, platform.email, platform.password);
  await page.getByRole('button', { name: 'Launch your first capsule' }).click();
  await page.waitForURL(/\/dashboard\/capsules\/sb-.*tab=terminal/);
  await prompted(page);
  await run(page, 'uname -s', 'Linux');
});

test('a capsule is launched, paused with its memory, resumed and destroyed', async ({
  page,
  platform,
  signedIn,
}) => {
  void signedIn;
  await make(platform);
  await page.goto('/dashboard/capsules/list');
  await page.getByRole('button', { name: 'Launch capsule' }).click();
  const dialog = page.getByRole('dialog', { name: 'Launch a capsule' });
  await dialog.getByRole('button', { name: 'Launch', exact: true }).click();
  await expect(dialog).toBeHidden({ timeout: 60_000 });
  const row = page.getByRole('row', { name: /running/ }).first();
  await row.getByRole('link').first().click();
  await page.getByRole('link', { name: 'Terminal' }).first().click();
  await prompted(page);
  // A counter that only memory has.
  await run(
    page,
    '(i=0; while sleep 0.2; do i=$((i+1)); echo $i > /dev/shm/count; done) & sleep 1; echo at"-"$(cat /dev/shm/count)',
    /at-\d+/,
  );
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await expect(page.getByText('paused', { exact: true }).first()).toBeVisible({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Resume', exact: true }).first().click();
  await expect(page.getByText('running', { exact: true }).first()).toBeVisible({ timeout: 60_000 });
  await run(
    page,
    'a=$(cat /dev/shm/count); sleep 1; b=$(cat /dev/shm/count); [ $b -gt $a ] && echo goes"-"on',
    'goes-on',
  );
  await page
    .getByRole('button', { name: /Acts on|More/ })
    .first()
    .click();
  await page.getByRole('menuitem', { name: 'Destroy…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Destroy' }).click();
  await page.waitForURL('**/dashboard/capsules/list');
});

test('a shell goes on after a reload, and after the control plane was killed', async ({
  page,
  platform,
  signedIn,
}) => {
  void signedIn;
  await page.goto(`/dashboard/capsules/${await make(platform)}?tab=terminal`);
  await prompted(page);
  await run(page, 'kept=before; echo is"-"set', 'is-set');
  await page.reload();
  await prompted(page);
  await run(page, 'echo $kept-reload', 'before-reload');
  platform.kill('serve');
  await expect(async () => {
    await run(page, 'echo $kept-crash', 'before-crash', 5000);
  }).toPass({ timeout: 90_000 });
  await expect(screen(page)).toContainText('before-reload');
});

test('an open overview does not keep a capsule awake: it pauses when its idle time is over', async ({
  page,
  platform,
  signedIn,
}) => {
  void signedIn;
  const id = await make(platform, { timeout_sec: 5 });
  await page.goto(`/dashboard/capsules/${id}`);
  await expect(page.getByText('running', { exact: true }).first()).toBeVisible();
  await expect(page.getByText('paused', { exact: true }).first()).toBeVisible({ timeout: 90_000 });
});
