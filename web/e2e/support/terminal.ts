/** What a person does at a terminal in the page. */
import { expect, type Locator, type Page } from '@playwright/test';

/** The rows of the shell that is shown. */
export function screen(page: Page): Locator {
  return page.locator('.xterm-rows').filter({ visible: true }).first();
}

/** Waits for the prompt of a shell. */
export async function prompted(page: Page): Promise<void> {
  await expect(screen(page)).toContainText(/[#$] /, { timeout: 120_000 });
}

/** Types a command, and waits for what it prints. The command itself must not contain the awaited text. */
export async function run(
  page: Page,
  command: string,
  printed: string | RegExp,
  timeout = 30_000,
): Promise<void> {
  // The lines lie below a layer that takes the pointer; keys go to this field.
  await page.locator('.xterm-helper-textarea').first().focus();
  await page.keyboard.type(command);
  await page.keyboard.press('Enter');
  await expect(screen(page)).toContainText(printed, { timeout });
}
