"""Where a request comes from."""

import pytest

from execloop.page.access.origin import from_here, on_loopback, path_here


@pytest.mark.parametrize(
    ("headers", "here"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://page", "Host": "page"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "https://page", "Host": "page"}, True),
        ({"Origin": "http://page:8090", "Host": "page:8090"}, True),
        ({"Origin": "https://evil", "Host": "page"}, False),
        ({"Origin": "https://page.evil", "Host": "page"}, False),
        ({"Origin": "https://page:444", "Host": "page"}, False),
        ({"Origin": "null", "Host": "page"}, False),
        ({"Origin": "https://[", "Host": "page"}, False),
        ({"Host": "page"}, False),
        ({}, False),
    ],
)
def test_a_request_comes_from_the_page_only_if_the_browser_says_so(headers: dict[str, str], here: bool) -> None:
    assert from_here(headers) is here


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost:8090", True),
        ("page.localhost", True),
        ("127.0.0.1:8090", True),
        ("[::1]:8090", True),
        ("page.example.com", False),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
        ("", False),
        ("[", False),
    ],
)
def test_a_host_is_this_machine_only_by_its_name_or_address(host: str, loopback: bool) -> None:
    assert on_loopback(host) is loopback


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/plans/a/b?x=1", "/plans/a/b?x=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\r\nSet-Cookie: b", "/"),
        ("", "/"),
    ],
)
def test_after_signing_in_a_person_stays_on_the_page(wanted: str, path: str) -> None:
    assert path_here(wanted) == path
