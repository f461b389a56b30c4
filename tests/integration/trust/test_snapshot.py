"""What is changed while a reconcile runs: no word about work that was not done, no task that nobody wants any more."""

import pytest

from tests.integration.operating import manifest
from tests.integration.trust.conftest import Site, State


def _told(site: Site, name: str) -> None:
    """Returns when the operator was surely told of all changes so far: a later one of another Plan has shown."""
    site.plans.apply(manifest(f"{name}-after", "marks"))
    site.plans.wait(f"{name}-after", seconds=30)


def test_a_spec_edited_during_the_last_look_is_never_ready_before_its_work_is_done(site: Site) -> None:
    with site.watched("edited") as states:
        (site.world / f"{site.namespace}-edited").write_text("a\n")
        site.plans.apply(manifest("edited", "gated", parameters={"want": ["a"], "look": "edited-look"}))
        site.until("edited", "look")
        site.plans.patch("edited", parameters={"want": ["a", "b"], "look": "", "work": "edited-work"})
        _told(site, "edited")
        site.open("edited-look")
        site.until("edited", "begin b")
        seen = states()
        site.open("edited-work")
        site.plans.wait("edited")
        assert [s for s in seen if s.ready == "True" and s.observed == "2"] == []
        assert State("edited", "2", "2", "True", "Converged") == states()[-1]


class TestNoTaskBegins:
    """After the change that came while create() was looking."""

    def test_of_a_suspended_plan(self, site: Site) -> None:
        site.plans.apply(manifest("rests", "gated", parameters={"look": "rests-look"}))
        site.until("rests", "look")
        site.plans.patch("rests", suspend=True)
        _told(site, "rests")
        site.open("rests-look")
        site.plans.until(lambda: site.plans.condition("rests", "Suspended")[0] == "True", "it is suspended")
        assert site.marks("rests") == ["look"]

    def test_of_a_spec_that_was_replaced(self, site: Site) -> None:
        site.plans.apply(manifest("replaced", "gated", parameters={"want": ["old"], "look": "replaced-look"}))
        site.until("replaced", "look")
        site.plans.patch("replaced", parameters={"want": ["new"], "look": ""})
        _told(site, "replaced")
        site.open("replaced-look")
        site.plans.wait("replaced")
        assert "begin new" in site.marks("replaced")
        assert "begin old" not in site.marks("replaced")

    def test_of_a_plan_that_is_gone(self, site: Site) -> None:
        site.plans.apply(manifest("gone", "gated", parameters={"want": ["a", "b"], "look": "gone-look"}))
        site.until("gone", "look")
        site.plans.kubectl("delete", "plan", "gone")
        _told(site, "gone")
        site.open("gone-look")
        _told(site, "gone-too")
        assert site.marks("gone") == ["look"]

    def test_of_a_plan_that_is_to_be_undone(self, site: Site) -> None:
        site.plans.apply(manifest("undone", "gated", deletionPolicy="Teardown", parameters={"want": []}))
        site.plans.wait("undone")
        site.plans.patch("undone", parameters={"want": ["a"], "look": "undone-look"})
        site.plans.until(lambda: site.marks("undone").count("look") > 1, "it looks again")
        site.plans.kubectl("delete", "plan", "undone", "--wait=false")
        _told(site, "undone")
        site.open("undone-look")
        site.until("undone", "undone")
        assert "begin a" not in site.marks("undone")


@pytest.mark.parametrize("policy", ["Teardown", "Orphan"])
def test_a_plan_made_again_under_its_name_is_looked_at(site: Site, policy: str) -> None:
    name = f"again-{policy.lower()}"
    (site.world / f"{site.namespace}-{name}").write_text("undone\n")
    site.plans.apply(manifest(name, "gated", deletionPolicy=policy))
    site.plans.wait(name)
    site.plans.kubectl("delete", "plan", name)
    site.plans.apply(manifest(name, "gated", deletionPolicy=policy, parameters={"want": ["again"]}))
    site.plans.wait(name, seconds=20)
    assert "again" in site.marks(name)
