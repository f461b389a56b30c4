"""Which Plans the API server is asked for."""

from typing import Any, cast

import pytest

from execloop.controller.watch.selection import Selection
from execloop.kube import ApiError, Connection
from tests.asynchronous import in_event_loop

REFUSAL = "invalid shard selector: unexpected expression kind 3"
HALF = "shardRange(object.metadata.uid, '0x0000000000000000', '0x8000000000000000')"


class Server:
    """Refuses a wrong `shardSelector` where it knows the parameter."""

    def __init__(self, refusal: str = "") -> None:
        self.refusal, self.asked = refusal, 0

    async def request(self, _method: str, _path: str, *, query: dict[str, str]) -> dict[str, Any]:
        self.asked += 1
        assert query["limit"] == "1"
        if self.refusal:
            raise ApiError(500, "InternalServerError", self.refusal)
        return {"items": []}

    def selection(self, labels: str = "", shard: str = "") -> Selection:
        return Selection(cast("Connection", self), labels, lambda: shard)


@in_event_loop
async def test_all_plans_are_asked_for_without_a_selection() -> None:
    server = Server(REFUSAL)
    assert (await server.selection().parameters("/plans"), server.asked) == ({}, 0)


@in_event_loop
async def test_labels_need_no_look_at_the_server() -> None:
    server = Server(REFUSAL)
    assert await server.selection("team=shop").parameters("/plans") == {"labelSelector": "team=shop"}
    assert server.asked == 0


@pytest.mark.parametrize(
    ("refusal", "expected"), [(REFUSAL, {"labelSelector": "a", "shardSelector": HALF}), ("", {"labelSelector": "a"})]
)
@in_event_loop
async def test_a_range_is_asked_for_where_the_server_refuses_a_wrong_one(
    refusal: str, expected: dict[str, str]
) -> None:
    assert await Server(refusal).selection("a", HALF).parameters("/plans") == expected


@in_event_loop
async def test_a_server_that_does_not_answer_says_nothing_about_ranges() -> None:
    with pytest.raises(ApiError):
        await Server("etcd is down").selection(shard=HALF).parameters("/plans")


@in_event_loop
async def test_what_the_server_does_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    selection = Server().selection(shard=HALF)
    for _ in range(2):
        await selection.parameters("/plans")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "ShardedListAndWatch is off" in caplog.text
