"""The Plan resource, execloop.dev/v1alpha1: the one source of the CRD and of its reference page.

A field's docstring is what `kubectl explain` prints.
"""

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field
from pydantic.config import JsonDict

from execloop.controller.api.duration import PATTERN, Duration, DurationBounds
from execloop.controller.api.execution import Approval, ExecutionStatus, HistoryEntry, SameWork
from execloop.controller.api.model import Model, Rule, shallow
from execloop.controller.api.values import Count, Instant, WholeSecond
from execloop.controller.api.violations import describe

__all__ = [
    "API_VERSION",
    "GROUP",
    "KIND",
    "MOST_SOURCES",
    "PLURAL",
    "VERSION",
    "Approval",
    "Condition",
    "DependsOn",
    "ErrorBackoff",
    "ExecutionStatus",
    "HistoryEntry",
    "ParametersFrom",
    "Pending",
    "PlanSpec",
    "PlanStatus",
    "PreviewAnswer",
    "PreviewTask",
    "SameWork",
    "Suspension",
    "describe",
]

GROUP: Final = "execloop.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "Plan"
PLURAL: Final = "plans"
MOST_SOURCES: Final = 16
"""Objects in `parametersFrom`: the policy about Secrets has a rule for each."""

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_PLAN_NAME = f"^{_LABEL}([.]{_LABEL})*$"
_API_VERSION = f"^({_LABEL}([.]{_LABEL})*/)?{_LABEL}$"
_KIND = "^[A-Za-z]([-A-Za-z0-9]*[A-Za-z0-9])?$"
_PLAN_RULE: JsonDict = {
    "x-kubernetes-validations": [
        {
            "rule": f"self.matches('{_PLAN_NAME}')",
            "message": "should be the name of a registered plan: lower-case letters, digits, '-' and '.'",
        }
    ]
}
_ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=_PLAN_NAME)]
"""Of a kind whose names are DNS subdomains."""
_AnyName = Annotated[str, Field(min_length=1, max_length=253, pattern="^[^/%.][^/%]*$")]
"""Of any kind: what can stand in a path."""


class ParametersFrom(Model):
    """A ConfigMap or a Secret of the Plan's own namespace that gives parameters."""

    kind: Literal["ConfigMap", "Secret"]
    """Kind of the object."""
    name: _ObjectName
    """Name of the object, in the Plan's namespace."""
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")] | None = None
    """Data key whose value is a YAML mapping of parameters. Without it each data key that the plan declares is a
    parameter of type string."""
    optional: bool = False
    """When true, a missing object or key gives no parameters; otherwise the Plan waits for it. Defaults to false."""


class ErrorBackoff(Model):
    """The delay after a run with errors: the initial delay, doubled with each further such run, up to the maximum."""

    initial: Annotated[Duration, DurationBounds(at_least="1ms")] = 1.0
    """Delay after the first run with errors."""
    max: Annotated[Duration, DurationBounds(at_least="1ms")] = 300.0
    """The longest delay."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=f"![self.initial, self.max].all(text, text.matches('{PATTERN}'))"
            " || duration(self.initial) <= duration(self.max)",
            holds=lambda backoff: backoff.initial <= backoff.max,
            message="initial must not be longer than max, which is 5m unless given",
        ),
    )


class DependsOn(Model):
    """An object that has to be ready before an execution begins; a Plan unless apiVersion and kind say otherwise."""

    api_version: Annotated[str, Field(min_length=1, max_length=317, pattern=_API_VERSION)] = API_VERSION
    """API version of the object. Defaults to execloop.dev/v1alpha1."""
    kind: Annotated[str, Field(min_length=1, max_length=63, pattern=_KIND)] = KIND
    """Kind of the object. Defaults to Plan."""
    name: _AnyName
    """Name of the object."""
    namespace: Annotated[str, Field(max_length=63, pattern=f"^{_LABEL}$")] | None = None
    """Namespace of the object. Defaults to the Plan's own."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.apiVersion) || has(self.kind)",
            holds=lambda it: "api_version" not in it.model_fields_set or "kind" in it.model_fields_set,
            message="an apiVersion needs a kind with it",
        ),
        Rule(
            cel="!has(self.kind) || self.kind == 'Plan' || has(self.apiVersion)",
            holds=lambda it: it.kind == KIND or "api_version" in it.model_fields_set,
            message="a kind other than Plan needs its apiVersion with it",
        ),
    )


class PlanSpec(Model):
    """What to converge, and how."""

    plan: Annotated[str, Field(max_length=253, pattern=_PLAN_NAME, json_schema_extra=_PLAN_RULE)]
    """Name of a registered plan: lower-case letters, digits, '-' and '.'. It names code that an administrator
    installed, never a module, a path or code."""
    parameters: Annotated[dict[str, Any], AfterValidator(shallow)] = Field(
        default_factory=dict, json_schema_extra={"default": {}}
    )
    """Parameters of the plan; the plan's own model validates them."""
    parameters_from: Annotated[tuple[ParametersFrom, ...], Field(max_length=MOST_SOURCES)] = ()
    """ConfigMaps and Secrets that give parameters, merged in order: top-level keys of a later one replace those of
    an earlier one. The inline parameters come last. A change of one of the objects triggers a reconcile."""
    sleep_between_runs: Duration = 1.0
    """Pause between two runs of an execution."""
    errors_to_tolerate: Annotated[int, Field(ge=-1, le=2**31 - 1)] = 5
    """Error budget of an execution: it stops at the next error after that many. -1 tolerates any number."""
    error_backoff: ErrorBackoff = ErrorBackoff()
    """Delay after a run with errors: the initial delay, doubled with each further such run up to the maximum,
    with 10% of jitter. It is never shorter than sleepBetweenRuns."""
    execution_timeout: Duration = 1200.0
    """Deadline of an execution, kept across restarts of the operator; 0s means none. Time spent suspended, or
    waiting for an approval or a dependency, does not count."""
    parallelism: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many tasks may run at a time."""
    interval: Annotated[Duration, DurationBounds(at_least="1s", or_zero=True)] = 600.0
    """How often a Plan that converged or stalled is observed again; 0s means never. The observations of many Plans
    are spread evenly over the interval."""
    mode: Literal["Reconcile", "Once", "Preview"] = "Reconcile"
    """Reconcile: converge, and repair drift at each interval. Once: converge once for each change of the inputs,
    and ignore the interval. Preview: publish the tasks that would run, and run none."""
    approval: Literal["Automatic", "Manual"] = "Automatic"
    """Automatic: run tasks as soon as they are needed. Manual: publish the pending tasks with a digest, and wait
    until the annotation execloop.dev/approve carries that digest."""
    suspend: bool = False
    """When true, stop at the next task boundary and change nothing until it is false again."""
    depends_on: Annotated[tuple[DependsOn, ...], Field(max_length=64)] = ()
    """Objects that have to be ready before an execution begins; Plans unless apiVersion and kind say otherwise."""
    service_account_name: _ObjectName | None = None
    """Service account, in the Plan's namespace, that the plan's cluster clients act as. Defaults to the operator's
    --default-service-account."""
    deletion_policy: Literal["Orphan", "Teardown"] = "Orphan"
    """What happens when the Plan is deleted. Orphan: what the plan made stays. Teardown: the operator runs the
    plan's teardown first, and a finalizer keeps the Plan until it has ended."""
    history_limit: Annotated[int, Field(ge=0, le=100)] = 5
    """How many executions status.history keeps: those that ended before the one in status.execution."""
    ttl_after_finished: Duration | None = None
    """With mode Once: delete the Plan this long after it converged or stalled. Do not use it for a Plan that a GitOps
    tool applies: the tool would create it again."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.ttlAfterFinished) || self.mode == 'Once'",
            holds=lambda spec: spec.ttl_after_finished is None or spec.mode == "Once",
            message="ttlAfterFinished needs mode Once: in any other a Plan never finishes",
        ),
        Rule(
            cel="self.mode != 'Preview' || self.approval != 'Manual'",
            holds=lambda spec: spec.mode != "Preview" or spec.approval != "Manual",
            message="approval Manual contradicts mode Preview, which runs no tasks: there is nothing to approve",
        ),
        Rule(
            cel="self.mode != 'Preview' || self.deletionPolicy != 'Teardown'",
            holds=lambda spec: spec.mode != "Preview" or spec.deletion_policy != "Teardown",
            message="deletionPolicy Teardown contradicts mode Preview, which runs no tasks: there is nothing to undo",
        ),
    )


class Condition(Model):
    """One aspect of the Plan's state, by the conventions of Kubernetes."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """Ready, Reconciling, Stalled or Suspended."""
    status: Literal["True", "False", "Unknown"]
    """Whether the condition holds."""
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    """Why, in one CamelCase word for programs."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Why, in words for people."""
    last_transition_time: WholeSecond
    """When the status of the condition last changed."""
    observed_generation: Count | None = None
    """Generation of the Plan that the condition describes."""


class PreviewTask(Model):
    """A task that a run would do, or that waits for an approval."""

    name: str
    """Its name."""
    detail: str | None = None
    """What it would change, in the plan's own words."""


class Pending(Model):
    """Tasks that wait for an approval, or that a Preview would run."""

    digest: str
    """What to put into the annotation execloop.dev/approve to approve them."""
    count: Count
    """How many tasks there are."""
    tasks: tuple[str, ...] = ()
    """Names of the first 20 of them."""
    details: tuple[PreviewTask, ...] | None = None
    """What the first 20 would change, for those that say it, in the plan's own words."""


class Suspension(Model):
    """A suspension with an end, as the annotation execloop.dev/suspend-until gave it."""

    until: Instant
    """When it ends."""
    lifted: Instant | None = None
    """When the operator saw that it had ended, and continued. The same date does not suspend again."""


class PreviewAnswer(Model):
    """What a run would do, as the annotation execloop.dev/preview asked."""

    request: str
    """Value of the annotation that this answers."""
    count: Count = 0
    """How many tasks a run would do."""
    tasks: tuple[PreviewTask, ...] = ()
    """The first 20 of them."""
    waits: tuple[str, ...] = ()
    """What the plan waits for."""
    error: str | None = None
    """Why the plan could not be asked."""


class PlanStatus(Model):
    """What the operator saw and did."""

    observed_generation: Annotated[int, Field(ge=-1)] = -1
    """Generation of the Plan that the conditions describe; -1 before the operator saw it."""
    conditions: tuple[Condition, ...] = ()
    """Ready, Reconciling, Stalled and Suspended, as kstatus reads them."""
    execution: ExecutionStatus | None = None
    """The current execution, or the last one."""
    state: str | None = None
    """The conditions in one word: Converged, Running, Retrying, Waiting, NeedsApproval, Stalled, Suspended, TearingDown
    or Previewed."""
    errors: str | None = None
    """Errors of the execution, of all that are tolerated, such as 2/5; their number alone when any are tolerated."""
    suspension: Suspension | None = None
    """The end of a suspension, and whether it has passed."""
    next_run_at: Instant | None = None
    """When the next run is due, while the Plan waits or backs off."""
    last_converged_at: Instant | None = None
    """When the Plan was last found converged."""
    progress: str | None = None
    """Tasks of the run that are done, of all it has so far, such as 3/7."""
    pending: Pending | None = None
    """Tasks that wait for an approval, or that a Preview would run."""
    kept: dict[str, Any] | None = None
    """What the plan keeps between its runs, at most 16 KiB of it."""
    preview: PreviewAnswer | None = None
    """What a run would do, as the annotation execloop.dev/preview asked."""
    last_handled_reconcile_at: str | None = None
    """Value of the annotation execloop.dev/requestedAt that the last execution answered."""
    history: Annotated[tuple[HistoryEntry, ...], Field(exclude_if=lambda entries: not entries)] = ()
    """The executions that ended before the one in `execution`, newest first."""
    inventory: tuple[str, ...] | None = None
    """Objects that the Plan owns, for a plan that owns any, each as kind.group/namespace/name; at most 32 KiB. Where
    they would be more, those of one kind and namespace are one entry, with all their names after one another."""

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of this type; None without one."""
        for condition in self.conditions:
            if condition.type == kind:
                return condition
        return None

    @property
    def message(self) -> str:
        """What the conditions say: of a long message Ready has the beginning only."""
        found = self.condition("Stalled") or self.condition("Reconciling") or self.condition("Ready")
        return "" if found is None else found.message
