"""Specs that no Plan may have: the model and the API server refuse each of them."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Refused:
    why: str
    spec: dict[str, Any]
    at: str
    """Path of the field that both point at."""
    rule: str
    """What both say of it."""
    model_rule: str = field(default="")
    """What the model says instead, where it has other words."""

    def __post_init__(self) -> None:
        if not self.model_rule:
            object.__setattr__(self, "model_rule", self.rule)


def _plan(why: str, name: str) -> Refused:
    return Refused(why, {"plan": name}, "spec.plan", "should be the name of a registered plan", "should match pattern")


def _duration(text: str) -> Refused:
    spec = {"plan": "noop", "executionTimeout": text}
    return Refused(
        f"the duration {text!r}", spec, "spec.executionTimeout", "should be a duration such as 90s, 10m or 1h30m"
    )


def _noop(why: str, at: str, rule: str, model_rule: str = "", **fields: Any) -> Refused:
    return Refused(why, {"plan": "noop", **fields}, at, rule, model_rule)


_AT_LEAST_1 = "should be greater than or equal to 1"
_AT_LEAST_1S = "should be 0s, or a duration of at least 1s, such as 90s, 10m or 1h30m"
_AT_LEAST_1MS = "should be a duration of at least 1ms"

REFUSED = (
    Refused("no plan", {}, "spec.plan", "Required value", "Field required"),
    _plan("a path for a plan", "../../etc/passwd"),
    _plan("a module for a plan", "os:system"),
    _plan("capitals in a plan", "Noop"),
    _plan("a plan without a name", ""),
    _plan("a plan with an empty part", "team..noop"),
    _plan("a plan that ends in a line feed", "noop\n"),
    Refused(
        "a plan of 254 letters", {"plan": "a" * 254}, "spec.plan", "Too long", "should have at most 253 characters"
    ),
    *(_duration(text) for text in ("", "10", "10 m", "-1s", "+1s", "1d", "1h 5m", "soon", "1,5h", "h", ".s", "1s\n")),
    _noop("a sleep that is no duration", "spec.sleepBetweenRuns", "should be a duration", sleepBetweenRuns="1"),
    _noop("an interval that is no duration", "spec.interval", "duration", interval="often"),
    _noop("an interval under a second", "spec.interval", _AT_LEAST_1S, interval="999ms"),
    _noop("a duration of 300 years", "spec.interval", "duration of at", interval="2629800h"),
    _noop("no first delay", "spec.errorBackoff.initial", _AT_LEAST_1MS, errorBackoff={"initial": "0s"}),
    _noop("no longest delay", "spec.errorBackoff.max", _AT_LEAST_1MS, errorBackoff={"max": "0s"}),
    _noop(
        "a first delay beyond the longest",
        "spec.errorBackoff",
        "initial must not be longer than max, which is 5m unless given",
        errorBackoff={"initial": "301s"},
    ),
    _noop(
        "errors below unlimited", "spec.errorsToTolerate", "should be greater than or equal to -1", errorsToTolerate=-2
    ),
    _noop("no task at a time", "spec.parallelism", _AT_LEAST_1, parallelism=0),
    _noop("1001 tasks at a time", "spec.parallelism", "should be less than or equal to 1000", parallelism=1001),
    _noop("a negative history", "spec.historyLimit", "should be greater than or equal to 0", historyLimit=-1),
    _noop("a history of 101", "spec.historyLimit", "should be less than or equal to 100", historyLimit=101),
    _noop(
        "an unknown mode", "spec.mode", "Unsupported value", "should be 'Reconcile', 'Once' or 'Preview'", mode="Twice"
    ),
    _noop(
        "an unknown approval", "spec.approval", "Unsupported value", "should be 'Automatic' or 'Manual'", approval="No"
    ),
    _noop(
        "a word for a flag", "spec.suspend", "must be of type boolean", "should be a valid boolean", suspend="perhaps"
    ),
    _noop(
        "a list of parameters", "spec.parameters", "must be of type object", "should be a valid dict", parameters=[1]
    ),
    _noop(
        "a time to live of a Plan that never finishes",
        "spec",
        "ttlAfterFinished needs mode Once",
        ttlAfterFinished="1h",
    ),
    _noop(
        "a preview to approve", "spec", "approval Manual contradicts mode Preview", mode="Preview", approval="Manual"
    ),
    _noop(
        "a preview to tear down",
        "spec",
        "deletionPolicy Teardown contradicts mode Preview",
        mode="Preview",
        deletionPolicy="Teardown",
    ),
    _noop("a dependency without a name", "spec.dependsOn[0].name", "Required value", "Field required", dependsOn=[{}]),
    _noop(
        "a dependency of an unsaid API",
        "spec.dependsOn[0]",
        "a kind other than Plan needs its apiVersion with it",
        dependsOn=[{"kind": "Job", "name": "migrate"}],
    ),
    _noop(
        "a dependency of an unsaid kind",
        "spec.dependsOn[1]",
        "an apiVersion needs a kind with it",
        dependsOn=[{"name": "other"}, {"apiVersion": "batch/v1", "name": "migrate"}],
    ),
    _noop(
        "parameters from a Pod",
        "spec.parametersFrom[0].kind",
        "Unsupported value",
        "should be 'ConfigMap' or 'Secret'",
        parametersFrom=[{"kind": "Pod", "name": "settings"}],
    ),
    _noop(
        "parameters from an object in another folder",
        "spec.parametersFrom[0].name",
        "should match",
        parametersFrom=[{"kind": "Secret", "name": "../../secrets/db"}],
    ),
    _noop("a service account with a path", "spec.serviceAccountName", "should match", serviceAccountName="a/token"),
    *(
        _noop(f"a dependency named {name!r}", "spec.dependsOn[0].name", "should match", dependsOn=[{"name": name}])
        for name in ("a/status", "..", "%2e", ".")
    ),
    *(
        _noop(
            f"a dependency of the API {version!r}",
            "spec.dependsOn[0].apiVersion",
            "should match",
            dependsOn=[{"apiVersion": version, "kind": "Job", "name": "a"}],
        )
        for version in ("a/b/c", "batch/", "/v1", "../v1", "batch/v1?x", "Batch/v1")
    ),
    _noop(
        "a dependency of an odd kind",
        "spec.dependsOn[0].kind",
        "should match",
        dependsOn=[{"apiVersion": "v1", "kind": "pods/log", "name": "a"}],
    ),
    _noop(
        "65 dependencies",
        "spec.dependsOn",
        "must have at most 64 items",
        "should have at most 64 items",
        dependsOn=[{"name": f"plan-{number}"} for number in range(65)],
    ),
)

ACCEPTED: tuple[dict[str, Any], ...] = (
    {"plan": "noop"},
    {"plan": "a" * 253},
    {"plan": "team-a.restart.v2"},
    {"plan": "0"},
    {
        "plan": "noop",
        "parameters": {"objects": [{"kind": "ConfigMap"}], "count": 3, "nested": {"any": [1.5, None, "x"]}},
    },
    *(
        {"plan": "noop", "executionTimeout": text}
        for text in ("0s", "1ns", "5us", "5µs", "5\u03bcs", "1.5h", ".5s", "1.s")
    ),
    {"plan": "noop", "executionTimeout": "2562047h47m16.854775807s"},
    {"plan": "noop", "interval": "0s", "sleepBetweenRuns": "0s"},
    {"plan": "noop", "interval": "1s", "errorBackoff": {"initial": "1ms", "max": "1ms"}},
    {"plan": "noop", "errorsToTolerate": -1, "parallelism": 1000, "historyLimit": 0},
    {"plan": "noop", "mode": "Once", "ttlAfterFinished": "24h", "approval": "Manual", "deletionPolicy": "Teardown"},
    {"plan": "noop", "mode": "Preview", "suspend": True, "serviceAccountName": "deployer"},
    {"plan": "noop", "dependsOn": [{"name": "a"}, {"kind": "Plan", "name": "b", "namespace": "other"}]},
    {"plan": "noop", "dependsOn": [{"apiVersion": "batch/v1", "kind": "Job", "name": "migrate"}]},
    {"plan": "noop", "dependsOn": [{"apiVersion": "upgrade.example.com/v1", "kind": "Plan", "name": "theirs"}]},
    {
        "plan": "noop",
        "dependsOn": [
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "name": "system:node-proxier"},
            {"apiVersion": "v1", "kind": "Pod", "name": "a.b_C"},
        ],
    },
    {"plan": "noop", "parametersFrom": [{"kind": "Secret", "name": "db", "key": "values.yaml", "optional": True}]},
)
