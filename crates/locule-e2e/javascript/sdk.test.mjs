// The public SDK, unmodified, against a real platform: everything a first program does.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { CommandExitError, FileNotFoundError, Sandbox } from "e2b";

let sandbox;

before(async () => {
  sandbox = await Sandbox.create({ timeoutMs: 300_000, metadata: { a: "b c" }, envs: { FROM: "creation" } });
});

after(() => sandbox?.kill());

test("output, exit code, environment, directory and user", async () => {
  const ran = await sandbox.commands.run("echo $FROM; pwd; id -un; echo err >&2");
  assert.deepEqual([ran.stdout, ran.stderr, ran.exitCode], ["creation\n/home/user\nuser\n", "err\n", 0]);
  const other = await sandbox.commands.run("echo $FROM; pwd; id -un", { cwd: "/tmp", envs: { FROM: "call" }, user: "root" });
  assert.equal(other.stdout, "call\n/tmp\nroot\n");
  await assert.rejects(sandbox.commands.run("exit 3"), (error) => error instanceof CommandExitError && error.exitCode === 3);
});

test("commands at the same time", async () => {
  const all = await Promise.all([...Array(8).keys()].map((n) => sandbox.commands.run(`echo ${n}`)));
  assert.deepEqual(all.map((ran) => ran.stdout), [...Array(8).keys()].map((n) => `${n}\n`));
});

test("background, stdin and kill", async () => {
  const cat = await sandbox.commands.run("cat", { background: true, stdin: true });
  await sandbox.commands.sendStdin(cat.pid, "hello\n");
  await sandbox.commands.closeStdin(cat.pid);
  assert.equal((await cat.wait()).stdout, "hello\n");
  const sleeper = await sandbox.commands.run("sleep 600", { background: true });
  assert.ok((await sandbox.commands.list()).some((process) => process.pid === sleeper.pid));
  assert.ok(await sandbox.commands.kill(sleeper.pid));
  await assert.rejects(sleeper.wait());
  assert.equal(await sandbox.commands.kill(sleeper.pid), false);
});

test("files", async () => {
  const { files } = sandbox;
  assert.equal((await files.write("folder/a.txt", "content")).path, "/home/user/folder/a.txt");
  assert.equal(await files.read("folder/a.txt"), "content");
  await files.write([{ path: "folder/b.txt", data: "b" }, { path: "folder/c.txt", data: "c" }]);
  assert.deepEqual((await files.list("folder")).map((entry) => entry.name), ["a.txt", "b.txt", "c.txt"]);
  await files.rename("folder/a.txt", "folder/d.txt");
  await files.remove("folder/b.txt");
  assert.ok((await files.exists("folder/d.txt")) && !(await files.exists("folder/a.txt")));
  await assert.rejects(files.read("no/such/file"), FileNotFoundError);
  const large = new Uint8Array(8 << 20).map((_, at) => at % 251);
  await files.write("large", new Blob([large]));
  assert.deepEqual(await files.read("large", { format: "bytes" }), large);
});

test("a watched folder tells what happens", async () => {
  await sandbox.files.makeDir("watched");
  let seen;
  const created = new Promise((resolve) => (seen = resolve));
  const watch = await sandbox.files.watchDir("watched", (event) => event.type === "create" && seen(event.name));
  await sandbox.files.write("watched/new.txt", "content");
  assert.equal(await created, "new.txt");
  await watch.stop();
});

test("a terminal runs, is resized and ends", async () => {
  let shown = "";
  const decoder = new TextDecoder();
  const pty = await sandbox.pty.create({ rows: 24, cols: 80, onData: (data) => (shown += decoder.decode(data, { stream: true })) });
  await sandbox.pty.resize(pty.pid, { rows: 30, cols: 100 });
  await sandbox.pty.sendInput(pty.pid, new TextEncoder().encode("stty size; exit 3\n"));
  await assert.rejects(pty.wait(), (error) => error instanceof CommandExitError && error.exitCode === 3);
  assert.match(shown, /30 100/);
});

test("timeout, information and list", async () => {
  const first = await sandbox.getInfo();
  await sandbox.setTimeout(900_000);
  const then = await sandbox.getInfo();
  assert.ok(then.endAt > first.endAt);
  assert.deepEqual([then.state, then.metadata], ["running", { a: "b c" }]);
  const found = await Sandbox.list({ query: { metadata: { a: "b c" } } }).nextItems();
  assert.deepEqual(found.map((item) => item.sandboxId), [sandbox.sandboxId]);
});

test("a pause keeps memory, and connect resumes", async () => {
  await sandbox.commands.run("echo kept > /dev/shm/f");
  await sandbox.pause();
  assert.equal((await Sandbox.getInfo(sandbox.sandboxId)).state, "paused");
  const again = await Sandbox.connect(sandbox.sandboxId);
  assert.equal((await again.commands.run("cat /dev/shm/f")).stdout, "kept\n");
  assert.equal((await sandbox.commands.run("echo still")).stdout, "still\n");
});

test("a kill is true once", async () => {
  const made = await Sandbox.create();
  assert.ok(await made.kill());
  assert.equal(await made.kill(), false);
  assert.equal(await made.isRunning(), false);
});
