import copy
import pickle

import pytest

from execloop import ExecloopError
from execloop.kube import ApiError
from execloop.kube.http.paths import Resource, describe

FORBIDDEN = ApiError(403, "Forbidden", "not for you", request="GET configmaps default/x", retry_after=2.0)


def test_the_text_says_what_was_asked_and_what_came_of_it() -> None:
    assert str(FORBIDDEN) == "GET configmaps default/x: 403 Forbidden: not for you"


def test_without_an_answer_the_text_has_no_status() -> None:
    error = ApiError(0, "Unreachable", "https://10.0.0.1: Connection refused", request="GET nodes")
    assert str(error) == "GET nodes: Unreachable: https://10.0.0.1: Connection refused"


@pytest.mark.parametrize("copied", [copy.deepcopy(FORBIDDEN), pickle.loads(pickle.dumps(FORBIDDEN))])
def test_a_copy_is_as_good_as_the_original(copied: ApiError) -> None:
    assert str(copied) == str(FORBIDDEN)
    assert (copied.status, copied.reason, copied.retry_after) == (403, "Forbidden", 2.0)


def test_it_belongs_to_the_projects_errors() -> None:
    assert isinstance(FORBIDDEN, ExecloopError)


def test_a_status_object_gives_reason_message_and_the_pause_the_server_asks_for() -> None:
    status = {"reason": "TooManyRequests", "message": "later", "details": {"retryAfterSeconds": 7}}
    error = ApiError.from_status(429, status, request="GET pods")
    assert (error.reason, error.message, error.retry_after) == ("TooManyRequests", "later", 7.0)


def test_an_answer_without_a_status_object_is_named_by_its_code() -> None:
    assert str(ApiError.from_status(502, {}, request="GET pods")) == "GET pods: 502 BadGateway"
    assert str(ApiError.from_status(599, {}, request="GET pods")) == "GET pods: 599 Unknown"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/v1/namespaces/default/configmaps/x", "GET configmaps default/x"),
        ("/api/v1/namespaces/default/configmaps", "GET configmaps in default"),
        ("/api/v1/configmaps", "GET configmaps"),
        ("/apis/execloop.dev/v1alpha1/namespaces/a/plans/b/status", "GET plans/status a/b"),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles/x", "GET clusterroles x"),
        ("/api/v1/namespaces/x", "GET namespaces x"),
        ("/api/v1/namespaces/x/finalize", "GET namespaces/finalize x"),
        ("/apis/apps/v1", "GET /apis/apps/v1"),
        ("/version", "GET /version"),
    ],
)
def test_a_request_is_named_by_its_resource(path: str, said: str) -> None:
    assert describe("GET", path) == said


@pytest.mark.parametrize("name", ["", ".", "..", "../secrets/x", "a/b", "a%2Fb"])
def test_a_name_cannot_lead_to_another_resource(name: str) -> None:
    with pytest.raises(ValueError, match=r"name .* cannot stand in a URL"):
        Resource("v1", "ConfigMap", "configmaps", namespaced=True).path(name, "default")


def test_what_a_url_gives_meaning_to_is_quoted_in_a_name() -> None:
    role = Resource("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False)
    assert role.path("system:a?b#c") == "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aa%3Fb%23c"
