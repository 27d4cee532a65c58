/** How each status looks: a word, a shape and a tone, always together. */
export type Tone = 'ok' | 'info' | 'warn' | 'outlined' | 'bad' | 'mute';
export type Shape =
  | 'disc'
  | 'turning'
  | 'bars'
  | 'question'
  | 'cross'
  | 'square'
  | 'ring'
  | 'check'
  | 'arrow'
  | 'bar'
  | 'triangle';

export interface Look {
  readonly tone: Tone;
  readonly shape: Shape;
  /** Something that lives: its disc sends out a ring. */
  readonly live?: boolean;
}

const LOOKS: Record<string, Look> = {
  running: { tone: 'ok', shape: 'disc', live: true },
  online: { tone: 'ok', shape: 'disc', live: true },
  active: { tone: 'ok', shape: 'disc' },
  success: { tone: 'ok', shape: 'check' },
  warning: { tone: 'warn', shape: 'triangle' },
  pending: { tone: 'info', shape: 'turning' },
  starting: { tone: 'info', shape: 'turning' },
  pausing: { tone: 'info', shape: 'turning' },
  resuming: { tone: 'info', shape: 'turning' },
  destroying: { tone: 'info', shape: 'turning' },
  paused: { tone: 'warn', shape: 'bars' },
  invited: { tone: 'warn', shape: 'ring' },
  draining: { tone: 'warn', shape: 'arrow' },
  cordoned: { tone: 'warn', shape: 'bar' },
  missing: { tone: 'outlined', shape: 'question' },
  unreachable: { tone: 'outlined', shape: 'question' },
  late: { tone: 'outlined', shape: 'question' },
  error: { tone: 'bad', shape: 'cross' },
  failed: { tone: 'bad', shape: 'cross' },
  disabled: { tone: 'bad', shape: 'cross' },
  stopped: { tone: 'mute', shape: 'square' },
  /** A host that has not registered yet. */
  awaited: { tone: 'mute', shape: 'ring' },
  inactive: { tone: 'mute', shape: 'ring' },
};

/** Every status that has a look of its own. */
export const STATUSES: readonly string[] = Object.keys(LOOKS);

export function lookOf(status: string): Look {
  return LOOKS[status] ?? { tone: 'mute', shape: 'ring' };
}
