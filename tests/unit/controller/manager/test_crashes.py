"""What a process makes of the end of the one before it."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from execloop.controller.manager.crashes import Crashes, InJournal, open_journal
from execloop.controller.plancode.crashes.journal import Journal
from execloop.controller.plancode.crashes.suspicion import Call, Suspicion, decode, encode
from execloop.controller.settings import Election, Settings
from execloop.kube import ApiError
from tests.asynchronous import in_event_loop

A, B = Call("uid-a", "team/a", "1"), Call("uid-b", "team/b", "1")


class Lease:
    """An annotation that all processes see; `stale` for one that has not looked since."""

    def __init__(self) -> None:
        self.annotation = self.stale = ""
        self.annotations: list[str] = []
        """All that it ever was."""
        self.down = False

    def text(self) -> str:
        return self.stale

    async def edit(self, edit: Callable[[str], str]) -> str:
        if self.down:
            raise ApiError(403, "Forbidden", "leases may not be updated")
        self.annotation = edit(self.annotation)
        self.annotations.append(self.annotation)
        return self.annotation

    def look(self) -> None:
        self.stale = self.annotation


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def died(path: Path, *calls: Call, turn: str = "") -> None:
    """A process that ends while these run; another file each time, as a lock is the process's."""
    journal = Journal.open(path)
    assert not journal.problem
    journal.begin()
    journal.turn(turn)
    for call in calls:
        journal.note(call)
    journal.close()  # nothing more is written


@contextmanager
def starting(path: Path, lease: Lease | None = None) -> Iterator[Crashes]:
    journal = Journal.open(path)
    try:
        yield Crashes(journal, lease or InJournal(journal))
    finally:
        journal.close()


def run(crashes: Crashes, call: Call) -> None:
    """A reconcile that runs plan code, from end to end."""
    crashes.suspects.refusal(call.plan, call.uid, call.inputs)
    crashes.suspects.note(call.plan)()
    crashes.suspects.ended(call.plan, call.uid)


async def turns(crashes: Crashes, until: Callable[[], bool]) -> None:
    keeping = asyncio.create_task(crashes.keep())
    async with asyncio.timeout(20):
        while not until():  # noqa: ASYNC110 - another process's annotation has no event
            await asyncio.sleep(0.01)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


@in_event_loop
async def test_a_standby_reports_who_ran_and_the_owner_of_the_plans_learns_of_it(path: Path) -> None:
    lease = Lease()
    with starting(path.with_suffix(".owner"), lease) as owner:
        await owner.report()
        owner.begin()
        assert not owner.suspects
        died(path, A)
        with starting(path, lease) as standby:
            await standby.report()
        lease.look()
        await turns(owner, lambda: "uid-a" in owner.suspects)
    assert decode(lease.annotation) == {"uid-a": Suspicion(1, 1, "1")}


@in_event_loop
async def test_deaths_add_up_over_processes(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lease = Lease()
    for _ in range(3):
        died(path, A, B, turn="uid-a")
        with starting(path, lease) as crashes:
            await crashes.report()
    lease.look()
    with starting(path, lease) as crashes:
        await crashes.report()
        crashes.begin()
        assert crashes.suspects.refusal("team/a", "uid-a", "1")
        assert not crashes.suspects.refusal("team/b", "uid-b", "1")
    assert [r.message for r in caplog.records if r.levelno == logging.ERROR][-2:] == [
        "the last process ended without warning while it ran the plan code of team/a, team/b",
        "Plan team/a: its code ended the process, 3 of 3 times",
    ]


@in_event_loop
async def test_without_a_lease_the_journal_keeps_the_suspects(path: Path) -> None:
    for _ in range(3):
        died(path, A)
        with starting(path) as crashes:
            await crashes.report()
    with starting(path) as crashes:
        await crashes.report()
        crashes.begin()
        assert crashes.suspects.refusal("team/a", "uid-a", "1")


@in_event_loop
async def test_one_that_was_cleared_is_taken_out_of_what_is_written_down(path: Path) -> None:
    lease = Lease()
    lease.annotation = encode({"uid-a": Suspicion(1, 1, "1"), "uid-b": Suspicion(2, 2, "1")})
    lease.look()
    with starting(path, lease) as crashes:
        await crashes.report()
        crashes.begin()
        run(crashes, A)
        await turns(crashes, lambda: not crashes.suspects.cleared)
        assert decode(lease.annotation) == {"uid-b": Suspicion(2, 2, "1")}
        assert "uid-a" not in crashes.suspects


@in_event_loop
async def test_a_report_that_fails_is_no_reason_not_to_start_and_comes_later(path: Path) -> None:
    lease = Lease()
    lease.down = True
    died(path, A)
    with starting(path, lease) as crashes:
        await crashes.report()
        crashes.begin()
        assert "uid-a" in crashes.suspects
        lease.down = False
        crashes.suspects.forget("uid-a")
        await turns(crashes, lambda: not crashes.suspects.cleared)
        assert lease.annotations == [encode({"uid-a": Suspicion(1, 1, "1")}), ""]


@in_event_loop
async def test_an_end_in_order_makes_nobody_suspect(path: Path) -> None:
    with starting(path) as crashes:
        await crashes.report()
        crashes.journal.note(A)
        crashes.settle()
    with starting(path) as crashes:
        await crashes.report()
        crashes.begin()
        assert not crashes.suspects


@in_event_loop
async def test_a_stop_before_the_report_leaves_it_to_the_next_process(path: Path) -> None:
    died(path, A)
    with starting(path) as crashes:
        crashes.settle()
    with starting(path) as crashes:
        await crashes.report()
        crashes.begin()
        assert "uid-a" in crashes.suspects


def test_an_unusable_journal_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with starting(tmp_path / "missing" / "journal"):
        pass
    assert len(caplog.records) == 1
    assert "No such file or directory" in caplog.records[0].message


# -- where it is


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_the_default_is_named_after_what_is_watched(temporary: Path) -> None:
    one, other = Settings(namespaces=("a", "b")), Settings(namespaces=("b", "a"))
    election = Settings(namespaces=("a", "b"), election=Election())
    paths = [open_journal(settings, "https://server").path for settings in (one, other, election)]
    assert paths[0] == paths[1] != paths[2]
    assert paths[0] != open_journal(one, "https://another").path
    assert {path.parent for path in paths} == {temporary}


def test_a_second_replica_on_the_machine_takes_the_next_one(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_journal(Settings(), "https://server")
    opened = Journal.open

    def locked(path: Path) -> Journal:
        return Journal(path, problem=Journal.LOCKED) if path == first.path else opened(path)

    monkeypatch.setattr(Journal, "open", locked)
    second = open_journal(Settings(), "https://server")
    assert not second.problem
    assert second.path != first.path
    assert temporary in second.path.parents


def test_a_file_that_was_named_is_used(tmp_path: Path) -> None:
    assert open_journal(Settings(journal=tmp_path / "mine"), "https://server").path == tmp_path / "mine"
