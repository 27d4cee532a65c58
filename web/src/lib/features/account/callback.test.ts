import { expect, test } from 'vitest';
import { readLogin } from './callback.ts';

test('a login is read out of the cookies of the API', () => {
  const cookies =
    'theme=x; locule_oauth_token=a%2Eb; locule_oauth_user_id=usr-1; locule_oauth_team_id=team-1; locule_oauth_email=%C3%A4%40b; locule_oauth_name=%C3%84da%3B; locule_oauth_new_signup=1';
  expect(readLogin(cookies)).toEqual({
    login: { token: 'a.b', user_id: 'usr-1', team_id: 'team-1', email: 'ä@b', name: 'Äda;' },
    isNew: true,
  });
});

test('incomplete or broken cookies are no login', () => {
  for (const cookies of ['', 'locule_oauth_token=a', 'locule_oauth_token=%; locule_oauth_user_id=u'])
    expect(readLogin(cookies), cookies).toBeUndefined();
});
