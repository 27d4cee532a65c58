import type { SandboxStatus } from '#lib/api/types.ts';

/** Why a capsule that does not run has no ports to list. */
export function notRunning(status: SandboxStatus): string {
  switch (status) {
    case 'paused':
      return 'The capsule is paused.';
    case 'pending':
    case 'starting':
      return 'The capsule is starting.';
    case 'missing':
      return 'The host of the capsule does not answer.';
    default:
      return 'The capsule has ended, and its ports with it.';
  }
}

/** Where a program listens, as a person would say it. */
export function listensOn(address: string): string {
  if (address === '0.0.0.0' || address === '::') return 'every address';
  if (address === '127.0.0.1' || address === '::1') return 'the capsule itself';
  return address;
}

/** The address of any port, with a word in place of the number. */
export function patternWords(pattern: string): string {
  return pattern.replace('{port}', 'PORT');
}

/** A name of a guest, without what could disturb the text around it. */
export function cleanName(name: string): string {
  return name.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, ' ').slice(0, 64);
}

/** An address that the page may open: the platform makes it, and it leads to the web. */
export function webAddress(text: string | null | undefined): string | undefined {
  try {
    const url = new URL(text ?? '');
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : undefined;
  } catch {
    return undefined;
  }
}
