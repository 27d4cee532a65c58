// Writes src/lib/api/schema.gen.ts from the OpenAPI document. With --check it compares instead.
import { readFile, writeFile } from 'node:fs/promises';
import openapiTS, { astToString } from 'openapi-typescript';

const document = new URL('../../../openapi/public.json', import.meta.url);
const target = new URL('../../src/lib/api/schema.gen.ts', import.meta.url);
const heading = '// Generated from openapi/public.json by `make golden`. Do not edit.\n\n';
const made = heading + astToString(await openapiTS(document, { alphabetize: true }));
if (process.argv.includes('--check')) {
  const kept = await readFile(target, 'utf8').catch(() => '');
  if (kept !== made) {
    console.error('src/lib/api/schema.gen.ts differs from openapi/public.json; run `make golden`');
    process.exit(1);
  }
} else {
  await writeFile(target, made);
}
