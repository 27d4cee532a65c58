import { plural } from '#lib/components/time.ts';
import type { ApiKey, KeyScope, Schemas } from '#lib/api/types.ts';

/** What a key with the scope may do: `KeyScope` in `locule-api/src/teams.rs`. */
export const SCOPES: readonly { value: KeyScope; label: string; hint: string }[] = [
  { value: 'full', label: 'Full', hint: 'Every operation that accepts a key.' },
  { value: 'sandbox', label: 'Capsules', hint: 'Every operation on capsules, and nothing else.' },
  { value: 'read', label: 'Read', hint: 'Reads only: changes nothing and opens no connection.' },
];

export function scopeLabel(scope: KeyScope): string {
  return SCOPES.find(({ value }) => value === scope)?.label ?? scope;
}

export const EXPIRIES = [
  { value: '0', label: 'Never' },
  { value: '7', label: 'In 7 days' },
  { value: '30', label: 'In 30 days' },
  { value: '90', label: 'In 90 days' },
  { value: '365', label: 'In a year' },
] as const;

const DAY = 86_400_000;

export function expiresAt(days: string, now: number): string | undefined {
  const count = Number(days);
  return count > 0 ? new Date(now + count * DAY).toISOString() : undefined;
}

/** The name of the person who made the key. */
export function creator(key: ApiKey, me: string): string {
  if (!key.created_by_name) return 'a deleted account';
  return key.created_by === me ? `${key.created_by_name} (you)` : key.created_by_name;
}

/** What a revoked key leaves behind. */
export function revoked(name: string, left: Schemas['CreatedSandboxes']): string {
  const count = left.sandboxes.length;
  if (count === 0) return `The key ${name} is revoked.`;
  return `The key ${name} is revoked. ${left.has_more ? 'More than ' : ''}${plural(count, 'capsule')} made with it still ${count === 1 ? 'exists' : 'exist'}.`;
}

function shell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The making of a key as code. */
export function samples(
  values: { name: string; scope: KeyScope; days: string },
  expires: string | undefined,
) {
  const name = values.name.trim() || 'NAME';
  const body = JSON.stringify({
    name,
    ...(values.scope === 'full' ? {} : { scope: values.scope }),
    ...(expires ? { expires_at: expires } : {}),
  });
  return [
    {
      name: 'CLI',
      code: `locule api-key create ${shell(name)}${values.scope === 'full' ? '' : ` --scope ${values.scope}`}${expires ? ` --expires-in ${Number(values.days) * 24}h` : ''}`,
    },
    {
      name: 'curl',
      code: `curl ${location.origin}/v1/api-keys \\\n  -H "Authorization: Bearer $TOKEN" \\\n  -H 'Content-Type: application/json' \\\n  -d ${shell(body)}`,
    },
    {
      name: 'Python',
      code: `import os, requests\n\nkey = requests.post(\n    "${location.origin}/v1/api-keys",\n    headers={"Authorization": f"Bearer {os.environ['TOKEN']}"},\n    json=${python(body)},\n).json()["key"]`,
    },
  ];
}

function python(json: string): string {
  return json.replaceAll('":', '": ').replaceAll(',"', ', "');
}
