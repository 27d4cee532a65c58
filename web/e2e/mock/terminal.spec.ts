import type { Page } from '@playwright/test';
import { sandbox } from '../../mocks/db.ts';
import { accessible, expect, test } from '../support/mock.ts';
import { Pty } from '../support/pty.ts';

const screen = (page: Page) => page.locator('.xterm-rows');
const running = sandbox({ status: 'running' });
const terminal = `/dashboard/capsules/${running.id}?tab=terminal`;

test.beforeEach(({ db }) => {
  db.sandboxes = [running];
});

test('the first shell opens by itself, and its credential is a message', async ({ page, open }) => {
  const pty = await Pty.on(page);
  await open(terminal);
  await expect.poll(() => pty.sent[0]?.map(({ type }) => type).slice(0, 2)).toEqual(['auth', 'start']);
  pty.print('root@capsule:~# ');
  await expect(screen(page)).toContainText('root@capsule:~#');
  await expect(page.getByRole('tab', { name: 'bash:412' })).toBeVisible();
  await page.keyboard.type('ls');
  await expect.poll(() => pty.typed).toBe('ls');
  await accessible(page);
});

test('a reload brings back the same shell, and does not answer its questions again', async ({
  page,
  open,
}) => {
  const pty = await Pty.on(page);
  await open(terminal);
  await expect.poll(() => pty.sent[0]?.length).toBeGreaterThan(1);
  pty.print('before \u001b[6n');
  await expect.poll(() => pty.typed).toMatch(/R$/);
  const tag = pty.sent[0]?.find(({ type }) => type === 'start')?.tag;
  await page.reload();
  await expect(screen(page)).toContainText('before');
  expect(pty.sent[1]?.[1]).toEqual({ type: 'connect', tag, offset: 0 });
  pty.print('after');
  await expect(screen(page)).toContainText('before after');
  expect(pty.typed).toBe('');
});

test('a lost connection is said and made again at the byte where it broke; lost output is said', async ({
  page,
  open,
}) => {
  const pty = await Pty.on(page);
  await open(terminal);
  await expect.poll(() => pty.sent[0]?.length).toBeGreaterThan(1);
  pty.print('one ');
  await expect(screen(page)).toContainText('one');
  pty.kept = 4 + 2048;
  pty.output = 'three';
  await pty.break();
  await expect(page.getByText('The connection is lost. The shell runs on.')).toBeVisible();
  await expect(screen(page)).toContainText('three');
  expect(pty.sent[1]?.[1]).toMatchObject({ type: 'connect', offset: 4 });
  await expect(page.getByText('2 KB passed while away; older lines are gone.')).toBeVisible();
});

test('the exit of a shell stands with its code and a way to a new one', async ({ page, open }) => {
  const pty = await Pty.on(page);
  await open(terminal);
  await expect.poll(() => pty.sent[0]?.length).toBeGreaterThan(1);
  pty.say({ type: 'exit', exit_code: 3 });
  await expect(page.getByText('The shell exited with code 3.')).toBeVisible();
  await page.getByRole('button', { name: 'New shell' }).last().click();
  await expect.poll(() => pty.sent[1]?.[1]?.type).toBe('start');
  await expect(page.getByRole('tab')).toHaveCount(1);
});

test('a hostile program gets no title, no clipboard and no link past the user', async ({ page, open }) => {
  const pty = await Pty.on(page);
  await open(terminal);
  await expect.poll(() => pty.sent[0]?.length).toBeGreaterThan(1);
  pty.print('\u001b]0;evil\u202etitle\u0007\u001b]52;c;aGk=\u0007\u001b[21t');
  pty.print('\u001b]8;;https://evil.example/path\u0007docs\u001b]8;;\u0007');
  await expect(screen(page)).toContainText('docs');
  await expect(page.getByRole('tab')).toContainText('evil title');
  expect(pty.typed).toBe('');
  await screen(page).locator('span', { hasText: 'docs' }).first().click({ force: true });
  const dialog = page.getByRole('dialog');
  await expect(dialog).toContainText('https://evil.example/path');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(dialog).toHaveCount(0);
});

test('a paste of lines asks first, and loses what a terminal would obey', async ({ page, open }) => {
  const pty = await Pty.on(page);
  await open(terminal);
  await expect.poll(() => pty.sent[0]?.length).toBeGreaterThan(1);
  await page.locator('.xterm-helper-textarea').evaluate((node) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', 'echo a\u001b[201~\necho b\n');
    node.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
  });
  await expect(page.getByRole('dialog', { name: 'Paste 2 lines?' })).toBeVisible();
  expect(pty.typed).toBe('');
  await page.getByRole('button', { name: 'Paste', exact: true }).click();
  await expect.poll(() => pty.typed).toBe('echo a[201~\recho b\r');
});

test('the keyboard leaves the terminal, and Delete closes a shell after asking', async ({ page, open }) => {
  const pty = await Pty.on(page);
  await page.route('**/exec', (route) =>
    route.fulfill({ json: { stdout: '413\n', stderr: '', exit_code: 0, cmd: 'cat' } }),
  );
  let killed = '';
  await page.route('**/processes/*', (route) => {
    killed = `${route.request().method()} ${route.request().url().split('/').at(-1) ?? ''}`;
    return route.fulfill({ status: 204 });
  });
  await open(terminal);
  await expect.poll(() => pty.sent[0]?.length).toBeGreaterThan(1);
  await page.locator('.xterm-helper-textarea').focus();
  await page.keyboard.press('Control+Shift+ArrowUp');
  await expect(page.getByRole('tab')).toBeFocused();
  await page.keyboard.press('Delete');
  await page.getByRole('button', { name: 'Close it' }).click();
  await expect(page.getByText('No shell is open')).toBeVisible();
  expect(killed).toBe(`DELETE ${String(pty.sent[0]?.find(({ type }) => type === 'start')?.tag)}`);
});

test('a paused capsule opens no shell and says what to do', async ({ page, db, open }) => {
  const pty = await Pty.on(page);
  db.sandboxes = [sandbox({ id: running.id, status: 'paused' })];
  await open(terminal);
  await expect(page.getByText('Resume it to open a terminal.')).toBeVisible();
  expect(pty.sent).toEqual([]);
  await accessible(page);
});

test('a phone has the keys that its keyboard lacks', async ({ page, open }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const pty = await Pty.on(page);
  await open(terminal);
  await expect.poll(() => pty.sent[0]?.length).toBeGreaterThan(1);
  await page.getByRole('button', { name: 'Esc' }).click();
  await page.getByRole('button', { name: 'Up', exact: true }).click();
  await page.getByRole('button', { name: 'Ctrl', exact: true }).click();
  await page.locator('.xterm-helper-textarea').focus();
  await page.keyboard.type('c');
  await expect.poll(() => pty.typed).toBe('\u001b\u001b[A\u0003');
});
