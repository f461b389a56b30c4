from typing import Any

import pytest

from execloop.kube import Drifted
from execloop.kube.objects.comparison import differences


def state(metadata: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x", **(metadata or {})}, **fields}


@pytest.mark.parametrize(
    ("live", "applied", "paths"),
    [
        (state(), state(), ()),
        (state(data={"a": "1"}), state(data={"a": "2"}), ("data.a",)),
        (state(data={"a": "1"}), state(), ("data",)),
        (state(data={"a": "1"}), state(data={}), ("data.a",)),
        (state(data={"app.conf": "1"}), state(data={"app.conf": "2"}), ('data["app.conf"]',)),
        (state(spec={"replicas": 1}), state(spec={"replicas": 2}), ("spec.replicas",)),
        (
            state(spec={"containers": [{"image": "a"}, {"image": "b"}]}),
            state(spec={"containers": [{"image": "a"}, {"image": "c"}]}),
            ("spec.containers[1].image",),
        ),
        (state(spec={"args": ["a"]}), state(spec={"args": ["a", "b"]}), ("spec.args",)),
        (state(spec={"a": None}), state(spec={"a": {}}), ("spec.a",)),
        (state({"labels": {"a": "1"}}), state({"labels": {"a": "1", "b": "2"}}), ("metadata.labels.b",)),
        (state({"resourceVersion": "1", "generation": 1}), state({"resourceVersion": "2", "generation": 2}), ()),
        (state({"managedFields": []}), state({"managedFields": [{"manager": "us"}]}), ()),
    ],
)
def test_a_difference_is_a_path(live: dict[str, Any], applied: dict[str, Any], paths: tuple[str, ...]) -> None:
    assert differences(live, applied) == paths


def test_a_drift_shows_no_values() -> None:
    drift = Drifted(("data.password",), live={"data": {"password": "aHVudGVyMg=="}})
    assert repr(drift) == "Drifted(paths=('data.password',))"
