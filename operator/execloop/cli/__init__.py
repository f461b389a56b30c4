"""The command `execloop`. Importing it imports nothing else: each command imports what it needs when it is called."""

import os
import sys
from pathlib import Path

from execloop.cli.extras import missing_extra

__all__ = ["main"]


def main() -> None:
    try:
        from execloop.cli.group import execloop  # noqa: PLC0415 - the extra `cli` may not be installed
    except ModuleNotFoundError as error:
        if (hint := missing_extra(error)) is None:
            raise
        sys.exit(f"execloop: {hint}")
    if "_EXECLOOP_COMPLETE" in os.environ:
        from execloop.cli.shells import register  # noqa: PLC0415 - as above

        register()
    plugin = Path(sys.argv[0]).name.startswith("kubectl-")
    execloop(prog_name="kubectl execloop" if plugin else "execloop")
