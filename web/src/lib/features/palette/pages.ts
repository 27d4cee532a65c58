/** The pages of the dashboard, with the second letter of `g`. */
export interface Place {
  label: string;
  href: string;
  key?: string;
}

export const PLACES: readonly Place[] = [
  { label: 'Capsules', href: '/dashboard/capsules/list', key: 'c' },
  { label: 'Keys', href: '/dashboard/keys', key: 'k' },
  { label: 'Team', href: '/dashboard/team', key: 'm' },
  { label: 'Audit', href: '/dashboard/audit', key: 'a' },
  { label: 'Settings', href: '/dashboard/settings' },
];

/** Where a pasted id leads. */
export function placeOf(id: string): string | undefined {
  const text = id.trim();
  const kind = /^(sb|key|log|usr|team)-[0-9a-f-]{8,36}$/i.exec(text)?.[1]?.toLowerCase();
  switch (kind) {
    case 'sb':
      return /^sb-[0-9a-f-]{36}$/i.test(text) ? `/dashboard/capsules/${text.toLowerCase()}` : undefined;
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
