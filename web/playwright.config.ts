import { defineConfig } from '@playwright/test';

const PORT = Number(process.env.LOCULE_WEB_PORT ?? 4173);
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A terminal draws with the elements of the page, where a test can read its lines.
  '--disable-3d-apis',
];

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  forbidOnly: true,
  retries: 0,
  reporter: process.env.CI ? 'line' : 'list',
  timeout: 30_000,
  expect: { timeout: 10_000, toHaveScreenshot: { maxDiffPixelRatio: 0.001, animations: 'disabled' } },
  snapshotPathTemplate: 'e2e/visual/pictures/{arg}{ext}',
  use: {
    baseURL: `http://127.0.0.1:${PORT}`,
    launchOptions: { executablePath: '/usr/bin/chromium', args },
    locale: 'en-GB',
    timezoneId: 'UTC',
    trace: 'retain-on-failure',
    actionTimeout: 30_000,
  },
  projects: [
    { name: 'mock', testDir: 'e2e/mock', fullyParallel: true },
    { name: 'visual', testDir: 'e2e/visual', fullyParallel: true },
    // One worker: the tests share one platform with real microVMs.
    { name: 'live', testDir: 'e2e/live', fullyParallel: false, workers: 1, timeout: 180_000 },
  ],
  webServer: {
    command: `node e2e/support/serve.ts`,
    env: { PORT: String(PORT) },
    url: `http://127.0.0.1:${PORT}/theme.js`,
    reuseExistingServer: !process.env.CI,
  },
});
