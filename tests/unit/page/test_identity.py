"""Who a token belongs to."""

import pytest

from execloop.kube import ApiError
from execloop.page.access.identity import Identities, Person
from execloop.page.access.rights import Rights, Visible
from tests.asynchronous import in_event_loop
from tests.page_cluster import PageCluster, User, reader


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


ANN = User("ann", {("list", "a"), ("list", "b")})
ROOT = User("root", {("*", "*")})


class TestIdentities:
    @in_event_loop
    async def test_a_token_that_the_api_server_accepts_has_a_person(self) -> None:
        cluster = PageCluster({"t": ANN})
        person = await Identities(cluster.connection, None, Clock()).who("t")
        assert person == Person("ann", groups=("people",))
        assert person is not None
        assert person.token == "t"
        assert "'t'" not in repr(person)

    @pytest.mark.parametrize("token", ["other", "", "a b", "a\nb", "ä", "x" * 20_000])
    @in_event_loop
    async def test_any_other_has_none(self, token: str) -> None:
        assert await Identities(PageCluster({"t": ANN}).connection, None, Clock()).who(token) is None

    @in_event_loop
    async def test_what_has_not_the_form_of_a_token_is_not_sent(self) -> None:
        cluster = PageCluster({})
        await Identities(cluster.connection, None, Clock()).who("a b")
        assert cluster.reviews == []

    @pytest.mark.parametrize(
        ("audiences", "known"), [(("api", "page"), True), (("api",), False), (("page",), False), (("api", "x"), False)]
    )
    @in_event_loop
    async def test_with_an_audience_a_token_needs_both(self, audiences: tuple[str, ...], known: bool) -> None:
        cluster = PageCluster({"t": User("ann", set(), audiences)})
        assert (await Identities(cluster.connection, "page", Clock()).who("t") is not None) is known

    @in_event_loop
    async def test_a_token_is_asked_about_again_after_30_seconds(self) -> None:
        cluster, clock = PageCluster({"t": ANN}), Clock()
        identities = Identities(cluster.connection, None, clock)
        assert await identities.who("t") is not None
        del cluster.users["t"]
        clock.now = 29.9
        assert await identities.who("t") is not None
        clock.now = 30.0
        assert await identities.who("t") is None

    @in_event_loop
    async def test_a_refusal_is_kept_for_10_seconds(self) -> None:
        cluster, clock = PageCluster({}), Clock()
        identities = Identities(cluster.connection, None, clock)
        for clock.now in (0.0, 9.0, 10.0):
            await identities.who("t")
        assert len(cluster.reviews) == 2

    @in_event_loop
    async def test_no_answer_is_an_error_and_is_not_kept(self) -> None:
        cluster = PageCluster({"t": ANN})
        identities = Identities(cluster.connection, None, Clock())
        cluster.fail_next(403, "Forbidden")
        with pytest.raises(ApiError):
            await identities.who("t")
        assert await identities.who("t") is not None

    @in_event_loop
    async def test_it_remembers_a_thousand_tokens_at_most(self) -> None:
        cluster = PageCluster({})
        identities = Identities(cluster.connection, None, Clock())
        for number in range(1001):
            await identities.who(f"t{number}")
        await identities.who("t1000")
        assert len(cluster.reviews) == 1001
        await identities.who("t0")
        assert len(cluster.reviews) == 1002


class TestRights:
    @in_event_loop
    async def test_who_may_list_everywhere_sees_everything_for_one_question(self) -> None:
        cluster = PageCluster({"t": ROOT})
        visible = await Rights(cluster.connection, Clock()).visible(Person("root"), ["a", "b"])
        assert visible == Visible(None)
        assert len(cluster.reviews) == 1

    @in_event_loop
    async def test_anyone_else_sees_the_namespaces_that_may_be_listed(self) -> None:
        cluster = PageCluster({"t": ANN})
        visible = await Rights(cluster.connection, Clock()).visible(Person("ann"), ["a", "b", "c"])
        assert [name in visible for name in "abc"] == [True, True, False]

    @in_event_loop
    async def test_a_right_that_is_taken_away_ends_within_20_seconds(self) -> None:
        cluster, clock = PageCluster({"t": ANN}), Clock()
        rights = Rights(cluster.connection, clock)
        assert await rights.may(Person("ann"), "list", "a")
        cluster.users["t"] = reader("ann")
        clock.now = 20.0
        assert not await rights.may(Person("ann"), "list", "a")

    @in_event_loop
    async def test_all_that_the_api_server_knows_of_a_person_is_asked_with(self) -> None:
        cluster = PageCluster({"t": ANN})
        person = Person("ann", "u1", ("people",), (("scopes", ("x", "y")),))
        await Rights(cluster.connection, Clock()).may(person, "list", "a")
        assert cluster.reviews[-1]["spec"] == {
            "user": "ann",
            "uid": "u1",
            "groups": ["people"],
            "extra": {"scopes": ["x", "y"]},
            "resourceAttributes": {"group": "execloop.dev", "resource": "plans", "verb": "list", "namespace": "a"},
        }

    @in_event_loop
    async def test_people_of_one_name_in_other_groups_are_asked_about_apart(self) -> None:
        cluster = PageCluster({"t": ANN})
        rights = Rights(cluster.connection, Clock())
        await rights.may(Person("ann", groups=("x",)), "list", "a")
        await rights.may(Person("ann", groups=("y",)), "list", "a")
        assert len(cluster.reviews) == 2
