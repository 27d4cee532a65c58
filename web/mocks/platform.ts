/** A platform in memory: answers as the API does, from a `Db`. Holds no rule of the platform beyond what a page needs to be shown. */
import { ACCOUNT } from './account.ts';
import { ADMIN } from './admin.ts';
import { type Asked, type Handler, match, type Name, type Request, refuse, type Sent } from './api.ts';
import { AUDIT } from './audit.ts';
import type { Db } from './db.ts';
import { EVENTS } from './events.ts';
import { FILES } from './files.ts';
import { HOSTS } from './hosts.ts';
import { NETWORK } from './network.ts';
import { SANDBOXES } from './sandboxes.ts';
import { TEAMS } from './teams.ts';

const HANDLERS = Object.entries({
  ...ACCOUNT,
  ...ADMIN,
  ...AUDIT,
  ...EVENTS,
  ...FILES,
  ...HOSTS,
  ...NETWORK,
  ...SANDBOXES,
  ...TEAMS,
}) as [string, Handler<Name>][];

/** The paths of the platform; every other one is a page or a file of the dashboard. */
export const ANSWERED = /^\/(v1|health|auth\/oauth)(\/|$)/;

/** The answer to a request: `hang` comes never, `lost` breaks the connection, and to `unknown` no handler belongs. */
export function answer(db: Db, request: Request): Sent | 'hang' | 'lost' | 'unknown' {
  const name = `${request.method} ${request.path}`;
  db.requests.push(name);
  db.asked.push(request);
  const failure = Object.entries(db.failures).find(
    ([pattern]) => pattern === '*' || match(pattern, name),
  )?.[1];
  if (failure === 'hang' || failure === 'lost') return failure;
  if (failure) return refuse(failure.status, failure.code, failure.message);
  for (const [pattern, handler] of HANDLERS) {
    const params = match(pattern, name);
    if (params) return handler(db, { ...request, params } as Asked<Name>);
  }
  return 'unknown';
}
