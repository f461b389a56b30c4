"""What `run` and `preview` are asked for: a plan by name, or by a manifest, with its parameters and options."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from execloop._engine.errors import PlanError
from execloop._engine.options import Options
from execloop._plans.discovery import GROUP
from execloop._plans.registry import Registry
from execloop.cli.cluster.session import place_options
from execloop.cli.exits import Mistake
from execloop.cli.local.assignments import assign
from execloop.cli.manifests import Manifest, Problem, is_file, plans_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click.shell_completion import CompletionItem

    from execloop._engine.plan import Plan
    from execloop._plans.context import Context
    from execloop._plans.definition import Definition
    from execloop._plans.registry import Registered
    from execloop.controller.api.v1alpha1 import PlanSpec

__all__ = ["Target", "load_registry", "plans_option", "resolve", "target_arguments"]

F = TypeVar("F", bound="Callable[..., Any]")

plans_option = click.option(
    "--plans",
    "folders",
    multiple=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with plan modules, besides the plans that are installed. May be repeated.",
)


def _complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the plans that are installed, without importing them; files where no name fits."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - the command starts without it

    names = sorted(entry.name for entry in entry_points(group=GROUP) if entry.name.startswith(incomplete))
    return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]


def target_arguments(function: F) -> F:
    """The arguments that `run` and `preview` share. The function gets a Place first."""
    decorators = [
        click.argument("target", metavar="NAME|FILE.yaml|FILE.py", shell_complete=_complete),
        click.option(
            "-p",
            "assignments",
            multiple=True,
            metavar="KEY=VALUE",
            help="A parameter. Values are YAML, dotted keys nest.",
        ),
        plans_option,
        click.option("--traceback", is_flag=True, help="Show where in the plan's code an error was raised."),
    ]
    decorated: Any = place_options(function)
    for decorate in reversed(decorators):
        decorated = decorate(decorated)
    return cast("F", decorated)


@dataclass(frozen=True, slots=True)
class Target:
    registered: Registered
    parameters: Any
    """As the plan's model made them."""
    options: Options
    name: str
    registry: Registry
    namespace: str = ""

    def plans(self, name: str) -> Definition:
        """Return another plan. Raises PlanError."""
        return self.registry.definition(name)

    def make(self, context: Context) -> Plan:
        return self.registered.definition.make(self.parameters, context)


def load_registry(folders: Sequence[Path]) -> Registry:
    """What a module prints while it is imported must not get into what the command prints."""
    with redirect_stdout(sys.stderr):
        return Registry.load(folders)


def resolve(target: str, assignments: Sequence[str], folders: Sequence[Path], namespace: str | None = None) -> Target:
    """Return what to run; `namespace` as the flag has it. Raises Mistake."""
    manifest, name, parameters, options = None, target, {}, Options()
    if target.endswith(".py"):
        module = Path(target)
        folders = (*folders, module)
        name = _only_plan_of(module, load_registry((module,)))
    elif is_file(target):
        manifest, spec = _only_plan(target)
        name, parameters, options = spec.plan, spec.parameters, _options(spec)
        _say_what_is_not_read(manifest, spec)
    parameters = assign(parameters, assignments)
    try:
        registry = load_registry(folders)
        registered = registry.get(name)
        parsed = registered.definition.parse(parameters, plans=registry.definition)
    except PlanError as error:
        raise Mistake(str(error)) from None
    found = Target(registered, parsed, options, name, registry, namespace or "")
    return found if manifest is None else _placed(found, manifest)


def _placed(target: Target, manifest: Manifest) -> Target:
    if target.namespace and manifest.namespace not in ("", target.namespace):
        raise Mistake(str(manifest.problem("metadata.namespace", f"is not {target.namespace}, as --namespace says")))
    return replace(target, name=manifest.name or target.name, namespace=target.namespace or manifest.namespace)


def _only_plan_of(module: Path, registry: Registry) -> str:
    """Return the name of the one plan of a module."""
    if not module.is_file():
        raise Mistake(f"{module}: there is no such file")
    origin = module.resolve()
    for where, failure in registry.failures.items():
        if Path(where).resolve() == origin:
            raise Mistake(f"{module}: {failure}")
    names = [plan.name for plan in registry if Path(plan.origin).resolve() == origin]
    if len(names) == 1:
        return names[0]
    if not names:
        raise Mistake(f'{module}: has no plan; a plan of a module is made with @plan("name")')
    raise Mistake(f"{module}: has more than one plan: {', '.join(names)}; give its name and --plans {module.parent}")


def _only_plan(file: str) -> tuple[Manifest, PlanSpec]:
    from execloop.cli.local.checking import check_resource  # noqa: PLC0415 - pydantic takes its time

    found = list(plans_in(file))
    problems = [item for item in found if isinstance(item, Problem)]
    manifests = [item for item in found if isinstance(item, Manifest)]
    if not problems and len(manifests) != 1:
        names = f": {', '.join(manifest.name for manifest in manifests)}" if manifests else ""
        raise Mistake(f"{file}: should have one Plan, not {len(manifests)}{names}")
    spec = None
    if not problems:
        spec, problems = check_resource(manifests[0])
    if spec is None:
        raise Mistake("\n".join(map(str, problems)))
    return manifests[0], spec


def _options(spec: PlanSpec) -> Options:
    return Options(
        sleep_between_runs=spec.sleep_between_runs,
        errors_to_tolerate=None if spec.errors_to_tolerate < 0 else spec.errors_to_tolerate,
        execution_timeout=spec.execution_timeout or None,
        parallelism=spec.parallelism,
    )


def _say_what_is_not_read(manifest: Manifest, spec: PlanSpec) -> None:
    if spec.parameters_from:
        message = "is not read on this machine: give its parameters with -p"
        click.echo(str(manifest.problem("spec.parametersFrom", message)), err=True)
