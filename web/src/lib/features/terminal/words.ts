import { sentence } from '#lib/api/errors.ts';
import type { PtyState } from '#lib/api/socket.ts';
import type { SandboxStatus } from '#lib/api/types.ts';
import { bytes, plural } from '#lib/components/time.ts';

const TITLE_MAX = 40;

/** A title that a program of the guest has set, without what could disturb the text around it. */
export function cleanTitle(title: string): string {
  // Control characters, and those that change the direction of text or have no width.
  const shown = title
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
  const letters = Array.from(shown);
  return letters.length > TITLE_MAX ? `${letters.slice(0, TITLE_MAX - 1).join('')}…` : shown;
}

/** Text of the clipboard, without the control characters that a terminal would obey. */
export function cleanPaste(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g, '');
}

/** Whether a paste enters a line, so that the shell would run it. */
export function runs(text: string): boolean {
  return /[\r\n]/.test(text);
}

/** The number of lines of a paste. */
export function pastedLines(text: string): number {
  return text.replace(/(\r\n|\r|\n)$/, '').split(/\r\n|\r|\n/).length;
}

/** Whether a link of the guest may be opened: its whole address, or nothing. */
export function webAddress(text: string): string | undefined {
  try {
    const url = new URL(text);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : undefined;
  } catch {
    return undefined;
  }
}

export function missed(count: number): string {
  return `${bytes(count)} passed while away; older lines are gone`;
}

const SIGNALS: Record<number, string> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  6: 'SIGABRT',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  13: 'SIGPIPE',
  15: 'SIGTERM',
};

/** What to say of a shell that takes no input. */
export function ended(state: PtyState): string | undefined {
  if (state.kind === 'exited') {
    if (state.signal !== undefined)
      return `The shell was ended by ${SIGNALS[state.signal] ?? `signal ${state.signal}`}.`;
    return `The shell exited with code ${state.code}.`;
  }
  if (state.kind === 'gone') {
    if (state.code === 'not_found') return 'The shell is no longer there. It ended while the page was away.';
    return sentence(state.text);
  }
  return undefined;
}

/** The state of a shell beside its name. */
export function stateWords(state: PtyState, now: number): string {
  switch (state.kind) {
    case 'open':
      return 'connected';
    case 'connecting':
      return 'connecting';
    case 'waiting': {
      const seconds = Math.ceil((state.until - now) / 1000);
      return seconds > 0 ? `reconnecting in ${seconds} s` : 'reconnecting';
    }
    case 'detached':
      return 'not connected';
    case 'exited':
      return `exited ${state.code}`;
    case 'gone':
      return 'ended';
  }
}

export function pasteTitle(lines: number): string {
  return `Paste ${plural(lines, 'line')}?`;
}

/** Why a capsule that does not run has no terminal. */
export function notRunning(status: SandboxStatus): string {
  switch (status) {
    case 'paused':
      return 'The capsule is paused.';
    case 'pending':
    case 'starting':
      return 'The capsule is starting. The terminal opens by itself.';
    case 'missing':
      return 'The host of the capsule does not answer. If it returns, so do the shells.';
    default:
      return 'The capsule has ended, and its shells with it.';
  }
}
