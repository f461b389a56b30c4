"""Functions that Kubernetes has: what they give, and what they refuse."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from execloop.library.cel.expression import CelError, compile_expression

PAGE = (Path(__file__).parents[4] / "docs" / "library" / "expressions.md").read_text()
EXAMPLES = re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", PAGE, re.MULTILINE)


def value(text: str, given: Any = None) -> Any:
    return compile_expression(text, ["given"]).evaluate({"given": given})


@pytest.mark.parametrize(("text", "expected"), EXAMPLES)
def test_an_example_of_the_page_gives_what_it_says(text: str, expected: str) -> None:
    assert value(text) == json.loads(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "1"),
        ("+1.", "1"),
        (".5", "1/2"),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("1e3", "1000"),
        ("1E-1", "1/10"),
        ("1E", str(10**18)),
        ("100n", "1/10000000"),
        ("0.1n", "1/1000000000"),
        ("-0.1n", "-1/1000000000"),
    ],
)
def test_a_quantity_is_read_as_kubernetes_reads_it(text: str, expected: str) -> None:
    assert value("quantity(given)", text) == {"quantity": expected}


@pytest.mark.parametrize("text", ["", "1KiB", "Ki", "1 Gi", "1e", "1e100", "--1", "1.1.1", "10E", "1" * 65, "\u0661"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    assert value("isQuantity(given)", text) is False


ORDER = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
]


def test_versions_are_ordered_as_semver_org_has_them() -> None:
    versions = [*ORDER, "1.0.0", "1.0.1", "1.1.0", "2.0.0", "10.0.0"]
    assert all(value("semver(given[0]).isLessThan(semver(given[1]))", list(pair)) for pair in pairwise(versions))


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "v1.2.3", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "1.2.3 ", "1" * 300]
)
def test_what_is_no_version_is_refused(text: str) -> None:
    assert value("isSemver(given)", text) is False


@pytest.mark.parametrize("text", ["", "10.0.0", "010.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", "localhost", "1" * 100])
def test_what_is_no_address_is_refused(text: str) -> None:
    assert value("isIP(given)", text) is False
    assert value("isCIDR(given)", f"{text}/8") is False


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/255.0.0.0", "fd00::/129", "10.0.0.0/"])
def test_what_is_no_range_is_refused(text: str) -> None:
    assert value("isCIDR(given)", text) is False


def test_addresses_of_another_family_are_in_no_range() -> None:
    assert value("cidr('10.0.0.0/8').containsIP('fd00::1')") is False
    assert value("cidr('10.0.0.0/8').containsCIDR('fd00::/8')") is False


@pytest.mark.parametrize(
    "text", ["", "example.com", "https://[", "https://a:b/", "https://a/ b", "https://a/\n", "/" * 5000]
)
def test_what_is_no_url_is_refused(text: str) -> None:
    assert value("isURL(given)", text) is False


@pytest.mark.parametrize(
    ("text", "given", "said"),
    [
        ("quantity(given)", "x", "this is not a quantity, such as 500m or 1.5Gi"),
        ("quantity('500m').asInteger()", None, "this quantity is not a whole number"),
        ("quantity('8E').add(quantity('8E'))", None, "a quantity is at most"),
        ("semver('1.2.3').isLessThan(quantity('1'))", None, "this needs what semver() gives"),
        ("given.isLessThan(quantity('1'))", {"quantity": "1e999999999"}, "this needs what quantity() gives"),
        ("given.isInteger()", {"quantity": "1/0"}, "this needs what quantity() gives"),
        ("given.major()", {"semver": "x" * 5000}, "at most 4096 characters"),
        ("given.isLoopback()", {"ip": 1}, "this needs what ip() gives"),
        ("given.sum()", ["a"], "a list of numbers is needed"),
        ("given.sum()", [2**62, 2**62], "more than 64 bits"),
        ("given.min()", [], "an empty list has no least and no greatest member"),
        ("given.max()", [1, "a"], "a list of numbers or a list of texts is needed"),
        ("given.isSorted()", [{}, {}], "a list of numbers or a list of texts is needed"),
        ("given.all(a, given.sum() > 0)", [1] * 5000, "could need"),
        ("quantity(1)", None, "found no matching overload for 'quantity'"),
    ],
)
def test_what_they_cannot_take_is_an_error(text: str, given: Any, said: str) -> None:
    with pytest.raises(CelError) as raised:
        value(text, given)
    assert said in str(raised.value)


def test_true_is_not_one_of_the_numbers() -> None:
    assert value("[1, 2].indexOf(true)") == -1
