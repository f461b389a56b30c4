"""How an administrator says where the page is."""

import pytest
from click.testing import CliRunner

from execloop.cli.operator import operator
from execloop.page.settings import PageSettings


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (":8090", PageSettings(8090)),
        ("127.0.0.1:8090", PageSettings(8090, "127.0.0.1")),
        ("[::1]:0", PageSettings(0, "::1")),
        ("page.example:80", PageSettings(80, "page.example")),
    ],
)
def test_an_address_is_a_host_and_a_port(address: str, expected: PageSettings) -> None:
    assert PageSettings.at(address) == expected


@pytest.mark.parametrize("address", ["", "8090", "host", "host:", ":port", ":65536", ":-1", ":²"])
def test_any_other_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(ValueError, match=r"should be HOST:PORT or :PORT, such as :8090"):
        PageSettings.at(address)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--page", "nonsense"], "--page: 'nonsense' should be HOST:PORT or :PORT"),
        (["--page-actions"], "--page-actions needs --page"),
        (["--page-audience", "x"], "--page-audience needs --page"),
        (["--page-key", "x"], "--page-key needs --page"),
    ],
)
def test_the_command_says_what_is_wrong_in_a_line(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(operator, arguments)
    assert done.exit_code != 0
    assert message in done.output
