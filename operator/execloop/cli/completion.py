"""`execloop completion`: the script by which a shell completes commands, options and the names of Plans."""

from __future__ import annotations

import sys

import click

from execloop.cli.exits import CONVERGED

__all__ = ["completion", "for_kubectl"]

_NO_FILES = 4
"""Of kubectl's directives: do not offer the names of files."""


@click.command(
    epilog="""\b
Examples:
  source <(execloop completion bash)              for this shell
  execloop completion fish > ~/.config/fish/completions/execloop.fish"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print the completion script of a SHELL. Names of Plans are asked of the cluster as you type."""
    from execloop.cli.shells import SHELLS  # noqa: PLC0415 - the command starts without it

    script = SHELLS[shell](context.find_root().command, {}, "execloop", "_EXECLOOP_COMPLETE")
    click.echo(script.source())
    return CONVERGED


def for_kubectl() -> None:
    """Answer `kubectl execloop …<Tab>`: kubectl runs this as `kubectl_complete-execloop` with the words so far."""
    from click.shell_completion import BashComplete  # noqa: PLC0415 - as above

    from execloop.cli.group import execloop  # noqa: PLC0415 - the group imports this module

    *words, incomplete = sys.argv[1:] or [""]
    for item in BashComplete(execloop, {}, "execloop", "_EXECLOOP_COMPLETE").get_completions(words, incomplete):
        click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
    click.echo(f":{_NO_FILES}")
