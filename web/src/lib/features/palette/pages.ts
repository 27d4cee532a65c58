/** The pages of the dashboard, with the second letter of `g`. */
export interface Place {
  label: string;
  href: string;
  key?: string;
}

const PLACES: readonly Place[] = [
  { label: 'Capsules', href: '/dashboard/capsules/list', key: 'c' },
  { label: 'Keys', href: '/dashboard/keys', key: 'k' },
  { label: 'Team', href: '/dashboard/team', key: 'm' },
  { label: 'Audit', href: '/dashboard/audit', key: 'a' },
  { label: 'Settings', href: '/dashboard/settings' },
];

const HOSTS: Place = { label: 'Hosts', href: '/dashboard/byoc', key: 'h' };

/** The pages for a person in a team. The hosts are a page for those who manage the hosts of a team that brings its own (B-103). */
export function placesOf(team: { is_byoc: boolean; role: string } | undefined): readonly Place[] {
  return team?.is_byoc && team.role !== 'member' ? [...PLACES, HOSTS] : PLACES;
}

/** Where a pasted id leads. `admin`: to an administrator of the platform. */
export function placeOf(id: string, admin = false): string | undefined {
  const text = id.trim();
  const kind = /^(sb|host|key|log|usr|team)-[0-9a-f-]{8,36}$/i.exec(text)?.[1]?.toLowerCase();
  const whole = /^[a-z]+-[0-9a-f-]{36}$/i.test(text) ? text.toLowerCase() : undefined;
  switch (kind) {
    case 'sb':
      return whole && `/dashboard/capsules/${whole}`;
    case 'host':
      return whole && `${admin ? '/admin/hosts' : '/dashboard/byoc'}/${whole}`;
    case 'key':
      return '/dashboard/keys';
    case 'log':
      return `/dashboard/audit?entry=${encodeURIComponent(text)}`;
    case 'usr':
    case 'team':
      return '/dashboard/team';
    default:
      return undefined;
  }
}

/**
 * How well a text answers a search: higher is better, `undefined` not at all. The letters of the search stand in the text in their order;
 * letters in a row and beginnings of words count more.
 */
export function score(text: string, search: string): number | undefined {
  const [where, what] = [text.toLowerCase(), search.toLowerCase().trim()];
  if (what === '') return 0;
  const whole = where.indexOf(what);
  if (whole >= 0) return 1000 - whole - where.length / 100;
  let [at, points] = [-1, 0];
  for (const letter of what.replaceAll(' ', '')) {
    const next = where.indexOf(letter, at + 1);
    if (next < 0) return undefined;
    if (next === at + 1) points += 3;
    else if (next === 0 || /[^a-z0-9]/.test(where.charAt(next - 1))) points += 2;
    at = next;
  }
  return points - where.length / 100;
}
