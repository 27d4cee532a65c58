// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { createClient, type Caller } from './client.ts';

/** A client whose requests are lost the first `lost` times, and the methods that were sent. */
function scripted(lost: number) {
  const sent: string[] = [];
  const reached: boolean[] = [];
  const caller: Caller = {
    token: () => 'token',
    lost: () => Promise.resolve(false),
    noTeam: () => undefined,
    reached: (ok) => reached.push(ok),
  };
  const client = createClient(caller, async (request) => {
    sent.push(`${request.method} ${await request.text()}`);
    if (sent.length <= lost) throw new TypeError('Failed to fetch');
    return Response.json({ id: 'sb-1' });
  });
  return { client, sent, reached };
}

test('a read whose connection failed is sent once more', async () => {
  const { client, sent, reached } = scripted(1);
  const answer = await client.GET('/v1/teams');
  expect(answer.response.status).toBe(200);
  expect(sent).toHaveLength(2);
  expect(reached).toEqual([true]);
});

test('a read that failed twice is told, and sent no more', async () => {
  const { client, sent, reached } = scripted(9);
  await expect(client.GET('/v1/teams')).rejects.toMatchObject({ code: 'unreachable' });
  expect(sent).toHaveLength(2);
  expect(reached).toEqual([false]);
});

test('a write is sent once more only with a key that the platform knows it by', async () => {
  const without = scripted(1);
  await expect(without.client.POST('/v1/teams', { body: { name: 'Atlas' } })).rejects.toMatchObject({
    code: 'unreachable',
  });
  expect(without.sent).toHaveLength(1);

  const withKey = scripted(1);
  const params = { header: { 'Idempotency-Key': 'key-1' } };
  await withKey.client.POST('/v1/sandboxes', {
    params,
    body: { auto_resume: null, on_timeout: null, public_traffic: null, template: 'base' },
  });
  expect(withKey.sent).toHaveLength(2);
  expect(withKey.sent[1]).toEqual(withKey.sent[0]);
  expect(withKey.sent[1]).toContain('"template":"base"');
});
