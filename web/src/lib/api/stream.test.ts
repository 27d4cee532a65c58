import { expect, test } from 'vitest';
import { EventParser, readEvents, type TeamEvent } from './stream.ts';

const SANDBOX = '{"id":"sb-1","status":"running","desired":"paused","at":"2026-11-14T14:32:00Z"}';
const TEXT = `event: resync\ndata: {}\n\n: keep-alive\n\nevent: sandbox\ndata: ${SANDBOX}\n\nevent: audit\ndata: {}\n\n`;
const ALL: TeamEvent[] = [
  { event: 'resync', data: {} },
  { event: 'sandbox', data: JSON.parse(SANDBOX) as never },
  { event: 'audit', data: {} },
];

test('events are whole wherever the text is cut', () => {
  for (let at = 0; at <= TEXT.length; at += 1) {
    const parser = new EventParser();
    expect([...parser.push(TEXT.slice(0, at)), ...parser.push(TEXT.slice(at))]).toEqual(ALL);
  }
  const parser = new EventParser();
  expect([...TEXT].flatMap((letter) => parser.push(letter))).toEqual(ALL);
});

test('lines may end as on other systems, and data may have several lines', () => {
  const parser = new EventParser();
  expect(parser.push('event: resync\r\ndata: {\r\ndata: }\r\n\r\n')).toEqual([ALL[0]]);
});

test('comments, events of a later version and broken data are no events, and harm none', () => {
  const parser = new EventParser();
  expect(parser.push(': hello\n\nevent: moon\ndata: {}\n\nevent: keys\ndata: {broken\n\n\n\n')).toEqual([]);
  expect(parser.push('event: keys\ndata: {}\n\n')).toEqual([{ event: 'keys', data: {} }]);
});

test('a line without an end is no stream of events', () => {
  expect(() => new EventParser().push('x'.repeat(70_000))).toThrow('no end');
});

test('a letter of several bytes may be cut, and each piece says that the connection lives', async () => {
  const bytes = new TextEncoder().encode(`event: team\ndata: {"name":"Ätlas"}\n\n: keep-alive\n\n`);
  const told: TeamEvent[] = [];
  let heard = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
      controller.close();
    },
  });
  await readEvents(body, { heard: () => (heard += 1), told: (event) => told.push(event) });
  expect(told).toEqual([{ event: 'team', data: { name: 'Ätlas' } }]);
  expect(heard).toBeGreaterThan(10);
});
