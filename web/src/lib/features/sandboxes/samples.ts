/** The same acts as code. Keys are never filled in: the samples read them from the environment. */
import type { CreateSandbox } from '#lib/api/types.ts';
import { python, quoted } from '#lib/components/code.ts';

export interface Sample {
  name: string;
  code: string;
}

const seconds = (count: number): string =>
  count % 3600 === 0 && count > 0
    ? `${count / 3600}h`
    : count % 60 === 0 && count > 0
      ? `${count / 60}m`
      : `${count}`;

function cli(body: Partial<CreateSandbox>): string {
  const words = ['locule', 'sandbox', 'create'];
  if (body.template) words.push('--template', body.template);
  if (body.vcpus) words.push('--vcpus', String(body.vcpus));
  if (body.memory_mb) words.push('--memory', `${body.memory_mb}m`);
  if (body.timeout_sec) words.push('--timeout', seconds(body.timeout_sec));
  if (body.expires_in_sec) words.push('--expires-in', seconds(body.expires_in_sec));
  if (body.on_timeout) words.push('--on-expiry', body.on_timeout);
  for (const [name, value] of Object.entries(body.envs ?? {})) words.push('--env', `${name}=${value}`);
  for (const [name, value] of Object.entries(body.labels ?? {})) words.push('--label', `${name}=${value}`);
  const line = words.map(quoted).join(' ');
  // The command has no flags for these.
  const rest = [
    ...(body.auto_resume ? ['auto_resume'] : []),
    ...(body.public_traffic ? ['public_traffic'] : []),
  ];
  return rest.length === 0 ? line : `${line}\n# ${rest.join(', ')}: by the API only`;
}

function curl(origin: string, body: Partial<CreateSandbox>): string {
  return [
    `curl ${origin}/v1/sandboxes \\`,
    `  -H "X-API-Key: $LOCULE_API_KEY" \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d ${quoted(JSON.stringify(body))}`,
  ].join('\n');
}

function script(origin: string, body: Partial<CreateSandbox>): string {
  return [
    'import os',
    'import requests',
    '',
    'sandbox = requests.post(',
    `    ${JSON.stringify(`${origin}/v1/sandboxes`)},`,
    '    headers={"X-API-Key": os.environ["LOCULE_API_KEY"]},',
    `    json=${python(body, 4)},`,
    ').json()',
    'print(sandbox["id"], sandbox["status"])',
  ].join('\n');
}

/** The launch with the values of the dialog. */
export function launchSamples(origin: string, body: Partial<CreateSandbox>): Sample[] {
  return [
    { name: 'CLI', code: cli(body) },
    { name: 'curl', code: curl(origin, body) },
    { name: 'Python', code: script(origin, body) },
  ];
}

/** The first capsule from code. */
export function firstSamples(origin: string): Sample[] {
  const exports = ['export E2B_API_KEY=…', `export E2B_API_URL=${origin} E2B_SANDBOX_URL=${origin}`].join(
    '\n',
  );
  return [
    {
      name: 'Python',
      code: `# pip install e2b\n${exports.replaceAll('export', '# export')}\nfrom e2b import Sandbox\n\nsandbox = Sandbox.create()\nprint(sandbox.commands.run("uname -a").stdout)`,
    },
    {
      name: 'JavaScript',
      code: `// npm install e2b\n${exports.replaceAll('export', '// export')}\nimport { Sandbox } from 'e2b'\n\nconst sandbox = await Sandbox.create()\nconsole.log((await sandbox.commands.run('uname -a')).stdout)`,
    },
    {
      name: 'CLI',
      code: `export LOCULE_URL=${origin} LOCULE_API_KEY=…\nlocule run -- uname -a`,
    },
    { name: 'curl', code: curl(origin, {}) },
  ];
}
