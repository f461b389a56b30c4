"""What the parameters of `manifests` come to, and how bad ones are refused: by path, with the fix."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from execloop._engine.errors import FatalError, InvalidParameters
from execloop._plans.entry import Entry
from execloop._plans.registry import Registry
from execloop.library.manifests.wanted.ignored import keep_live
from execloop.library.manifests.wanted.wish import dependencies, wanted_of
from tests.unit.library.manifests.applying import configmap

CONFIGMAP = configmap("c")


def parsed(**raw: Any) -> Any:
    return Registry.load([]).get("manifests").definition.parse(raw)


def thing(kind: str, name: str = "x", namespace: str | None = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **more}


class TestObjects:
    def test_text_is_one_document_after_another_and_a_list_its_items(self) -> None:
        items = {"kind": "List", "apiVersion": "v1", "items": [configmap("a"), configmap("b")]}
        text = f"{json.dumps(CONFIGMAP)}\n---\n# nothing here\n---\n{json.dumps(items)}\n"
        assert [one["metadata"]["name"] for one in parsed(objects=text).objects] == ["c", "a", "b"]

    def test_a_status_is_left_out(self) -> None:
        assert "status" not in parsed(objects=[{**CONFIGMAP, "status": {}}]).objects[0]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({}, "parameters.objects: give at least one, or a folder"),
        ({"objects": []}, "parameters.objects: give at least one, or a folder"),
        ({"folder": ""}, "parameters.folder: String should have at least 1 character"),
        ({"objects": "a: ["}, "parameters.objects: the text is not YAML: "),
        ({"objects": [{"kind": "A"}]}, "parameters.objects.0: apiVersion is missing"),
        ({"objects": [{"apiVersion": "v1", "kind": "A"}]}, "parameters.objects.0: metadata.name is missing"),
        ({"objects": [CONFIGMAP, CONFIGMAP]}, "parameters.objects: entries 0 and 1 are the same ConfigMap"),
        ({"objects": [configmap("c", {"execloop.dev/wave": "one"})]}, "execloop.dev/wave must be a whole number"),
        ({"objects": [CONFIGMAP], "maxDeletions": -1}, "parameters.maxDeletions: "),
        ({"objects": [CONFIGMAP], "onError": "x"}, "parameters.onError: Input should be 'continue' or 'stop'"),
        ({"objects": [CONFIGMAP], "adopt": "x"}, "parameters.adopt: "),
        ({"objects": [CONFIGMAP], "ignore": [{"kind": "A", "paths": ["x"]}]}, "parameters.ignore.0.paths.0: "),
        ({"objects": [CONFIGMAP], "ignore": [{"kind": "A", "paths": ["/metadata/name"]}]}, "cannot be ignored"),
        ({"objects": [CONFIGMAP], "substitute": {"a b": "1"}}, "parameters.substitute.a b"),
        ({"objects": [CONFIGMAP], "fullCheckEvery": 3}, "parameters.fullCheckEvery: should be a duration"),
        ({"objects": [CONFIGMAP], "readyWhen": [{"kind": "A", "cel": "object."}]}, "parameters.readyWhen.0.cel: "),
        ({"objects": [CONFIGMAP], "readyWhen": [{"kind": "A", "cel": "1"}]}, "parameters.readyWhen.0.cel: "),
        ({"objects": [CONFIGMAP], "max_deletions": 1}, "there is no such parameter; did you mean maxDeletions?"),
        ({"objects": [CONFIGMAP], "purge": True}, "parameters.purge: there is no such parameter"),
    ],
)
def test_bad_input_is_refused_by_its_path(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameters, match=re.escape(message)):
        parsed(**raw)


class TestSubstitution:
    def filled(self, given: dict[str, Any], **values: Any) -> dict[str, Any]:
        return wanted_of(parsed(objects=[given], substitute=values), "default")[0].manifest

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("${size}", 3),
            ("size=${size}", "size=3"),
            ("${on}", True),
            ("is ${on}", "is true"),
            ("$${size}", "${size}"),
            ("${name} ${name}", "n n"),
            ("$size", "$size"),
        ],
    )
    def test_a_value_stands_in_the_place_of_its_name(self, text: str, expected: object) -> None:
        given = {**CONFIGMAP, "data": {"a": text}}
        assert self.filled(given, size=3, on=True, name="n")["data"]["a"] == expected

    def test_a_name_without_a_value_is_an_error_with_its_path(self) -> None:
        with pytest.raises(FatalError, match=r"parameters.objects.0: data.a: substitute has no 'typo'"):
            self.filled(configmap("c", a="${typo}"), size=3)

    def test_without_values_nothing_is_replaced(self) -> None:
        assert self.filled(configmap("c", a="${HOME}"))["data"]["a"] == "${HOME}"

    def test_an_annotation_keeps_an_object_as_it_is(self) -> None:
        given = configmap("c", {"execloop.dev/substitute": "disabled"}, a="${HOME}")
        assert self.filled(given, size=3)["data"]["a"] == "${HOME}"

    def test_what_the_values_come_to_is_bounded(self) -> None:
        with pytest.raises(FatalError, match="over 4000000 characters"):
            self.filled(configmap("c", a="${v}" * 5000), v="x" * 1000)

    def test_two_names_that_become_one_are_refused(self) -> None:
        both = [configmap("${a}"), configmap("same")]
        with pytest.raises(
            FatalError, match=r"parameters.objects.1: ConfigMap default/same is in parameters.objects.0 too"
        ):
            wanted_of(parsed(objects=both, substitute={"a": "same"}), "default")


def test_common_labels_and_annotations_replace_an_object_s_own() -> None:
    given = {**CONFIGMAP, "metadata": {"name": "c", "labels": {"a": "own", "b": "own"}}}
    common = {"labels": {"a": "common"}, "annotations": {"x": "y"}}
    (one,) = wanted_of(parsed(objects=[given], commonMetadata=common), "default")
    assert one.manifest["metadata"]["labels"] == {"a": "common", "b": "own"}
    assert one.manifest["metadata"]["annotations"] == {"x": "y"}


class TestOrder:
    def test_what_others_need_comes_first_within_a_wave(self) -> None:
        kinds = ["APIService", "Deployment", "ConfigMap", "Role", "CustomResourceDefinition", "Namespace"]
        wanted = wanted_of(parsed(objects=[thing(kind) for kind in kinds]), "default")
        assert [one.entry.kind for one in wanted] == list(reversed(kinds))

    def test_an_object_waits_for_lower_waves_its_namespace_and_its_definition(self) -> None:
        definition = thing("CustomResourceDefinition", spec={"group": "", "names": {"kind": "Gadget"}})
        later = configmap("later", {"execloop.dev/wave": "1"})
        objects = [thing("Gadget", "g", "n"), later, thing("Namespace", "n"), definition, CONFIGMAP]
        wanted = wanted_of(parsed(objects=objects), "default")
        names = {one.entry.name: place for place, one in enumerate(wanted)}
        needs = dependencies(wanted)
        assert needs[names["c"]] == []
        assert set(needs[names["g"]]) == {names["n"], names["x"]}
        assert set(needs[names["later"]]) == {0, 1, 2, 3}


class TestIgnored:
    @pytest.mark.parametrize(
        ("wanted", "live", "path", "expected"),
        [
            ({"a": 1, "b": 1}, {"a": 9}, "/a", {"a": 9, "b": 1}),
            ({"a": 1}, {}, "/a", {}),
            ({"b": 1}, {"a": 9}, "/a", {"b": 1}),
            ({"a": {"b": 1}}, {"a": {"b": 9}}, "/a/b", {"a": {"b": 9}}),
            ({"a": [{"i": 1}, {"i": 2}]}, {"a": [{"i": 8}, {"i": 9}]}, "/a/1/i", {"a": [{"i": 1}, {"i": 9}]}),
            ({"a": [1]}, {"a": []}, "/a/0", {"a": [1]}),
            ({"x/y": 1}, {"x/y": 9}, "/x~1y", {"x/y": 9}),
            ({"a": 1}, {"a": 9}, "/a/b/c", {"a": 1}),
        ],
    )
    def test_the_field_stays_as_the_cluster_has_it(
        self, wanted: dict[str, Any], live: dict[str, Any], path: str, expected: dict[str, Any]
    ) -> None:
        assert keep_live(wanted, live, [path]) == expected


@pytest.mark.parametrize("text", ["ConfigMap/a/b", "Deployment.apps/a/b", "ClusterRole.rbac.authorization.k8s.io//a:b"])
def test_an_entry_is_read_as_it_was_written(text: str) -> None:
    assert str(Entry.parse(text)) == text
