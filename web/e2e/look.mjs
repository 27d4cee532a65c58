// Takes a picture of a page: node e2e/look.mjs /dashboard/capsules/list out.png [--width 1440] [--theme light] [--url http://…]
// [--email … --password …] [--then 'click:text=Launch' …] Prints console messages and failed requests.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { chromium } from '@playwright/test';
import { CHROMIUM } from './support/chromium.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    width: { type: 'string', default: '1440' },
    height: { type: 'string', default: '900' },
    theme: { type: 'string', default: 'dark' },
    url: { type: 'string', default: process.env.LOOK_URL ?? 'http://127.0.0.1:5173' },
    credentials: { type: 'string', default: process.env.LOOK_CREDENTIALS ?? '' },
    email: { type: 'string' },
    team: { type: 'string' },
    password: { type: 'string' },
    then: { type: 'string', multiple: true, default: [] },
    wait: { type: 'string', default: '1500' },
    full: { type: 'boolean', default: false },
  },
});
const [path = '/', out = '/tmp/look.png'] = positionals;
const browser = await chromium.launch(CHROMIUM);
const page = await browser.newPage({
  viewport: { width: Number(values.width), height: Number(values.height) },
});
page.on('console', (message) => console.log('console', message.type(), message.text()));
page.on('pageerror', (error) => console.log('page error', error.message));
page.on('requestfailed', (request) => console.log('failed', request.url(), request.failure()?.errorText));
await page.addInitScript((theme) => localStorage.setItem('locule.theme', theme), values.theme);
let { email, password } = values;
if (values.credentials) ({ email, password } = JSON.parse(readFileSync(values.credentials, 'utf8')));
if (email) {
  const response = await fetch(`${values.url}/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password }),
  });
  let login = await response.text();
  if (values.team) {
    const token = JSON.parse(login).token;
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    /** @type {{ id: string, name: string }[]} */
    const teams = await (await fetch(`${values.url}/v1/teams`, { headers })).json();
    const team = teams.find(({ name }) => name === values.team);
    const body = JSON.stringify({ team_id: team?.id });
    login = await (
      await fetch(`${values.url}/v1/auth/switch-team`, { method: 'POST', headers, body })
    ).text();
  }
  await page.addInitScript((kept) => sessionStorage.setItem('locule.session', kept), login);
}
await page.goto(values.url + path, { waitUntil: 'load' });
await page.waitForTimeout(Number(values.wait));
for (const step of values.then) {
  const [verb, rest] = [step.slice(0, step.indexOf(':')), step.slice(step.indexOf(':') + 1)];
  if (verb === 'click') await page.click(rest);
  if (verb === 'press') await page.keyboard.press(rest);
  if (verb === 'type') await page.keyboard.type(rest);
  if (verb === 'wait') await page.waitForTimeout(Number(rest));
}
await page.screenshot({ path: out, fullPage: values.full });
await browser.close();
