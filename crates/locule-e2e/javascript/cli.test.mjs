// The public command line program, unmodified, against a real platform.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const program = fileURLToPath(new URL("node_modules/.bin/e2b", import.meta.url));

async function e2b(...args) {
  const ran = promisify(execFile)(program, ["sandbox", ...args], { env: { ...process.env, NO_COLOR: "1" } });
  ran.child.stdin.end();
  return (await ran).stdout;
}

test("a sandbox is created, used, paused, resumed and killed", async () => {
  const created = await e2b("create", "--detach", "--timeout", "300", "base");
  const id = created.match(/\b[0-9a-z]{20,}\b/)?.[0];
  assert.ok(id, created);
  assert.equal(await e2b("exec", id, "echo", "out"), "out\n");
  await assert.rejects(e2b("exec", id, "sh", "-c", "exit 3"), (error) => error.code === 3);
  assert.match(await e2b("list"), new RegExp(id));
  assert.match(await e2b("info", id), new RegExp(id));
  await e2b("exec", id, "sh", "-c", "echo kept > /dev/shm/f");
  await e2b("pause", id);
  assert.match(await e2b("list", "--state", "paused"), new RegExp(id));
  await e2b("resume", id);
  assert.equal(await e2b("exec", id, "cat", "/dev/shm/f"), "kept\n");
  await e2b("kill", id);
  assert.doesNotMatch(await e2b("list"), new RegExp(id));
});
