"""The file that says which plan code ran when the process was killed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execloop.controller.plancode.crashes import journal as module
from execloop.controller.plancode.crashes.journal import Journal
from execloop.controller.plancode.crashes.suspicion import Call, Crash

A, B = Call("uid-a", "team/a", "1"), Call("uid-b", "team/b", "2")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal.open(path)
    assert not journal.problem
    journal.begin()
    yield journal
    journal.close()


@contextmanager
def running(journal: Journal, uid: str, plan: str, inputs: str, left: int = 0) -> Iterator[None]:
    end = journal.note(Call(uid, plan, inputs, left))
    try:
        yield
    finally:
        end()


def next_process(path: Path) -> Crash | None:
    """What the process after this one reads; a lock of this one does not keep it from that."""
    journal = Journal.open(path)
    assert not journal.problem
    try:
        return journal.crash()
    finally:
        journal.close()


def test_a_new_file_accuses_nobody(path: Path) -> None:
    assert next_process(path) is None


def test_calls_under_way_are_read_by_the_next_process_oldest_first(journal: Journal, path: Path) -> None:
    with running(journal, *B), running(journal, *A):
        assert next_process(path) == Crash((B, A))


def test_calls_that_have_ended_are_not(journal: Journal, path: Path) -> None:
    with running(journal, *A), pytest.raises(SystemExit), running(journal, *B):
        raise SystemExit
    assert next_process(path) is None


def test_an_end_in_order_accuses_nobody(journal: Journal, path: Path) -> None:
    with running(journal, *A):
        journal.end()
        assert next_process(path) is None


def test_the_next_process_begins_with_no_calls(journal: Journal, path: Path) -> None:
    with running(journal, *A):
        second = Journal.open(path)
        second.begin()
        assert next_process(path) is None
        second.close()


def test_the_turn_is_read_by_the_next_process(journal: Journal, path: Path) -> None:
    with running(journal, *A), running(journal, *B):
        journal.turn("uid-b-and-more")
        journal.turn("uid-b")
        assert next_process(path) == Crash((A, B), turn="uid-b")
        journal.turn("")
        assert next_process(path) == Crash((A, B))


def test_a_crash_of_the_machine_accuses_nobody(journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(journal, *A):
        monkeypatch.setattr(module, "_boot", lambda: b"another".ljust(36, b"\0"))
        assert next_process(path) is None


def test_more_calls_than_there_are_places_for_still_run(journal: Journal, path: Path) -> None:
    def nested(depth: int) -> int:
        if not depth:
            found = next_process(path)
            return len(found.calls) if found else 0
        with running(journal, f"uid-{depth}", f"team/{depth}", "1"):
            return nested(depth - 1)

    assert nested(520) == 512


def test_calls_are_noted_from_any_thread(journal: Journal, path: Path) -> None:
    def call(number: int) -> None:
        for _ in range(50):
            with running(journal, f"uid-{number}", "team/a", "1"):
                pass

    threads = [threading.Thread(target=call, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert next_process(path) is None


def test_a_long_name_is_cut_and_does_not_reach_the_next_place(journal: Journal, path: Path) -> None:
    with running(journal, "u" * 100, "n" * 1000, "i" * 100), running(journal, *A):
        assert next_process(path) == Crash((Call("u" * 64, "n" * 320, "i" * 64), A))


def test_the_tasks_that_a_plan_returned_are_read_by_the_next_process(journal: Journal, path: Path) -> None:
    note = journal.note(A)
    note.left(7)
    assert next_process(path) == Crash((A._replace(left=7),))


def test_what_a_call_says_after_its_end_reaches_no_other(journal: Journal, path: Path) -> None:
    note = journal.note(A)
    note()
    with running(journal, *B):
        note.left(7)
        assert next_process(path) == Crash((B,))


def test_a_name_that_utf8_cannot_hold_is_noted(journal: Journal, path: Path) -> None:
    with running(journal, "uid", "team/\ud800", "1"):
        assert next_process(path) == Crash((Call("uid", "team/?", "1"),))


def test_a_text_is_kept_for_the_next_process(journal: Journal, path: Path) -> None:
    journal.keep("a long text")
    journal.keep("short")
    second = Journal.open(path)
    assert second.text == "short"
    second.begin()
    assert second.text == "short"
    second.close()


def test_a_text_that_is_too_long_is_not_kept(journal: Journal) -> None:
    journal.keep("short")
    journal.keep("x" * 33_000)
    assert journal.text == "short"


# -- what cannot be used


def test_a_folder_that_is_missing_is_a_problem_and_plans_run_without(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "missing" / "journal")
    assert journal.problem == "No such file or directory"
    journal.begin()
    journal.turn("uid")
    journal.keep("text")
    journal.end()
    with running(journal, *A):
        assert journal.crash() is None
        assert journal.text == ""


@pytest.mark.parametrize("content", [b"root:x:0:0", b"\x01" * 299_008, b"\0" * 5])
def test_a_file_that_is_no_journal_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert Journal.open(path).problem == "it is not a journal of this version: delete it, or name another file"
    assert path.read_bytes() == content


def test_a_file_that_a_kill_left_empty_is_used(path: Path) -> None:
    path.write_bytes(bytes(299_008))
    assert next_process(path) is None


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    assert "symbolic links" in Journal.open(path).problem
    assert not (tmp_path / "elsewhere").exists()


def test_a_pipe_is_no_journal_and_does_not_block(path: Path) -> None:
    os.mkfifo(path)
    assert Journal.open(path).problem == "it is not a regular file"


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    assert Journal.open(tmp_path).problem == "Is a directory"


def test_another_users_file_is_no_journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.touch()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert Journal.open(path).problem == "it belongs to another user"


def test_a_full_disk_is_a_problem_and_leaves_no_half_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", lambda _file, _data, _where: 10)
    assert Journal.open(path).problem == "No space left on device"
    assert path.stat().st_size == 0


def test_a_disk_that_fails_later_is_told_once(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pwrite", fails)
    for _ in range(3):
        with running(journal, *A):
            pass
    assert [record.message.partition(": ")[2] for record in caplog.records] == [
        "Input/output error; working without it"
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40_000), st.binary(min_size=1, max_size=600)), max_size=5))
def test_no_content_is_an_error(tmp_path: Path, damage: list[tuple[int, bytes]]) -> None:
    path = tmp_path / "damaged"
    journal = Journal.open(path)
    journal.begin()
    with running(journal, *A):
        with path.open("r+b") as file:
            for where, data in damage:
                file.seek(where)
                file.write(data)
        second = Journal.open(path)
        second.crash()
        second.text  # noqa: B018
        second.close()
    journal.close()
    path.unlink()


# -- processes

_HOLDS = """
import os, signal, sys
from pathlib import Path
from execloop.controller.plancode.crashes.journal import Journal
from execloop.controller.plancode.crashes.suspicion import Call
journal = Journal.open(Path(sys.argv[1]))
assert not journal.problem, journal.problem
journal.begin()
journal.note(Call("uid-a", "team/a", "1"))
print("ready", flush=True)
{deed}
"""


def process(path: Path, deed: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _HOLDS.format(deed=deed), str(path)]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


@pytest.mark.parametrize("deed", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)", "sys.stdin.read()"])
def test_what_ran_outlives_a_kill(path: Path, deed: str) -> None:
    with process(path, deed) as dying:
        if deed == "sys.stdin.read()":
            dying.send_signal(signal.SIGKILL)
        dying.wait(timeout=20)
    assert next_process(path) == Crash((A,))


def test_a_file_is_locked_while_its_process_lives(path: Path) -> None:
    with process(path, "sys.stdin.read()") as living:
        assert Journal.open(path).problem == "another operator uses it"
        living.communicate()
    assert next_process(path) == Crash((A,))


def test_a_child_of_plan_code_neither_speaks_for_its_parent_nor_keeps_the_lock(path: Path) -> None:
    """The parent dies, and the child lives on for a while."""
    deed = """
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    journal.note(Call("uid-b", "team/b", "1"))()
    journal.end()
    os.write(writer, b"x")
    signal.pause()
os.read(reader, 1)
print(child, flush=True)
os._exit(1)
"""
    with process(path, deed) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            parent.wait(timeout=20)
            assert next_process(path) == Crash((A,))
        finally:
            os.kill(child, signal.SIGKILL)
