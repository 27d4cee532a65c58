/**
 * Measures the first run of a person: from the click on "Launch your first capsule" to the first character of the prompt in the
 * page. `node e2e/measure/launch.ts --url URL --credentials FILE` prints the milliseconds as JSON.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { chromium, type Browser } from '@playwright/test';
import { CHROMIUM } from '../support/chromium.ts';

interface Login {
  token: string;
}

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    credentials: { type: 'string' },
  },
});
const url = values.url ?? '';
const { email, password } = JSON.parse(readFileSync(values.credentials ?? '', 'utf8')) as {
  email: string;
  password: string;
};

async function post<T>(path: string, body: unknown, token?: string): Promise<T> {
  const headers = {
    'content-type': 'application/json',
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
  const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as T;
}

/** A login in a team that has had no capsule. */
async function newTeam(token: string): Promise<Login> {
  const team = await post<{ id: string }>('/v1/teams', { name: 'Measure' }, token);
  return post('/v1/auth/switch-team', { team_id: team.id }, token);
}

async function measure(browser: Browser, login: Login): Promise<number> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.addInitScript((kept) => sessionStorage.setItem('locule.session', kept), JSON.stringify(login));
  await page.goto(`${url}/dashboard/capsules/list`);
  const button = page.getByRole('button', { name: 'Launch your first capsule' });
  try {
    await button.waitFor();
  } catch (error) {
    const shown = await page.locator('body').innerText();
    throw new Error(`the page offers no first launch; it shows:\n${shown}`, { cause: error });
  }
  // The page itself takes both times: the way to the browser and back is not measured.
  const took = page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        let begun = 0;
        document.addEventListener('click', () => (begun = performance.now()), { capture: true, once: true });
        const changed = new MutationObserver(() => {
          const text = document.querySelector('.xterm-rows')?.textContent ?? '';
          if (begun && /[#$]/.test(text)) {
            changed.disconnect();
            resolve(performance.now() - begun);
          }
        });
        changed.observe(document.body, { subtree: true, childList: true, characterData: true });
      }),
  );
  await button.click();
  const milliseconds = await took;
  const id = /sb-[0-9a-z-]+/.exec(page.url())?.[0] ?? '';
  await page.close();
  const headers = { authorization: `Bearer ${login.token}` };
  const gone = await fetch(`${url}/v1/sandboxes/${id}`, { method: 'DELETE', headers });
  if (!gone.ok) throw new Error(`the capsule ${id} was not destroyed: ${gone.status}`);
  return milliseconds;
}

const { token } = await post<Login>('/v1/auth/login', { email, password });
const browser = await chromium.launch(CHROMIUM);
try {
  const milliseconds = await measure(browser, await newTeam(token));
  console.log(JSON.stringify({ milliseconds, chromium: browser.version() }));
} finally {
  await browser.close();
}
