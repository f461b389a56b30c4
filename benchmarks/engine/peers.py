"""What people would pick instead. Each is imported only in the environment that has it."""

from __future__ import annotations

import logging
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.engine.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dbos", "doit", "luigi", "prefect", "tenacity"]


def _attempt(work: Work) -> None:
    work.pre()
    work.perform()
    work.post()


def tenacity(number: int) -> Callable[[], object]:
    module = import_module("tenacity")
    tasks = [Work() for _ in range(number)]
    retrying = module.Retrying(stop=module.stop_after_attempt(6), wait=module.wait_none())

    def loop() -> None:
        for each in tasks:
            retrying(_attempt, each)

    return loop


def doit(number: int) -> Callable[[], object]:
    loader = import_module("doit.cmd_base").ModuleTaskLoader
    main = import_module("doit.doit_cmd").DoitMain

    def attempt() -> None:
        _attempt(Work())

    def task_all() -> Any:
        for index in range(number):
            yield {"name": str(index), "actions": [attempt]}

    namespace = {"DOIT_CONFIG": {"backend": "json", "dep_file": ".doit.json", "verbosity": 0}, "task_all": task_all}

    def loop() -> None:
        if main(loader(namespace)).run(["run", "--reporter", "zero"]):
            raise RuntimeError("doit failed")

    return loop


def luigi(number: int) -> Callable[[], object]:
    module = import_module("luigi")
    logging.getLogger("luigi-interface").disabled = True

    class Attempt(module.Task):  # type: ignore[misc, name-defined]  # luigi is not here when types are checked
        index = module.IntParameter()
        done = False

        def complete(self) -> bool:
            return self.done

        def run(self) -> None:
            _attempt(Work())
            self.done = True

    def loop() -> None:
        module.task_register.Register.clear_instance_cache()
        tasks = [Attempt(index=index) for index in range(number)]
        if not module.build(tasks, local_scheduler=True, log_level="CRITICAL"):
            raise RuntimeError("luigi failed")

    return loop


def prefect(number: int) -> Callable[[], object]:
    os.environ.update(
        PREFECT_HOME=str(Path.cwd()),
        PREFECT_LOGGING_LEVEL="CRITICAL",
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="300",
    )
    module = import_module("prefect")

    @module.task  # type: ignore[untyped-decorator]  # prefect is not here when types are checked
    def attempt() -> None:
        _attempt(Work())

    @module.flow  # type: ignore[untyped-decorator]  # as above
    def everything() -> None:
        for _ in range(number):
            attempt()

    return everything  # type: ignore[no-any-return]  # as above


def dbos(number: int) -> Callable[[], object]:
    """Workflows in the style of Temporal that run embedded, on SQLite; Temporal itself needs its server."""
    module = import_module("dbos")
    module.DBOS(config={"name": "benchmark", "system_database_url": "sqlite:///dbos.sqlite", "log_level": "CRITICAL"})

    @module.DBOS.step()  # type: ignore[untyped-decorator]  # dbos is not here when types are checked
    def attempt() -> None:
        _attempt(Work())

    @module.DBOS.workflow()  # type: ignore[untyped-decorator]  # as above
    def everything() -> None:
        for _ in range(number):
            attempt()

    module.DBOS.launch()

    def loop() -> None:
        everything()

    return loop
