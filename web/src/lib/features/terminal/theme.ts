import type { ITheme } from '@xterm/xterm';

const ANSI = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const;

/** A colour `part` of the way from one to another, both as `#rrggbb`. */
export function mix(from: string, to: string, part: number): string {
  const channel = (colour: string, at: number) => Number.parseInt(colour.slice(at, at + 2), 16);
  const mixed = [1, 3, 5].map((at) =>
    Math.round(channel(from, at) + (channel(to, at) - channel(from, at)) * part),
  );
  return `#${mixed.map((value) => value.toString(16).padStart(2, '0')).join('')}`;
}

/** The colours of a terminal, from the tokens of app.css. */
export function terminalTheme(token: (name: string) => string): ITheme {
  const ink = token('ink');
  const theme: Record<string, string> = {
    background: token('terminal'),
    foreground: ink,
    cursor: ink,
    cursorAccent: token('terminal'),
    selectionBackground: `${token('info')}59`,
    scrollbarSliderBackground: `${token('control')}66`,
    scrollbarSliderHoverBackground: `${token('control')}99`,
    scrollbarSliderActiveBackground: token('control'),
  };
  for (const name of ANSI) {
    const colour = token(`ansi-${name}`);
    theme[name] = colour;
    theme[`bright${name.charAt(0).toUpperCase()}${name.slice(1)}`] = mix(colour, ink, 0.25);
  }
  return theme;
}

export function documentTheme(): ITheme {
  const style = getComputedStyle(document.documentElement);
  return terminalTheme((name) => style.getPropertyValue(`--${name}`).trim());
}
