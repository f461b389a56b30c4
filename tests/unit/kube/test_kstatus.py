"""The rules of kstatus: the cases of its own tests (cli-utils, pkg/kstatus/status), and what they leave out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from execloop.kube import Health, kstatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FRESH = "2025-12-31T23:59:50Z"


def _object(api_version: str, kind: str, body: str, generation: int = 1) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(body) or {}
    metadata = {"name": "test", "generation": generation, **content.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _state(kind: str, body: str, generation: int = 1) -> str:
    api_version, _, name = kind.rpartition(" ")
    return kstatus.compute(_object(api_version or "v1", name, body, generation), now=NOW).state


_UNSCHEDULABLE = "phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable}]"


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ("", "InProgress"),
        ("status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}", "Current"),
        ("status: {phase: Succeeded, conditions: [{type: Ready, status: 'False', reason: PodCompleted}]}", "Current"),
        ("status: {phase: Failed, conditions: [{type: Ready, status: 'False', reason: PodCompleted}]}", "Current"),
        (f"{{metadata: {{creationTimestamp: '{FRESH}'}}, status: {{{_UNSCHEDULABLE}}}}}", "InProgress"),
        (f"status: {{{_UNSCHEDULABLE}}}", "Failed"),
        (
            "status: {phase: Running, containerStatuses: [{name: a, state: {waiting: {reason: CrashLoopBackOff}}}]}",
            "Failed",
        ),
        ("status: {phase: Running, containerStatuses: [{name: a, state: {running: {}}}]}", "InProgress"),
        ("status: {phase: Pending}", "InProgress"),
        ("status: {phase: Odd}", "Unknown"),
    ],
)
def test_a_pod(body: str, state: str) -> None:
    assert _state("Pod", body) == state


def test_a_pod_that_no_node_takes_is_given_15_seconds() -> None:
    pod = _object("v1", "Pod", f"status: {{{_UNSCHEDULABLE}}}")
    states = []
    for age in (14, 15):
        pod["metadata"]["creationTimestamp"] = (NOW - timedelta(seconds=age)).isoformat()
        states.append(kstatus.compute(pod, now=NOW).state)
    assert states == ["InProgress", "Failed"]


@pytest.mark.parametrize(
    ("body", "state"),
    [("", "InProgress"), ("status: {phase: Pending}", "InProgress"), ("status: {phase: Bound}", "Current")],
)
def test_a_volume_claim(body: str, state: str) -> None:
    assert _state("PersistentVolumeClaim", body) == state


@pytest.mark.parametrize(
    ("spec", "status", "state"),
    [
        ("", "", "InProgress"),
        ("", "observedGeneration: 1, currentReplicas: 1", "InProgress"),
        ("replicas: 4", "observedGeneration: 1, currentReplicas: 4, readyReplicas: 4, replicas: 4", "Current"),
        ("replicas: 4", "observedGeneration: 1, currentReplicas: 4, readyReplicas: 2, replicas: 4", "InProgress"),
        ("replicas: 4", "observedGeneration: 1, currentReplicas: 2, readyReplicas: 4, replicas: 4", "InProgress"),
        ("replicas: 4", "observedGeneration: 1, currentReplicas: 4, readyReplicas: 4, replicas: 8", "InProgress"),
        ("updateStrategy: {type: OnDelete}", "", "Current"),
        (
            "replicas: 4, updateStrategy: {rollingUpdate: {partition: 3}}",
            "readyReplicas: 4, replicas: 4, updatedReplicas: 1",
            "Current",
        ),
        (
            "replicas: 4, updateStrategy: {rollingUpdate: {partition: 2}}",
            "readyReplicas: 4, replicas: 4, updatedReplicas: 1",
            "InProgress",
        ),
        (
            "replicas: 1",
            "currentReplicas: 1, readyReplicas: 1, replicas: 1, currentRevision: a, updateRevision: b",
            "InProgress",
        ),
    ],
)
def test_a_stateful_set(spec: str, status: str, state: str) -> None:
    assert _state("apps/v1 StatefulSet", f"{{spec: {{{spec}}}, status: {{{status}}}}}") == state


_SCHEDULED = "desiredNumberScheduled: 4, currentNumberScheduled: 4, observedGeneration: 1"


@pytest.mark.parametrize(
    ("status", "generation", "state"),
    [
        ("", 1, "InProgress"),
        ("observedGeneration: 1, currentReplicas: 1", 1, "InProgress"),
        (f"{_SCHEDULED}, updatedNumberScheduled: 4, numberAvailable: 4, numberReady: 4", 1, "Current"),
        (f"{_SCHEDULED}, updatedNumberScheduled: 4, numberAvailable: 4, numberReady: 4", 2, "InProgress"),
        (f"{_SCHEDULED}, updatedNumberScheduled: 4, numberAvailable: 4, numberReady: 2", 1, "InProgress"),
        (f"{_SCHEDULED}, updatedNumberScheduled: 4, numberAvailable: 2, numberReady: 4", 1, "InProgress"),
        (f"{_SCHEDULED}, updatedNumberScheduled: 2, numberAvailable: 4, numberReady: 4", 1, "InProgress"),
        ("desiredNumberScheduled: 4, currentNumberScheduled: 2, observedGeneration: 1", 1, "InProgress"),
        ("desiredNumberScheduled: 0, observedGeneration: 1", 1, "Current"),
    ],
)
def test_a_daemon_set(status: str, generation: int, state: str) -> None:
    assert _state("apps/v1 DaemonSet", f"status: {{{status}}}", generation) == state


_DEPLOYED = "observedGeneration: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1, replicas: 1"
_NEW = "{type: Progressing, status: 'True', reason: NewReplicaSetAvailable}"
_AVAILABLE = "{type: Available, status: 'True'}"


@pytest.mark.parametrize(
    ("spec", "status", "state"),
    [
        ("", "", "InProgress"),
        ("", f"{_DEPLOYED}, conditions: [{_NEW}, {_AVAILABLE}]", "Current"),
        (
            "progressDeadlineSeconds: 45",
            f"{_DEPLOYED}, conditions: [{{type: Progressing, status: 'False', reason: Some reason}}, {_AVAILABLE}]",
            "InProgress",
        ),
        ("progressDeadlineSeconds: 45", f"{_DEPLOYED}, conditions: [{_NEW}, {_AVAILABLE}]", "Current"),
        ("", f"{_DEPLOYED}, conditions: [{_AVAILABLE}]", "Current"),
        ("", f"{_DEPLOYED}, conditions: [{_NEW}, {{type: Available, status: 'False'}}]", "InProgress"),
        ("", "conditions: [{type: Progressing, status: 'False', reason: ProgressDeadlineExceeded}]", "Failed"),
        ("replicas: 2", "replicas: 2, updatedReplicas: 1", "InProgress"),
        ("replicas: 1", "replicas: 2, updatedReplicas: 1", "InProgress"),
        ("replicas: 1", "replicas: 1, updatedReplicas: 1", "InProgress"),
        ("replicas: 1", "replicas: 1, updatedReplicas: 1, availableReplicas: 1", "InProgress"),
    ],
)
def test_a_deployment(spec: str, status: str, state: str) -> None:
    assert _state("apps/v1 Deployment", f"{{spec: {{{spec}}}, status: {{{status}}}}}") == state


@pytest.mark.parametrize(
    ("spec", "status", "state"),
    [
        ("", "", "InProgress"),
        (
            "replicas: 2",
            (
                "replicas: 2, readyReplicas: 2, availableReplicas: 2, fullyLabeledReplicas: 2, "
                "conditions: [{type: ReplicaFailure, status: 'False'}]"
            ),
            "Current",
        ),
        ("replicas: 2", "replicas: 2, readyReplicas: 2, availableReplicas: 2, fullyLabeledReplicas: 2", "Current"),
        ("replicas: 4", "replicas: 4, readyReplicas: 4, availableReplicas: 2, fullyLabeledReplicas: 4", "InProgress"),
        ("replicas: 4", "replicas: 4, readyReplicas: 2, availableReplicas: 4, fullyLabeledReplicas: 4", "InProgress"),
        ("replicas: 1", "replicas: 2, readyReplicas: 1, availableReplicas: 1, fullyLabeledReplicas: 1", "InProgress"),
        (
            "replicas: 4",
            (
                "replicas: 4, readyReplicas: 4, availableReplicas: 4, fullyLabeledReplicas: 4, "
                "conditions: [{type: ReplicaFailure, status: 'True'}]"
            ),
            "InProgress",
        ),
    ],
)
def test_a_replica_set(spec: str, status: str, state: str) -> None:
    assert _state("apps/v1 ReplicaSet", f"{{spec: {{{spec}}}, status: {{{status}}}}}") == state


@pytest.mark.parametrize(("generation", "state"), [(2, "InProgress"), (1, "Current")])
def test_a_disruption_budget(generation: int, state: str) -> None:
    assert _state("policy/v1 PodDisruptionBudget", "status: {observedGeneration: 1}", generation) == state


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ("", "InProgress"),
        ("status: {succeeded: 1, active: 0, conditions: [{type: Complete, status: 'True'}]}", "Current"),
        (
            (
                "{spec: {completions: 4}, status: {succeeded: 3, failed: 1, conditions: "
                "[{type: Failed, status: 'True', reason: JobFailed}]}}"
            ),
            "Failed",
        ),
        (
            (
                "{spec: {completions: 10, parallelism: 2}, status: {startTime: '2019-06-04T01:17:13Z', succeeded: 3, "
                "failed: 1, conditions: [{type: Failed, status: 'False'}, {type: Complete, status: 'False'}]}}"
            ),
            "Current",
        ),
        ("{spec: {suspend: true}, status: {conditions: [{type: Suspended, status: 'True'}]}}", "Current"),
        ("{spec: {suspend: false}, status: {conditions: [{type: Suspended, status: 'False'}]}}", "InProgress"),
        ("{spec: {suspend: true}, status: {conditions: [{type: Suspended, status: 'False'}]}}", "InProgress"),
        ("{spec: {suspend: false}, status: {conditions: [{type: Suspended, status: 'True'}]}}", "InProgress"),
    ],
)
def test_a_job_is_current_from_its_start(body: str, state: str) -> None:
    assert _state("batch/v1 Job", body) == state


@pytest.mark.parametrize("kind", ["batch/v1 CronJob", "ConfigMap", "Secret"])
@pytest.mark.parametrize("body", ["", "status:", "status: {conditions: [{type: Ready, status: 'False'}]}"])
def test_what_needs_no_controller_is_always_current(kind: str, body: str) -> None:
    assert _state(kind, body) == "Current"


@pytest.mark.parametrize(
    ("spec", "state"),
    [
        ("", "Current"),
        ("type: NodePort", "Current"),
        ("type: LoadBalancer, clusterIP: 1.2.3.4", "Current"),
        ("type: LoadBalancer", "InProgress"),
    ],
)
def test_a_service(spec: str, state: str) -> None:
    assert _state("Service", f"spec: {{{spec}}}") == state


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        ("", "InProgress"),
        (
            (
                "{type: NamesAccepted, status: 'True', reason: NoConflicts}, "
                "{type: Established, status: 'False', reason: Installing}"
            ),
            "InProgress",
        ),
        ("{type: NamesAccepted, status: 'False', reason: SomeReason}", "Failed"),
        ("{type: Established, status: 'False', reason: NotAccepted}", "Failed"),
        ("{type: NamesAccepted, status: 'True'}, {type: Established, status: 'True'}", "Current"),
    ],
)
def test_a_resource_definition(conditions: str, state: str) -> None:
    body = f"status: {{conditions: [{conditions}]}}"
    assert _state("apiextensions.k8s.io/v1 CustomResourceDefinition", body) == state


@pytest.mark.parametrize(
    ("body", "generation", "state"),
    [
        ("", 1, "Current"),
        ("status: {observedGeneration: 1}", 2, "InProgress"),
        ("status: {observedGeneration: -1}", 1, "InProgress"),
        ("status: {conditions: [{type: Ready, status: 'True', message: All looks ok, reason: AllOk}]}", 1, "Current"),
        (
            "status: {observedGeneration: 1, conditions: [{type: Ready, status: 'False', reason: NotReadyYet}]}",
            1,
            "InProgress",
        ),
        ("status: {conditions: [{type: Ready, status: Unknown}]}", 1, "InProgress"),
        ("status: {conditions: [{type: SomeCondition, status: 'False'}]}", 1, "Current"),
        (
            "status: {conditions: [{type: Ready, status: 'True'}, {type: Reconciling, status: 'True'}]}",
            1,
            "InProgress",
        ),
        ("status: {conditions: [{type: Ready, status: 'False'}, {type: Stalled, status: 'True'}]}", 1, "Failed"),
        ("status: {conditions: [{type: Ready, status: 'True'}, {type: Stalled, status: 'False'}]}", 1, "Current"),
        ("status: {observedGeneration: 1, conditions: [{type: Stalled, status: 'True'}]}", 2, "InProgress"),
        ("metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}", 1, "Terminating"),
    ],
)
def test_a_custom_resource(body: str, generation: int, state: str) -> None:
    assert _state("something/v1 MyCR", body, generation) == state


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "status: {conditions: [{type: Stalled, status: 'True', reason: A, message: its disk is full}]}",
            "its disk is full",
        ),
        ("status: {conditions: [{type: Ready, status: 'False', reason: DiskFull}]}", "DiskFull"),
        ("status: {conditions: [{type: Ready, status: 'False'}]}", "Ready is False"),
    ],
)
def test_the_message_is_the_condition_s_own(body: str, message: str) -> None:
    assert kstatus.compute(_object("something/v1", "MyCR", body)).message == message


def test_what_is_not_there_is_not_found() -> None:
    assert kstatus.compute(None) == Health("NotFound", "it does not exist")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "status: odd",
            "its state cannot be read: status.conditions cannot be read: a part of the path is not a mapping",
        ),
        ("status: {conditions: odd}", "its state cannot be read: status.conditions is not a list"),
        ("status: {conditions: [odd]}", "its state cannot be read: an item of status.conditions is not a mapping"),
        ("status: {conditions: [{type: 1}]}", "its state cannot be read: a field of status.conditions is not text"),
        ("status: {observedGeneration: odd}", "its state cannot be read: status.observedGeneration is not an integer"),
    ],
)
def test_what_cannot_be_read_is_unknown(body: str, message: str) -> None:
    assert kstatus.compute(_object("something/v1", "MyCR", body)) == Health("Unknown", message)


_odd = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from(["True", "Pending", "Unschedulable", "2026"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "status", "phase", "conditions", "replicas", "creationTimestamp"]), inner
        )
    ),
    max_leaves=12,
)


@given(
    kind=st.sampled_from(["v1 Pod", "apps/v1 Deployment", "apps/v1 DaemonSet", "batch/v1 Job", "x/v1 MyCR"]),
    metadata=_odd,
    spec=_odd,
    status=_odd,
)
def test_no_object_is_too_odd_to_be_judged(kind: str, metadata: object, spec: object, status: object) -> None:
    api_version, name = kind.split()
    kstatus.compute({"apiVersion": api_version, "kind": name, "metadata": metadata, "spec": spec, "status": status})
