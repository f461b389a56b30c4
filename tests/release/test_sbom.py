"""The bill of what the image installs."""

from release.locked import needed
from release.sbom import bill
from release.wheels import EXTRAS


def test_it_names_every_distribution_once_with_its_licence() -> None:
    components = bill()["components"]
    assert [(one["name"], one["version"]) for one in components] == [
        (entry.name, entry.version) for entry in needed(EXTRAS)
    ]
    assert [one["name"] for one in components if not one.get("licenses")] == []


def test_everything_follows_from_execloop() -> None:
    made = bill()
    edges = {one["ref"]: one["dependsOn"] for one in made["dependencies"]}
    seen, waiting = set(), [made["metadata"]["component"]["bom-ref"]]
    while waiting:
        reference = waiting.pop()
        if reference not in seen:
            seen.add(reference)
            waiting += edges[reference]
    assert seen == edges.keys()


def test_it_is_the_same_each_time() -> None:
    assert bill() == bill()
