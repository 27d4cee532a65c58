import { ATLAS, BOREAS, team } from '../../mocks/db.ts';
import { accessible, expect, test } from '../support/mock.ts';

test('the sign-in leads to the page that was asked for, and a wrong password is told at its field', async ({
  page,
  open,
  allowed,
}) => {
  allowed.push(/401/);
  await open('/login?next=%2Fdashboard%2Fkeys', { signedIn: false });
  await page.getByLabel('E-mail').fill('ada@example.com');
  const password = page.getByRole('textbox', { name: 'Password' });
  await password.fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByText('The e-mail address or the password is wrong.')).toBeVisible();
  await expect(password).toBeFocused();
  await password.fill('correct horse');
  await password.press('Enter');
  await expect(page).toHaveURL('/dashboard/keys');
});

test('a button keeps its name while it is busy', async ({ page, db, open }) => {
  db.failures['POST /v1/auth/login'] = 'hang';
  await open('/login', { signedIn: false });
  await page.getByLabel('E-mail').fill('ada@example.com');
  await page.getByRole('textbox', { name: 'Password' }).fill('correct horse');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Sign in' })).toHaveAttribute('aria-busy', 'true');
});

test('the sign-in leads to no other host', async ({ page, open }) => {
  await open('/login?next=%2F%2Fevil.example%2F');
  await expect(page).toHaveURL('/dashboard/capsules/list');
});

test('a refused sign-in with a provider is told once', async ({ page, open }) => {
  await open('/login?error=email_taken', { signedIn: false });
  await expect(page.getByRole('alert')).toContainText('Another account has this e-mail address');
  await expect(page).toHaveURL('/login');
});

test('too many attempts count down, and then the form works again', async ({ page, db, open, allowed }) => {
  allowed.push(/429/);
  db.failures['POST /v1/auth/login'] = { status: 429, code: 'rate_limited', message: 'too many' };
  await open('/login', { signedIn: false });
  await page.getByLabel('E-mail').fill('ada@example.com');
  await page.getByRole('textbox', { name: 'Password' }).fill('correct horse');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText(/Try again in \d+ s/);
  await page.clock.runFor(61_000);
  await expect(page.getByRole('alert')).toHaveCount(0);
  delete db.failures['POST /v1/auth/login'];
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL('/dashboard/capsules/list');
});

test('the sign-in offers what the installation offers, and nothing else', async ({ page, db, open }) => {
  await open('/login', { signedIn: false });
  await expect(page.getByText('Version 0.1.0')).toBeVisible();
  for (const name of ['Forgot password?', 'Continue with GitHub', 'Create an account'])
    await expect(page.getByRole('link', { name })).toHaveCount(0);
  db.info = { version: '0.1.0', sign_up: 'open', mail: true, providers: ['github'] };
  await page.reload();
  await expect(page.getByRole('link', { name: 'Forgot password?' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Continue with GitHub' })).toHaveAttribute(
    'href',
    '/auth/oauth/github?intent=login',
  );
  await page.getByRole('link', { name: 'Create an account' }).click();
  await expect(page.getByRole('heading', { name: 'Create an account' })).toBeVisible();
});

test('the sign-up checks a field when the focus leaves it, and with mail it asks to look there', async ({
  page,
  db,
  open,
}) => {
  db.info.mail = true;
  await open('/login?mode=signup', { signedIn: false });
  await page.getByLabel('Name').fill('Ada');
  await page.getByLabel('E-mail').fill('ada');
  await expect(page.getByText('Enter an e-mail address')).toHaveCount(0);
  await page.getByRole('textbox', { name: 'Password', exact: true }).fill('short');
  await expect(page.getByText('Enter an e-mail address')).toBeVisible();
  await page.getByLabel('E-mail').fill('ada@example.com');
  await page.getByRole('textbox', { name: 'Password', exact: true }).fill('long enough');
  await page.getByRole('textbox', { name: 'Password again' }).fill('long enough again');
  await page.getByRole('button', { name: 'Create account' }).click();
  await expect(page.getByText('The two passwords differ.')).toBeVisible();
  await page.getByRole('textbox', { name: 'Password again' }).fill('long enough');
  await page.getByRole('button', { name: 'Create account' }).click();
  await expect(page.getByRole('heading', { name: 'Check your e-mail' })).toBeVisible();
});

test('a login shows nothing of the person before (B-137)', async ({ page, db, open }) => {
  await open('/dashboard/keys');
  await expect(page.getByRole('button', { name: 'Team: Atlas' }).first()).toBeVisible();
  await page.getByRole('button', { name: 'Sign out' }).first().click();
  await expect(page).toHaveURL('/login');
  db.teams = [team(BOREAS, 'Boreas', 'owner')];
  db.me = { ...db.me, name: 'Grace', team_id: BOREAS };
  await page.getByLabel('E-mail').fill('ada@example.com');
  await page.getByRole('textbox', { name: 'Password' }).fill('correct horse');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Team: Boreas' }).first()).toBeVisible();
  await expect(page.locator('[data-person]').first()).toHaveText('Grace');
  await expect(page.getByText('Atlas')).toHaveCount(0);
});

test('an account is activated with a new password, and an old link is told', async ({
  page,
  open,
  allowed,
}) => {
  allowed.push(/400/);
  await open('/activate?token=old', { signedIn: false });
  await page.getByRole('textbox', { name: 'New password', exact: true }).fill('long enough');
  await page.getByRole('textbox', { name: 'New password again' }).fill('long enough');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('does not work any more');
  await page.goto('/activate?token=good');
  await page.getByRole('textbox', { name: 'New password', exact: true }).fill('long enough');
  await page.getByRole('textbox', { name: 'New password again' }).fill('long enough');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL('/dashboard/capsules/list');
});

test('a reset tells nobody whether there is an account, and sets a password', async ({ page, open }) => {
  await open('/reset-password', { signedIn: false });
  await expect(page).toHaveURL('/forgot-password');
  await page.getByLabel('E-mail').fill('stranger@example.com');
  await page.keyboard.press('Enter');
  await expect(page.getByText('If there is such an account, a mail is on its way.')).toBeVisible();
  await page.goto('/reset-password?token=good');
  await page.getByRole('textbox', { name: 'New password', exact: true }).fill('long enough');
  await page.getByRole('textbox', { name: 'New password again' }).fill('long enough');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'The password is set' })).toBeVisible();
});

test('the return from GitHub reads the cookies, removes them, and asks a new person for the name', async ({
  page,
  db,
  open,
  context,
  baseURL,
}) => {
  const { token } = await import('../../mocks/account.ts');
  const values = {
    token: token(ATLAS),
    user_id: db.me.user_id,
    team_id: ATLAS,
    email: 'ada%40example%2Ecom',
    name: 'octo',
    new_signup: '1',
  };
  await context.addCookies(
    Object.entries(values).map(([name, value]) => ({
      name: `locule_oauth_${name}`,
      value,
      domain: new URL(baseURL ?? '').hostname,
      path: '/auth/',
    })),
  );
  await open('/auth/github/callback', { signedIn: false });
  await expect(page.getByLabel('Name')).toHaveValue('octo');
  expect(await context.cookies(`${baseURL}/auth/github/callback`)).toEqual([]);
  await page.getByLabel('Name').fill('Ada L');
  await page.getByRole('button', { name: 'Go on' }).click();
  await expect(page.locator('[data-person]').first()).toHaveText('Ada L');
});

test('a refused return from GitHub leads to the sign-in with its sentence', async ({ page, open }) => {
  await open('/auth/github/callback?error=access_denied', { signedIn: false });
  await expect(page.getByRole('alert')).toContainText('GitHub did not give access');
  await expect(page).toHaveURL('/login');
});

test('an invitation is accepted by its link, and the person acts for the team then', async ({
  page,
  open,
}) => {
  await open('/invitation?token=good');
  await expect(page.getByText('You are signed in as ada@example.com')).toBeVisible();
  await page.getByRole('button', { name: 'Accept invitation' }).click();
  await expect(page.getByText('You are a member of Boreas now.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Team: Boreas' }).first()).toBeVisible();
});

test('an invitation without a login offers both ways in', async ({ page, open }) => {
  await open('/invitation?token=good', { signedIn: false });
  await expect(page.getByRole('button', { name: 'Create account and join' })).toBeVisible();
  await page.getByRole('link', { name: 'Sign in' }).click();
  await expect(page).toHaveURL('/login?next=%2Finvitation%3Ftoken%3Dgood');
});

test('axe finds nothing on the pages without a login', async ({ page, open }) => {
  for (const path of ['/login', '/login?mode=signup', '/forgot-password', '/invitation?token=a'])
    await test.step(path, async () => {
      await open(path, { signedIn: false });
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await accessible(page);
    });
});
