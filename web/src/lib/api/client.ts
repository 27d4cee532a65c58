/** The typed client of the API. Components never see it: pages load with it and pass callbacks down. */
import createFetchClient, { type Client as FetchClient } from 'openapi-fetch';
import { CallError, UNREACHED } from './errors.ts';
import type { paths } from './schema.gen.ts';
import type { Schemas } from './types.ts';

export type Client = FetchClient<paths>;

/** What the client needs of the session. */
export interface Caller {
  /** The token to send, read for each request. */
  token(): string | undefined;
  /** The login is over. Resolves to true when the user has logged in again, so that the request is sent once more. */
  lost(): Promise<boolean>;
  /** The token acts for no team: the person was taken out of it, or the team was deleted. */
  noTeam(): void;
  /** The platform answered, or was not reached. */
  reached(ok: boolean): void;
}

export type Send = (request: Request) => Promise<Response>;

export function createClient(caller: Caller, send: Send = fetch): Client {
  const once = async (request: Request): Promise<Response> => {
    const sent = new Request(request);
    const token = caller.token();
    if (token) sent.headers.set('authorization', `Bearer ${token}`);
    try {
      const response = await twice(send, sent);
      caller.reached(response.status !== 502 && response.status !== 504);
      return response;
    } catch (error) {
      if (sent.signal.aborted) throw error;
      caller.reached(false);
      throw UNREACHED;
    }
  };
  return createFetchClient<paths>({
    baseUrl: location.origin,
    querySerializer: { array: { style: 'form', explode: false } },
    fetch: async (request: Request) => {
      const again = request.clone();
      const response = await once(request);
      if (
        response.status === 401 &&
        caller.token() &&
        (await codeOf(response)) !== 'wrong_password' &&
        (await caller.lost())
      )
        return once(again);
      if (response.status === 403 && (await codeOf(response)) === 'no_team') caller.noTeam();
      return response;
    },
  });
}

/**
 * Sends a request, and once more when the connection failed. Chromium ends requests that wait for a connection whenever an address is
 * added to the machine (`ERR_NETWORK_CHANGED`), as each new capsule does where the browser runs beside the host agent. Only a read, or a
 * request with a key by which the platform knows it again, may be sent twice.
 */
async function twice(send: Send, request: Request): Promise<Response> {
  const repeatable = request.method === 'GET' || request.headers.has('idempotency-key');
  const spare = repeatable ? request.clone() : undefined;
  try {
    return await send(request);
  } catch (error) {
    if (!spare || request.signal.aborted) throw error;
    return send(spare);
  }
}

/** The code of a refusal. A wrong password in a form is refused with 401 too, and says nothing about the login. */
async function codeOf(response: Response): Promise<string | undefined> {
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  return (body as Schemas['ErrorBody'] | undefined)?.error?.code;
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of a successful answer. Throws a `CallError` for every other one. */
export async function ok<T>(call: Promise<Answer<T>>): Promise<NonNullable<T>> {
  const { data, error, response } = await call;
  if (response.ok) return data as NonNullable<T>;
  throw failure(error, response);
}

/** The failure that an answer tells of. */
export function failure(error: unknown, response: Response): CallError {
  const detail = (error as Schemas['ErrorBody'] | undefined)?.error;
  const after = Number(response.headers.get('retry-after'));
  return new CallError({
    status: response.status,
    code: detail?.code ?? (response.status >= 502 ? 'unreachable' : 'internal_error'),
    message: detail?.message ?? `The platform answered ${response.status}`,
    requestId: response.headers.get('x-request-id') ?? undefined,
    retryAfter: Number.isFinite(after) && after > 0 ? after : undefined,
  });
}
