"""Log lines of the operator, each with the Plan that it is about."""

import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest

from execloop.controller.manager.logs import configure
from execloop.controller.plancode.logger import PlanLogger
from execloop.controller.plancode.redaction.redactor import Redactor
from execloop.controller.watch.cache import Key

KEY = Key("team", "a")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Each test configures logging anew; afterwards it is as it was."""
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, ("kopf", "aiohttp", "asyncio", "execloop.plan"))]
    handlers, levels = root.handlers[:], [logger.level for logger in loggers]
    logging.getLogger("execloop.plan").setLevel(logging.NOTSET)  # `execloop run` in this process may have set it
    yield
    root.handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def said(capsys: pytest.CaptureFixture[str], form: Literal["json", "plain"], level: str = "info") -> str:
    configure(form, level)
    PlanLogger(KEY, Redactor()).info("%d nodes", 3)
    PlanLogger(KEY, Redactor()).debug("details")
    logging.getLogger("execloop").warning("about no Plan")
    return capsys.readouterr().err


class TestJson:
    def test_a_line_is_an_object_that_names_its_plan(self, capsys: pytest.CaptureFixture[str]) -> None:
        line = json.loads(said(capsys, "json").splitlines()[0])
        assert line.pop("time").endswith("+00:00")
        assert line == {"level": "info", "logger": "execloop.plan", "message": "3 nodes", "plan": "team/a"}

    def test_a_line_about_no_plan_names_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "plan" not in json.loads(said(capsys, "json").splitlines()[1])

    def test_a_traceback_is_a_part_of_its_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure("json", "info")
        try:
            raise OSError("down")
        except OSError:
            PlanLogger(KEY, Redactor()).exception("it failed")
        (line,) = map(json.loads, capsys.readouterr().err.splitlines())
        assert line["exception"].endswith("OSError: down")


class TestPlain:
    def test_a_line_says_when_how_grave_and_of_which_plan(self, capsys: pytest.CaptureFixture[str]) -> None:
        first, second = said(capsys, "plain").splitlines()
        assert first[8:] == " INFO    [team/a] 3 nodes"
        assert second[8:] == " WARNING about no Plan"

    def test_a_traceback_follows_its_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure("plain", "info")
        try:
            raise OSError("down")
        except OSError:
            PlanLogger(KEY, Redactor()).exception("it failed")
        assert capsys.readouterr().err.rstrip().endswith("OSError: down")


@pytest.mark.parametrize(("level", "lines"), [("debug", 3), ("info", 2), ("warning", 1), ("ERROR", 0)])
def test_the_level_decides_what_is_said(capsys: pytest.CaptureFixture[str], level: str, lines: int) -> None:
    assert len(said(capsys, "plain", level).splitlines()) == lines


def test_libraries_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    configure("plain", "debug")
    for name in ("kopf", "aiohttp"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("%s warns", name)
    assert [line[17:] for line in capsys.readouterr().err.splitlines()] == ["kopf warns", "aiohttp warns"]


def test_what_the_plans_author_adds_to_a_record_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        PlanLogger(KEY, Redactor()).info("a pod is missing", extra={"pod": "x", "plan": "another"})
    (record,) = caplog.records
    assert (vars(record)["pod"], vars(record)["plan"]) == ("x", "team/a")
