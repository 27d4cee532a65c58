/** The shapes of the handlers: each operation of the API by its name, with the parameters, the body and the answers of the schema. */
import type { paths } from '../src/lib/api/schema.gen.ts';
import type { ErrorCode } from '../src/lib/api/types.ts';
import type { Db } from './db.ts';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** `METHOD /path` of every operation, for example `GET /v1/sandboxes/{id}`. */
export type Name = {
  [P in keyof paths & string]: {
    [M in Method]: [NonNullable<paths[P][M]>] extends [never] ? never : `${Uppercase<M>} ${P}`;
  }[Method];
}[keyof paths & string];

type Operation<N extends string> = N extends `${infer M} ${infer P}`
  ? P extends keyof paths
    ? Lowercase<M> extends keyof paths[P]
      ? NonNullable<paths[P][Lowercase<M>]>
      : never
    : never
  : never;

type Parameters<O> = O extends { parameters: { path: infer P } } ? Record<keyof P & string, string> : unknown;
type Body<O> = O extends { requestBody?: infer B }
  ? NonNullable<B> extends { content: { 'application/json': infer C } }
    ? NonNullable<C>
    : undefined
  : undefined;

/** A request of the page. */
export interface Request {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  /** The body when it is JSON. */
  body: unknown;
}

export interface Asked<N extends Name> extends Request {
  params: Parameters<Operation<N>>;
  body: Body<Operation<N>>;
}

type Success = 200 | 201 | 202 | 204 | 205;
interface Head {
  headers?: Record<string, string>;
}
/** Bytes, or a stream that stays open. */
interface Raw<S> extends Head {
  status: S;
  raw: string;
  open?: boolean;
}
type Answer<S, R> = R extends { content: { 'application/json': infer B } }
  ? Head & { status: S; body: B }
  : R extends { content: Record<string, unknown> }
    ? Raw<S>
    : Head & { status: S };
type Answers<R> = { [S in keyof R & Success]: Answer<S, R[S]> }[keyof R & Success];

export interface Refused extends Head {
  status: number;
  body: { error: { code: ErrorCode; message: string } };
}

export type Reply<N extends Name> = Answers<Operation<N>['responses']> | Refused;
export type Handler<N extends Name> = (db: Db, asked: Asked<N>) => Reply<N>;
export type Handlers = { [N in Name]?: Handler<N> };

/** An answer of any operation, as it is sent. */
export interface Sent extends Head {
  status: number;
  body?: unknown;
  raw?: string;
  open?: boolean;
}

export const refuse = (status: number, code: ErrorCode, message: string): Refused => ({
  status,
  body: { error: { code, message } },
});

/** The parts of `path` that `pattern` names in braces. `undefined`: the pattern is for other paths. */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const [wanted, found] = [pattern.split('/'), path.split('/')];
  if (wanted.length !== found.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const here = found[index] ?? '';
    if (part.startsWith('{')) params[part.slice(1, -1)] = decodeURIComponent(here);
    else if (part !== here && part !== '*') return undefined;
  }
  return params;
}
