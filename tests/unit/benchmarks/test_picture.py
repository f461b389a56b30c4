"""The pictures of the benchmarks are well-formed, and drawn to scale."""

import xml.etree.ElementTree as ET

from benchmarks.picture import Bar, Group, Point, bars, curves

SVG = "{http://www.w3.org/2000/svg}"


def widths(picture: str) -> list[float]:
    return [float(rect.attrib["width"]) for rect in ET.fromstring(picture).iter(f"{SVG}rect")]


def places(picture: str) -> list[list[tuple[float, float]]]:
    lines = ET.fromstring(picture).iter(f"{SVG}polyline")
    pairs = [[pair.split(",") for pair in line.attrib["points"].split()] for line in lines]
    return [[(float(x), float(y)) for x, y in line] for line in pairs]


def test_a_bar_is_as_long_as_its_share_of_the_longest_of_its_group() -> None:
    picture = bars(
        "title", "note", [Group("one", [Bar("a", 4, "4"), Bar("b", 1, "1")]), Group("two", [Bar("c", 9, "9")])]
    )
    longest, quarter, other = widths(picture)
    assert (quarter / longest, other) == (0.25, longest)


def test_a_group_of_zeros_has_bars_without_a_length() -> None:
    assert widths(bars("title", "note", [Group("none", [Bar("a", 0, "0")])])) == [0]


def test_on_a_logarithmic_scale_each_decade_is_equally_long() -> None:
    found = widths(
        bars("title", "note", [Group("", [Bar(n, v, n) for n, v in (("a", 1), ("b", 10), ("c", 100))])], str)
    )
    assert found[1] - found[0] == found[2] - found[1] > 0


def test_what_is_linear_is_a_straight_line_on_two_logarithmic_scales() -> None:
    picture = curves("title", "note", {"linear": [Point(10**n, 3 * 10**n) for n in range(2, 5)]}, str, str)
    [(a, b, c)] = places(picture)
    assert (b[0] - a[0], b[1] - a[1]) == (c[0] - b[0], round(c[1] - b[1], 1))


def test_text_is_escaped() -> None:
    picture = bars("a < b", "c & d", [Group("<e>", [Bar("<f>", 1, "<g>")])])
    assert [text.text for text in ET.fromstring(picture).iter(f"{SVG}text")] == ["a < b", "c & d", "<e>", "<f>", "<g>"]
