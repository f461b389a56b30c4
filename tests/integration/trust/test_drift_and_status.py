"""What others change while a Plan rests, looks or works: it is seen, and the status says no more than is true."""

import json
import time

import pytest

from tests.integration.operating import manifest
from tests.integration.trust.conftest import Site


def spoil(site: Site, name: str) -> None:
    patch = json.dumps({"data": {"plan": "spoilt"}})
    site.plans.kubectl("patch", "configmap", name, "--type=merge", f"--patch={patch}")


def holds(site: Site, name: str) -> bool:
    return site.plans.kubectl("get", "configmap", name, "--output=jsonpath={.data.plan}") == name


class TestDrift:
    def test_that_shows_while_the_plan_looks_causes_another_look(self, site: Site) -> None:
        site.plans.apply(manifest("looks", "keeps-a-map", parameters={"gate": "looks-gate"}, interval="0s"))
        site.until("looks", "holds")
        spoil(site, "looks")
        site.open("looks-gate")
        site.plans.until(lambda: holds(site, "looks"), "it is repaired", 20)

    def test_with_no_interval_is_repaired_too(self, site: Site) -> None:
        site.plans.apply(manifest("no-interval", "keeps-a-map", interval="0s"))
        site.plans.wait("no-interval")
        spoil(site, "no-interval")
        site.plans.until(lambda: holds(site, "no-interval"), "it is repaired", 20)

    def test_keeps_a_plan_unready_while_its_dependency_is_not(self, site: Site) -> None:
        site.plans.apply(manifest("needed", "gated"))
        site.plans.wait("needed")
        site.plans.apply(manifest("needs", "keeps-a-map", dependsOn=[{"name": "needed"}]))
        site.plans.wait("needs")
        site.plans.apply(manifest("needed", "gated", parameters={"want": ["a", "b"], "work": "needed-work"}))
        site.until("needed", "begin b")
        site.plans.until(lambda: site.plans.condition("needed")[0] != "True", "the dependency is not ready", 20)
        spoil(site, "needs")
        site.plans.until(lambda: site.plans.condition("needs")[0] != "True", "the drift shows", 20)
        with site.watched("needs") as states:
            time.sleep(4)
            assert {state.ready for state in states()} == {"False"}
        site.open("needed-work")
        site.plans.wait("needs")
        assert holds(site, "needs")


@pytest.mark.parametrize("mode", ["Reconcile", "Once"])
@pytest.mark.parametrize("patch", [{"status": None}, {"status": {"conditions": []}}], ids=["removed", "emptied"])
def test_a_status_that_another_hand_changed_at_rest_is_restored(site: Site, mode: str, patch: object) -> None:
    name = f"rest-{mode.lower()}-{'removed' if patch == {'status': None} else 'emptied'}"
    site.plans.apply(manifest(name, "marks", mode=mode, interval="0s"))
    site.plans.wait(name)
    site.plans.kubectl("patch", "plan", name, "--subresource=status", "--type=merge", f"--patch={json.dumps(patch)}")
    site.plans.until(lambda: site.plans.condition(name) == ("True", "Converged"), "it is restored", 20)
    assert len(site.marks(name)) == 2  # one attempt and its mark: the work was not done again


def test_the_progress_of_forty_short_runs_is_a_handful_of_writes(site: Site) -> None:
    with site.watched("short-runs") as states:
        spec = {"parameters": {"runs": 40, "seconds": 0.3}, "sleepBetweenRuns": "200ms"}
        site.plans.apply(manifest("short-runs", "many-runs", **spec))
        site.plans.wait("short-runs", seconds=90)
        assert len(site.marks("short-runs")) == 40
        assert len(states()) <= 10


class TestYaml:
    """Of a ConfigMap that a Plan names."""

    @pytest.mark.parametrize(
        ("what", "text"),
        [
            ("colons", ":".join(["1"] * 200_000)),
            ("fraction", "x: 1:" + ":".join(["0"] * 4000) + ".5"),
            ("digits", "x: " + "9" * 500_000),
            ("deep", "x: " + "[" * 50_000),
            ("keys", "\n".join(f"k{n}: {n}" for n in range(60_000))),
            (
                "anchors",
                "a: &a [x,x,x,x,x,x,x,x,x]\n"
                + "\n".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]" for n in range(8)),
            ),
        ],
    )
    def test_however_nasty_holds_no_neighbour_up(self, site: Site, what: str, text: str) -> None:
        name = f"yaml-{what}"
        document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"values": text}}
        site.plans.kubectl("create", "--filename=-", input=json.dumps(document))
        source = [{"kind": "ConfigMap", "name": name, "key": "values"}]
        site.plans.apply(manifest(name, "takes-anything", parametersFrom=source), manifest(f"{name}-beside", "marks"))
        site.plans.wait(f"{name}-beside", seconds=15)
        site.plans.until(lambda: site.plans.condition(name) != ("", ""), "the Plan is judged", 20)
        assert site.plans.condition(name)[1] in ("InvalidParameters", "Converged")
        assert "an error of the operator" not in site.operator.said()
