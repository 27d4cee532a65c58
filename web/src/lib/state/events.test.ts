// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TeamEvent } from '#lib/api/stream.ts';
import { TeamEvents } from './events.svelte.ts';

/** A platform whose streams are the test's. */
class Platform {
  streams: { say: (text: string) => void; end: () => void; signal: AbortSignal }[] = [];
  answers: Response[] = [];
  open = (signal: AbortSignal): Promise<Response> => {
    const answer = this.answers.shift();
    if (answer) {
      this.streams.push({ say: () => undefined, end: () => undefined, signal });
      return Promise.resolve(answer);
    }
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        let over = false;
        signal.addEventListener('abort', () => {
          if (!over) controller.error(new DOMException('aborted', 'AbortError'));
          over = true;
        });
        this.streams.push({
          say: (text) => controller.enqueue(new TextEncoder().encode(text)),
          end: () => {
            over = true;
            controller.close();
          },
          signal,
        });
      },
    });
    return Promise.resolve(new Response(body));
  };
}

const RESYNC = 'event: resync\ndata: {}\n\n';
let visibility = 'visible';
function show(state: 'visible' | 'hidden'): void {
  visibility = state;
  document.dispatchEvent(new Event('visibilitychange'));
}

function page(refused: () => Promise<boolean> = () => Promise.resolve(false)) {
  const platform = new Platform();
  const events = new TeamEvents({ open: platform.open, refused });
  const told: TeamEvent['event'][] = [];
  events.on(({ event }) => told.push(event));
  const stop = events.start();
  stops.push(stop);
  events.follow('usr-1 team-1');
  return { platform, events, told, stop };
}
let stops: (() => void)[] = [];
/** Lets what has arrived be read. */
const settle = () => vi.advanceTimersByTimeAsync(20);

beforeEach(() => {
  vi.useFakeTimers();
  visibility = 'visible';
  vi.spyOn(document, 'visibilityState', 'get').mockImplementation(() => visibility as 'visible');
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => {
  stops.forEach((stop) => stop());
  stops = [];
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test('events reach the listeners, and the stream lives from its first one on', async () => {
  const { platform, events, told } = page();
  await settle();
  expect(events.live).toBe(false);
  platform.streams[0]?.say(`: keep-alive\n\n${RESYNC}event: keys\nda`);
  await settle();
  platform.streams[0]?.say('ta: {}\n\n');
  await settle();
  expect([events.live, told]).toEqual([true, ['resync', 'keys']]);
});

test('a lost connection is made again, later each time, and at once after it has stood', async () => {
  const { platform, events } = page();
  await settle();
  platform.streams[0]?.say(RESYNC);
  await settle();
  platform.streams[0]?.end();
  await settle();
  expect([events.live, platform.streams.length]).toEqual([false, 1]);
  for (const [wait, count] of [
    [1000, 2],
    [2000, 3],
    [4000, 4],
  ] as const) {
    await vi.advanceTimersByTimeAsync(wait - 100);
    expect(platform.streams.length).toBe(count - 1);
    await vi.advanceTimersByTimeAsync(120);
    expect(platform.streams.length).toBe(count);
    platform.streams[count - 1]?.end();
    await settle();
  }
  await vi.advanceTimersByTimeAsync(8100);
  await vi.advanceTimersByTimeAsync(6000);
  platform.streams[4]?.end();
  await vi.advanceTimersByTimeAsync(1050);
  expect(platform.streams.length).toBe(6);
});

test('a connection that is silent for three comments is lost', async () => {
  const { platform } = page();
  await settle();
  for (let count = 0; count < 5; count += 1) {
    platform.streams[0]?.say(': keep-alive\n\n');
    await vi.advanceTimersByTimeAsync(15_000);
  }
  expect(platform.streams.length).toBe(1);
  await vi.advanceTimersByTimeAsync(62_000);
  expect(platform.streams[0]?.signal.aborted).toBe(true);
  expect(platform.streams.length).toBe(2);
});

test('a hidden page has no stream, and a page that is shown again has a new one', async () => {
  const { platform, events } = page();
  await settle();
  platform.streams[0]?.say(RESYNC);
  await settle();
  show('hidden');
  expect([events.live, platform.streams[0]?.signal.aborted]).toEqual([false, true]);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(platform.streams.length).toBe(1);
  show('visible');
  await settle();
  expect(platform.streams.length).toBe(2);
});

test('another team has a stream of its own, a new token of the same one has not, and none ends it', async () => {
  const { platform, events, told } = page();
  await settle();
  events.follow('usr-1 team-1');
  await settle();
  expect(platform.streams.length).toBe(1);
  events.follow('usr-1 team-2');
  await settle();
  expect([platform.streams[0]?.signal.aborted, platform.streams.length]).toEqual([true, 2]);
  events.follow(undefined);
  await vi.advanceTimersByTimeAsync(120_000);
  expect([platform.streams[1]?.signal.aborted, platform.streams.length, told]).toEqual([true, 2, []]);
});

test('a refused login is asked for, and the stream goes on with the new one', async () => {
  const refused = vi.fn(() => Promise.resolve(true));
  const { platform, events } = page(refused);
  platform.answers = [new Response(null, { status: 401 })];
  events.follow('usr-1 team-2');
  await vi.advanceTimersByTimeAsync(100);
  expect(refused).toHaveBeenCalledTimes(1);
  expect(platform.streams.at(-1)?.signal.aborted).toBe(false);
});

test('without a new login, and on a platform without events, the page does not ask again', async () => {
  for (const status of [401, 404]) {
    const { platform, events, stop } = page();
    platform.answers = [new Response(null, { status })];
    events.follow('usr-1 team-2');
    await settle();
    const asked = platform.streams.length;
    await vi.advanceTimersByTimeAsync(120_000);
    expect(platform.streams.length).toBe(asked);
    stop();
  }
});
