// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CallError } from '#lib/api/errors.ts';
import type { AuthResponse } from '#lib/api/types.ts';
import { Renewal, WINDOW } from './renewal.ts';
import { Session } from './session.svelte.ts';

/** A channel whose pages are all here. Messages arrive later, as in a browser. */
class Channel {
  static all: Channel[] = [];
  onmessage: ((event: { data: unknown }) => void) | null = null;
  constructor() {
    Channel.all.push(this);
  }
  postMessage(data: unknown): void {
    const kept = structuredClone(data);
    for (const other of Channel.all)
      if (other !== this)
        setTimeout(() => Channel.all.includes(other) && other.onmessage?.({ data: kept }), 1);
  }
  close(): void {
    Channel.all = Channel.all.filter((one) => one !== this);
  }
}

const HOUR = 3_600_000;
const LIFE = 6 * HOUR;
const START = Date.parse('2026-11-14T14:00:00Z');

function login(end: number, team: string | null = 'team-a', user = 'usr-1'): AuthResponse {
  const part = btoa(JSON.stringify({ exp: end / 1000, team }));
  return { token: `x.${part}.x`, user_id: user, team_id: team, email: 'ada@example.org', name: 'Ada' };
}
const hours = (session: Session) => ((session.ends ?? 0) - START) / HOUR;

/** A tab with a login that ends in six hours, and the answers that the API gives it. */
function tab(kept: AuthResponse = login(START + LIFE)) {
  const session = new Session(() => undefined);
  session.take(kept);
  const renew = vi.fn((token: string) => Promise.resolve({ ...login(Date.now() + LIFE), name: token }));
  const forTeam = vi.fn((token: string, team: string) => {
    const { exp } = JSON.parse(atob(token.split('.')[1] ?? '')) as { exp: number };
    return Promise.resolve(login(exp * 1000, team));
  });
  const renewal = new Renewal(session, { renew, forTeam });
  return { session, renew, forTeam, renewal };
}
const use = () => dispatchEvent(new Event('pointerdown'));
let stops: (() => void)[] = [];
const started = (one: ReturnType<typeof tab>) => {
  stops.push(one.renewal.start());
  return one;
};

beforeEach(() => {
  vi.useFakeTimers({ now: START });
  vi.stubGlobal('BroadcastChannel', Channel);
  Channel.all = [];
  localStorage.clear();
});
afterEach(() => {
  stops.forEach((stop) => stop());
  stops = [];
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('a login is renewed in its last hour, when the page is used', async () => {
  const { session, renew } = started(tab());
  await vi.advanceTimersByTimeAsync(LIFE - WINDOW - 60_000);
  expect(renew).not.toHaveBeenCalled();
  use();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(renew).toHaveBeenCalledTimes(1);
  expect(hours(session)).toBeGreaterThan(10);
  await vi.advanceTimersByTimeAsync(3 * HOUR);
  expect(renew).toHaveBeenCalledTimes(1);
});

test('a page that nobody uses lets its login end, and asks for the password then', async () => {
  const { session, renew } = started(tab());
  await vi.advanceTimersByTimeAsync(LIFE - 60_000);
  expect(session.refused).toBe(false);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(renew).not.toHaveBeenCalled();
  expect(session.refused).toBe(true);
});

test('of several tabs one renews, and the others take its token', async () => {
  const tabs = [tab(), tab(), tab()];
  for (const one of tabs) {
    started(one);
    // The timers of tabs do not tick together.
    await vi.advanceTimersByTimeAsync(5000);
  }
  await vi.advanceTimersByTimeAsync(LIFE - WINDOW - 60_000);
  use();
  await vi.advanceTimersByTimeAsync(300_000);
  expect(tabs.reduce((sum, { renew }) => sum + renew.mock.calls.length, 0)).toBe(1);
  expect(new Set(tabs.map(({ session }) => session.token)).size).toBe(1);
});

test('a tab that slept through a renewal takes the newer token instead of renewing with its own', async () => {
  const old = tab();
  const awake = tab(login(START + LIFE + HOUR));
  vi.setSystemTime(START + LIFE - 60_000);
  const looked = old.renewal.now();
  await vi.advanceTimersByTimeAsync(500);
  await looked;
  expect(old.renew).not.toHaveBeenCalled();
  expect(old.session.token).toBe(awake.session.token);
});

test('a tab does not renew with a token that is not the newest, though the tab with the newest is gone', async () => {
  const old = tab();
  const other = tab();
  const renewed = other.renewal.now();
  vi.setSystemTime(START + LIFE - 60_000);
  Channel.all = [];
  await vi.advanceTimersByTimeAsync(500);
  await renewed;
  expect(other.renew).toHaveBeenCalledTimes(1);
  const looked = old.renewal.now();
  await vi.advanceTimersByTimeAsync(500);
  await looked;
  expect(old.renew).not.toHaveBeenCalled();
  expect(old.session.refused).toBe(false);
});

test('a tab for another team goes on for its own team with the newer login', async () => {
  const [one, two] = [tab(), tab(login(START + LIFE, 'team-b'))];
  const renewed = one.renewal.now();
  await vi.advanceTimersByTimeAsync(1000);
  await renewed;
  expect(two.forTeam).toHaveBeenCalledWith(one.session.token, 'team-b');
  expect(two.session.login?.team_id).toBe('team-b');
  expect(two.session.ends).toBe(one.session.ends);
});

test('the login of another person is not taken', async () => {
  const mine = tab();
  tab(login(START + 2 * LIFE, 'team-a', 'usr-2'));
  expect(
    await Promise.all([mine.renewal.newer(), vi.advanceTimersByTimeAsync(500)]).then(([took]) => took),
  ).toBe(false);
  expect(mine.session.login?.user_id).toBe('usr-1');
});

test('the last renewal of a login is known, and is not tried again', async () => {
  const one = started(tab());
  one.renew.mockImplementation(() => Promise.resolve(login(START + LIFE)));
  await vi.advanceTimersByTimeAsync(LIFE - WINDOW);
  use();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(one.renew).toHaveBeenCalledTimes(1);
  expect(one.session.final).toBe(true);
});

test('a renewal that fails on its way is tried again; one that is refused asks for the password', async () => {
  const one = started(tab());
  const lost = new CallError({ status: 0, code: 'unreachable', message: 'lost' });
  const refused = new CallError({ status: 401, code: 'unauthorized', message: 'no' });
  one.renew.mockRejectedValueOnce(lost).mockRejectedValueOnce(refused);
  await vi.advanceTimersByTimeAsync(LIFE - WINDOW - 60_000);
  use();
  await vi.advanceTimersByTimeAsync(70_000);
  expect([one.renew.mock.calls.length, one.session.refused]).toEqual([1, false]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([one.renew.mock.calls.length, one.session.refused]).toEqual([2, true]);
});

test('a tab that asks for the password goes on when the person has signed in at another tab', async () => {
  const [here, there] = [tab(), tab()];
  const again = here.session.lost();
  there.session.keep(login(START + LIFE + HOUR));
  await vi.advanceTimersByTimeAsync(10);
  expect(await again).toBe(true);
  expect(here.session.refused).toBe(false);
});
