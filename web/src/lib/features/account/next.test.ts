import { expect, test } from 'vitest';
import { nextOf, withNext } from './next.ts';

const at = (query: string) => nextOf(new URL(`http://host.example/login${query}`));

test('the sign-in leads only to a path of the same host', () => {
  expect(at('?next=/dashboard/keys%3Fa=1%23x')).toBe('/dashboard/keys?a=1#x');
  for (const evil of [
    '//evil.example',
    '/\\evil.example',
    'https://evil.example/',
    'javascript:alert(1)',
    '',
  ])
    expect(at(`?next=${encodeURIComponent(evil)}`), evil).toBe('/dashboard');
  expect(at('')).toBe('/dashboard');
});

test('the sign-in never leads to itself', () => {
  expect(at('?next=/login?next=/login')).toBe('/dashboard');
});

test('an address keeps the page to go to, and leaves the usual one out', () => {
  expect(withNext('/login', '/dashboard')).toBe('/login');
  expect(withNext('/login?mode=signup', '/invitation?token=a')).toBe(
    '/login?mode=signup&next=%2Finvitation%3Ftoken%3Da',
  );
});
