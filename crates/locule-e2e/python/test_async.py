"""The same first program with the SDK's asynchronous half."""

import asyncio

import pytest
from e2b import AsyncSandbox, CommandExitException, SandboxQuery

from versions import CLOSES_STDIN, pause, was_paused, was_running


# The SDK keeps connections from one call to the next, and a connection belongs to a loop.
LOOP = asyncio.new_event_loop()


def together(test):
    """Runs an asynchronous test on a sandbox of its own."""

    async def run():
        sandbox = await AsyncSandbox.create(timeout=120, metadata={"test": test.__name__}, envs={"FROM": "creation"})
        try:
            await test(sandbox)
        finally:
            await sandbox.kill()

    def case():
        LOOP.run_until_complete(run())

    case.__name__ = test.__name__
    return case


@together
async def test_commands(sandbox):
    ran = await sandbox.commands.run("echo $FROM; pwd; id -un; echo err >&2", cwd="/tmp", user="root")
    assert (ran.stdout, ran.stderr, ran.exit_code) == ("creation\n/tmp\nroot\n", "err\n", 0)
    with pytest.raises(CommandExitException) as failed:
        await sandbox.commands.run("exit 3", envs={"A": "b"})
    assert failed.value.exit_code == 3
    all = await asyncio.gather(*(sandbox.commands.run(f"echo {n}") for n in range(8)))
    assert [ran.stdout for ran in all] == [f"{n}\n" for n in range(8)]


@together
async def test_stdin_background_and_kill(sandbox):
    head = await sandbox.commands.run("head -n 1", background=True, stdin=True)
    await sandbox.commands.send_stdin(head.pid, "hello\n")
    assert (await head.wait()).stdout == "hello\n"
    if CLOSES_STDIN:
        cat = await sandbox.commands.run("cat", background=True, stdin=True)
        await sandbox.commands.send_stdin(cat.pid, "hello\n")
        await sandbox.commands.close_stdin(cat.pid)
        assert (await cat.wait()).stdout == "hello\n"
    sleeper = await sandbox.commands.run("sleep 600", background=True)
    assert [process.pid for process in await sandbox.commands.list()] == [sleeper.pid]
    assert await sandbox.commands.kill(sleeper.pid)
    with pytest.raises(CommandExitException):
        await sleeper.wait()
    assert not await sandbox.commands.kill(sleeper.pid)


@together
async def test_files(sandbox):
    files = sandbox.files
    await files.write("folder/a.txt", "content")
    assert await files.read("folder/a.txt") == "content"
    assert [entry.name for entry in await files.list("folder")] == ["a.txt"]
    assert await files.make_dir("made") and not await files.make_dir("made")
    await files.rename("folder/a.txt", "made/b.txt")
    assert await files.exists("made/b.txt") and not await files.exists("folder/a.txt")
    await files.remove("made")
    assert not await files.exists("made")


@together
async def test_life(sandbox):
    before = await sandbox.get_info()
    await sandbox.set_timeout(900)
    assert (await sandbox.get_info()).end_at > before.end_at
    query = SandboxQuery(metadata={"test": "test_life"})
    found = await AsyncSandbox.list(query=query).next_items()
    assert [item.sandbox_id for item in found] == [sandbox.sandbox_id]
    await sandbox.files.write("a.txt", "content")
    assert was_running(await pause(sandbox)) and was_paused(await pause(sandbox))
    again = await AsyncSandbox.connect(sandbox.sandbox_id)
    assert await again.files.read("a.txt") == "content"
    assert await sandbox.kill() and not await sandbox.kill()
