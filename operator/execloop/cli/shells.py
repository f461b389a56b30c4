"""How bash, zsh and fish complete: click's scripts, with what they get wrong after `--option=` and in descriptions."""

from __future__ import annotations

from click.shell_completion import BashComplete, FishComplete, ZshComplete, add_completion_class

__all__ = ["SHELLS", "register"]


class Bash(BashComplete):
    """Takes `--output=j` apart as bash does: the `=` is a word of its own, and not the value."""

    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        return (args[:-1] if args[-1:] == ["="] else args), incomplete


class Zsh(ZshComplete):
    """Completes what stands after `--option=`, and keeps the option."""

    source_template = (
        ZshComplete.source_template.replace(
            "    for type key descr in",
            '    local option=""\n    [[ "$PREFIX" == --*=* ]] && option="${PREFIX%%%%=*}="\n    for type key descr in',
        )
        .replace('=("$key"', '=("$option$key"')
        .replace("_path_files", "compset -P '--*='; _path_files")
    )


class Fish(FishComplete):
    """Completes what stands after `--option=`, and shows a description with its commas."""

    source_template = (
        FishComplete.source_template.replace('string split ","', 'string split --max 1 ","')
        .replace(
            "    for completion in",
            "    set -l option (string match --regex '^--[^=]+=' -- (commandline -t));\n\n    for completion in",
        )
        .replace("echo $metadata[2]", 'echo "$option$metadata[2]"')
        .replace("_directories $metadata[2];", "_directories $metadata[2] | string replace --regex '^' -- \"$option\";")
        .replace("_path $metadata[2];", "_path $metadata[2] | string replace --regex '^' -- \"$option\";")
    )


SHELLS = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def register() -> None:
    """Let click answer the shells with these."""
    for shell in SHELLS.values():
        add_completion_class(shell)
