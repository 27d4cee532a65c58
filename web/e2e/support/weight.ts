/** What a browser transfers for the first load of a page: the sizes of the files in the build, as `locule serve` sends them. */
import { existsSync, statSync } from 'node:fs';
import type { Page, Request } from '@playwright/test';
import { ANSWERED } from '../../mocks/platform.ts';

export const LIST = '/dashboard/capsules/list';

/** The pages whose first load is weighed. */
export const PAGES = [
  LIST,
  '/dashboard/keys',
  '/dashboard/team',
  '/dashboard/audit',
  '/dashboard/byoc',
  '/admin/teams',
  '/admin/users',
  '/admin/audit',
  '/admin/hosts',
];

const BUILD = new URL('../../build', import.meta.url).pathname;

function sizeOf(path: string): number {
  const isFile = existsSync(BUILD + path) && statSync(BUILD + path).isFile();
  const file = BUILD + (isFile ? path : '/200.html');
  return statSync(existsSync(`${file}.br`) ? `${file}.br` : file).size;
}

export interface Weight {
  all: number;
  scripts: number;
  fonts: number;
}

/** Counts the files that a page asks for while it opens, whether the browser has them already or not. */
export async function weigh(page: Page, opens: () => Promise<unknown>): Promise<Weight> {
  const paths = new Set<string>();
  const count = (request: Request) => {
    const { pathname, protocol } = new URL(request.url());
    if (protocol === 'http:' && !ANSWERED.test(pathname)) paths.add(pathname);
  };
  page.on('request', count);
  await opens();
  page.off('request', count);
  const sum = (ending: string) =>
    [...paths].filter((path) => path.endsWith(ending)).reduce((bytes, path) => bytes + sizeOf(path), 0);
  return { all: sum(''), scripts: sum('.js'), fonts: sum('.woff2') };
}
