"""Expressions of resources: what they may say, what they give, and how a wrong one is explained."""

import builtins
from typing import Any

import pytest

from execloop.library.cel import expression
from execloop.library.cel.expression import LONGEST_EXPRESSION, CelError, compile_expression

READY = {"status": {"ready": 3, "conditions": [{"type": "Ready", "status": "True"}]}, "spec": {"replicas": 3}}


def value(text: str, given: dict[str, Any] | None = None, result: type | None = None) -> Any:
    return compile_expression(text, given or {}, result).evaluate(given or {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("object.status.ready == object.spec.replicas", True),
        ("object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')", True),
        ("has(object.status.phase) ? object.status.phase : 'none'", "none"),
        ("object.?status.?phase.orValue('none')", "none"),
        ("object.status.conditions.map(c, c.type)", ["Ready"]),
        ("{'ready': object.status.ready, 'half': 0.5, 'none': null}", {"ready": 3, "half": 0.5, "none": None}),
        ("math.greatest(object.status.ready, 7)", 7),
        ("string(duration('90m'))", "5400s"),
        ("'ü😀'", "ü😀"),
        ("object.missing == 1 || true", True),
    ],
)
def test_an_expression_gives_a_value_of_json(text: str, expected: Any) -> None:
    assert value(text, {"object": READY}) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("object.", "at line 1, column 8: Syntax error"),
        ("object.a ==\n  missing", "at line 2, column 3: undeclared reference to 'missing'"),
        ("1 + 'a'", "at line 1, column 3: found no matching overload"),
        ("", "at line 1, column 1: Syntax error"),
        ("a" * (LONGEST_EXPRESSION + 1), "has 4097 characters: at most 4096"),
        ("(" * 300 + "1" + ")" * 300, "recursion limit exceeded"),
        ("[" * 2000 + "]" * 2000, "recursion limit exceeded"),
        ("+".join(["1"] * 1000), "max recursion depth"),
        ("object" + ".x" * 1000, "max recursion depth"),
        ("'\0'", "not text"),
        ("'\ud800'", "not text"),
    ],
)
def test_what_cannot_be_compiled_names_the_place_and_the_cause(text: str, said: str) -> None:
    with pytest.raises(CelError) as raised:
        compile_expression(text, ["object"])
    assert said in str(raised.value)
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    ("text", "given", "said"),
    [
        ("object.missing", {}, 'Key not found in map : "missing"'),
        ("1 / object.zero", {"zero": 0}, "divide by zero"),
        ("object.list[3]", {"list": []}, "Index error"),
        ("object.list.all(x, object.list.all(y, object.list.all(z, true)))", {"list": [1] * 100}, "budget exceeded"),
        ("timestamp('2026-01-01T00:00:00Z')", {}, "convert it with string()"),
        ("b'abc'", {}, "convert it with string()"),
        ("object", {"set": {1}}, "a value of type set is none of JSON's"),
        ("object", {1: 2}, "a key that is not text"),
        ("object", {"large": 2**63}, "more than 64 bits"),
        ("object", {"half": "\ud800"}, "half of a surrogate pair"),
        ("object", ["x" * 2**20] * 3, "too much"),
        ("object", [0] * 200_000, "too much"),
    ],
)
def test_an_error_while_it_is_evaluated_is_an_error_and_no_value(text: str, given: Any, said: str) -> None:
    with pytest.raises(CelError, match=r"^`") as raised:
        value(text, {"object": given})
    assert said in str(raised.value)


def test_values_that_are_nested_too_deeply_are_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(CelError, match="nested deeper than 64"):
        value("object", {"object": deep})


def test_the_type_of_the_result_is_checked_when_it_is_compiled_and_again_when_it_is_known() -> None:
    with pytest.raises(CelError, match="gives a value of type int: it must give true or false"):
        compile_expression("1", [], bool)
    with pytest.raises(CelError, match="must give true or false, but gave a value of type string"):
        value("object", {"object": "yes"}, bool)
    assert value("object", {"object": True}, bool) is True


def test_a_variable_without_a_value_is_named() -> None:
    with pytest.raises(CelError, match="needs a value for item"):
        compile_expression("item == 1", ["item", "steps"]).evaluate({"steps": {}})


def test_a_variable_that_is_not_used_is_not_measured() -> None:
    assert compile_expression("item", ["item", "large"]).evaluate({"item": 1, "large": [0] * 200_000}) == 1


def test_values_that_no_variable_is_declared_for_are_left_out() -> None:
    assert compile_expression("item", ["item"]).evaluate({"item": 1, "other": object()}) == 1


DOUBLING = "[1].map(x, object.text + object.text)" + ".map(x, x + x)" * 20


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("object.list.map(x, object.text)", {"list": [0] * 5000, "text": "x" * 200_000}),
        ("object.list.map(x, object.text + object.text)", {"list": [0] * 5000, "text": "x" * 20_000}),
        ("object.list.all(x, object.text.matches('(x+x+)+y'))", {"list": [0] * 5000, "text": "x" * 200_000}),
        ("object.list.all(x, object.list == object.other)", {"list": [0] * 9000, "other": [0] * 9000}),
        ("object.list.map(x, object.list + object.list)", {"list": [0] * 9000}),
        (DOUBLING, {"text": "xx"}),
        (DOUBLING.replace("text", "list"), {"list": [1, 2]}),
    ],
)
def test_what_could_take_gigabytes_or_minutes_is_refused_before_it_begins(text: str, given: Any) -> None:
    with pytest.raises(CelError, match="at most 64 MiB"):
        value(text, {"object": given})


def test_an_ordinary_object_with_long_texts_is_not_refused() -> None:
    pod = {"annotations": {"applied": "x" * 100_000}, "conditions": [{"type": "A"}] * 30 + [{"type": "Ready"}]}
    assert value("object.conditions.exists(c, c.type == 'Ready')", {"object": pod}) is True
    assert value("object.conditions.filter(c, c.type == 'Ready').size()", {"object": pod}) == 1


def test_without_the_extra_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("cel_expr_python"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    expression._environment.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(CelError, match=r"pip install 'execloop\[cel\]'"):
        compile_expression("object.unseen", ["object"])
