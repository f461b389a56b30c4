"""Objects from the files of a mounted folder, beside those of the parameters."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from execloop import Wait
from execloop._engine.errors import FatalError
from execloop._plans.entry import Entry
from execloop._plans.limits import Limits
from execloop.library.folder import FolderError
from execloop.library.manifests import Manifests, Parameters
from execloop.testing import converge
from tests.unit.library.manifests.applying import World, configmap
from tests.volumes import put

if TYPE_CHECKING:
    from pathlib import Path

    from execloop._plans.context import Context

TEXT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: '%s'}\n"


def text(name: str, value: str = "1") -> str:
    return TEXT % (name, value)


class Mounted:
    """A Plan with a folder, made anew for each run."""

    name = "manifests"

    def __init__(self, folder: Path, *objects: dict[str, Any], world: World | None = None, **parameters: Any) -> None:
        self.world, self._folder = world or World(), folder
        self._raw = {"folder": str(folder), "objects": list(objects), "prune": True, **parameters}

    @property
    def _context(self) -> Context:
        return self.world.context(limits=Limits((self._folder.parent,)))

    def plan(self) -> Manifests:
        return Manifests(Parameters.model_validate(self._raw), self._context)

    async def create(self) -> Any:
        context = self._context
        try:
            return await Manifests(Parameters.model_validate(self._raw), context).create()
        finally:
            self._made = context

    def run(self) -> set[str]:
        """Converge; return the names of what exists then."""
        converge(self)
        self.world.stored = set(self._made.inventory)
        return self.world.cluster.names()

    def refusal(self) -> str:
        with pytest.raises((FatalError, FolderError, Wait)) as raised:
            asyncio.run(self.create())
        return str(raised.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "app"
    found.mkdir()
    return found


def test_objects_of_the_parameters_and_of_all_files_are_one_list(folder: Path) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": [configmap("d"), configmap("e")]}
    put(folder, {"a.yaml": f"{text('a')}---\n---\n{text('b')}", "sub/c.yml": text("c"), "d.json": json.dumps(items)})
    assert Mounted(folder, configmap("inline")).run() == {"inline", "a", "b", "c", "d", "e"}


def test_the_folder_alone_will_do(folder: Path) -> None:
    put(folder, {"a.yaml": text("a")})
    assert Mounted(folder).run() == {"a"}


def test_they_are_watched_before_anything_is_applied(folder: Path) -> None:
    put(folder, {"a.yaml": text("a")})
    assert ("v1", "ConfigMap", "default", "a") in Mounted(folder).plan().watches


def test_values_and_waves_hold_for_them_too(folder: Path) -> None:
    put(folder, {"a.yaml": text("a", "${colour}")})
    mounted = Mounted(folder, substitute={"colour": "blue"})
    mounted.run()
    assert mounted.world.cluster.data("a") == {"a": "blue"}


def test_a_change_of_a_file_is_applied_and_what_left_is_pruned(folder: Path) -> None:
    put(folder, {"a.yaml": text("a"), "b.yaml": text("b")})
    mounted = Mounted(folder)
    mounted.run()
    put(folder, {"a.yaml": text("a", "2")})
    assert mounted.run() == {"a"}
    assert mounted.world.cluster.data("a") == {"a": "2"}


@pytest.mark.parametrize(
    "spoilt",
    [
        None,
        {},
        {"notes.txt": "nothing"},
        {"a.yaml": "# nothing but a comment\n"},
        {"a.yaml": text("a"), "b.yaml": "apiVersion: v1\nkind: Conf"},
        {"a.yaml": text("a"), "b.yaml": "a: ["},
    ],
    ids=["no folder", "no file", "no file of YAML", "no object", "half a file", "no YAML"],
)
def test_a_folder_that_cannot_be_read_prunes_nothing(folder: Path, spoilt: dict[str, str] | None) -> None:
    put(folder, {"a.yaml": text("a"), "b.yaml": text("b")})
    mounted = Mounted(folder)
    before = mounted.run()
    if spoilt is None:
        folder.rename(folder.parent / "away")
    else:
        (folder / "..moment-empty").mkdir(exist_ok=True)
        put(folder, spoilt) if spoilt else _nothing(folder)
    assert mounted.refusal()
    assert mounted.world.cluster.names() == before


def _nothing(folder: Path) -> None:
    (folder / "..data").unlink()
    (folder / "..data").symlink_to("..moment-empty")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.yaml": f"{text('a')}---\nkind: A"}, "a.yaml, document 2: apiVersion is missing"),
        ({"a.yaml": "kind: A", "b.json": "[1]"}, "a.yaml, document 1: apiVersion is missing; b.json, document 1: "),
        ({"a.yaml": "just text"}, "a.yaml, document 1: it is not an object of Kubernetes"),
        ({"a.yaml": "a: 1\na: 2"}, "a.yaml: it is not YAML: a key is repeated (line 2, column 1)"),
        (
            {"l.json": '{"apiVersion": "v1", "kind": "List", "items": [{"kind": "A"}]}'},
            "l.json, document 1, items.0: apiVersion is missing",
        ),
        (
            {"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization"},
            "kustomization.yaml, document 1: it is a file for kustomize",
        ),
        (
            {"a.yaml": text("a"), "b.yaml": text("a")},
            "b.yaml, document 1: ConfigMap default/a is in a.yaml, document 1",
        ),
        ({"a.yaml": text("inline")}, "a.yaml, document 1: ConfigMap default/inline is in parameters.objects.0 too"),
        ({"a.yaml": text("a", "${x}")}, "a.yaml, document 1: data.a: substitute has no 'x'"),
    ],
)
def test_what_is_wrong_is_named_with_its_file_and_document(folder: Path, files: dict[str, str], message: str) -> None:
    put(folder, files)
    assert message in Mounted(folder, configmap("inline"), substitute={"y": "1"}).refusal()


def test_a_folder_that_the_administrator_did_not_name_is_refused(folder: Path) -> None:
    plan = Manifests(Parameters(folder=str(folder)), World().context(limits=Limits()))
    with pytest.raises(FatalError, match="outside the folders of --plan-folder, which are: none"):
        asyncio.run(plan.create())


def test_a_teardown_without_the_folder_goes_by_the_inventory(folder: Path) -> None:
    put(folder, {"a.yaml": text("a"), "b.yaml": text("b")})
    mounted = Mounted(folder)
    mounted.run()
    folder.rename(folder.parent / "away")

    class TornDown:
        name = "manifests"

        async def create(self) -> Any:
            return await mounted.plan().teardown()

    converge(TornDown())
    assert mounted.world.cluster.names() == set()


class TestWhatAnApprovalCovers:
    def detail(self, folder: Path, value: str, kind: str = "ConfigMap") -> str:
        put(folder, {"a.yaml": text("a", value).replace("ConfigMap", kind)})
        return asyncio.run(Mounted(folder).create())[0].detail  # type: ignore[no-any-return]

    def test_the_file_is_named(self, folder: Path) -> None:
        assert self.detail(folder, "1").startswith("# a.yaml, document 1, content ")

    @pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
    def test_another_content_has_another_detail_also_where_it_is_not_shown(self, folder: Path, kind: str) -> None:
        long = "x" * 5000
        found = {self.detail(folder, f"{long}{end}", kind) for end in "1221"}
        assert len(found) == 2
        assert all(len(detail.encode()) <= 4096 for detail in found)

    def test_the_hash_of_a_secret_is_not_that_of_its_content(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who reads the status must not be able to confirm a guess."""
        before = self.detail(folder, "guess", "Secret")
        monkeypatch.setattr("execloop.library.manifests.wanted.wish._KEY", b"another process")
        assert self.detail(folder, "guess", "Secret") != before


def test_an_object_of_the_parameters_shows_no_place(folder: Path) -> None:
    world = World()
    made = asyncio.run(world.plan(configmap("a")).create())
    assert "content" not in made[0].detail  # type: ignore[union-attr]
    assert Entry("", "ConfigMap", "default", "a").label in made[0].name  # type: ignore[union-attr]
