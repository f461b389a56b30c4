"""What is read of a folder: files of one moment, in order, within bounds, and nothing outside."""

import os
from pathlib import Path
from typing import Any

import pytest

from execloop import Wait
from execloop._engine.errors import FatalError
from execloop._plans.limits import Limits
from execloop.library import folder as module
from execloop.library.folder import Folder, FolderError
from tests.volumes import put


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "allowed" / "app").mkdir(parents=True)
    return tmp_path / "allowed" / "app"


def texts(root: Path, **given: Any) -> dict[str, str]:
    bounds = {"deep": True, "most_files": 5, "most_bytes": 100, "most_bytes_together": 300} | given
    return Folder(str(root), (".yaml", ".json"), **bounds).texts(Limits((root.parent,)))


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def test_files_come_in_the_order_of_their_paths_and_others_are_left_out(root: Path) -> None:
    write(root, b="2", a__z="1", c="3")
    (root / "notes.txt").write_text("no")
    (root / ".hidden.yaml").write_text("no")
    (root / ".git").mkdir()
    (root / ".git" / "x.yaml").write_text("no")
    assert list(texts(root).items()) == [("a/z.yaml", "1"), ("b.yaml", "2"), ("c.yaml", "3")]


def test_folders_within_it_are_left_out_where_they_are_not_asked_for(root: Path) -> None:
    write(root, a__z="1", b="2")
    assert texts(root, deep=False) == {"b.yaml": "2"}


def test_a_link_is_followed_below_the_allowed_folders(root: Path) -> None:
    write(root.parent, other="1")
    (root / "link.yaml").symlink_to("../other.yaml")
    assert texts(root) == {"link.yaml": "1"}


@pytest.mark.parametrize("name", ["out.yaml", "out"])
def test_a_link_that_leads_elsewhere_is_refused(root: Path, name: str) -> None:
    write(root.parent.parent, secret="1")
    (root / name).symlink_to("../../secret.yaml" if "." in name else "../..")
    with pytest.raises(FatalError, match="outside the folders of --plan-folder"):
        texts(root)


def test_links_in_a_circle_are_named(root: Path) -> None:
    write(root, a__z="1")
    (root / "a" / "up").symlink_to("..")
    with pytest.raises(FolderError, match="a/up leads to a folder that is read already"):
        texts(root)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"most_files": 1}, "has 2 files, at most 1 are read"),
        ({"most_bytes": 3}, "a.yaml has over 0 KiB: split it"),
        ({"most_bytes_together": 5}, "have 0 KiB, at most 0 KiB are read"),
    ],
    ids=["files", "one file", "together"],
)
def test_what_is_too_much_is_refused(root: Path, bounds: dict[str, int], message: str) -> None:
    write(root, a="1234", b="1234")
    with pytest.raises((FatalError, FolderError), match=message):
        texts(root, **bounds)


def test_a_pipe_does_not_hold_it_up(root: Path) -> None:
    os.mkfifo(root / "a.yaml")
    with pytest.raises(FolderError, match=r"a.yaml is not a file"):
        texts(root)


def test_a_file_that_is_not_text_is_named(root: Path) -> None:
    (root / "a.yaml").write_bytes(b"ok \xff")
    with pytest.raises(FolderError, match=r"a.yaml is not UTF-8 at byte 3"):
        texts(root)


def test_a_folder_that_does_not_exist_is_waited_for(root: Path) -> None:
    with pytest.raises(Wait, match="x, which does not exist where plans run"):
        texts(root / "x")


def test_a_file_in_place_of_a_folder_is_an_error(root: Path) -> None:
    write(root, a="1")
    with pytest.raises(FolderError, match="is not a folder"):
        texts(root / "a.yaml")


class TestVolumeOfAConfigMap:
    def test_files_are_read_by_their_plain_names(self, root: Path) -> None:
        put(root, {"a.yaml": "1", "sub/b.yaml": "2"})
        assert texts(root) == {"a.yaml": "1", "sub/b.yaml": "2"}

    def test_a_file_that_nothing_outside_leads_to_yet_is_read_with_those_of_its_moment(self, root: Path) -> None:
        """Else what moved into it would be missing for a moment, and be deleted."""
        put(root, {"all.yaml": "1 2"})
        put(root, {"all.yaml": "1", "new.yaml": "2"}, visible=False)
        assert texts(root) == {"all.yaml": "1", "new.yaml": "2"}

    @pytest.mark.parametrize("at", range(6))
    def test_a_swap_in_the_middle_gives_the_files_of_one_moment(
        self, root: Path, at: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old, new = {"a.yaml": "1", "b.yaml": "1"}, {"b.yaml": "2", "c.yaml": "2"}
        put(root, old)
        calls = iter(range(1000))

        def swapping(function: Any) -> Any:
            def call(*given: Any) -> Any:
                if next(calls) == at:
                    put(root, new)
                return function(*given)

            return call

        for name in ("_text", "_file"):
            monkeypatch.setattr(module, name, swapping(getattr(module, name)))
        assert texts(root) in (old, new)

    def test_a_folder_that_never_stands_still_is_waited_for(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(root, {"a.yaml": "1"})
        read = module._text

        def changing(*given: Any) -> str:
            put(root, {"a.yaml": "1"})
            return read(*given)

        monkeypatch.setattr(module, "_text", changing)
        with pytest.raises(Wait, match="to stay as it is while it is read"):
            texts(root)


def test_a_file_that_is_written_meanwhile_is_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, a="half")
    read, calls = module._text, iter(range(1000))

    def writing(*given: Any) -> str:
        found = read(*given)
        if next(calls) == 0:
            write(root, a="the whole of it")
        return found

    monkeypatch.setattr(module, "_text", writing)
    assert texts(root) == {"a.yaml": "the whole of it"}
