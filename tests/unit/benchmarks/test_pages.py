"""The page that lists the measurements."""

from benchmarks.pages import index


def test_the_index_names_each_page_by_its_heading_in_order() -> None:
    listed = index({"b.md": "# Beta\n\ntext", "z.md": "# Alpha\n"})
    assert listed.endswith("- [Alpha](z.md)\n- [Beta](b.md)\n")
