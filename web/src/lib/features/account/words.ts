/** Sentences of the pages about the account. */
import { type CallError, sentence } from '#lib/api/errors.ts';

/** Why a sign-in with a provider failed: the codes of `OauthRefusal` in `locule-control/src/accounts/oauth.rs`. */
export function refusal(code: string): string {
  switch (code) {
    case 'access_denied':
      return 'GitHub did not give access. Try again, and allow it there.';
    case 'invalid_state':
      return 'The sign-in took too long, or was begun in another browser. Try again.';
    case 'missing_code':
    case 'exchange_failed':
      return 'GitHub gave no valid answer. Try again in a moment.';
    case 'no_verified_email':
      return 'The GitHub account has no verified e-mail address. Verify one at GitHub, then try again.';
    case 'no_account':
      return 'No account is connected to this GitHub account. Create an account first, or sign in with your password and connect GitHub in the settings.';
    case 'signup_closed':
      return 'This installation takes no new accounts.';
    case 'invitation_required':
      return 'A new account needs an invitation to a team. Ask an administrator of the team for one.';
    case 'email_taken':
      return 'Another account has this e-mail address. Sign in with its password, then connect GitHub in the settings.';
    case 'account_deactivated':
    case 'account_disabled':
      return 'An administrator has disabled this account.';
    case 'already_linked':
      return 'This GitHub account is connected to another account.';
    default:
      return 'The sign-in failed. Try again in a moment.';
  }
}

export const EMAIL_RULE = 'Enter an e-mail address, such as ada@example.org.';

/** The rule of `Email` in `openapi/public.json`. */
export function emailProblem(email: string): string | undefined {
  return /^[!-?A-~]+@[!-?A-~]+$/.test(email.trim()) ? undefined : EMAIL_RULE;
}

/** The rule of `NewPassword` in `openapi/public.json`. */
export function passwordProblem(password: string): string | undefined {
  if (password.length < 8) return 'A password has 8 characters or more.';
  return password.length > 512 ? 'A password has 512 characters or fewer.' : undefined;
}

export function repeatProblem(password: string, repeat: string): string | undefined {
  return password === repeat ? undefined : 'The two passwords differ.';
}

export function nameProblem(name: string): string | undefined {
  if (name.trim() === '') return 'Enter a name.';
  return name.trim().length > 100 ? 'A name has 100 characters or fewer.' : undefined;
}

/** What a refused sign-in says at the password. */
export function loginProblem(failure: CallError): string | undefined {
  if (failure.status === 401) return 'The e-mail address or the password is wrong.';
  if (failure.code === 'account_not_activated')
    return 'The account is not active yet. Follow the link in the activation e-mail.';
  return undefined;
}

/** What a refused sign-up says at the e-mail address. */
export function signUpProblem(failure: CallError): string | undefined {
  switch (failure.code) {
    case 'email_taken':
      return 'An account has this e-mail address. Sign in instead.';
    case 'signup_cooldown':
      return 'A sign-up with this e-mail address waits for its activation. Follow the link in the e-mail, or try again in half an hour.';
    case 'invitation_required':
      return 'A new account needs an invitation to a team for this e-mail address.';
    case 'forbidden':
      return sentence(failure.message);
    default:
      return undefined;
  }
}
