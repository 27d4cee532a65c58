// @vitest-environment jsdom
import { beforeEach, describe, expect, test } from 'vitest';
import { keep, newTag, readKept, SHELLS_MAX } from './kept.ts';
import { arrow, commandOf, withControl } from './keys.ts';
import { mix, terminalTheme } from './theme.ts';
import { cleanPaste, cleanTitle, ended, missed, pastedLines, runs, stateWords, webAddress } from './words.ts';

describe('text of a guest', () => {
  test('a title loses control and direction characters, and is short', () => {
    expect(cleanTitle('a\u001b]0;b\u0007\u202ec\u200bd')).toBe('a ]0;b c d');
    expect(cleanTitle('x'.repeat(100))).toBe(`${'x'.repeat(39)}…`);
    expect(cleanTitle(' \n ')).toBe('');
  });

  test('only http and https addresses are offered', () => {
    expect(webAddress('https://example.org/a?b')).toBe('https://example.org/a?b');
    for (const address of ['javascript:alert(1)', 'file:///etc/passwd', 'data:text/html,x', 'ftp://x', 'no'])
      expect(webAddress(address)).toBeUndefined();
  });
});

describe('pasted text', () => {
  test('loses what a terminal would obey', () => {
    expect(cleanPaste('a\u001b[201~b\u0003c\td\r\ne\u009b')).toBe('a[201~bc\td\ne');
  });

  test('that ends with a line feed runs, so that the page asks', () => {
    expect(runs('ls')).toBe(false);
    expect(runs('ls\n')).toBe(true);
    expect(['ls\n', 'a\r\nb\rc', 'a\n\n'].map(pastedLines)).toEqual([1, 3, 2]);
  });
});

describe('keys', () => {
  const key = (code: string, held: string) => ({
    type: 'keydown',
    code,
    ctrlKey: held.includes('c'),
    shiftKey: held.includes('s'),
    altKey: held.includes('a'),
    metaKey: held.includes('m'),
  });

  test('Ctrl C interrupts, and copies while text is selected', () => {
    expect(commandOf(key('KeyC', 'c'), false)).toBeUndefined();
    expect(commandOf(key('KeyC', 'c'), true)).toBe('copy');
  });

  test('five keys with Ctrl and Shift are not the shell’s', () => {
    const of = (code: string) => commandOf(key(code, 'cs'), false);
    expect(['Space', 'KeyF', 'KeyV', 'ArrowUp', 'KeyC'].map(of)).toEqual([
      'palette',
      'find',
      'paste',
      'leave',
      'browser',
    ]);
    expect(of('KeyA')).toBeUndefined();
    expect(commandOf(key('KeyF', 'c'), false)).toBeUndefined();
    expect(commandOf(key('KeyF', 'csa'), false)).toBeUndefined();
  });

  test('the row of keys sends what a keyboard sends', () => {
    expect(withControl('c')).toBe('\u0003');
    expect(withControl('[')).toBe('\u001b');
    expect(withControl('1')).toBe('1');
    expect(arrow('up', false)).toBe('\u001b[A');
    expect(arrow('left', true)).toBe('\u001bOD');
  });
});

describe('kept shells', () => {
  beforeEach(() => sessionStorage.clear());

  test('are found by the next page of the same capsule only', () => {
    const shells = [{ tag: 'web-1', name: 'bash', pid: 412, seen: 17 }];
    keep('sb-1', { current: 0, shells });
    expect(readKept('sb-1')).toEqual({ current: 0, shells });
    expect(readKept('sb-2')).toEqual({ current: 0, shells: [] });
  });

  test.each(['', 'null', '{', '{"shells":{}}', '{"shells":[{"tag":1,"seen":-1},{}],"current":9}'])(
    'that cannot be read are none: %s',
    (text) => {
      sessionStorage.setItem('locule.shells.sb-1', text);
      expect(readKept('sb-1')).toEqual({ current: 0, shells: [] });
    },
  );

  test('are eight at most', () => {
    const shells = Array.from({ length: 12 }, (_, at) => ({ tag: `web-${at}`, name: 'sh', seen: 0 }));
    keep('sb-1', { current: 11, shells });
    expect(readKept('sb-1').shells).toHaveLength(SHELLS_MAX);
    expect(readKept('sb-1').current).toBe(SHELLS_MAX - 1);
  });

  test('have tags that the API takes', () => {
    expect(newTag()).toMatch(/^[A-Za-z][A-Za-z0-9._-]{0,63}$/);
    expect(newTag()).not.toBe(newTag());
  });
});

test('sentences say how a shell ended', () => {
  expect(ended({ kind: 'exited', code: 3, signal: undefined })).toBe('The shell exited with code 3.');
  expect(ended({ kind: 'exited', code: 137, signal: 9 })).toBe('The shell was ended by SIGKILL.');
  expect(ended({ kind: 'gone', code: 'not_found', text: 'x' })).toMatch(/no longer there/);
  expect(ended({ kind: 'gone', code: 'forbidden', text: 'not allowed' })).toBe('Not allowed.');
  expect(ended({ kind: 'open' })).toBeUndefined();
  expect(stateWords({ kind: 'waiting', until: 3500 }, 1000)).toBe('reconnecting in 3 s');
  expect(missed(12_288)).toBe('12 KB passed while away; older lines are gone');
});

const hex = (digits: string) => `#${digits}`;

test('the colours come from the tokens; the bright ones are mixed with the ink', () => {
  expect(mix(hex('000000'), hex('ff8000'), 0.25)).toBe(hex('402000'));
  const theme = terminalTheme((name) => (name === 'ink' ? hex('ffffff') : hex('000000')));
  expect(theme.red).toBe(hex('000000'));
  expect(theme.brightRed).toBe(hex('404040'));
  expect(theme.foreground).toBe(hex('ffffff'));
});
