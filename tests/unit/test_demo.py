"""The demo, where it does not go well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from examples.demo.operator_process import Operator
from examples.demo.shell import until

if TYPE_CHECKING:
    from pathlib import Path


def test_an_operator_that_has_ended_ends_the_demo_with_the_end_of_its_log(tmp_path: Path) -> None:
    cluster: Any = SimpleNamespace(kubeconfig=tmp_path / "no-such-kubeconfig")
    operator = Operator(cluster, tmp_path / "log", "")
    with pytest.raises(SystemExit) as ended:
        until(lambda: False, "nothing", operator.check)
    assert "the operator of the demo has ended (exit code 2), so nothing converges" in str(ended.value)
    assert "no-such-kubeconfig" in str(ended.value)


def test_a_signal_that_ended_it_is_named(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("{}")
    operator = Operator(SimpleNamespace(kubeconfig=kubeconfig), tmp_path / "log", "")  # type: ignore[arg-type]
    operator._process.kill()
    operator._process.wait(10)
    with pytest.raises(SystemExit, match="signal 9"):
        operator.check()
