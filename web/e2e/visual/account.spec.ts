import { ATLAS } from '../../mocks/db.ts';
import { token } from '../../mocks/account.ts';
import { OVER, scene } from './pictures.ts';

const everyWay = { version: '0.1.0', sign_up: 'open', mail: true, providers: ['github'] } as const;
const given: Parameters<typeof scene>[1]['given'] = (db) => {
  db.info = { ...everyWay, providers: [...everyWay.providers] };
};

scene('sign-in', {
  path: '/login',
  signedIn: false,
  given,
  forced: true,
  show: (page) => page.getByRole('link', { name: 'Continue with GitHub' }).waitFor(),
});

scene('sign-in-refused', {
  path: '/login',
  widths: OVER,
  signedIn: false,
  allowed: /401/,
  show: async (page) => {
    await page.getByLabel('E-mail').fill('ada@example.com');
    await page.getByRole('textbox', { name: 'Password' }).fill('a wrong one');
    await page.keyboard.press('Enter');
    await page.getByText('The e-mail address or the password is wrong.').waitFor();
  },
});

scene('sign-in-after-github', {
  path: '/login?error=invitation_required',
  widths: OVER,
  signedIn: false,
  given,
  show: (page) => page.getByRole('alert').waitFor(),
});

scene('sign-up', {
  path: '/login?mode=signup',
  signedIn: false,
  given,
  show: async (page) => {
    await page.getByLabel('Name').fill('Ada Lovelace');
    await page.getByLabel('E-mail').fill('ada');
    await page.getByRole('textbox', { name: 'Password', exact: true }).fill('short');
    await page.getByRole('textbox', { name: 'Password again' }).focus();
    await page.getByText('Enter an e-mail address').waitFor();
  },
});

scene('forgot-password', {
  path: '/forgot-password',
  signedIn: false,
  given,
  show: (page) => page.getByLabel('E-mail').waitFor(),
});

scene('reset-password', {
  path: '/reset-password?token=good',
  signedIn: false,
  given,
  show: (page) => page.getByRole('textbox', { name: 'New password', exact: true }).waitFor(),
});

scene('activate-old-link', {
  path: '/activate?token=old',
  widths: OVER,
  signedIn: false,
  given,
  allowed: /400/,
  show: async (page) => {
    await page.getByRole('textbox', { name: 'New password', exact: true }).fill('long enough');
    await page.getByRole('textbox', { name: 'New password again' }).fill('long enough');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
  },
});

scene('invitation', {
  path: '/invitation?token=good',
  signedIn: false,
  given,
  show: (page) => page.getByRole('button', { name: 'Create account and join' }).waitFor(),
});

scene('invitation-signed-in', {
  path: '/invitation?token=good',
  show: (page) => page.getByRole('button', { name: 'Accept invitation' }).waitFor(),
});

scene('callback', {
  path: '/auth/github/callback',
  signedIn: false,
  before: (page) => {
    const values = {
      token: token(ATLAS),
      user_id: 'user-33333333-3333-4333-8333-333333333333',
      team_id: ATLAS,
      email: 'ada%40example%2Ecom',
      name: 'octo',
      new_signup: '1',
    };
    return page.addInitScript((cookies) => {
      if (!sessionStorage.getItem('came'))
        for (const [name, value] of Object.entries(cookies))
          document.cookie = `locule_oauth_${name}=${value};path=/auth/`;
      sessionStorage.setItem('came', 'yes');
    }, values);
  },
  show: (page) => page.getByLabel('Name').waitFor(),
});

scene('not-found', {
  path: '/dashboard/no/such/page',
  allowed: /404|Not found/,
  show: (page) => page.getByRole('heading', { name: 'No such page' }).waitFor(),
});
