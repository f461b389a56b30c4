"""What keeps the command quick to start."""

import subprocess
import sys

from execloop.cli.group import COMMANDS

COSTLY = ("asyncio", "aiohttp", "pydantic", "rich", "yaml", "execloop._public", "execloop.kube")


def test_the_help_of_no_verb_for_a_cluster_imports_what_only_the_verb_needs() -> None:
    modules = sorted({where.partition(":")[0] for where, _ in COMMANDS.values() if ".cluster." in where})
    assert len(modules) >= 16
    program = f"import sys, {', '.join(modules)}\nprint([name for name in {COSTLY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
