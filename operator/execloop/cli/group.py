"""The group of commands, each imported when it is called, and the one place where errors become exit codes."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, NoReturn

import click

from execloop.cli.exits import INTERRUPTED, Mistake
from execloop.cli.extras import missing_extra

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click.shell_completion import CompletionItem

__all__ = ["execloop"]

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("execloop.cli.local.run:run", "Run a plan on this machine until it converges."),
    "preview": ("execloop.cli.local.preview:preview", "Print the tasks that a plan would run, and run none."),
    "plans": ("execloop.cli.local.plans:plans", "List the plans that are installed, or describe one."),
    "validate": ("execloop.cli.local.validate:validate", "Check Plan manifests without a cluster."),
    "new": ("execloop.cli.local.new:new", "Write a small, tested package for a plan of your own."),
    "operator": ("execloop.cli.operator:operator", "Converge the Plans of a cluster."),
    "get": ("execloop.cli.cluster.look.get:get", "List the Plans of a cluster with their states."),
    "explain": ("execloop.cli.cluster.look.explain:explain", "Say why a Plan is as it is, and what to do next."),
    "tree": ("execloop.cli.cluster.look.tree:tree", "Show a Plan as a tree: execution, errors, dependencies, objects."),
    "diff": ("execloop.cli.cluster.look.diff:diff", "Show the tasks that a Plan would run now."),
    "approve": (
        "execloop.cli.cluster.act.approve:approve",
        "Show the tasks that wait for an approval, and approve them.",
    ),
    "reconcile": ("execloop.cli.cluster.act.reconcile:reconcile", "Begin a new execution of Plans."),
    "skip": ("execloop.cli.cluster.act.skip:skip", "Take a step of a Plan as done."),
    "retry": ("execloop.cli.cluster.act.retry:retry", "Try a Plan again now, after errors."),
    "suspend": ("execloop.cli.cluster.act.suspend:suspend", "Stop Plans, for a while or until they are resumed."),
    "resume": ("execloop.cli.cluster.act.resume:resume", "Resume suspended Plans."),
    "wait": ("execloop.cli.cluster.act.wait:wait", "Wait until Plans are Ready or Stalled."),
    "events": ("execloop.cli.cluster.look.events:events", "List the Events of a Plan."),
    "logs": ("execloop.cli.cluster.look.logs:logs", "Print what the operator logged about a Plan."),
    "history": ("execloop.cli.cluster.look.history:history", "List the executions of a Plan that ended."),
    "check": ("execloop.cli.cluster.admin.check:check", "Check that a cluster is ready for Plans."),
    "bundle": ("execloop.cli.cluster.admin.bundle:bundle", "Collect what a bug report about a Plan needs."),
    "completion": ("execloop.cli.completion:completion", "Print the completion script of a shell."),
    "teardowns": ("execloop.cli.cluster.admin.teardowns:teardowns", "List the Plans whose teardown has not run yet."),
}


class LazyGroup(click.Group):
    """Knows the names and the short help of its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands with their short help, and the options of the group."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - the command starts without it

        commands = [
            CompletionItem(name, help=summary) for name, (_, summary) in COMMANDS.items() if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> NoReturn:
        """A command returns its exit code, or None for 0."""
        try:
            code = super().invoke(ctx)
        except KeyboardInterrupt:
            code = INTERRUPTED
        except ModuleNotFoundError as error:
            if (hint := missing_extra(error)) is None:
                raise
            raise Mistake(hint) from None
        ctx.exit(code or 0)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="execloop", message="%(prog)s %(version)s")
@click.pass_context
def execloop(ctx: click.Context) -> None:
    """Converge: run the tasks that a plan still needs, wait, ask again, until none remain."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False
