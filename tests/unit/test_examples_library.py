import asyncio
import hashlib
import importlib
import itertools
import socket
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from execloop import FatalError
from execloop.cli.group import execloop
from execloop.testing import aconverge, assert_idempotent, converge, survive_failures

EXAMPLES = Path(__file__).parents[2] / "examples" / "library"


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)


def _make(module: str, **parameters: Any) -> Any:
    found = importlib.import_module(module)
    kind = getattr(found, module.capitalize())
    return kind(found.Parameters(**parameters))


# -- database


def _tables(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _database(database: Path, migrations: Path = EXAMPLES / "migrations") -> Any:
    return _make("database", database=database, migrations=migrations)


def test_every_migration_is_applied_in_one_run(tmp_path: Path) -> None:
    report = assert_idempotent(_database(tmp_path / "db"))
    assert (report.runs, report.tasks) == (2, 2)
    assert _tables(tmp_path / "db") == {"person", "migration"}


def test_a_migration_that_fails_leaves_no_trace_and_keeps_back_those_after_it(tmp_path: Path) -> None:
    (tmp_path / "1_good.sql").write_text("CREATE TABLE good (x);\n")
    (tmp_path / "2_bad.sql").write_text("CREATE TABLE half (x);\nCREATE TABLE good (x);\n")
    (tmp_path / "3_late.sql").write_text("CREATE TABLE late (x);\n")
    with pytest.raises(FatalError, match="table good already exists"):
        converge(_database(tmp_path / "db", tmp_path), errors_to_tolerate=0)
    assert _tables(tmp_path / "db") == {"good", "migration"}


def test_migrations_survive_a_crash_at_every_call(tmp_path: Path) -> None:
    worlds = itertools.count()

    def check(database: Path) -> None:
        assert _tables(database) == {"person", "migration"}

    survival = survive_failures(_database, world=lambda: tmp_path / f"{next(worlds)}.db", check=check)
    assert len(survival.points) == 16


# -- downloads


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the URL where its files are."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def _file(served: tuple[Path, str], name: str, content: str) -> dict[str, str]:
    (served[0] / name).write_text(content)
    return {"url": f"{served[1]}/{name}", "sha256": hashlib.sha256(content.encode()).hexdigest()}


def test_files_are_downloaded_and_repaired(served: tuple[Path, str], tmp_path: Path) -> None:
    files = {name: _file(served, name, name * 9) for name in ("a", "b", "c")}
    plan = _make("downloads", folder=tmp_path / "got", files=files)
    assert converge(plan, parallelism=3).tasks == 3
    (tmp_path / "got" / "b").write_text("damaged")
    assert assert_idempotent(plan).tasks == 1
    assert {path.name: path.read_text() for path in (tmp_path / "got").iterdir()} == {n: n * 9 for n in files}


def test_another_file_than_was_wanted_is_never_seen(served: tuple[Path, str], tmp_path: Path) -> None:
    files = {"a": {**_file(served, "a", "mine"), "sha256": "0" * 64}}
    with pytest.raises(FatalError, match="its digest is another"):
        converge(_make("downloads", folder=tmp_path / "got", files=files))
    assert not (tmp_path / "got" / "a").exists()


def test_downloads_survive_a_crash_at_every_call(served: tuple[Path, str], tmp_path: Path) -> None:
    files = {name: _file(served, name, name) for name in ("a", "b")}
    worlds = itertools.count()
    survival = survive_failures(
        lambda folder: _make("downloads", folder=folder, files=files), world=lambda: tmp_path / str(next(worlds))
    )
    assert len(survival.points) == 32


# -- endpoints


def test_an_endpoint_is_waited_for() -> None:
    async def main() -> None:
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            host, port = reserved.getsockname()
        plan = _make("endpoints", addresses=[f"{host}:{port}"], patience=5)
        waiting = asyncio.create_task(aconverge(plan))
        await asyncio.sleep(0)
        server = await asyncio.start_server(lambda _, writer: writer.close(), host, port)
        async with server:
            report = await waiting
        assert report.error_count == 0

    asyncio.run(main())


def test_no_answer_in_time_is_an_error() -> None:
    with socket.socket() as reserved:  # bound, but nobody listens
        reserved.bind(("127.0.0.1", 0))
        host, port = reserved.getsockname()
        plan = _make("endpoints", addresses=[f"{host}:{port}"], patience=0.01)
        with pytest.raises(FatalError, match="TimeoutError"):
            converge(plan, errors_to_tolerate=0)


# -- with the command


def test_the_examples_are_plans_and_their_manifests_are_good() -> None:
    paths = list(sys.path)
    try:
        listed = CliRunner().invoke(execloop, ["plans", "--plans", str(EXAMPLES)])
        manifests = map(str, sorted(EXAMPLES.glob("*.yaml")))
        validated = CliRunner().invoke(execloop, ["validate", "--plans", str(EXAMPLES), *manifests])
    finally:
        sys.path[:] = paths
    names = {line.split()[0] for line in listed.stdout.splitlines()[1:]}
    assert {"database", "downloads", "endpoints"} <= names
    assert validated.exit_code == 0, validated.stdout
