"""The engine needs the standard library alone."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import execloop

PROGRAM = textwrap.dedent(
    """
    import asyncio, sys
    sys.path.insert(0, {root!r})

    import execloop, execloop.testing, execloop.listeners
    from execloop import Context, Executor, Options, Task, arun, plan, run, task

    class Step(Task):
        def __init__(self, name, world):
            self.name, self.world = name, world

        def perform(self):
            self.world.add(self.name)

    @plan("steps")
    class Steps:
        def __init__(self):
            self.world = set()

        def create(self):
            return [Step(name, self.world) for name in ("one", "two") if name not in self.world]

    @task
    async def later(world, name):
        world.add(name)

    @plan
    async def others():
        return [later(seen, "three")] if not seen else None

    seen = set()
    events = []
    assert run(Steps(), sleep_between_runs=0, listeners=[events.append]).tasks == 2
    assert run(Steps(), sleep_between_runs=0, parallelism=2).tasks == 2
    assert asyncio.run(arun(others(), sleep_between_runs=0)).tasks == 1
    assert execloop.testing.converge(Steps()).runs == 2
    assert len(events) == 7

    foreign = {{name.partition(".")[0] for name in sys.modules}} - {{"execloop", "__main__"}} - sys.stdlib_module_names
    assert not {{name for name in foreign if not name.startswith("__")}}, foreign
    """
)


def test_all_of_it_works_where_nothing_is_installed(tmp_path: Path) -> None:
    root = Path(execloop.__file__).parent.parent
    program = PROGRAM.format(root=str(root))
    # -I: no environment, no user's site; -S: no site-packages; -W error: and nothing to complain about
    command = [sys.executable, "-I", "-S", "-W", "error", "-X", "dev", "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def test_it_works_from_a_copy_of_its_files_alone(tmp_path: Path) -> None:
    """Neither metadata of a distribution nor files outside the package are needed, nor a place to write to."""
    package = Path(execloop.__file__).parent
    for module in package.glob("*.py"):
        (tmp_path / "execloop").mkdir(exist_ok=True)
        shutil.copy(module, tmp_path / "execloop" / module.name)
    for folder in ("_engine", "_plans", "testing"):
        target = tmp_path / "execloop" / folder
        shutil.copytree(package / folder, target, ignore=shutil.ignore_patterns("__pycache__"))
    program = PROGRAM.format(root=str(tmp_path))
    command = [sys.executable, "-I", "-S", "-B", "-c", program]
    done = subprocess.run(command, cwd=os.sep, env={}, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
