import { expect, test } from 'vitest';
import { cleanName, listensOn, patternWords, webAddress } from './words.ts';

test('addresses are said in words', () => {
  expect(['0.0.0.0', '::', '127.0.0.1', '169.254.0.21'].map(listensOn)).toEqual([
    'every address',
    'every address',
    'the capsule itself',
    '169.254.0.21',
  ]);
  expect(patternWords('https://{port}-sb-1.example')).toBe('https://PORT-sb-1.example');
});

test('the name of a program does not disturb the page', () => {
  expect(cleanName('no\u202ede\n')).toBe('no de ');
  expect(cleanName('x'.repeat(500))).toHaveLength(64);
});

test('only addresses of the web are opened', () => {
  expect(webAddress('https://a.example/x')).toBe('https://a.example/x');
  for (const text of [undefined, null, '', 'javascript:alert(1)', 'data:text/html,x'])
    expect(webAddress(text)).toBeUndefined();
});
