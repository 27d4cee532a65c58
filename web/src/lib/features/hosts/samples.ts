/** The registration of a host as code. The token of the person is read from the environment. */
import { python, quoted } from '#lib/components/code.ts';
import type { NewHost } from './words.ts';

export function samples(host: NewHost, origin: string): { name: string; code: string }[] {
  const { team_id: team, provider, availability_zone: zone } = host;
  const words = [
    ...['locule', 'host', 'add'],
    ...(team ? ['--team', team] : []),
    ...(provider ? ['--provider', provider] : []),
    ...(zone ? ['--zone', zone] : []),
  ];
  const curl = [
    `curl ${origin}/v1/hosts \\`,
    '  -H "Authorization: Bearer $TOKEN" \\',
    "  -H 'Content-Type: application/json' \\",
    `  -d ${quoted(JSON.stringify(host))}`,
  ];
  const script = [
    'import os',
    'import requests',
    '',
    'made = requests.post(',
    `    ${JSON.stringify(`${origin}/v1/hosts`)},`,
    `    headers={"Authorization": f"Bearer {os.environ['TOKEN']}"},`,
    `    json=${python(host, 4)},`,
    ').json()',
    'print(made["registration_token"])',
  ];
  return [
    { name: 'CLI', code: words.map(quoted).join(' ') },
    { name: 'curl', code: curl.join('\n') },
    { name: 'Python', code: script.join('\n') },
  ];
}
