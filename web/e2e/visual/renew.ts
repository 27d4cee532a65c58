/** Takes the pictures anew: `npm run pictures`, or with names of scenes, `npm run pictures -- team keys`. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import sharp from 'sharp';

const FOLDER = new URL('pictures/', import.meta.url);
const pictures = () => readdirSync(FOLDER).filter((name) => name.endsWith('.webp'));
const scenes = process.argv.slice(2);
const begun = Date.now();
// What no scene shows any more does not stay.
if (scenes.length === 0) for (const name of pictures()) rmSync(new URL(name, FOLDER));
const chosen = scenes.flatMap((name) => ['--grep', ` ${name}$`]).slice(0, 2);
if (scenes.length > 1) chosen[1] = ` (${scenes.join('|')})$`;
const args = ['test', '--project=visual', '--update-snapshots=all', ...chosen];
const run = spawnSync('playwright', args, { stdio: 'inherit' });
for (const name of pictures()) {
  const file = new URL(name, FOLDER);
  if (statSync(file).mtimeMs < begun) continue;
  // The same pixels in a third of the bytes: Chromium takes no time to compress.
  const small = await sharp(readFileSync(file)).removeAlpha().webp({ lossless: true, effort: 6 }).toBuffer();
  writeFileSync(file, small);
}
const version = /Chromium (\d+)/.exec(execFileSync('chromium', ['--version'], { stdio: 'pipe' }).toString());
if (version?.[1] && scenes.length === 0) writeFileSync(new URL('chromium.txt', FOLDER), `${version[1]}\n`);
process.exitCode = run.status ?? 1;
