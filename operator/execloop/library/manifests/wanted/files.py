"""Objects from the files of a folder, each with the place where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from execloop._engine.errors import FatalError
from execloop._plans.entry import group_of
from execloop._yaml import MAX_BYTES, BadYaml, load_documents
from execloop.library.folder import Folder, FolderError
from execloop.library.manifests.wanted.documents import complete, items_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from execloop._plans.limits import Limits

__all__ = ["MOST_OBJECTS", "Given", "of_folder"]

MOST_OBJECTS: Final = 1000
_SUFFIXES: Final = (".yaml", ".yml", ".json")
_MOST_TOGETHER: Final = 8 * MAX_BYTES
_SHOWN: Final = 5
_OVERLAY: Final = "kustomize.config.k8s.io"


class Given(NamedTuple):
    """An object as it is written down."""

    place: str
    """`parameters.objects.3`, or `web.yaml, document 2`."""
    manifest: dict[str, Any]
    in_file: bool = False


def of_folder(path: str, limits: Limits) -> list[Given]:
    """Return the objects of all files, in the order of their names. It blocks.

    Raises:
        FatalError: The folder may not be read, or has too much.
        FolderError: It has no object, or something that is none.
        Wait: The folder does not exist, or was being changed.

    """
    folder = Folder(path, _SUFFIXES, True, MOST_OBJECTS, MAX_BYTES, _MOST_TOGETHER)
    found: list[Given] = []
    problems: list[str] = []
    for name, text in folder.texts(limits).items():
        _take(name, text, found, problems)
        if len(found) > MOST_OBJECTS:
            raise FatalError(f"the folder {path} has over {MOST_OBJECTS} objects: spread them over several Plans")
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise FolderError(f"the folder {path}: {'; '.join(problems[:_SHOWN])}{more}")
    if not found:
        raise FolderError(f"the folder {path} has no object in a file that ends in {', '.join(_SUFFIXES)}")
    return found


def _take(name: str, text: str, found: list[Given], problems: list[str]) -> None:
    for place, item in _items(name, text, problems):
        try:
            found.append(Given(place, _object(item), in_file=True))
        except ValueError as error:
            problems.append(f"{place}: {error}")


def _items(name: str, text: str, problems: list[str]) -> Iterator[tuple[str, Any]]:
    try:
        for number, document in enumerate(load_documents(text), start=1):
            place = f"{name}, document {number}"
            items = items_of(document)
            for position, item in enumerate(items):
                if item is not None:
                    yield (f"{place}, items.{position}" if items != [document] else place), item
    except BadYaml as error:
        problems.append(f"{name}: it is not YAML: {error}")


def _object(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise ValueError("it is not an object of Kubernetes")  # noqa: TRY004 - what is wrong is a text in a file
    if group_of(str(item.get("apiVersion"))) == _OVERLAY:
        raise ValueError("it is a file for kustomize: put what `kustomize build` prints into the folder")
    return complete(item)
