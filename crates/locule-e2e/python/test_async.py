"""The same first program with the SDK's asynchronous half."""

import asyncio

from e2b import AsyncSandbox


async def first_program():
    sandbox = await AsyncSandbox.create(timeout=120)
    try:
        ran = await sandbox.commands.run("echo out; id -un")
        assert ran.stdout == "out\nuser\n"
        await sandbox.files.write("a.txt", "content")
        assert await sandbox.files.read("a.txt") == "content"
        assert await sandbox.files.exists("a.txt")
        both = await asyncio.gather(*(sandbox.commands.run(f"echo {n}") for n in range(8)))
        assert [ran.stdout for ran in both] == [f"{n}\n" for n in range(8)]
        assert await sandbox.pause()
        again = await AsyncSandbox.connect(sandbox.sandbox_id)
        assert await again.files.read("a.txt") == "content"
    finally:
        assert await sandbox.kill()


def test_first_program():
    asyncio.run(first_program())
