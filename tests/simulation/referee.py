"""What must hold whatever happens: looked at whenever plan code is asked, a task begins, or the operator writes."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from jsonschema import Draft202012Validator

from execloop.controller.api.crd import crd
from tests.simulation.processes import current
from tests.simulation.work import asks_for_approval, inputs, is_guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api_server import ApiServer, Change
    from tests.simulation.network import Network
    from tests.simulation.processes import Process
    from tests.simulation.work import Asked, Inputs

__all__ = ["Referee", "Violation", "seconds"]

_MOST_BYTES = 64 * 1024
_SLACK = 1.0
_QUICK = 1.9
_LONG_GONE = 60.0
_LATEST = 120.0
"""Seconds after the deadline by which it is written, however long the API server or a task kept it waiting."""
_WORK = ("plan", "parameters", "parametersFrom", "mode", "approval")


class Violation(NamedTuple):
    """`rule` is one word, for tables."""

    rule: str
    what: str
    site: str


class Attempt(NamedTuple):
    process: Process
    execution: str


class Approved(NamedTuple):
    uid: str
    execution: str
    names: frozenset[str]


@dataclass
class Course:
    """What is known of one execution from the outside."""

    began: float
    errors: int = 0
    """Those that plan code raised."""
    open: int = 0
    """Of these the errors of the run under way: a process that dies takes them along."""
    failed_at: float = 0.0
    lost: int = 0
    """How many the operator may never have heard of."""
    halts: bool = False
    """Whether it was ever suspended, or waited for something: then its deadline is not known here."""
    writes: int = 0
    finished: bool = False
    new_generation: bool = False
    """Whether the write before its first was of an older generation, and asked for no approval: else it says first that
    work goes on."""
    writers: set[Process] = field(default_factory=set)
    askers: set[Process] = field(default_factory=set)


@dataclass
class Known:
    """What is known of one uid."""

    specs: dict[int, dict[str, Any]] = field(default_factory=dict)
    courses: dict[str, Course] = field(default_factory=dict)
    empty: dict[Inputs, float] = field(default_factory=dict)
    """Inputs, and when `create()` found last that nothing is left to do for them."""
    looked: dict[Inputs, float] = field(default_factory=dict)
    began: dict[Inputs, float] = field(default_factory=dict)
    """Inputs, and when a task last began for them."""
    credit: int = 0
    """Errors of observations at rest: each may be the first of a new execution, or count for nothing."""
    edited_by_hand: bool = False


class Referee:
    def __init__(self, server: ApiServer, network: Network, now: Callable[[], float]) -> None:
        self._server, self._network, self._now = server, network, now
        self.violations: list[Violation] = []
        self.secrets: set[str] = set()
        self.approved: list[Approved] = []
        self.told: dict[Process, dict[Any, dict[str, Any]]] = {}
        """What each process was told of each Plan."""
        self.owns: dict[Process, Callable[[str], bool]] = {}
        """Whether a process may work on the Plan of a uid."""
        self.known: dict[str, Known] = defaultdict(Known)
        self.writes = self.statuses = 0
        self.running: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
        self.clock_jumped = False
        self.on_violation: Callable[[], object] = lambda: None
        server.tell(self._changed)

    def blame(self, rule: str, what: str, site: str) -> None:
        self._network.story.tell("REFEREE", f"{rule}: {what}, of {site}")
        self.violations.append(Violation(rule, what, site))
        self.on_violation()

    # -- plan code

    def asked(self, about: Asked) -> None:
        self._story(f"{'teardown' if about.teardown else 'create'}() of {about}")
        course = self._course(about)
        course.askers.add(_process())
        self._there(_process(), about)
        known = course.errors - course.lost
        stored = (self._status(about) or {}).get("execution") or {}
        course.open = 0
        if known and not self.known[about.uid].edited_by_hand:
            if stored.get("id") == self._execution(about) and stored["errors"] < known:
                what = f"a run begins while the status counts {stored['errors']} errors of {known}"
                self.blame("budget-durable", what, about.site)
            if not stored and self._status(about) is not None:
                what = f"a run begins while the status knows no execution, {known} errors in"
                self.blame("budget-durable", what, about.site)

    def _there(self, process: Process, about: Asked) -> None:
        """Whether the process has not known for long that the Plan is gone."""
        newest = self.told[process].get(tuple(about.site.split("/")))
        if newest is None or not newest["gone"] or newest["metadata"]["uid"] != about.uid:
            return
        if self._now() - newest["since"] > _LONG_GONE:
            self.blame("overtaken", "its plan is asked though it is gone", about.site)

    def answered(self, about: Asked, missing: list[str]) -> None:
        known = self.known[about.uid]
        known.looked[about.inputs] = self._now()
        if not missing:
            known.empty[about.inputs] = self._now()
        self._story(f"   {about.site} still needs {', '.join(missing) or 'nothing'}")

    def failed(self, about: Asked, what: str, *, counts: bool) -> None:
        """`counts`: whether the budget must know of it; what ends an execution at once need not be counted."""
        course = self._course(about)
        if what == "create" and course.finished:
            self.known[about.uid].credit += 1
            self._story(f"   create() of {about.site} fails while it is observed at rest")
            return
        course.errors += 1
        course.failed_at = self._now()
        if counts:
            course.open += 1
        else:
            course.lost += 1
        self._story(f"   {what} of {about.site} fails: {course.errors} errors in {about.execution}")

    def begins(self, about: Asked, thing: str) -> None:
        process = _process()
        self._story(f"task {thing} of {about}")
        self.known[about.uid].began[about.inputs] = self._now()
        for other in self.running[about.site, thing]:
            if other.process.alive:
                what = f"{thing} begins in {process.name} while its attempt in {other.process.name} runs"
                self.blame("twice-at-once", what, about.site)
        self.running[about.site, thing].append(Attempt(process, about.execution))
        self._held(process, about, thing)
        self._overtaken(process, about, thing)
        self._within_budget(about, thing)
        self._approved(about, thing)
        if not about.teardown:
            self._allowed(about, thing)

    def ends(self, about: Asked, thing: str) -> None:
        attempts = self.running[about.site, thing]
        attempts.remove(Attempt(_process(), about.execution))

    def died(self, process: Process) -> None:
        """Its errors since it last wrote are lost with it, and the runs it had under way."""
        for known in self.known.values():
            for course in known.courses.values():
                course.lost += course.open
                course.open = 0
        for attempts in self.running.values():
            attempts[:] = [one for one in attempts if one.process is not process]

    def _held(self, process: Process, about: Asked, what: str) -> None:
        if not self.owns[process](about.uid):
            self.blame("lease", f"{what} begins in {process.name} though its Lease is lost", about.site)
        owners = [one.name for one, owns in self.owns.items() if one.alive and owns(about.uid)]
        if len(owners) > 1:
            self.blame("two-owners", f"{what} begins while {' and '.join(owners)} own its Plan", about.site)

    def _overtaken(self, process: Process, about: Asked, thing: str) -> None:
        """Whether the process was told already that this is no longer wanted."""
        namespace, _, name = about.site.partition("/")
        newest = self.told[process].get((namespace, name))
        if newest is None or _older(newest["metadata"], about):
            return  # it learned more from an answer
        if newest["gone"] or newest["metadata"]["uid"] != about.uid:
            self.blame("overtaken", f"{thing} begins though {process.name} knows that its Plan is gone", about.site)
            return
        deleting, spec = "deletionTimestamp" in newest["metadata"], newest["spec"]
        if deleting and not about.teardown:
            self.blame("overtaken", f"{thing} begins though {process.name} knows of the deletion", about.site)
        elif spec.get("suspend") and not about.teardown:
            self.blame("overtaken", f"{thing} begins though {process.name} knows it is suspended", about.site)
        elif not about.teardown and _work(spec) != _work(self.known[about.uid].specs[about.generation]):
            self.blame("overtaken", f"{thing} begins though {process.name} knows of another spec", about.site)

    def _within_budget(self, about: Asked, thing: str) -> None:
        spec, course = self.known[about.uid].specs[about.generation], self._course(about)
        tolerated = spec.get("errorsToTolerate", 5)
        side_by_side = spec.get("parallelism", 1) > 1 and course.failed_at == self._now()  # it was on its way already
        if 0 <= tolerated < course.errors - course.lost and not side_by_side:
            self.blame("budget", f"{thing} begins after {course.errors} errors, {tolerated} tolerated", about.site)
        timeout = seconds(spec.get("executionTimeout", "20m"))
        late = self._now() - course.began - timeout
        known = (
            not course.halts and not course.finished
        )  # of a repair that waited, the new execution is not written yet
        if timeout and late > _SLACK and known and self._one_clock(course):
            self.blame("deadline", f"{thing} begins {late:.1f} s after the deadline", about.site)

    def _approved(self, about: Asked, thing: str) -> None:
        spec, status = self.known[about.uid].specs[about.generation], self._status(about)
        if spec.get("approval") == "Manual" or is_guarded(about.parameters, thing):
            good = any(
                (one.uid, one.execution) == (about.uid, self._execution(about)) and thing in one.names
                for one in self.approved
            )
            if not good:
                self.blame("approval", f"{thing} begins, and nobody approved it", about.site)
            stored = ((status or {}).get("execution") or {}).get("approval") or {}
            if status is not None and not stored.get("digest") and not self.known[about.uid].edited_by_hand:
                self.blame("approval-durable", f"{thing} begins before its approval was written", about.site)

    def _allowed(self, about: Asked, thing: str) -> None:
        spec = self.known[about.uid].specs[about.generation]
        if spec.get("mode") == "Preview":
            self.blame("preview", f"{thing} begins in a Preview", about.site)
        body = self._body(about)
        if spec.get("deletionPolicy") == "Teardown" and body is not None and not body["metadata"].get("finalizers"):
            self.blame("finalizer", f"{thing} begins before the finalizer is there", about.site)

    # -- what is written

    def _changed(self, change: Change) -> None:
        if change.path.rpartition("/")[0].endswith("/leases"):
            return
        process, after = self._network.writer, change.after
        if process is not None:
            self.writes += 1
            self._leaks(change)
        if not change.path.rpartition("/")[0].endswith("/plans"):
            return
        metadata = change.told["metadata"]
        known, site = self.known[metadata["uid"]], f"{metadata['namespace']}/{metadata['name']}"
        known.specs[metadata["generation"]] = change.told["spec"]
        if change.told["spec"].get("suspend"):
            for course in known.courses.values():
                course.halts = True
        if process is None or after is None or change.before is None or after["status"] == change.before["status"]:
            return
        self.statuses += 1
        self._status_written(known, site, change.before["status"], after)

    def _status_written(self, known: Known, site: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        status, generation = after["status"], after["metadata"]["generation"]
        ready = _condition(status, "Ready")
        self._network.story.tell("STATUS", f"   {site} {_said(status)}")
        self._valid(status, site)
        execution = status.get("execution") or {}
        if execution:
            self._execution_written(known, site, before, status, execution)
        if status["observedGeneration"] > generation:
            self.blame("generation", f"observed {status['observedGeneration']} of {generation}", site)
        if ready and ready["status"] == "True" and _condition(status, "Stalled"):
            self.blame("conditions", "Ready and Stalled", site)
        if (
            ready
            and ready["status"] == "True"
            and (_condition(before, "Ready") or {}).get("observedGeneration") != ready["observedGeneration"]
        ):
            self._deserved(known, site, ready)

    def _execution_written(
        self, known: Known, site: str, before: dict[str, Any], status: dict[str, Any], execution: dict[str, Any]
    ) -> None:
        course = known.courses.get(execution["id"])
        if course is None:
            course = known.courses[execution["id"]] = Course(self._now())
        course.writes += 1
        if self._network.writer is not None:
            course.writers.add(self._network.writer)
        if course.writes == 1:
            course.new_generation = (
                before["observedGeneration"] < status["observedGeneration"] and "pending" not in before
            )
        if "finishedAt" in execution and not course.finished:
            self._few_writes(known, course, site, status)
        course.finished = "finishedAt" in execution
        if execution.get("pausedSince"):
            course.halts = True
        if execution["errors"] > course.errors + known.credit:
            self.blame("budget", f"{execution['errors']} errors written, {course.errors} happened", site)
        if execution["errors"] >= course.errors - course.lost:
            course.open = 0
        self._given_up(known, course, site, before, status)
        if "finishedAt" in execution and _moment(execution["finishedAt"]) < _moment(execution["startedAt"]):
            self.blame("time", "finished before it started", site)
        ids = [execution["id"], *(entry["id"] for entry in status.get("history", ()))]
        if len(ids) != len(set(ids)):
            self.blame("history", "an execution is repeated", site)
        if ("generation" in execution) != ("finishedAt" in execution):
            self.blame("history", "an execution has a generation before it ended, or none after", site)

    def _given_up(
        self, known: Known, course: Course, site: str, before: dict[str, Any], status: dict[str, Any]
    ) -> None:
        """Whether an execution that stalls now had used up its errors or its time, and none too late."""
        stalled = _condition(status, "Stalled")
        if stalled is None or _condition(before, "Stalled") is not None:
            return
        if stalled["reason"] == "ErrorsExceeded" and "finishedAt" in status["execution"]:
            tolerated = known.specs[stalled["observedGeneration"]].get("errorsToTolerate", 5)
            if course.errors + known.credit <= tolerated:
                self.blame("budget", f"given up after {course.errors} errors, {tolerated} tolerated", site)
        if stalled["reason"] == "ExecutionTimeout":
            timeout = seconds(known.specs[stalled["observedGeneration"]].get("executionTimeout", "20m"))
            took = self._now() - course.began
            late = took > timeout + _LATEST and not course.halts
            if (took < timeout - _SLACK or late) and self._one_clock(course):
                self.blame("deadline", f"given up after {took:.1f} s of {timeout:.0f}", site)

    def _one_clock(self, course: Course) -> bool:
        """Whether only elapsed time may end it: where clocks are set, the next process cannot know how long it took."""
        return not self.clock_jumped or len(course.askers | course.writers) <= 1

    def _few_writes(self, known: Known, course: Course, site: str, status: dict[str, Any]) -> None:
        """A quick convergence of a new generation is one write."""
        generation = status["observedGeneration"]
        usual = course.errors == 0 and not course.halts and not asks_for_approval(known.specs[generation])
        quick = self._now() - course.began < _QUICK
        alone = len(course.writers) == 1 and not known.edited_by_hand  # who stops writes what it has
        if usual and quick and alone and course.writes > 1 and course.new_generation:
            self.blame("writes", f"{course.writes} writes of a quick convergence", site)

    def _deserved(self, known: Known, site: str, ready: dict[str, Any]) -> None:
        """Whether the inputs of the generation that is Ready were looked at, and nothing else was done since."""
        spec = known.specs[ready["observedGeneration"]]
        wanted = inputs(spec.get("parameters", {}))
        found = known.looked if ready["reason"] == "Previewed" else known.empty
        fitting = [at for read, at in found.items() if wanted <= read]
        if not fitting:
            self.blame("false-ready", f"Ready for generation {ready['observedGeneration']}, never looked at", site)
            return
        others = [at for read, at in known.began.items() if not wanted <= read]
        if ready["reason"] != "Previewed" and max(others, default=0.0) > max(fitting):
            self.blame("false-ready", "Ready though other inputs were worked on since it was looked at", site)

    def _valid(self, status: dict[str, Any], site: str) -> None:
        size = len(json.dumps(status, ensure_ascii=False).encode())
        if size > _MOST_BYTES:
            self.blame("size", f"a status of {size} bytes", site)
        for error in _validator().iter_errors(status):
            self.blame("schema", f"{error.json_path}: {error.message[:200]}", site)

    def _leaks(self, change: Change) -> None:
        text = json.dumps(change.told.get("status", change.told) if change.told.get("kind") == "Plan" else change.told)
        for secret in self.secrets:
            if secret in text:
                self.blame("leak", f"{secret} was written", change.path)

    # -- lookups

    def _execution(self, about: Asked) -> str:
        """The execution that is worked on: when drift is found the plan was made for the one before."""
        course, stored = (
            self.known[about.uid].courses.get(about.execution),
            (self._status(about) or {}).get("execution"),
        )
        return stored["id"] if course is not None and course.finished and stored else about.execution

    def _course(self, about: Asked) -> Course:
        courses, execution = self.known[about.uid].courses, self._execution(about)
        if execution not in courses:
            courses[execution] = Course(self._now())
        return courses[execution]

    def _body(self, about: Asked) -> dict[str, Any] | None:
        namespace, _, name = about.site.partition("/")
        body = self._server.objects.get(f"/apis/execloop.dev/v1alpha1/namespaces/{namespace}/plans/{name}")
        return body if body is not None and body["metadata"]["uid"] == about.uid else None

    def _status(self, about: Asked) -> dict[str, Any] | None:
        body = self._body(about)
        return None if body is None else body["status"]

    def _story(self, what: str) -> None:
        process = current()
        self._network.story.tell(process.name if process else "-", what)


def _process() -> Process:
    process = current()
    assert process is not None
    return process


def _older(metadata: dict[str, Any], about: Asked) -> bool:
    if metadata["uid"] != about.uid:
        return int(metadata["uid"].removeprefix("uid-")) < int(about.uid.removeprefix("uid-"))
    return bool(metadata["generation"] < about.generation)


def _work(spec: dict[str, Any]) -> str:
    return json.dumps([spec.get(name) for name in _WORK], sort_keys=True)


def _condition(status: dict[str, Any], kind: str) -> dict[str, Any] | None:
    return next((c for c in status.get("conditions", ()) if c["type"] == kind), None)


def _said(status: dict[str, Any]) -> str:
    conditions = " ".join(f"{c['type']}={c['status']}({c['reason']})" for c in status.get("conditions", ()))
    execution = status.get("execution") or {}
    counts = f"{execution.get('id')} runs {execution.get('runs')} errors {execution.get('errors')}"
    return f"observed {status['observedGeneration']} {conditions} {counts} {execution.get('result', '')}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def seconds(duration: str) -> float:
    """Of the simple durations that lives use."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    unit = duration.lstrip("0123456789.")
    return float(duration.removesuffix(unit) or 0) * units[unit]


@cache
def _validator() -> Draft202012Validator:
    schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    return Draft202012Validator(_strict(schema))


def _strict(schema: Any) -> Any:
    """Unknown fields are errors: the API server prunes them, so nobody would ever see them."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: _strict(value) for key, value in schema.items() if not key.startswith("x-kubernetes") and key != "format"
    }
    if "properties" in made and isinstance(made["properties"], dict) and made.get("type") == "object":
        made["additionalProperties"] = False
    return made
