/** The platform in memory behind the development server: `make web MOCK=1`, or `vite dev --mode mock`. No part of a build. */
import type { Plugin } from 'vite';
import { NOW, type Db } from './db.ts';
import { respond } from './http.ts';
import { ANSWERED } from './platform.ts';
import { isScenario, type Scenario, scenario, SCENARIO_NAMES } from './scenarios.ts';
import { PTY } from './shells.ts';
import { accept } from './websocket.ts';

const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

/** The same value with its times as far from now as they are from the time of the scenarios. */
function shifted(value: unknown, by: number): unknown {
  if (typeof value === 'string' && TIME.test(value)) return new Date(Date.parse(value) + by).toISOString();
  if (Array.isArray(value)) return value.map((one) => shifted(one, by));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shifted(one, by)]));
}

/** A scenario whose shells answer: they show what is typed. */
function begin(name: Scenario): Db {
  const db = scenario(name);
  const { shells } = db;
  shells.onstart = () => shells.print('This shell repeats what is typed.\r\n$ ');
  shells.typing = (text) => shells.print(text.replaceAll('\r', '\r\n$ ').replaceAll('\u007f', '\b \b'));
  return db;
}

export function mockPlatform(): Plugin {
  return {
    name: 'locule-mock',
    apply: 'serve',
    configureServer({ middlewares, httpServer, config: { logger } }) {
      const by = Date.now() - NOW;
      let db = begin('default');
      logger.info(
        `  The platform is in memory. Sign in as ${db.me.email} with "${db.password}".\n` +
          `  ?scenario=NAME begins another one: ${SCENARIO_NAMES.join(', ')}`,
      );
      middlewares.use((request, response, next) => {
        const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
        const wanted = searchParams.get('scenario') ?? '';
        if (request.headers['sec-fetch-dest'] === 'document' && isScenario(wanted)) db = begin(wanted);
        if (!ANSWERED.test(pathname)) {
          next();
          return;
        }
        respond(db, request, response, {
          unknown: (name) => logger.warn(`  The mocks have no ${name}`),
          sent: (body) => shifted(body, by),
        }).catch(next);
      });
      httpServer?.on('upgrade', (request, stream) => {
        if (PTY.test(request.url ?? '')) accept(request, stream, (socket) => db.shells.accept(socket));
      });
    },
  };
}
