"""A real PostgreSQL: the newest that is installed, else Debian's packages, unpacked into the cache."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.cluster.debian import newest, unpacked
from tests.cluster.errors import Unavailable

_DEADLINE = 60
_NOBODY = 65534
PASSWORD = "correct-horse-battery"


@dataclass(frozen=True)
class Postgres:
    port: int

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}:{PASSWORD}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def execute(self, query: str, database: str = "postgres", user: str = "postgres") -> list[tuple[Any, ...]]:
        """In one transaction for each statement."""
        with psycopg.connect(self.dsn(database, user), autocommit=True) as connection:
            found = connection.execute(query.encode())
            return found.fetchall() if found.description else []

    def create(self) -> str:
        """A database that no other test uses."""
        name = f"test_{secrets.token_hex(5)}"
        self.execute(f"CREATE DATABASE {name}")
        return name


def _programs() -> tuple[Path, dict[str, str]]:
    """The folder of `postgres` and `initdb`, and the environment that they need."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if installed:
        return installed[-1].parent, {}
    if not shutil.which("apt-cache"):
        raise Unavailable("postgresql is not installed, and there is no apt-get to get Debian's package with")
    # LLVM, the largest of them, only compiles expressions, which the tests leave out.
    folder = unpacked(newest("postgresql"), needed=True, without=("libllvm",))
    libraries = {str(path.parent) for path in folder.glob("usr/lib/*/*.so*")} | {
        str(path.parent) for path in folder.glob("lib/*/*.so*")
    }
    found = next(folder.glob("usr/lib/postgresql/*/bin/postgres"))
    return found.parent, {"LD_LIBRARY_PATH": ":".join(sorted(libraries))}


@contextmanager
def running() -> Iterator[Postgres]:
    """A server with an empty data folder. Raises Unavailable."""
    programs, needs = _programs()
    with tempfile.TemporaryDirectory(prefix="execloop-postgres-") as name, socket.create_server(("127.0.0.1", 0)) as at:
        folder, port = Path(name), at.getsockname()[1]
        at.close()
        user: dict[str, Any] = {"env": {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **needs}, "cwd": folder}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root; whom it runs as must reach its programs
            user |= {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
            shutil.chown(folder, _NOBODY, _NOBODY)
            programs, user["env"] = _reachable(programs, folder, user["env"])
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        data = folder / "data"
        initdb = ["initdb", "--no-sync", "--auth=scram-sha-256", "--username=postgres", "--encoding=UTF8"]
        command = [str(programs / initdb[0]), *initdb[1:], f"--pwfile={folder / 'password'}", str(data)]
        done = subprocess.run(command, **user, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise Unavailable(f"initdb: {done.stderr.strip().rpartition(chr(10))[2]}")
        with _served(programs / "postgres", data, port, user) as server:
            yield server


def _reachable(programs: Path, folder: Path, env: dict[str, str]) -> tuple[Path, dict[str, str]]:
    """The programs where every user can reach them: the cache of root is for root alone."""
    if not env.get("LD_LIBRARY_PATH"):
        return programs, env
    root = programs.parents[4]
    copied = folder / "programs"
    shutil.copytree(root, copied, symlinks=True)
    libraries = env["LD_LIBRARY_PATH"].replace(str(root), str(copied))
    return copied / programs.relative_to(root), {**env, "LD_LIBRARY_PATH": libraries}


@contextmanager
def _served(program: Path, data: Path, port: int, user: dict[str, Any]) -> Iterator[Postgres]:
    settings = {"fsync": "off", "jit": "off", "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (data.parent / "log").open("w") as log:
        command = [str(program), "-D", str(data), "-p", str(port), *options]
        process = subprocess.Popen(command, **user, stdout=log, stderr=log)
    server = Postgres(port)
    try:
        _await(server, process, data.parent / "log")
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


def _await(server: Postgres, process: subprocess.Popen[Any], log: Path) -> None:
    deadline = time.monotonic() + _DEADLINE
    while True:
        try:
            server.execute("SELECT 1")
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"postgres did not start: {log.read_text().strip()[-400:]}") from None
            time.sleep(0.05)
        else:
            return
