"""What kstatus and Flux, as published, make of Plans; and of everything else, what our own rules say too."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execloop.kube import kstatus
from tests.cluster.errors import Unavailable
from tests.gitops.judge import Verdict, judged
from tests.gitops.states import State, states


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Verdict]:
    """By the name of a state."""
    return dict(zip((one.name for one in states()), _judged([one.plan for one in states()]), strict=True))


def _judged(objects: list[dict[str, Any]]) -> list[Verdict]:
    try:
        return judged(objects)
    except Unavailable as reason:
        pytest.skip(str(reason))


every_state = pytest.mark.parametrize("recorded", states(), ids=lambda recorded: recorded.name)


@every_state
def test_kstatus_judges_a_plan(recorded: State, verdicts: dict[str, Verdict]) -> None:
    assert verdicts[recorded.name].kstatus == recorded.kstatus


@every_state
def test_flux_judges_a_plan_without_being_told_how(recorded: State, verdicts: dict[str, Verdict]) -> None:
    assert verdicts[recorded.name].flux == recorded.kstatus


@every_state
def test_the_expressions_for_flux_say_the_same(recorded: State, verdicts: dict[str, Verdict]) -> None:
    # They are not asked about what is being deleted: there, `observedGeneration` is behind.
    assert verdicts[recorded.name].cel == recorded.kstatus.replace("Terminating", "InProgress")


@every_state
def test_our_own_rules_judge_a_plan(recorded: State) -> None:
    assert kstatus.compute(recorded.plan).state == recorded.kstatus


_KINDS = [
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "ConfigMap"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("policy/v1", "PodDisruptionBudget"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("execloop.dev/v1alpha1", "Plan"),
    ("apps.example/v1", "Deployment"),
]
_COUNTS = [
    "replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas", "fullyLabeledReplicas",
    "desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady",
    "succeeded", "failed", "active",
]  # fmt: skip
# Not Suspended: that a suspended Job is Current is a rule of kstatus that no release has yet.
_TYPES = [
    "Ready", "Reconciling", "Stalled", "Available", "Progressing", "ReplicaFailure", "PodScheduled", "Complete",
    "Failed", "NamesAccepted", "Established",
]  # fmt: skip
_REASONS = ["NewReplicaSetAvailable", "ProgressDeadlineExceeded", "Unschedulable", "Installing", "Other", ""]


def _most(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Rules look at many fields one after another: a few that are missing suffice to reach each of them."""
    missing = st.sets(st.sampled_from(list(fields)), max_size=2)
    return st.tuples(st.fixed_dictionaries(fields), missing).map(
        lambda drawn: {name: value for name, value in drawn[0].items() if name not in drawn[1]}
    )


_count = st.sampled_from([1, 1, 1, 1, 1, 1, 0, 2])
_condition = st.fixed_dictionaries(
    {
        "type": st.sampled_from(_TYPES),
        "status": st.sampled_from(["True", "False", "Unknown"]),
        "reason": st.sampled_from(_REASONS),
    }
)
_container = st.sampled_from(
    [{"name": "a", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}, {"name": "b", "state": {"running": {}}}]
)
_spec = _most(
    {
        "replicas": _count,
        "progressDeadlineSeconds": st.sampled_from([45, 2**31 - 1]),
        "updateStrategy": st.sampled_from([{}, {"type": "OnDelete"}, {"rollingUpdate": {"partition": 1}}]),
        "suspend": st.booleans(),
        "type": st.sampled_from(["LoadBalancer", "ClusterIP"]),
        "clusterIP": st.sampled_from(["10.0.0.1", ""]),
        "completions": _count,
    }
)
_status = _most(
    {
        **dict.fromkeys(_COUNTS, _count),
        "observedGeneration": st.sampled_from([1, 1, 1, 2]),
        "phase": st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Bound", ""]),
        "startTime": st.just("2026-01-02T12:00:00Z"),
        "currentRevision": st.sampled_from(["a", "b"]),
        "updateRevision": st.sampled_from(["a", "b"]),
        "containerStatuses": st.lists(_container, max_size=2),
        "conditions": st.lists(_condition, max_size=3, unique_by=lambda condition: condition["type"]),
    }
)
_metadata = st.fixed_dictionaries(
    {"name": st.just("x"), "creationTimestamp": st.just("2026-01-02T12:00:00Z")},
    optional={"generation": st.just(1)},
)
_deleted = st.sampled_from([*[{}] * 9, {"deletionTimestamp": "2026-01-02T12:00:00Z"}])


@st.composite
def _objects(draw: st.DrawFn) -> dict[str, Any]:
    api_version, kind = draw(st.sampled_from(_KINDS))
    made = {"apiVersion": api_version, "kind": kind, "metadata": draw(_metadata) | draw(_deleted)}
    return made | draw(_most({"spec": _spec, "status": _status}))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(objects=st.lists(_objects(), min_size=20, max_size=60))
def test_our_own_rules_judge_any_object_as_kstatus_does(objects: list[dict[str, Any]]) -> None:
    theirs = [_ours(verdict.kstatus) for verdict in _judged(objects)]
    assert [kstatus.compute(one).state for one in objects] == theirs


def _ours(state: str) -> str:
    return "Unknown" if state.startswith("error: ") else state
