"""Bad parameters are named by their path, without a value."""

from typing import Any

import pytest

from execloop._engine.errors import InvalidParameters
from execloop._plans.definition import definition_of
from execloop.library.http import Http

GOOD: dict[str, Any] = {"url": "https://api.example.com/teams/blue", "expect": {"size": 3}}
SEARCH = {"url": "https://a.example/teams", "match": {"name": "x"}, "itemUrl": "https://a.example/teams/${id}"}


def parse(parameters: dict[str, Any]) -> Any:
    definition = definition_of(Http)
    assert definition is not None
    return definition.parse(parameters)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"url": None}, "parameters: give either url or search"),
        ({"search": SEARCH}, "parameters: give either url or search"),
        ({"url": "file:///etc/passwd"}, "parameters.url: should be a URL such as https://"),
        ({"url": "https://"}, "parameters.url: should be a URL such as https://"),
        ({"url": "https://a.example:99999/"}, "parameters.url: should be a URL such as https://"),
        ({"url": "https://ada:hunter2@a.example/"}, "parameters.url: should have no user and password"),
        ({"url": "https://${host}.example/"}, "parameters.url: should name its host"),
        ({"headers": {"A B": "x"}}, "parameters.headers: 'A B' and its value should be printable text"),
        ({"headers": {"A": "x\r\nB: hunter2"}}, "parameters.headers: 'A' and its value should be printable text"),
        ({"headers": {"Host": "x"}}, "parameters.headers: Host is set by the plan itself"),
        ({"expectWhen": "object.size >"}, "parameters.expectWhen: "),
        ({"readyWhen": "size > 1"}, "parameters.readyWhen: "),
        ({"update": {"method": "GET"}}, "parameters.update.method: Input should be 'POST'"),
        ({"token": "hunter2", "username": "ada"}, "parameters: give one of oauth2, token and username"),
        ({"oauth2": {"tokenUrl": "https://a.example/token"}}, "parameters: clientId and clientSecret are missing"),
        ({"key": "hunter2"}, "parameters: certificate and key belong together"),
        ({"timeout": "5"}, "parameters.timeout: "),
        ({"expected": {}}, "parameters.expected: there is no such parameter; did you mean expect?"),
        (
            {"url": None, "search": SEARCH, "create": {"method": "POST"}},
            "parameters: create.url is missing",
        ),
    ],
)
def test_a_mistake_is_named_by_its_path(change: dict[str, Any], message: str) -> None:
    given = {name: value for name, value in (GOOD | change).items() if value is not None}
    with pytest.raises(InvalidParameters) as caught:
        parse(given)
    assert str(caught.value).startswith(message)
    assert "hunter2" not in str(caught.value)


def test_the_secrets_of_kubernetes_are_taken_as_they_are() -> None:
    """Of the types `basic-auth` and `tls`."""
    definition = definition_of(Http)
    assert definition is not None
    assert all(definition.declares(name) for name in ("username", "password", "tls.crt", "tls.key", "ca.crt"))
    given = parse({**GOOD, "tls.crt": "c", "tls.key": "k", "ca.crt": "a"})
    assert (given.certificate, given.key, given.ca) == ("c", "k", "a")


def test_no_parameter_shows_a_secret_of_its_own_accord() -> None:
    assert "hunter2" not in repr(parse({**GOOD, "token": "hunter2", "values": {"k": "hunter2"}}))
