/** How tests with pictures, tests of the platform, and measurements start Debian's Chromium: the browser that people have. */
export const CHROMIUM = {
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    // A terminal draws with the elements of the page, where a test can read its lines.
    '--disable-3d-apis',
  ],
};

/** The same engine without the parts that draw a window, which costs a test with mocks a quarter of its time. It draws text otherwise. */
export const HEADLESS = { ...CHROMIUM, executablePath: '/usr/bin/chromium-headless-shell' };
