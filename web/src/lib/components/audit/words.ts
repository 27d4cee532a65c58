/** The sentence of each audit event. The events are those of `AuditEvent::record` in `locule-control/src/audit.rs`. */
import { plural, timeout } from '#lib/components/time.ts';
import type { AuditEntry } from '#lib/api/types.ts';

export interface Sentence {
  /** The person, the key or the platform. */
  actor: string;
  /** What happened, between the actor and the thing. */
  act: string;
  /** The thing that it happened to, which may be a link. */
  thing: string;
  /** The rest of the sentence. */
  rest: string;
}

type Words = (entry: AuditEntry, data: Data) => Partial<Omit<Sentence, 'actor'>>;

interface Event {
  /** The name in the filter. */
  label: string;
  words: Words;
}

/** The metadata of an entry: values of any kind, read as text. */
class Data {
  readonly #values: Record<string, unknown>;
  constructor(values: unknown) {
    this.#values = typeof values === 'object' && values !== null ? (values as Record<string, unknown>) : {};
  }
  text(name: string): string {
    const value = this.#values[name];
    return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
  }
  is(name: string): boolean {
    return this.#values[name] === true;
  }
}

const ENDINGS: Record<string, string> = {
  destroyed: '',
  expired: ': it reached its end',
  guest_shutdown: ': it shut itself down',
  vm_lost: ': its microVM vanished from its host',
  host_deleted: ': its host was removed',
  create_failed: ': it could not be started',
  image_lost: ': its saved memory is gone',
  team_deleted: ': its team was deleted',
  owner_disabled: ': the owner of its team was disabled',
};

function ending(reason: string): string {
  return ENDINGS[reason] ?? (reason === '' ? '' : `: ${reason.replaceAll('_', ' ')}`);
}

function after(word: string, text: string): string {
  return text === '' ? '' : `${word} ${text}`;
}

/** A resource and its events, in the order of the filter. */
export const EVENTS: Record<string, { label: string; actions: Record<string, Event> }> = {
  sandbox: {
    label: 'Capsule',
    actions: {
      create: {
        label: 'launched',
        words: (_, data) => ({ act: 'launched', rest: after('from', data.text('template')) }),
      },
      import: { label: 'imported', words: () => ({ act: 'imported', rest: 'from its host' }) },
      pause: { label: 'paused', words: () => ({ act: 'paused' }) },
      auto_pause: {
        label: 'paused by its timeout',
        words: () => ({ act: 'paused', rest: 'at its timeout' }),
      },
      resume: { label: 'resumed', words: () => ({ act: 'resumed' }) },
      set_timeout: {
        label: 'timeout set',
        words: (_, data) => ({
          act: 'set the end of',
          rest: after(
            'to',
            data.text('timeout_sec') && `${timeout(Number(data.text('timeout_sec')))} from then`,
          ),
        }),
      },
      update: { label: 'changed', words: () => ({ act: 'changed' }) },
      destroy: {
        label: 'destroyed or ended',
        words: (entry, data) => ({
          act: entry.actor_type === 'system' ? 'saw the end of' : 'destroyed',
          rest: ending(data.text('reason')),
        }),
      },
    },
  },
  host: {
    label: 'Host',
    actions: {
      add: { label: 'added', words: () => ({ act: 'added the host' }) },
      issue_token: {
        label: 'new token',
        words: () => ({ act: 'made a new registration token for the host' }),
      },
      marked_down: { label: 'went away', words: () => ({ act: 'lost the host' }) },
      marked_up: { label: 'came back', words: () => ({ act: 'saw the host', rest: 'come back' }) },
      cordon: { label: 'cordoned', words: () => ({ act: 'cordoned the host' }) },
      uncordon: { label: 'uncordoned', words: () => ({ act: 'uncordoned the host' }) },
      drain: {
        label: 'drained',
        words: (_, data) => ({
          act: 'drained the host',
          rest: data.text('running') === 'wait' ? 'of capsules as they end' : 'by pausing its capsules',
        }),
      },
      accept_database: {
        label: 'accepted a database',
        words: () => ({ act: 'made the host', rest: 'accept the restored database' }),
      },
      delete: {
        label: 'deleted',
        words: (_, data) => {
          const ended = Number(data.text('sandboxes'));
          return { act: 'deleted the host', rest: ended > 0 ? `with ${plural(ended, 'capsule')}` : '' };
        },
      },
    },
  },
  api_key: {
    label: 'Key',
    actions: {
      create: {
        label: 'made',
        words: (entry, data) => ({ act: 'made the key', thing: data.text('name') || thingOf(entry) }),
      },
      revoke: {
        label: 'revoked',
        words: (entry, data) => ({ act: 'revoked the key', thing: data.text('name') || thingOf(entry) }),
      },
    },
  },
  member: {
    label: 'Member',
    actions: {
      invite: {
        label: 'invited',
        words: (_, data) => ({
          act: 'invited',
          thing: data.text('email'),
          rest: after('as', data.text('role')),
        }),
      },
      uninvite: {
        label: 'invitation withdrawn',
        words: (_, data) => ({ act: 'withdrew the invitation of', thing: data.text('email') }),
      },
      add: {
        label: 'joined',
        words: (entry, data) =>
          entry.actor_id === entry.resource_id
            ? { act: 'joined the team', thing: '', rest: after('as', data.text('role')) }
            : { act: 'added', rest: after('as', data.text('role')) },
      },
      remove: { label: 'removed', words: () => ({ act: 'removed', rest: 'from the team' }) },
      leave: { label: 'left', words: () => ({ act: 'left the team', thing: '' }) },
      role_update: {
        label: 'role changed',
        words: (_, data) => ({ act: 'changed the role of', rest: after('to', data.text('new_role')) }),
      },
    },
  },
  team: {
    label: 'Team',
    actions: {
      create: {
        label: 'created',
        words: (_, data) => ({ act: 'created the team', thing: data.text('name') }),
      },
      rename: {
        label: 'renamed',
        words: (_, data) => ({
          act: 'renamed the team',
          thing: data.text('old_name'),
          rest: after('to', data.text('new_name')),
        }),
      },
      delete: { label: 'deleted', words: () => ({ act: 'deleted the team' }) },
      emptied: { label: 'emptied', words: () => ({ act: 'saw the end of the last capsule of the team' }) },
      set_byoc: {
        label: 'own hosts allowed',
        words: (_, data) => ({
          act: data.is('enabled')
            ? 'allowed hosts of its own to the team'
            : 'took hosts of its own from the team',
        }),
      },
      set_quota: { label: 'limits set', words: () => ({ act: 'set the limits of the team' }) },
    },
  },
  user: {
    label: 'Account',
    actions: {
      sign_up: {
        label: 'signed up',
        words: (_, data) => ({ act: 'created the account', thing: data.text('email') }),
      },
      login: {
        label: 'signed in',
        words: (_, data) => ({ act: 'signed in', thing: '', rest: after('from', data.text('address')) }),
      },
      login_failed: {
        label: 'sign-in failed',
        words: (entry, data) => ({
          act: entry.resource_id
            ? 'refused a sign-in to the account of'
            : 'refused a sign-in to no known account',
          rest: after('from', data.text('address')),
        }),
      },
      session_end: {
        label: 'logins ended',
        words: (_, data) => ({
          act: data.text('count') === '1' ? 'ended a login of' : `ended ${data.text('count')} logins of`,
          rest: data.text('reason') === 'token_reused' ? 'whose token two clients had' : '',
        }),
      },
      password_change: {
        label: 'password changed',
        words: () => ({ act: 'changed the password of the account of' }),
      },
      password_reset: {
        label: 'password reset',
        words: () => ({ act: 'reset the password of the account of', rest: 'by e-mail' }),
      },
      connect: {
        label: 'provider connected',
        words: (_, data) => ({ act: `connected ${data.text('provider')} to the account of` }),
      },
      disconnect: {
        label: 'provider disconnected',
        words: (_, data) => ({ act: `disconnected ${data.text('provider')} from the account of` }),
      },
      activate: {
        label: 'enabled',
        words: (_, data) => ({ act: 'enabled the account', thing: data.text('email') }),
      },
      deactivate: {
        label: 'disabled',
        words: (_, data) => ({ act: 'disabled the account', thing: data.text('email') }),
      },
      delete: { label: 'deleted', words: () => ({ act: 'deleted the account of' }) },
    },
  },
};

export function actorOf(entry: AuditEntry): string {
  switch (entry.actor_type) {
    case 'system':
      return 'The platform';
    case 'api_key':
      return entry.actor_name ? `Key ${entry.actor_name}` : 'A deleted key';
    default:
      return entry.actor_name || 'A deleted account';
  }
}

/** The name of a thing, or the beginning of its id. */
function thingOf(entry: AuditEntry): string {
  return entry.resource_name || (entry.resource_id ?? '').replace(/^([a-z]+-[0-9a-f]{8}).*$/, '$1');
}

/** The sentence of an entry. An event that this dashboard does not know is told by its name. */
export function sentenceOf(entry: AuditEntry): Sentence {
  const event = EVENTS[entry.resource_type]?.actions[entry.action];
  const actor = actorOf(entry);
  if (!event)
    return {
      actor: `${actor}:`,
      act: `${entry.resource_type}.${entry.action}`,
      thing: thingOf(entry),
      rest: '',
    };
  return { actor, act: '', thing: thingOf(entry), rest: '', ...event.words(entry, new Data(entry.metadata)) };
}

/** The sentence as one text. */
export function textOf(entry: AuditEntry): string {
  const { actor, act, thing, rest } = sentenceOf(entry);
  return [actor, act, thing, rest]
    .filter((part) => part !== '')
    .join(' ')
    .replaceAll(' : ', ': ');
}

/** The name of a filter: a resource, or one of its events. */
export function filterLabel(resource: string, action?: string): string {
  const known = EVENTS[resource];
  const label = known?.label ?? resource;
  return action === undefined ? label : `${label} ${known?.actions[action]?.label ?? action}`;
}

/** The page of a thing, if it has one. */
export function pageOf(entry: AuditEntry, admin: boolean): string | undefined {
  if (!entry.resource_id) return undefined;
  switch (entry.resource_type) {
    case 'sandbox':
      return admin ? undefined : `/dashboard/capsules/${entry.resource_id}`;
    case 'api_key':
      return admin ? undefined : '/dashboard/keys';
    case 'member':
      return admin ? undefined : '/dashboard/team';
    case 'host':
      return `${admin ? '/admin/hosts' : '/dashboard/byoc'}/${entry.resource_id}`;
    case 'team':
      return admin ? `/admin/teams?q=${entry.resource_id}` : undefined;
    case 'user':
      return admin ? `/admin/users?q=${entry.resource_id}` : undefined;
    default:
      return undefined;
  }
}

/** The day of an entry, as the heading of its group. */
export function dayOf(time: number, now: number, zone: 'local' | 'utc'): string {
  const options = zone === 'utc' ? { timeZone: 'UTC' } : {};
  const key = new Intl.DateTimeFormat('en-CA', { ...options, dateStyle: 'short' });
  const day = key.format(time);
  if (day === key.format(now)) return 'Today';
  if (day === key.format(now - 86_400_000)) return 'Yesterday';
  return new Intl.DateTimeFormat('en-GB', {
    ...options,
    day: 'numeric',
    month: 'long',
    year: 'numeric',
  }).format(time);
}

export function clockOf(time: number, zone: 'local' | 'utc'): string {
  return new Intl.DateTimeFormat('en-GB', {
    ...(zone === 'utc' ? { timeZone: 'UTC' } : {}),
    hour: '2-digit',
    minute: '2-digit',
  }).format(time);
}
