"""What to install when a command needs a distribution that is not installed."""

from __future__ import annotations

__all__ = ["missing_extra"]

_EXTRAS = {
    "click": "cli",
    "pydantic": "cli",
    "rich": "cli",
    "yaml": "cli",
    "aiohttp": "operator",
    "kopf": "operator",
    "kubernetes": "operator",
    "prometheus_client": "operator",
    "jinja2": "page",
    "markupsafe": "page",
}


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """One line for the user; None when the module is none of an extra's."""
    module = (error.name or "").partition(".")[0]
    if (extra := _EXTRAS.get(module)) is None:
        return None
    return f"this needs {module}, which is not installed: pip install 'execloop[{extra}]'"
