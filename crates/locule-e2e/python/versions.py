"""What differs between the versions of the SDK that the suite runs with."""

import importlib.metadata

import e2b

VERSION = tuple(int(part) for part in importlib.metadata.version("e2b").split("."))
# Older versions know one kind of "not found".
FileNotFoundException = getattr(e2b, "FileNotFoundException", e2b.NotFoundException)
CLOSES_STDIN = VERSION >= (2, 30)


def pause(sandbox):
    """Pauses a sandbox, synchronously or not, and says whether it was running. Older versions do not say it."""
    return (sandbox.pause if hasattr(sandbox, "pause") else sandbox.beta_pause)()


def was_running(answer):
    return answer if VERSION >= (2, 30) else True


def was_paused(answer):
    return not answer if VERSION >= (2, 30) else True
