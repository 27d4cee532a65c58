/** Answers about sandboxes, their clocks and their processes. */
import type { Sandbox } from '../src/lib/api/types.ts';
import { type Handlers, type Refused, refuse } from './api.ts';
import { type Db, idOf, minutesAgo, NOW, numbered } from './db.ts';

const ENDED = ['stopped', 'error'];

const missing = () => refuse(404, 'not_found', 'sandbox not found');

export const sandboxOf = (db: Db, id: string): Sandbox | undefined =>
  db.sandboxes.find((one) => one.id === id);

/** Answers with the sandbox as it is after a change. */
function changed(
  db: Db,
  id: string,
  change: (found: Sandbox) => void,
): { status: 200; body: Sandbox } | Refused {
  const found = sandboxOf(db, id);
  if (!found) return missing();
  change(found);
  return { status: 200, body: found };
}

function turn(status: 'paused' | 'running') {
  return (db: Db, asked: { params: { id: string } }) =>
    changed(db, asked.params.id, (found) => {
      found.status = found.desired = status;
      delete found.status_reason;
    });
}

export const SANDBOXES: Handlers = {
  'GET /v1/sandboxes': (db, { query }) => {
    const wanted = query.get('status')?.split(',');
    const ended = query.get('ended') === 'true';
    const body = db.sandboxes.filter(({ status }) =>
      wanted ? wanted.includes(status) : ended || !ENDED.includes(status),
    );
    return { status: 200, body, headers: { 'x-total-count': String(body.length) } };
  },
  'POST /v1/sandboxes': (db, { body: { template, labels, memory_mb, vcpus, timeout_sec } }) => {
    const number = 9000 + db.asked.filter((one) => one.method === 'POST').length;
    const made = numbered(number, {
      created_at: minutesAgo(0),
      started_at: minutesAgo(0),
      last_active_at: minutesAgo(0),
      template: template ?? 'minimal',
      origin: { template: template ?? 'minimal' },
      labels: labels ?? {},
      ...(memory_mb ? { memory_mb } : {}),
      ...(vcpus ? { vcpus } : {}),
      ...(timeout_sec ? { timeout_sec } : {}),
      created_by: { kind: 'user', id: db.me.user_id, name: db.me.name },
    });
    db.sandboxes.unshift({ ...made, id: idOf(number) });
    return { status: 201, body: made };
  },
  'GET /v1/sandboxes/{id}': (db, { params }) => changed(db, params.id, () => undefined),
  'PATCH /v1/sandboxes/{id}': (db, { params, body }) =>
    changed(db, params.id, (found) => {
      const labels = Object.entries({ ...found.labels, ...body.labels });
      found.labels = Object.fromEntries(
        labels.filter((entry): entry is [string, string] => entry[1] !== null),
      );
      found.timeout_sec = body.timeout_sec ?? found.timeout_sec;
      found.on_timeout = body.on_timeout ?? found.on_timeout;
      found.public_traffic = body.public_traffic ?? found.public_traffic;
    }),
  'DELETE /v1/sandboxes/{id}': (db, { params }) => {
    db.sandboxes = db.sandboxes.filter(({ id }) => id !== params.id);
    return { status: 204 };
  },
  'POST /v1/sandboxes/{id}/pause': turn('paused'),
  'POST /v1/sandboxes/{id}/resume': turn('running'),
  'POST /v1/sandboxes/{id}/ping': (db, { params }) => {
    const found = sandboxOf(db, params.id);
    if (!found) return missing();
    found.last_active_at = new Date(NOW).toISOString();
    return { status: 204 };
  },
  'GET /v1/sandboxes/{id}/clock': (db, { params }) =>
    sandboxOf(db, params.id)
      ? { status: 200, body: { now: new Date(NOW).toISOString(), held_by: db.holders } }
      : missing(),
  'GET /v1/sandboxes/{id}/processes': (db) => ({ status: 200, body: { processes: db.processes } }),
  'DELETE /v1/sandboxes/{id}/processes/{selector}': (db, { params }) => {
    db.processes = db.processes.filter(({ pid, tag }) => ![String(pid), tag].includes(params.selector));
    return { status: 204 };
  },
  // The page asks for the children of a shell: there is one.
  'POST /v1/sandboxes/{id}/exec': (_, { params, body }) => ({
    status: 200,
    body: {
      sandbox_id: params.id,
      cmd: body.cmd,
      stdout: '413\n',
      stderr: '',
      encoding: 'utf-8',
      exit_code: 0,
      duration_ms: 1,
    },
  }),
};
