/** What keys send to a terminal, for the row of keys that a phone has not. */
const ARROWS = { up: 'A', down: 'B', right: 'C', left: 'D' } as const;

export type Arrow = keyof typeof ARROWS;

/** `application`: the program has asked for the other form of the arrow keys, as editors do. */
export function arrow(direction: Arrow, application: boolean): string {
  return `\u001b${application ? 'O' : '['}${ARROWS[direction]}`;
}

/** What a typed text sends while Ctrl is held. Only its first letter can be held so. */
export function withControl(text: string): string {
  const code = text.toUpperCase().charCodeAt(0);
  if (text === ' ') return '\u0000';
  if (text === '?') return '\u007f';
  // `@` to `_`: the letters and six signs.
  if (code >= 0x40 && code <= 0x5f) return String.fromCharCode(code & 0x1f) + text.slice(1);
  return text;
}

export type Command = 'palette' | 'find' | 'paste' | 'leave' | 'copy' | 'browser';

/** The keys that are not the shell's. Everything else is. */
export function commandOf(
  event: Pick<KeyboardEvent, 'type' | 'ctrlKey' | 'shiftKey' | 'altKey' | 'metaKey' | 'code'>,
  selected: boolean,
): Command | undefined {
  if (event.type !== 'keydown' || event.altKey) return undefined;
  if (event.ctrlKey && event.shiftKey && !event.metaKey) {
    switch (event.code) {
      case 'Space':
        return 'palette';
      case 'KeyF':
        return 'find';
      case 'KeyV':
        return 'paste';
      case 'ArrowUp':
        return 'leave';
      case 'KeyC':
        return 'browser';
    }
  }
  if (event.ctrlKey && !event.shiftKey && !event.metaKey && event.code === 'KeyC' && selected) return 'copy';
  return undefined;
}
