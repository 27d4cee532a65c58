/** Pictures of a page: dark and light at three widths, from one load. They stand in the folder `pictures`. */
import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { NOW, type Db } from '../../mocks/db.ts';
import type { Shells } from '../../mocks/shells.ts';
import { expect, test as mock } from '../support/mock.ts';

const SIZES = [
  { width: 1440, height: 900 },
  { width: 1024, height: 768 },
  { width: 390, height: 844 },
] as const;
export type Width = (typeof SIZES)[number]['width'];
/** For what lies over a page: between a wide screen and a narrow one a dialog has the same form. */
export const OVER: readonly Width[] = [1440, 390];
const THEMES = ['dark', 'light'] as const;

/** What a scene has beside the page. */
export interface Stage {
  db: Db;
  shells: Shells;
}

export interface Scene {
  path: string;
  signedIn?: boolean;
  /** What the platform has. */
  given?: (db: Db) => unknown;
  /** Runs before the page is opened. */
  before?: (page: Page) => Promise<unknown>;
  /** Opens what the pictures show, and waits until it is there. */
  show: (page: Page, stage: Stage) => Promise<unknown>;
  /** Opens again what does not outlive a change of the width. */
  again?: (page: Page, width: Width) => Promise<unknown>;
  widths?: readonly Width[];
  /** Console lines that the page must print, for example of a refused request. */
  allowed?: RegExp;
  /** One picture more, with the colours that the system forces. */
  forced?: boolean;
}

const test = mock.extend<object, { chromium: undefined }>({
  chromium: [
    async ({ browser }, use, info) => {
      const version = browser.version().split('.')[0];
      const taken = readFileSync(new URL('pictures/chromium.txt', import.meta.url), 'utf8').trim();
      if (version !== taken && info.config.updateSnapshots !== 'all')
        throw new Error(
          `Chromium is ${version}, and the pictures are of Chromium ${taken}, which draws text in another way. ` +
            '`make pictures` takes them anew: look at them, then commit them.',
        );
      await use(undefined);
    },
    { scope: 'worker', auto: true },
  ],
});

/** Whatever was to be drawn is drawn. The port of the test's server is another one in each run. */
async function settled(page: Page): Promise<void> {
  await page.evaluate(async () => {
    await document.fonts.ready;
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node; node = texts.nextNode())
      if (node.nodeValue?.includes(location.host))
        node.nodeValue = node.nodeValue.replaceAll(location.host, '127.0.0.1:8000');
  });
}

interface Picture {
  size: (typeof SIZES)[number];
  theme: (typeof THEMES)[number];
}

/**
 * The pictures of a scene. A run of the tests compares one of them, which follows from the name of the scene: over all scenes, every width
 * is compared in both themes. `LOCULE_PICTURES=all` compares all pictures.
 */
function picturesOf(name: string, widths: readonly Width[] | undefined): readonly Picture[] {
  const sizes = SIZES.filter(({ width }) => widths?.includes(width) ?? true);
  const every = sizes.flatMap((size) => THEMES.map((theme) => ({ size, theme })));
  const all = process.env.LOCULE_PICTURES === 'all' || test.info().config.updateSnapshots === 'all';
  const sum = [...name].reduce((so, letter) => (so * 31 + letter.charCodeAt(0)) % 65_521, 0);
  return all ? every : every.slice(sum % every.length).slice(0, 1);
}

export function scene(name: string, scene: Scene): void {
  test(name, async ({ page, db, shells, open, allowed }) => {
    // The same moment in every picture: ages and countdowns stand still.
    await page.clock.setFixedTime(NOW);
    await page.addInitScript(() => (Math.random = () => 0.5));
    await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce', forcedColors: 'none' });
    await page.setViewportSize(SIZES[0]);
    if (scene.allowed) allowed.push(scene.allowed);
    scene.given?.(db);
    // The platform changes its capsules, which are the same ones in every scene.
    db.sandboxes = structuredClone(db.sandboxes);
    db.allSandboxes = structuredClone(db.allSandboxes);
    await scene.before?.(page);
    await open(scene.path, { signedIn: scene.signedIn ?? true, theme: 'system' });
    await scene.show(page, { db, shells });
    let width: Width | undefined;
    for (const { size, theme } of picturesOf(name, scene.widths)) {
      if (size.width !== width) {
        await page.setViewportSize(size);
        await scene.again?.(page, size.width);
        await page.mouse.move(0, 0);
      }
      width = size.width;
      await page.emulateMedia({ colorScheme: theme });
      await settled(page);
      await expect.soft(page).toHaveScreenshot(`${name}-${size.width}-${theme}.webp`);
    }
    if (scene.forced) {
      await page.setViewportSize(SIZES[0]);
      // Chromium keeps some lines of a table as they were, unless the theme changes too.
      await page.emulateMedia({ colorScheme: 'light' });
      await settled(page);
      await page.emulateMedia({ colorScheme: 'dark', forcedColors: 'active' });
      await settled(page);
      await expect.soft(page).toHaveScreenshot(`${name}-forced.webp`);
    }
    // The page serves the next test too.
    await page.emulateMedia({ colorScheme: null, forcedColors: null });
  });
}
