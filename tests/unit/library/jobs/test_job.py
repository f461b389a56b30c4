"""The Job object of an attempt, and what its status says."""

from typing import Any

import pytest

from execloop._plans.context import Context
from execloop._plans.duration import Duration
from execloop.library.jobs.identity import Instance
from execloop.library.jobs.job import Verdict, job_of, verdict
from execloop.library.jobs.model import Step
from tests.unit.library.jobs.world import step

CONTEXT = Context("a-plan", "ns", "some-uid")


def job(attempt: int = 0, timeout: Duration | None = None, **spec: Any) -> dict[str, Any]:
    given = step("build")
    given["template"]["spec"] |= spec
    made = Step.model_validate(given)
    return job_of(CONTEXT, "graph", Instance(made, "0123456789"), attempt, made.template, timeout)


def test_the_pod_passes_the_restricted_profile() -> None:
    pod = job()["spec"]["template"]["spec"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    (container,) = pod["containers"]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert container["resources"]["requests"]


def test_what_the_template_says_is_kept() -> None:
    pod = job(securityContext={"runAsNonRoot": False, "fsGroup": 1}, restartPolicy="OnFailure")["spec"]["template"][
        "spec"
    ]
    assert pod["securityContext"]["runAsNonRoot"] is False
    assert pod["securityContext"]["fsGroup"] == 1
    assert pod["restartPolicy"] == "OnFailure"


def test_without_a_service_account_the_pod_gets_no_token() -> None:
    assert job()["spec"]["template"]["spec"]["automountServiceAccountToken"] is False
    assert "automountServiceAccountToken" not in job(serviceAccountName="own")["spec"]["template"]["spec"]


def test_the_job_and_its_pods_carry_the_step_and_the_hash_of_its_inputs() -> None:
    made = job(attempt=2)
    for metadata in (made["metadata"], made["spec"]["template"]["metadata"]):
        assert metadata["labels"]["execloop.dev/step"] == "build"
        assert metadata["labels"]["execloop.dev/input"] == "0123456789"
        assert metadata["labels"]["execloop.dev/attempt"] == "2"


def test_the_job_goes_with_its_plan_and_does_not_expire_before_its_result_is_recorded() -> None:
    made = job()
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Plan", "a-plan", "some-uid")
    assert "ttlSecondsAfterFinished" not in made["spec"]
    assert made["spec"]["backoffLimit"] == 0


def test_each_attempt_has_a_name_of_its_own_and_the_same_one_twice() -> None:
    assert job()["metadata"]["name"] == job()["metadata"]["name"] != job(attempt=1)["metadata"]["name"]


def test_a_timeout_is_the_jobs_deadline() -> None:
    assert job(timeout=Duration("2m"))["spec"]["activeDeadlineSeconds"] == 120


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (None, Verdict("running")),
        ([{"type": "Complete", "status": "True"}], Verdict("succeeded")),
        ([{"type": "Complete", "status": "False"}], Verdict("running")),
        ([{"type": "SuccessCriteriaMet", "status": "True"}], Verdict("running")),
        ([{"type": "FailureTarget", "status": "True"}], Verdict("running")),
        (
            [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long"}],
            Verdict("failed", "DeadlineExceeded: too long"),
        ),
    ],
)
def test_how_a_job_stands_is_read_from_its_terminal_conditions(conditions: Any, expected: Verdict) -> None:
    assert verdict({"status": {"conditions": conditions}}) == expected
