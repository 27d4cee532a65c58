"""The public SDK, unmodified, against a real platform: everything a first program does."""

import time

import pytest
from e2b import (
    AuthenticationException,
    CommandExitException,
    InvalidArgumentException,
    NotFoundException,
    Sandbox,
    SandboxException,
    TimeoutException,
)

from versions import CLOSES_STDIN, FileNotFoundException, pause, was_paused, was_running


@pytest.fixture(scope="module")
def sandbox():
    made = Sandbox.create(timeout=300, metadata={"a": "b c"}, envs={"FROM": "creation"})
    yield made
    made.kill()


def test_output_and_exit_code(sandbox):
    ran = sandbox.commands.run("echo out; echo err >&2")
    assert (ran.stdout, ran.stderr, ran.exit_code) == ("out\n", "err\n", 0)
    with pytest.raises(CommandExitException) as failed:
        sandbox.commands.run("exit 3")
    assert failed.value.exit_code == 3


def test_environment_directory_and_user(sandbox):
    assert sandbox.commands.run("echo $FROM; pwd; id -un").stdout == "creation\n/home/user\nuser\n"
    ran = sandbox.commands.run("echo $FROM; pwd; id -un", cwd="/tmp", envs={"FROM": "call"}, user="root")
    assert ran.stdout == "call\n/tmp\nroot\n"


def test_a_missing_directory_and_an_unknown_user_are_refused(sandbox):
    with pytest.raises(InvalidArgumentException):
        sandbox.commands.run("true", cwd="/no/such/folder")
    with pytest.raises(AuthenticationException):
        sandbox.commands.run("true", user="no-such-user")


def test_timeout(sandbox):
    with pytest.raises(TimeoutException):
        sandbox.commands.run("sleep 60", timeout=1)
    # The client gives up by its own clock; the server's kill may be a moment behind.
    deadline = time.monotonic() + 20
    while sandbox.commands.list():
        assert time.monotonic() < deadline, "the process outlived its time"


def test_background_stdin_and_kill(sandbox):
    head = sandbox.commands.run("head -n 1", background=True, stdin=True)
    sandbox.commands.send_stdin(head.pid, "hello\n")
    assert head.wait().stdout == "hello\n"
    if CLOSES_STDIN:
        cat = sandbox.commands.run("cat", background=True, stdin=True)
        sandbox.commands.send_stdin(cat.pid, "hello\n")
        sandbox.commands.close_stdin(cat.pid)
        assert cat.wait().stdout == "hello\n"
    sleeper = sandbox.commands.run("sleep 600", background=True)
    assert [process.pid for process in sandbox.commands.list()] == [sleeper.pid]
    assert sandbox.commands.kill(sleeper.pid)
    with pytest.raises(CommandExitException):
        sleeper.wait()
    assert not sandbox.commands.kill(sleeper.pid)


def test_files(sandbox):
    files = sandbox.files
    assert files.write("folder/a.txt", "content").path == "/home/user/folder/a.txt"
    assert files.read("folder/a.txt") == "content"
    assert bytes(files.read("folder/a.txt", format="bytes")) == b"content"
    assert [entry.name for entry in files.list("folder")] == ["a.txt"]
    assert files.exists("folder/a.txt") and not files.exists("folder/b.txt")
    assert files.make_dir("made") and not files.make_dir("made")
    files.rename("folder/a.txt", "made/b.txt")
    assert files.read("made/b.txt") == "content"
    files.remove("made")
    assert not files.exists("made")
    with pytest.raises(FileNotFoundException):
        files.read("no/such/file")


def test_a_watched_folder_tells_what_happens(sandbox):
    sandbox.files.make_dir("watched/inner")
    watch = sandbox.files.watch_dir("watched", recursive=True)
    sandbox.files.write("watched/inner/new.txt", "content")
    seen = [(event.type.value, event.name) for event in watch.get_new_events()]
    assert ("create", "inner/new.txt") in seen and ("write", "inner/new.txt") in seen, seen
    watch.stop()
    with pytest.raises(SandboxException):
        sandbox.files.watch_dir("no/such/folder")


def test_a_terminal_runs_is_resized_and_ends(sandbox):
    from e2b import PtySize

    shown = []
    pty = sandbox.pty.create(PtySize(rows=24, cols=80))
    sandbox.pty.resize(pty.pid, PtySize(rows=30, cols=100))
    sandbox.pty.send_stdin(pty.pid, b"stty size; exit 3\n")
    with pytest.raises(CommandExitException) as ended:
        pty.wait(on_pty=lambda data: shown.append(data))
    assert ended.value.exit_code == 3
    assert b"30 100" in b"".join(shown)


def test_signed_links_work_without_a_header(sandbox):
    import urllib.error
    import urllib.request

    def fetch(url):
        # In this set-up a link names no sandbox: the header does.
        headers = {"E2b-Sandbox-Id": sandbox.sandbox_id, "E2b-Sandbox-Port": "49983"}
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers)).read()

    sandbox.files.write("signed.txt", "content")
    link = sandbox.download_url("signed.txt", use_signature_expiration=60)
    assert fetch(link) == b"content"
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(link.replace("signed.txt", "other.txt"))
    assert refused.value.code == 401


def test_large_file_goes_both_ways(sandbox):
    data = bytes(range(256)) * 4096 * 8
    sandbox.files.write("large", data)
    assert bytes(sandbox.files.read("large", format="bytes")) == data


def test_timeout_and_info(sandbox):
    before = sandbox.get_info()
    sandbox.set_timeout(900)
    after = sandbox.get_info()
    assert (after.state.value, after.metadata) == ("running", {"a": "b c"})
    assert after.end_at > before.end_at
    assert sandbox.is_running()


def test_list_finds_by_metadata(sandbox):
    from e2b import SandboxQuery

    found = Sandbox.list(query=SandboxQuery(metadata={"a": "b c"})).next_items()
    assert [item.sandbox_id for item in found] == [sandbox.sandbox_id]
    assert Sandbox.list(query=SandboxQuery(metadata={"a": "other"})).next_items() == []


def test_pause_keeps_memory_and_connect_resumes(sandbox):
    sandbox.commands.run("echo kept > /dev/shm/f")
    assert was_running(pause(sandbox))
    assert was_paused(pause(sandbox))
    assert Sandbox.get_info(sandbox.sandbox_id).state.value == "paused"
    again = Sandbox.connect(sandbox.sandbox_id)
    assert again.sandbox_id == sandbox.sandbox_id
    assert again.commands.run("cat /dev/shm/f").stdout == "kept\n"
    # The old object goes on working.
    assert sandbox.commands.run("echo still").stdout == "still\n"


def test_kill_is_true_once():
    made = Sandbox.create()
    assert made.kill()
    assert not made.kill()
    assert not made.is_running()


def test_bad_requests_are_told():
    with pytest.raises((NotFoundException, SandboxException)):
        Sandbox.create(template="no-such-template")
    with pytest.raises(AuthenticationException):
        Sandbox.create(api_key="e2b_" + "0" * 40)
    with pytest.raises(SandboxException):
        Sandbox.create(timeout=-1)
    with pytest.raises((NotFoundException, SandboxException)):
        Sandbox.connect("0" * 25)
