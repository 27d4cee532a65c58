import type { Page } from '@playwright/test';
import { idOf, numbered } from '../../mocks/db.ts';
import type { Shells } from '../../mocks/shells.ts';
import { accessible, expect, test } from '../support/mock.ts';

const screen = (page: Page) => page.locator('.xterm-rows');
const terminal = `/dashboard/capsules/${idOf(0)}?tab=terminal`;
const started = (shells: Shells) => expect.poll(() => shells.sent[0]?.length).toBeGreaterThan(1);

test.beforeEach(({ db }) => {
  db.sandboxes = [numbered(0)];
});

test('a shell opens by itself, and is closed by keys', async ({ page, open, shells, db }) => {
  await open(terminal);
  await test.step('the credential of a shell is a message', async () => {
    await expect.poll(() => shells.sent[0]?.map(({ type }) => type).slice(0, 2)).toEqual(['auth', 'start']);
    shells.print('root@capsule:~# ');
    await expect(screen(page)).toContainText('root@capsule:~#');
    await expect(page.getByRole('tab', { name: 'bash:412' })).toBeVisible();
  });
  await test.step('what is typed reaches the shell', async () => {
    await page.keyboard.type('ls');
    await expect.poll(() => shells.typed).toBe('ls');
    await accessible(page);
  });
  await test.step('the keyboard leaves the terminal, and Delete closes a shell after asking', async () => {
    await page.locator('.xterm-helper-textarea').focus();
    await page.keyboard.press('Control+Shift+ArrowUp');
    await expect(page.getByRole('tab')).toBeFocused();
    await page.keyboard.press('Delete');
    await page.getByRole('button', { name: 'Close it' }).click();
    await expect(page.getByText('No shell is open')).toBeVisible();
    const kill = `DELETE /v1/sandboxes/${idOf(0)}/processes/${shells.start()?.tag}`;
    expect(db.requests).toContain(kill);
  });
});

test('a reload brings back the same shell, and does not answer its questions again', async ({
  page,
  open,
  shells,
}) => {
  await open(terminal);
  await started(shells);
  shells.print('before \u001b[6n');
  await expect.poll(() => shells.typed).toMatch(/R$/);
  await page.reload();
  await expect(screen(page)).toContainText('before');
  expect(shells.sent[1]?.[1]).toEqual({ type: 'connect', tag: shells.start()?.tag, offset: 0 });
  shells.print('after');
  await expect(screen(page)).toContainText('before after');
  expect(shells.typed).toBe('');
});

test('a lost connection is said and made again at the byte where it broke; an exit stands', async ({
  page,
  open,
  shells,
}) => {
  await open(terminal);
  await started(shells);
  await test.step('the page connects again at the byte where it broke, and lost output is said', async () => {
    shells.print('one ');
    await expect(screen(page)).toContainText('one');
    shells.kept = 4 + 2048;
    shells.output = 'three';
    shells.break();
    await expect(page.getByText('The connection is lost. The shell runs on.')).toBeVisible();
    await page.clock.runFor(2000);
    await expect(screen(page)).toContainText('three');
    expect(shells.sent[1]?.[1]).toMatchObject({ type: 'connect', offset: 4 });
    await expect(page.getByText('2 KB passed while away; older lines are gone.')).toBeVisible();
  });
  await test.step('the exit of a shell stands with its code and a way to a new one', async () => {
    shells.say({ type: 'exit', exit_code: 3 });
    await expect(page.getByText('The shell exited with code 3.')).toBeVisible();
    await page.getByRole('button', { name: 'New shell' }).last().click();
    await expect.poll(() => shells.start(2)?.type).toBe('start');
    await expect(page.getByRole('tab')).toHaveCount(1);
  });
});

test('a hostile program gets no title, no clipboard and no link past the user', async ({
  page,
  open,
  shells,
}) => {
  await open(terminal);
  await started(shells);
  await test.step('titles, clipboards and reports are left alone', async () => {
    shells.print('\u001b]0;evil\u202etitle\u0007\u001b]52;c;aGk=\u0007\u001b[21t');
    shells.print('\u001b]8;;https://evil.example/path\u0007docs\u001b]8;;\u0007');
    await expect(screen(page)).toContainText('docs');
    await expect(page.getByRole('tab')).toContainText('evil title');
    expect(shells.typed).toBe('');
  });
  await test.step('a link shows its whole address first', async () => {
    await screen(page).locator('span', { hasText: 'docs' }).first().click({ force: true });
    const dialog = page.getByRole('dialog');
    await expect(dialog).toContainText('https://evil.example/path');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await expect(dialog).toHaveCount(0);
  });
  await test.step('a paste of lines asks first, and loses what a terminal would obey', async () => {
    await page.locator('.xterm-helper-textarea').evaluate((node) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', 'echo a\u001b[201~\necho b\n');
      node.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    });
    await expect(page.getByRole('dialog', { name: 'Paste 2 lines?' })).toBeVisible();
    expect(shells.typed).toBe('');
    await page.getByRole('button', { name: 'Paste', exact: true }).click();
    await expect.poll(() => shells.typed).toBe('echo a[201~\recho b\r');
  });
});

test('a paused capsule opens no shell and says what to do', async ({ page, db, open, shells }) => {
  db.sandboxes = [numbered(0, { status: 'paused' })];
  await open(terminal);
  await expect(page.getByText('Resume it to open a terminal.')).toBeVisible();
  expect(shells.sent).toEqual([]);
  await accessible(page);
});

test('a phone has the keys that its keyboard lacks', async ({ page, open, shells }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open(terminal);
  await started(shells);
  await page.getByRole('button', { name: 'Esc' }).click();
  await page.getByRole('button', { name: 'Up', exact: true }).click();
  await page.getByRole('button', { name: 'Ctrl', exact: true }).click();
  await page.locator('.xterm-helper-textarea').focus();
  await page.keyboard.type('c');
  await expect.poll(() => shells.typed).toBe('\u001b\u001b[A\u0003');
});
