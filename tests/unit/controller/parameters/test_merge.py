import base64
import json
from collections.abc import Iterable
from typing import Any

import pytest

from execloop.controller.api.v1alpha1 import ParametersFrom
from execloop.controller.parameters.merge import MAX_BYTES, InvalidSource, Merged, ParameterSource, Version
from execloop.controller.parameters.merge import merge as merge_with
from execloop.controller.parameters.reading import SourceReader


def merge(sources: list[ParameterSource], inline: dict[str, Any], public: Iterable[str] = ()) -> Merged:
    return merge_with(sources, inline, SourceReader(), frozenset(public))


def config_map(
    name: str = "settings", *, key: str | None = None, optional: bool = False, **fields: Any
) -> ParameterSource:
    return _source("ConfigMap", name, key, optional, fields)


def secret(
    data: dict[str, str], *, name: str = "db", key: str | None = None, optional: bool = False, uid: str = "u"
) -> ParameterSource:
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
    return _source("Secret", name, key, optional, {"data": encoded}, uid)


def _source(
    kind: Any, name: str, key: str | None, optional: bool, fields: dict[str, Any], uid: str = "u"
) -> ParameterSource:
    found = {"metadata": {"name": name, "uid": uid, "resourceVersion": "7"}, **fields}
    return ParameterSource(ParametersFrom(kind=kind, name=name, key=key, optional=optional), found)


def absent(kind: Any, name: str, *, optional: bool = False) -> ParameterSource:
    return ParameterSource(ParametersFrom(kind=kind, name=name, optional=optional), None)


@pytest.mark.parametrize(
    ("sources", "inline", "parameters"),
    [
        ([], {"a": 1}, {"a": 1}),
        ([config_map(data={"a": "1", "b": "x"})], {}, {"a": "1", "b": "x"}),
        ([config_map(data={"a": "1"}), secret({"a": "2"})], {}, {"a": "2"}),
        ([secret({"a": "2"}), config_map(data={"a": "1"})], {}, {"a": "1"}),
        ([config_map(data={"a": "1"})], {"a": 3}, {"a": 3}),
        ([config_map(data={"v": "a: {x: 1}"}, key="v")], {"a": {"y": 2}}, {"a": {"y": 2}}),
        (
            [config_map(data={"v": "a: 1\nb: [yes, 2024-01-01, null]", "w": "?"}, key="v")],
            {},
            {"a": 1, "b": [True, "2024-01-01", None]},
        ),
        ([config_map(data={"v": '{"a": 1.5}'}, key="v")], {}, {"a": 1.5}),
        ([config_map(data={"v": ""}, key="v")], {"a": 1}, {"a": 1}),
        ([config_map(data={"v": "1: x"}, key="v")], {}, {"1": "x"}),
        ([config_map()], {}, {}),
        ([config_map(data={"v": "a: 1"}, binaryData={"w": "AA=="}, key="v")], {}, {"a": 1}),
    ],
)
def test_a_later_source_replaces_top_level_keys_and_the_plan_s_own_come_last(
    sources: list[ParameterSource], inline: dict[str, Any], parameters: dict[str, Any]
) -> None:
    assert merge(sources, inline).parameters == parameters


def test_the_values_of_secrets_are_known_also_where_they_were_replaced() -> None:
    merged = merge(
        [
            secret({"a": "hunter22"}),
            secret({"v": "b: {c: [s3cret, 5432, true]}"}, key="v"),
            config_map(data={"a": "x"}),
        ],
        {"a": "y"},
    )
    assert set(merged.secrets) == {"hunter22", "s3cret", "5432"}


def test_the_versions_are_those_of_the_objects_that_are_there() -> None:
    sources = [secret({}), absent("ConfigMap", "more", optional=True), config_map(data={"v": ""}, key="v"), secret({})]
    assert merge(sources, {}).versions == (
        Version("Secret", "db", "u", "7"),
        Version("ConfigMap", "settings", "u", "7"),
    )


@pytest.mark.parametrize(
    ("sources", "missing"),
    [
        ([absent("Secret", "db"), absent("ConfigMap", "settings")], ("Secret db", "ConfigMap settings")),
        ([absent("Secret", "db", optional=True)], ()),
        ([config_map(data={"v": ""}, key="w")], ("key w of ConfigMap settings",)),
        ([config_map(data={"v": ""}, key="w", optional=True)], ()),
        ([config_map(key="w")], ("key w of ConfigMap settings",)),
    ],
)
def test_what_is_not_there_is_missing_unless_it_is_optional(
    sources: list[ParameterSource], missing: tuple[str, ...]
) -> None:
    assert merge(sources, {"a": 1}).missing == missing


_BOMB = "a: &a [x]\n" + "\n".join(
    f"{n}: &{n} [*{m}, *{m}]" for m, n in zip("abcdefghijklmnopqrstuvwx", "bcdefghijklmnopqrstuvwxyz"[:24], strict=True)
)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            config_map(data={"a": "1"}, binaryData={"w": "AA=="}),
            "ConfigMap settings has binaryData, which is not text: name the key of its data to take",
        ),
        (
            config_map(binaryData={"w": "AA=="}, key="w"),
            "key w of ConfigMap settings is binaryData, and must be text",
        ),
        (_source("Secret", "db", None, False, {"data": {"k": "/w=="}}), "a value of Secret db is not UTF-8 text"),
        (_source("Secret", "db", "k", False, {"data": {"k": "?"}}), "key k of Secret db is not UTF-8 text"),
        (secret({"k": "[s3cret]"}, key="k"), "key k of Secret db must be a YAML mapping, and is a list"),
        (secret({"k": "s3cret"}, key="k"), "key k of Secret db must be a YAML mapping, and is a str"),
        (
            secret({"k": "a: s3cret\n  b: @"}, key="k"),
            "key k of Secret db must be a YAML mapping: it cannot be read (line 2, column 4)",
        ),
        (
            secret({"k": "s3cret: 1\ns3cret: 2"}, key="k"),
            "key k of Secret db must be a YAML mapping: a key is repeated (line 2, column 1)",
        ),
        (
            secret({"k": "a: 1\n---\nb: s3cret"}, key="k"),
            "key k of Secret db must be a YAML mapping: it has more than one document",
        ),
        (
            secret({"k": "a: !!python/name:os.s3cret"}, key="k"),
            "key k of Secret db must be a YAML mapping: it has a type that JSON does not have (line 1, column 4)",
        ),
        (
            secret({"k": "a: !!binary czNjcmV0"}, key="k"),
            "key k of Secret db must be a YAML mapping: it has a type that JSON does not have (line 1, column 4)",
        ),
        (
            secret({"k": "a: .inf"}, key="k"),
            "key k of Secret db must be a YAML mapping: it has a number that JSON does not have (line 1, column 4)",
        ),
        (
            secret({"k": "a: \x07s3cret"}, key="k"),
            "key k of Secret db must be a YAML mapping: it cannot be read",
        ),
        (
            secret({"k": "a: " + "9" * 5000}, key="k"),
            "key k of Secret db must be a YAML mapping: a number has over 400 digits (line 1, column 4)",
        ),
        (
            secret({"k": "[1]: s3cret"}, key="k"),
            "key k of Secret db must be a YAML mapping: a key should be a word or a number (line 1, column 1)",
        ),
        (
            secret({"k": _BOMB}, key="k"),
            "key k of Secret db must be a YAML mapping: it has over 100,000 values (line 16, column 8)",
        ),
        (
            secret({"k": "{a: " + "[" * 100_000}, key="k"),
            "key k of Secret db must be a YAML mapping: it is over 100 levels deep (line 1, column 104)",
        ),
    ],
)
def test_what_gives_no_parameters_is_told_by_field_and_rule_without_the_value(
    source: ParameterSource, problem: str
) -> None:
    with pytest.raises(InvalidSource) as refused:
        merge([config_map(data={"a": "1"}), source], {})
    assert str(refused.value) == f"spec.parametersFrom[1]: {problem}"


def test_a_tree_may_be_a_hundred_levels_deep() -> None:
    text = "{a: " * 100 + "s3cret" + "}" * 100
    merged = merge([secret({"k": text}, key="k")], {})
    assert merged.secrets == ("s3cret",)


def test_beside_a_secret_what_config_maps_gave_is_known_too() -> None:
    settings = config_map(data={"v": "region: eu-west\nrule: {guess: hunter22}"}, key="v")
    merged = merge(
        [settings, secret({"v": "database: {port: 5432}"}, key="v", uid="s")], {"inline": "x"}, ["database", "rule"]
    )
    assert set(merged.others) == {"region", "eu-west", "guess", "hunter22", "port"}
    assert merge([settings], {}).others == ()


def test_the_sources_of_a_plan_are_bounded_together() -> None:
    sources = [config_map(data={"v": "x" * (MAX_BYTES // 4)}) for _ in range(5)]
    with pytest.raises(InvalidSource) as refused:
        merge(sources, {})
    assert str(refused.value) == "spec.parametersFrom: the sources have over 4 MiB together"


def test_only_the_keys_that_are_asked_for_count() -> None:
    big = "x" * MAX_BYTES
    assert merge([config_map(data={"v": "a: 1", "other": big}, key="v")], {}).parameters == {"a": 1}


def test_a_secret_may_have_a_megabyte() -> None:
    content = {f"key-{number}": f"value {number}" for number in range(30_000)}
    merged = merge([secret({"k": json.dumps(content)}, key="k"), secret({"blob": "x" * 2**20})], {})
    assert merged.parameters == {**content, "blob": "x" * 2**20}


def test_what_is_shown_of_sources_and_of_merged_parameters_has_no_values() -> None:
    source = secret({"password": "hunter22"})
    shown = repr((source, merge([source], {})))
    assert "hunter22" not in shown
    assert base64.b64encode(b"hunter22").decode() not in shown
