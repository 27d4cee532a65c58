/** Failures of calls to the API, and the words for each code. */
import type { ErrorCode } from './types.ts';

/** A call that did not succeed. `status` 0: the platform was not reached. */
export class CallError extends Error {
  readonly status: number;
  readonly code: ErrorCode | 'unreachable';
  readonly requestId: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(failure: {
    status: number;
    code: ErrorCode | 'unreachable';
    message: string;
    requestId?: string | undefined;
    retryAfter?: number | undefined;
  }) {
    super(failure.message);
    this.name = 'CallError';
    this.status = failure.status;
    this.code = failure.code;
    this.requestId = failure.requestId;
    this.retryAfter = failure.retryAfter;
  }

  get unreachable(): boolean {
    return this.code === 'unreachable' || this.status === 502 || this.status === 504;
  }
}

export const UNREACHED = new CallError({
  status: 0,
  code: 'unreachable',
  message: 'The platform was not reached. Check the connection, then try again.',
});

/** A server's sentence as the dashboard shows it: it begins with a capital letter and ends with a full stop. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return 'The platform gave no reason.';
  const begun = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

/** What to tell the user of a failure. Words of our own only where the dashboard knows more than the API's sentence. */
export function words(error: unknown): string {
  if (!(error instanceof CallError)) return 'The page failed. Load it again; if it fails again, report it.';
  switch (error.code) {
    case 'rate_limited':
      return `Too many attempts. Try again in ${error.retryAfter ?? 60} s.`;
    case 'not_ready':
      return 'The platform is starting. Try again in a moment.';
    case 'account_disabled':
    case 'account_deactivated':
      return 'An administrator has disabled this account.';
    default:
      return sentence(error.message);
  }
}
