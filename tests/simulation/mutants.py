"""`python -m tests.simulation.mutants`: undo one rule of the operator at a time, and see which life notices.

Each mutant is a patch of one method. A rule that may be undone unnoticed is a rule that no simulated life holds.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

from execloop._engine.walk import Stop
from execloop.controller.manager import controller
from execloop.controller.plancode.host import PlanHost
from execloop.controller.plancode.redaction import redactor as redaction
from execloop.controller.reconcile import commit, reconciler
from execloop.controller.reconcile.approval import Granted, TaskApproval
from execloop.controller.reconcile.context import ReconcileContext
from execloop.controller.reconcile.execution import driver, executions, outcome, runs
from execloop.controller.status import finalizer, writer
from execloop.controller.timing import Timeline
from execloop.controller.watch import cache, references
from execloop.kube.lease.census import Census
from execloop.kube.lease.election import Candidate
from execloop.kube.lease.shards import Shards
from execloop.kube.watch import stream
from tests.simulation.life import Ended, drawn, live
from tests.simulation.scenarios import SCENARIOS, WHENS, CrashAt, scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Patches = Callable[[], list[Any]]

__all__ = ["MUTANTS", "Caught", "Mutant", "caught"]

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
_BEGIN, _END = "<!-- The table is made by `make mutants`. -->", "<!-- It ends here. -->"


class Mutant(NamedTuple):
    name: str
    patches: Patches


class Caught(NamedTuple):
    rule: str
    by: str
    lives: int


def _newest_generation() -> list[Any]:
    send = writer.StatusWriter._send

    async def newest(self: Any, state: Any, status: Any, _wanted: Any) -> None:
        generation = state.snapshot.generation
        conditions = tuple(c.model_copy(update={"observed_generation": generation}) for c in status.conditions)
        status = status.model_copy(update={"conditions": conditions, "observed_generation": generation})
        await send(self, state, status, status.to_json())

    return [
        patch.object(writer.StatusWriter, "_send", newest),
        patch.object(commit.Commit, "overtaken", commit.Commit._moved_on),
    ]


def _blind_writer() -> list[Any]:
    send = writer.StatusWriter._send

    async def unconditional(self: Any, state: Any, status: Any, wanted: Any) -> None:
        request = self._kube.request

        async def bare(method: str, path: str, **options: Any) -> Any:
            options["body"] = {"metadata": {}, "status": options["body"]["status"]}
            return await request(method, path, **options)

        with patch.object(self, "_kube", type("Bare", (), {"request": staticmethod(bare)})):
            await send(self, state, status, wanted)

    return [patch.object(writer.StatusWriter, "_send", unconditional)]


def _approve_all() -> list[Any]:
    return [patch.object(driver, "decide", lambda ctx, *_asked: Granted(ctx.execution, now=False))]


def _drop_any_uid() -> list[Any]:
    drop = cache.Cache.drop
    return [patch.object(cache.Cache, "drop", lambda self, key, _uid=None: drop(self, key))]


def _take_older_events() -> list[Any]:
    put = cache.Cache._put
    return [patch.object(cache.Cache, "_put", lambda self, key, body, *, listed: put(self, key, body, listed=True))]


def _wait_for_ever() -> list[Any]:
    after = controller._after
    rest = commit.LookAfter
    return [patch.object(controller, "_after", lambda due: None if isinstance(due, rest) else after(due))]


def _no_retry() -> list[Any]:
    return [patch.object(controller, "_retry", lambda _state, _error: None)]


def _never_durable() -> list[Any]:
    retrying = outcome._retrying

    def held(*args: Any, **options: Any) -> Any:
        decision = retrying(*args, **options)
        return type(decision)(**{**_fields(decision), "durable": False})

    return [patch.object(outcome, "_retrying", held)]


def _always_durable() -> list[Any]:
    again = outcome._again

    def written(*args: Any, **options: Any) -> Any:
        return type(decision := again(*args, **options))(**{**_fields(decision), "durable": True})

    return [patch.object(outcome, "_again", written)]


def _fields(decision: Any) -> dict[str, Any]:
    return {name: getattr(decision, name) for name in decision.__slots__}


def _no_finalizer() -> list[Any]:
    async def skipped(_self: Any, _work: Any) -> bool:
        return True

    async def proceeds(self: Any, work: Any) -> Any:
        snapshot, state = work.snapshot, work.state
        if snapshot.deleting:
            return await self._teardown.decide(work)
        validated = self._validator.of(state, snapshot)
        resolved = await self._sources.resolve(snapshot, validated)
        work.inform(resolved.inputs, resolved.versions)
        return await self._execution(ReconcileContext(work, snapshot, validated, resolved))

    return [
        patch.object(finalizer.Finalizer, "add", skipped),
        patch.object(reconciler.Reconciler, "_decide", proceeds),
    ]


def _stop(requested: bool) -> Any:
    return property(lambda _self: requested, lambda _self, _value: None)


def _wall_clock() -> list[Any]:
    def init(self: Any, times: Any, not_before: float = 0.0) -> None:
        self._monotonic, self._offset = times.now, 0.0

    return [patch.object(Timeline, "__init__", init)]


def _reset(name: str) -> list[Any]:
    taken = executions.taken_back

    def without(execution: Any, *args: Any, **options: Any) -> Any:
        return taken(execution, *args, **options).model_copy(update={name: getattr(execution, name)})

    return [patch.object(outcome, "taken_back", without)]


def _refresh_deadline() -> list[Any]:
    def late(_execution: Any, _timeout: Any, _now: float) -> bool:
        return False

    return [
        patch.object(executions, "is_time_over", late),
        patch.object(runs.Runs, "_left", lambda _self, ctx: ctx.options.timeout),
    ]


MUTANTS = (
    Mutant("stamp the newest generation, and ask for no overtaking edit", _newest_generation),
    Mutant("write without the resourceVersion", _blind_writer),
    Mutant("run tasks that were not approved", _approve_all),
    Mutant(
        "run a task that needs an approval of its own",
        lambda: [patch.object(TaskApproval, "__call__", lambda *_: False)],
    ),
    Mutant("let a deletion of another uid forget a Plan", _drop_any_uid),
    Mutant("take an event that is older than what is known", _take_older_events),
    Mutant("forget a Plan that waits", _wait_for_ever),
    Mutant("forget a Plan after an error of the API server", _no_retry),
    Mutant("keep the end of a run with errors in memory", _never_durable),
    Mutant("write the end of each run", _always_durable),
    Mutant("begin a Teardown Plan's tasks before its finalizer", _no_finalizer),
    Mutant("count time by the wall clock", _wall_clock),
    Mutant("start the deadline again in each run", _refresh_deadline),
    Mutant("forget the errors of a run", lambda: _reset("errors")),
    Mutant(
        "start tasks without a look at the Lease",
        lambda: [patch.object(controller, "WhileHeld", lambda _held: Stop())],
    ),
    Mutant(
        "let no change stop a run",
        lambda: [patch.object(reconciler.Reconciler, "interrupt", lambda _self, _key: None)],
    ),
    Mutant(
        "prune nothing after a list",
        lambda: [
            patch.object(controller.Operator, "listed", lambda self, place, _present: self.unlisted.discard(place))
        ],
    ),
    Mutant(
        "do not apply again what the API server did not take",
        lambda: [patch.object(commit.Commit, "catch_up", _true)],
    ),
    Mutant(
        "do not enqueue what an answer to the operator brings",
        lambda: [patch.object(cache.Cache, "put", _put_silently)],
    ),
    Mutant("let plan code begin beside an earlier call", lambda: [patch.object(PlanHost, "_enter", _enter)]),
    Mutant("never observe at rest", lambda: [patch.object(outcome, "jittered", lambda _seconds, _chance: 1e9)]),
    Mutant("write secrets as they are", lambda: [patch.object(redaction.Redactor, "text", lambda _self, text: text)]),
    Mutant("take a Lease before its time is over", lambda: [patch.object(Candidate, "wait", lambda _self, _now: 0.0)]),
    Mutant("give a range up before its work has ended", lambda: [patch.object(Shards, "_give", _give_at_once)]),
    Mutant("work on the Plans of other replicas", lambda: [patch.object(Shards, "owns", lambda _self, _uid: True)]),
    Mutant("take ranges beside another division", lambda: [patch.object(Census, "look", _see_no_other)]),
    Mutant(
        "wait for a watch that is silent", lambda: [patch.object(stream, "_bounded", lambda items, _silence: items)]
    ),
    Mutant("leave a status as another client made it", lambda: [patch.object(cache.PlanState, "observe", _observe)]),
    Mutant(
        "wake no Plan whose source has changed",
        lambda: [patch.object(references.References, "changed", lambda _self, _reference, _metadata: None)],
    ),
    Mutant("pause beyond the deadline", lambda: [patch.object(outcome, "_left", lambda *_: float("inf"))]),
)


def _put_silently(self: Any, key: Any, body: Any, *, listed: bool = False) -> Any:
    """Only the watch says what has changed."""
    if sys._getframe(1).f_code.co_name == "seen":
        return _PUT(self, key, body, listed=listed)
    return self._put(key, body, listed=listed)


_PUT = cache.Cache.put


async def _give_at_once(self: Any, index: int) -> None:
    self._owned -= {index}
    await self._let_go(index)


async def _see_no_other(self: Any, mine: Any = None) -> Any:
    return replace(await _LOOK(self, mine), others="")


_LOOK = Census.look


async def _true(_self: Any, _work: Any) -> bool:
    return True


def _observe(self: Any, newest: Any) -> Any:
    return cache.Change.NOTHING if (change := _OBSERVE(self, newest)) is cache.Change.STATUS else change


_OBSERVE = cache.PlanState.observe


def _enter(self: Any, key: Any) -> Any:
    self._calls.pop(key, None)
    self.barred.discard(key)
    return _ENTER(self, key)


_ENTER = PlanHost._enter


@contextmanager
def undone(mutant: Mutant) -> Iterator[None]:
    with ExitStack() as stack:
        for change in mutant.patches():
            stack.enter_context(change)
        yield


def caught(mutant: Mutant, most: int) -> Caught | None:
    """By the usual courses and a crash in each, else by lives at random."""
    lived = 0
    with undone(mutant):
        for name in SCENARIOS:
            for number, when in ((-1, ""), (3, WHENS[1]), (5, WHENS[0])):
                lived += 1
                if found := _found(live(scenario(name, CrashAt(number, when))), name, lived):
                    return found
        for seed in range(1, most + 1):
            lived += 1
            if found := _found(live(drawn(seed)), f"seed {seed}", lived):
                return found
    return None


def _found(ended: Ended, by: str, lives: int) -> Caught | None:
    if ended.violation is None:
        return None
    return Caught(ended.violation.rule, by, lives)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=600, help="lives at random for each mutant")
    parser.add_argument("--only", default="", help="a part of the name of those to try")
    parser.add_argument("--write", action="store_true", help="write the table to docs/reliability.md")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation.mutants", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    found = {mutant.name: _tried(mutant, options.most) for mutant in MUTANTS if options.only in mutant.name}
    survivors = sum(one is None for one in found.values())
    if options.write and not survivors:
        _write(found)
    return int(survivors > 0)


def _tried(mutant: Mutant, most: int) -> Caught | None:
    began = time.perf_counter()
    found = caught(mutant, most)
    sys.stdout.write(f"{time.perf_counter() - began:5.0f} s  {_row(mutant.name, found)}\n")
    sys.stdout.flush()
    return found


def _row(name: str, found: Caught | None) -> str:
    cells = ("**none**", "", "") if found is None else (found.rule, found.by, str(found.lives))
    return f"| {name} | {' | '.join(cells)} |"


def _write(found: dict[str, Caught | None]) -> None:
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    after = rest.partition(_END)[2]
    rows = "\n".join(_row(name, one) for name, one in found.items())
    head = "| rule that is undone | noticed by the rule | in | after lives |\n|---|---|---|---:|"
    PAGE.write_text(f"{before}{_BEGIN}\n\n{head}\n{rows}\n\n{_END}{after}")


if __name__ == "__main__":
    sys.exit(main())
