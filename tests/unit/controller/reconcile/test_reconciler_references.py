"""What a Plan refers to: parameters from ConfigMaps and Secrets, other objects that come first, a service account."""

import json
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from execloop.controller.watch.cache import Key
from tests.controlling import NAMESPACE, Controller

SECRET = "correct-horse-battery"


def waits_for(reason: str) -> dict[str, tuple[str, str]]:
    return {"Ready": ("False", reason), "Reconciling": ("True", "ProgressingWithRetry")}


def message(control: Controller, name: str = "a") -> str:
    return str(control.status(name)["conditions"][-1]["message"])


def parameters_of(control: Controller, **spec: Any) -> Any:
    """What the plan was made with; `free` takes any."""
    control.apply("free", **spec)
    control.settle()
    return control.parameters[-1]


class TestParameters:
    def test_they_are_merged_in_order_and_the_inline_ones_come_last(self, control: Controller) -> None:
        control.put("ConfigMap", "first", {"size": "1", "colour": "red", "shape": "round"})
        control.put("Secret", "second", {"size": "2", "colour": "blue"})
        sources = [{"kind": "ConfigMap", "name": "first"}, {"kind": "Secret", "name": "second"}]
        found = parameters_of(control, parametersFrom=sources, parameters={"size": 3})
        assert found == {"size": 3, "colour": "blue", "shape": "round"}

    def test_a_source_without_a_key_gives_what_the_plan_declares(self, control: Controller) -> None:
        control.put("Secret", "s", {"count": "3", "password": SECRET, "host": "db"})
        control.apply("strict", parametersFrom=[{"kind": "Secret", "name": "s"}])
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}

    def test_a_key_holds_a_mapping(self, control: Controller) -> None:
        control.put("ConfigMap", "c", {"values.yaml": "size: 2\nlist: [1]\n", "other": "x"})
        found = parameters_of(control, parametersFrom=[{"kind": "ConfigMap", "name": "c", "key": "values.yaml"}])
        assert found == {"size": 2, "list": [1]}

    def test_what_is_not_there_and_not_watched_is_waited_for_longer_and_longer(
        self, control: Controller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(control.references, "reported", lambda _key: frozenset())
        control.apply(parametersFrom=[{"kind": "ConfigMap", "name": "c"}])
        waits = [control.reconcile() for _ in range(7)]
        assert waits == pytest.approx([1, 2, 4, 8, 16, 30, 30])
        assert control.conditions() == waits_for("ParametersNotFound")
        assert message(control).startswith("waits for ConfigMap c (not found); create it, ")
        assert (len(control.written), control.contexts) == (1, [])
        control.put("ConfigMap", "c")
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}

    def test_what_may_not_be_read_is_waited_for_too(self, control: Controller) -> None:
        control.apply(parametersFrom=[{"kind": "Secret", "name": "s"}])
        control.reconcile()
        control.cluster.fail_next(403, "Forbidden")
        assert control.reconcile() == 2
        assert control.conditions() == waits_for("ParametersNotFound")
        assert "Secret team/s may not be read" in message(control)

    def test_what_is_optional_may_be_missing(self, control: Controller) -> None:
        control.apply(parametersFrom=[{"kind": "ConfigMap", "name": "c", "optional": True}])
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}

    def test_a_change_of_a_source_begins_an_execution(self, control: Controller) -> None:
        control.put("ConfigMap", "c", {"size": "1"})
        control.apply(parametersFrom=[{"kind": "ConfigMap", "name": "c"}])
        control.settle()
        before = control.execution()["id"]
        control.settle()
        assert control.execution()["id"] == before
        control.put("ConfigMap", "c", {"size": "2"})
        metadata = control.cluster.objects[f"/api/v1/namespaces/{NAMESPACE}/configmaps/c"]["metadata"]
        assert control.reconciler.referred(Key(NAMESPACE, "a"), metadata)
        control.settle()
        assert control.execution()["id"] != before
        assert not control.reconciler.referred(Key(NAMESPACE, "a"), metadata)

    def test_parameters_that_do_not_fit_are_refused_without_their_values(self, control: Controller) -> None:
        control.put("Secret", "s", {"count": SECRET})
        control.apply("strict", parametersFrom=[{"kind": "Secret", "name": "s"}])
        control.reconcile()
        assert control.conditions()["Stalled"] == ("True", "InvalidParameters")
        assert "parameters.count" in message(control)
        assert SECRET not in json.dumps(control.status())

    @pytest.mark.parametrize("error", [OSError(f"denied for {SECRET}"), RuntimeError(f"['{SECRET}']")])
    @pytest.mark.parametrize("budget", [0, 5])
    def test_a_value_from_a_secret_is_told_nowhere(
        self, control: Controller, error: Exception, budget: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        def log() -> None:
            control.contexts[-1].logger.warning("using %s", SECRET)
            raise error

        control.put("Secret", "s", {"password": SECRET})
        control.script(error, {SECRET: log}, {SECRET: log})
        control.apply(parametersFrom=[{"kind": "Secret", "name": "s"}], errorsToTolerate=budget, sleepBetweenRuns="1h")
        for _ in range(4):
            control.clock.advance(control.reconcile() or 0)
        everything = json.dumps([write.object for write in control.cluster.writes]) + caplog.text
        assert SECRET not in everything
        assert "OSError" in everything or "RuntimeError" in everything


class TestSecrets:
    """A Secret is read for a Plan when its author may read it, as far as the operator can know."""

    @pytest.fixture
    def secret(self, control: Controller) -> dict[str, str]:
        control.put("Secret", "s", {"password": SECRET})
        return {"kind": "Secret", "name": "s"}

    def test_without_the_policy_it_is_not_read(self, control: Controller, secret: dict[str, str]) -> None:
        control.unguard_secrets()
        control.apply("free", parametersFrom=[secret])
        control.reconcile()
        assert control.conditions()["Stalled"] == ("True", "AccessDenied")
        assert "spec.parametersFrom[0]: the Secret 's' is not read" in message(control)
        assert "crds/secrets.yaml" in message(control)
        assert control.parameters == []

    def test_without_the_policy_a_service_account_reads_it(self, control: Controller, secret: dict[str, str]) -> None:
        control.unguard_secrets()
        control.put("ServiceAccount", "runner")
        control.apply("free", parametersFrom=[secret], serviceAccountName="runner")
        control.settle()
        assert control.parameters == [{"password": SECRET}]

    def test_a_config_map_needs_no_policy(self, control: Controller) -> None:
        control.unguard_secrets()
        control.put("ConfigMap", "c", {"size": "1"})
        control.apply("free", parametersFrom=[{"kind": "ConfigMap", "name": "c"}])
        control.settle()
        assert control.parameters == [{"size": "1"}]

    def test_once_the_policy_is_installed_the_plan_goes_on(self, control: Controller, secret: dict[str, str]) -> None:
        control.unguard_secrets()
        control.apply("free", parametersFrom=[secret])
        wait = control.reconcile()
        assert wait is not None
        control.guard_secrets()
        control.clock.advance(wait)
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}

    def test_more_than_sixteen_sources_are_refused(self, control: Controller) -> None:
        control.apply(parametersFrom=[{"kind": "ConfigMap", "name": f"c{n}"} for n in range(17)])
        control.reconcile()
        assert control.conditions()["Stalled"] == ("True", "InvalidSpec")
        assert message(control).startswith("spec.parametersFrom: ")


class TestGuesses:
    """Beside a Secret no message says whether its author, who may not read it, has guessed right."""

    @pytest.fixture(autouse=True)
    def secret(self, control: Controller) -> None:
        control.put("Secret", "s", {"password": SECRET})
        control.put("ServiceAccount", "runner")

    SOURCE: ClassVar[dict[str, str]] = {"kind": "Secret", "name": "s"}

    def told(self, control: Controller, guess: str, **spec: Any) -> str:
        """What the status says of a Plan with a guess in its parameters."""
        control.apply(name="a", **{"serviceAccountName": "runner", "parametersFrom": [self.SOURCE], **spec})
        control.reconcile("a")
        status = control.status("a")
        control.delete("a")
        control.cache.drop(Key(NAMESPACE, "a"))
        shown = [condition["message"] for condition in status["conditions"]]
        shown += (status.get("pending") or {}).get("tasks", ())
        assert guess not in json.dumps(shown)
        return "; ".join(shown)

    def test_an_undeclared_name_is_not_told(self, control: Controller) -> None:
        said = [
            self.told(control, guess, plan="strict", parameters={guess: 1}) for guess in (SECRET, "wrong-guess-of-it")
        ]
        assert said[0] == said[1]
        assert "parameters.…: there is no such parameter" in said[0]

    def test_nor_is_one_where_the_plan_takes_none(self, control: Controller) -> None:
        said = [
            self.told(control, guess, plan="rubbish", parameters={guess: 1}) for guess in (SECRET, "wrong-guess-of-it")
        ]
        assert said[0] == said[1]

    def test_what_a_validator_quotes_is_not_told(self, control: Controller) -> None:
        said = [self.told(control, guess, plan="strict", parameters={"count": guess}) for guess in (SECRET, "wrong")]
        assert said[0] == said[1]
        assert "parameters.count: Input should be a valid integer" in said[0]

    @pytest.mark.parametrize("place", ["parameters", "ConfigMap"])
    def test_without_the_policy_a_value_of_the_authors_is_taken_out_of_task_names(
        self, control: Controller, place: str
    ) -> None:
        control.unguard_secrets()
        said = []
        for guess in (SECRET, "wrong-guess-of-it"):
            control.put("ConfigMap", "c", {"guess": guess})
            config = [{"kind": "ConfigMap", "name": "c"}] if place == "ConfigMap" else []
            inline = {"guess": guess} if place == "parameters" else {}
            control.script({f"create {guess}": lambda: None})
            said.append(
                self.told(control, guess, mode="Preview", parametersFrom=[self.SOURCE, *config], parameters=inline)
            )
        assert said[0] == said[1]
        assert "create …" in said[0]

    def test_with_the_policy_only_what_a_config_map_gave_is(self, control: Controller) -> None:
        control.put("ConfigMap", "c", {"region": "eu-west"})
        control.script({"create shop in eu-west": lambda: None})
        sources = [self.SOURCE, {"kind": "ConfigMap", "name": "c"}]
        control.apply(mode="Preview", parametersFrom=sources, parameters={"name": "shop"})
        control.reconcile()
        assert control.status()["pending"]["tasks"] == ["create shop in …"]


class TestDependencies:
    def test_an_execution_begins_when_each_is_ready(self, control: Controller) -> None:
        control.apply(name="first", suspend=True)
        control.reconcile("first")
        control.apply(dependsOn=[{"name": "first"}])
        assert control.reconcile() == 1
        assert control.conditions() == waits_for("DependencyNotReady")
        assert "Plan team/first" in message(control)
        assert [context.name for context in control.contexts] == []
        control.edit("first", suspend=False)
        control.settle("first")
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}

    def test_one_that_is_not_there_is_waited_for(self, control: Controller) -> None:
        control.apply(dependsOn=[{"name": "first"}])
        control.reconcile()
        assert (control.conditions(), message(control)) == (
            waits_for("DependencyNotReady"),
            "Plan team/first not found",
        )

    def test_other_kinds_count_by_the_rules_of_kstatus(self, control: Controller) -> None:
        control.put("ConfigMap", "c")
        control.apply(dependsOn=[{"apiVersion": "v1", "kind": "ConfigMap", "name": "c"}])
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}

    def test_those_that_wait_for_one_another_are_told_so(self, control: Controller) -> None:
        for name, other in ("ab", "bc", "ca"):
            control.apply(name=name, dependsOn=[{"name": other}])
        for name in "abc":
            control.reconcile(name)
            assert control.conditions(name) == waits_for("DependencyCycle")
        assert message(control).startswith("these Plans wait for one another: team/a -> team/b -> team/c -> team/a; ")

    def test_of_two_cycles_the_shorter_is_named(self, control: Controller) -> None:
        for name, others in (("a", "xb"), ("x", "y"), ("y", "a"), ("b", "a")):
            control.apply(name=name, dependsOn=[{"name": other} for other in others])
        control.reconcile("a")
        assert message(control).startswith("these Plans wait for one another: team/a -> team/b -> team/a; ")

    def test_a_very_long_cycle_is_not_looked_for_to_its_end(
        self, control: Controller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("execloop.controller.reconcile.inputs.dependencies._LOOKED_AT", 2)
        for name, other in ("ab", "bc", "cd", "da"):
            control.apply(name=name, dependsOn=[{"name": other}])
        control.reconcile("a")
        assert control.conditions() == waits_for("DependencyNotReady")

    def test_between_the_runs_of_an_execution_nobody_looks(self, control: Controller) -> None:
        control.apply(name="first")
        control.settle("first")
        script = control.script(["x"], ["y"])
        control.apply(dependsOn=[{"name": "first"}])
        control.clock.advance(control.reconcile() or 0)
        control.delete("first")
        control.settle()
        assert (script.performed, control.conditions()) == (["x", "y"], {"Ready": ("True", "Converged")})

    def test_drift_is_repaired_only_when_they_are_ready(self, control: Controller) -> None:
        control.apply(name="first")
        control.settle("first")
        control.apply(dependsOn=[{"name": "first"}])
        control.clock.advance(control.settle() or 0)
        control.delete("first")
        script = control.script(["x"], ["x"])
        control.reconcile()
        assert (script.performed, control.conditions()) == ([], waits_for("DependencyNotReady"))


class TestServiceAccount:
    def test_one_that_is_not_there_is_waited_for(self, control: Controller) -> None:
        control.apply(serviceAccountName="deployer")
        assert control.reconcile() == 1
        assert control.conditions() == waits_for("ServiceAccountNotFound")
        control.put("ServiceAccount", "deployer")
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}

    def test_plan_code_and_reads_on_its_behalf_act_as_it(self, control: Controller) -> None:
        control.put("ServiceAccount", "deployer")
        control.put("ConfigMap", "c")
        control.apply(serviceAccountName="deployer", parametersFrom=[{"kind": "ConfigMap", "name": "c"}])
        control.settle()
        before = len(control.cluster.acted_as)
        assert set(control.cluster.acted_as) == {"team/deployer"}
        assert control.contexts[0].kube is not None
        assert len(control.cluster.acted_as) == before + 1


MISSING_MAP: dict[str, Any] = {"parametersFrom": [{"kind": "ConfigMap", "name": "c"}]}
DEPLOYMENT: dict[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


class TestLooks:
    """How soon a Plan that waits is looked at when no event makes it due before."""

    @pytest.fixture
    def looks(self, control: Controller) -> Callable[..., float]:
        """Return a function that returns the seconds until the third look at a Plan."""

        def third(**spec: Any) -> float:
            control.apply(**spec)
            delays = [control.reconcile() for _ in range(3)]
            return delays[-1] or 0.0

        return third

    @pytest.mark.parametrize(
        ("reason", "spec"),
        [
            ("ParametersNotFound", MISSING_MAP),
            ("DependencyNotReady", {"dependsOn": [{"name": "first"}]}),
            ("DependencyNotReady", {"dependsOn": [DEPLOYMENT]}),
            ("DependencyCycle", {"dependsOn": [{"name": "a"}]}),
        ],
    )
    def test_what_an_event_reports_is_looked_at_each_ten_minutes(
        self, control: Controller, looks: Callable[..., float], reason: str, spec: dict[str, Any]
    ) -> None:
        assert 60 <= looks(**spec) <= 660
        assert control.conditions() == waits_for(reason)

    def test_a_source_that_is_wrong_is_looked_at_each_ten_minutes(
        self, control: Controller, looks: Callable[..., float]
    ) -> None:
        control.put("ConfigMap", "c", {"values.yaml": "["})
        assert 60 <= looks(parametersFrom=[{"kind": "ConfigMap", "name": "c", "key": "values.yaml"}]) <= 660
        assert control.conditions()["Stalled"] == ("True", "InvalidParameters")

    @pytest.mark.parametrize(
        ("reason", "spec"),
        [
            ("ServiceAccountNotFound", {"serviceAccountName": "deployer"}),
            ("DependencyNotReady", {"dependsOn": [{"apiVersion": "x.example.com/v1", "kind": "Thing", "name": "x"}]}),
        ],
    )
    def test_what_no_event_reports_is_looked_at_soon(
        self, control: Controller, looks: Callable[..., float], reason: str, spec: dict[str, Any]
    ) -> None:
        assert looks(**spec) <= 30
        assert control.conditions() == waits_for(reason)

    def test_a_right_that_is_missing_is_looked_for_soon(self, control: Controller) -> None:
        control.apply(**MISSING_MAP)
        for _ in range(3):
            control.cluster.fail_next(403, "Forbidden")
            assert (control.reconcile() or 0) <= 30

    def test_without_the_policy_a_secret_is_looked_for_soon(
        self, control: Controller, looks: Callable[..., float]
    ) -> None:
        control.unguard_secrets()
        assert looks(parametersFrom=[{"kind": "Secret", "name": "s"}]) <= 30

    def test_the_first_look_is_followed_by_another_since_its_watch_began_later(self, control: Controller) -> None:
        control.apply(**MISSING_MAP)
        assert control.reconcile() == 1
        assert (control.reconcile() or 0) >= 60

    def test_another_source_is_looked_at_twice_again(self, control: Controller) -> None:
        control.apply(**MISSING_MAP)
        control.reconcile()
        control.reconcile()
        control.edit(parametersFrom=[{"kind": "ConfigMap", "name": "another"}])
        assert (control.reconcile() or 0) <= 30
        assert (control.reconcile() or 0) >= 60

    def test_plans_that_wait_together_are_looked_at_at_different_times(self, control: Controller) -> None:
        delays = set()
        for name in ("a", "b", "c"):
            control.apply(name=name, **MISSING_MAP)
            control.reconcile(name)
            delays.add(control.reconcile(name))
        assert len(delays) == 3
