import { defineConfig, type PlaywrightTestProject } from '@playwright/test';
import { CHROMIUM, HEADLESS } from './e2e/support/chromium.ts';

/**
 * The tests with mocks share one browser context a worker: a page that is already warm costs less processor time. Playwright clears
 * cookies, routes, scripts and the cache between two tests, and the fixture `open` clears the storage. No test leaves a page of its own
 * origin.
 */
const mocked = (browser: typeof CHROMIUM, ...more: string[]): NonNullable<PlaywrightTestProject['use']> => ({
  reuseContext: true,
  contextOptions: { reducedMotion: 'reduce' },
  // Nothing but the server of the test can be reached.
  launchOptions: {
    ...browser,
    args: [...browser.args, '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', ...more],
  },
});

export default defineConfig({
  testDir: 'e2e',
  forbidOnly: true,
  workers: '100%',
  retries: 0,
  reporter: process.env.CI ? 'line' : 'list',
  timeout: 30_000,
  expect: { timeout: 10_000, toHaveScreenshot: { maxDiffPixelRatio: 0.001, animations: 'disabled' } },
  snapshotPathTemplate: 'e2e/visual/pictures/{arg}{ext}',
  use: {
    launchOptions: CHROMIUM,
    locale: 'en-GB',
    timezoneId: 'UTC',
    screenshot: 'only-on-failure',
    actionTimeout: 30_000,
  },
  projects: [
    {
      name: 'mock',
      testDir: 'e2e/mock',
      outputDir: 'test-results/mock',
      fullyParallel: true,
      use: mocked(HEADLESS),
    },
    {
      name: 'visual',
      testDir: 'e2e/visual',
      outputDir: 'test-results/visual',
      fullyParallel: true,
      // Text is drawn the same whatever the settings of the system are.
      use: {
        ...mocked(CHROMIUM, '--font-render-hinting=none', '--force-color-profile=srgb'),
        screenshot: 'off',
      },
    },
    // One worker: the tests share one platform with real microVMs.
    {
      name: 'live',
      testDir: 'e2e/live',
      outputDir: 'test-results/live',
      fullyParallel: false,
      workers: 1,
      timeout: 180_000,
    },
  ],
});
