"""What a Plan owns, read from the entries of its inventory."""

from __future__ import annotations

import asyncio
from typing import Any

from execloop.resource.related import inventory
from tests.fake_cluster import FakeCluster


def owned(*entries: Any) -> list[tuple[str, str]]:
    cluster = FakeCluster()
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "here"}}
    cluster.answer("POST", "/api/v1/namespaces/a/configmaps", body)

    async def read() -> list[tuple[str, str]]:
        await cluster.kube.get("v1", "ConfigMap", "here", "a")  # the kind is known
        return await inventory(cluster.kube, {"status": {"inventory": list(entries)}})

    return asyncio.run(read())


def test_each_object_is_shown_with_its_state() -> None:
    assert owned("ConfigMap/a/here", "ConfigMap/a/gone") == [
        ("ConfigMap a/here", "Current"),
        ("ConfigMap a/gone", "NotFound"),
    ]


def test_what_cannot_be_read_has_a_question_mark() -> None:
    assert owned("Gadget.example.com/a/b", "nonsense", {"kind": "Old"})[0] == ("Gadget a/b", "?")


def test_objects_of_one_kind_and_namespace_may_share_an_entry() -> None:
    assert owned("ConfigMap/a/here/gone") == [("ConfigMap a/here", "Current"), ("ConfigMap a/gone", "NotFound")]


def test_only_so_many_are_read() -> None:
    found = owned(*(f"ConfigMap/a/c-{number}" for number in range(201)))
    assert [state for _, state in found[-2:]] == ["NotFound", "?"]
