"""Label selectors as `execloop operator --selector` takes them."""

import click
import pytest

from execloop.cli.labels import label_selector


def parsed(value: str | None) -> str:
    return label_selector(click.Context(click.Command("x")), click.Option(["--selector"]), value)


@pytest.mark.parametrize(
    "selector",
    ["team=shop", "team==shop", "team!=shop", "team", "!team", "a/b=c", "tier in (a, b),!x", "tier notin (a)", "a=,b"],
)
def test_what_kubernetes_takes_is_taken(selector: str) -> None:
    assert parsed(selector) == selector


def test_without_the_option_there_is_no_selector() -> None:
    assert parsed(None) == ""


@pytest.mark.parametrize(
    "selector", ["", "team=shop shop", "=a", "a=b,", "tier in a", "a/b/c=d", "a>1", "é=1", "a=b&x=y"]
)
def test_what_is_not_a_selector_is_refused(selector: str) -> None:
    with pytest.raises(click.BadParameter, match="should be a label selector such as team=shop"):
        parsed(selector)
