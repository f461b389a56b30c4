"""The Lua of docs/gitops/argocd-cm.yaml, run as Argo CD runs custom scripts: in Lua 5.1, with its base library, the
time, and one object, on which every script begins anew.
"""

from typing import Any

import lupa.lua51 as lua
import yaml

from tests.gitops.states import DOCS

_ALLOWED = ("date", "time")
_LIBRARIES = ("string", "math", "io", "debug", "coroutine", "package", "python")


class ScriptFailed(Exception):
    """A script raised an error."""


def customization(what: str) -> str:
    """The text under `resource.customizations.<what>.execloop.dev_Plan`."""
    data = yaml.safe_load((DOCS / "argocd-cm.yaml").read_text("utf-8"))["data"]
    text: str = data[f"resource.customizations.{what}.execloop.dev_Plan"]
    return text


def health(plan: dict[str, Any]) -> dict[str, str]:
    answer: dict[str, str] = _run(customization("health"), plan)
    return answer


def available(plan: dict[str, Any]) -> set[str]:
    """The actions that a person may take."""
    actions = _run(yaml.safe_load(customization("actions"))["discovery.lua"], plan)
    return {name for name, action in actions.items() if not action.get("disabled")}


def act(name: str, plan: dict[str, Any]) -> dict[str, Any]:
    """The Plan as the action leaves it."""
    definitions = yaml.safe_load(customization("actions"))["definitions"]
    (script,) = (definition["action.lua"] for definition in definitions if definition["name"] == name)
    changed: dict[str, Any] = _run(script, plan)
    return changed


def _run(script: str, plan: dict[str, Any]) -> Any:
    runtime = lua.LuaRuntime(register_eval=False, register_builtins=False)
    scope = runtime.globals()
    runtime.execute('getmetatable("").__index = nil')
    safe = runtime.table_from({name: scope.os[name] for name in _ALLOWED})
    for library in _LIBRARIES:
        scope[library] = None
    scope.os = safe
    scope.require = lambda name: {"os": safe}[name]
    scope.obj = runtime.table_from(plan, recursive=True)
    try:
        return _python(runtime.execute(script), plan)
    except lua.LuaError as error:
        raise ScriptFailed(str(error)) from error


def _python(value: Any, like: Any) -> Any:
    """A table as an object, or as a list where it was one: Argo CD, too, cannot tell them apart when they are empty."""
    if lua.lua_type(value) != "table":
        return value
    if isinstance(like, list):
        return [_python(item, like[index] if index < len(like) else None) for index, item in enumerate(value.values())]
    known = like if isinstance(like, dict) else {}
    return {key: _python(item, known.get(key)) for key, item in value.items()}
