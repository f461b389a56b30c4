"""execloop converges: a plan returns the tasks that are still needed; the engine runs them, waits, and asks again.

Everything here needs the standard library only. `execloop.kube`, `execloop.library`, `execloop.controller` and
`execloop.cli` need the extras `operator` and `cli`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from execloop._public import *  # noqa: F403 - the one list of public names
    from execloop._public import __all__ as __all__
else:

    def __getattr__(name: str) -> object:
        """Import the engine when it is asked for: the command starts in half the time without it."""
        public = import_module("execloop._public")
        if name == "__all__":
            return public.__all__
        if name not in public.__all__:
            raise AttributeError(f"module 'execloop' has no attribute {name!r}")
        value = globals()[name] = getattr(public, name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *import_module("execloop._public").__all__})
