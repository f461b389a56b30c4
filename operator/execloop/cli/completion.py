"""`execloop completion`: the script by which a shell completes commands, options and the names of Plans."""

from __future__ import annotations

import click

from execloop.cli.exits import CONVERGED

__all__ = ["completion"]


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
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - the command starts without it

    found = get_completion_class(shell)
    if found is None:  # the choices above are those that click has
        raise AssertionError(shell)
    script = found(context.find_root().command, {}, "execloop", "_EXECLOOP_COMPLETE")
    click.echo(script.source())
    return CONVERGED
