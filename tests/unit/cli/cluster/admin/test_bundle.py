"""What a bug report has of a Plan, and what it has not."""

import json

from execloop.cli.cluster.admin.bundle import redacted

PLAN = {
    "apiVersion": "execloop.dev/v1alpha1",
    "kind": "Plan",
    "metadata": {
        "name": "a",
        "namespace": "n",
        "uid": "u",
        "labels": {"team": "shop"},
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": '{"spec":{"parameters":{"password":"hunter22"}}}',
            "execloop.dev/requestedAt": "now",
        },
        "managedFields": [{"manager": "kubectl", "fieldsV1": {}}, {"manager": "execloop"}],
    },
    "spec": {"plan": "keys", "parameters": {"password": "hunter22", "list": [{"port": 5432}], "on": True}},
    "status": {"state": "Converged"},
}


def test_no_value_of_a_parameter_is_in_it() -> None:
    assert "hunter22" not in json.dumps(redacted(PLAN))
    assert "5432" not in json.dumps(redacted(PLAN))


def test_the_shape_of_the_parameters_stays() -> None:
    assert redacted(PLAN)["spec"]["parameters"] == {"password": "(str)", "list": [{"port": "(int)"}], "on": "(bool)"}


def test_annotations_of_others_are_left_out() -> None:
    metadata = redacted(PLAN)["metadata"]
    assert metadata["annotations"] == {"execloop.dev/requestedAt": "now"}
    assert (metadata["managers"], "labels" in metadata) == (["execloop", "kubectl"], False)


def test_the_status_is_whole() -> None:
    assert redacted(PLAN)["status"] == {"state": "Converged"}
