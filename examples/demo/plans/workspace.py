"""The demo's first plan: it needs no cluster."""

import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from execloop import Context, Task, plan, task


class Workspace(BaseModel):
    root: Path
    files: list[str] = ["settings.toml", "schema.sql", "users.csv"]


@plan("workspace", parameters=Workspace)
def workspace(parameters: Workspace, _context: Context) -> Iterator[Task]:
    """Fetch the files that are missing; the server fails sometimes."""
    for name in parameters.files:
        file = parameters.root / name
        if not file.exists():
            yield task(f"fetch {name}", fetch, file)


def fetch(file: Path) -> None:
    """Fail at the first attempt for the second file."""
    time.sleep(0.4)
    attempt = file.with_suffix(".attempt")
    if file.stem == "schema" and not attempt.exists():
        attempt.touch()
        raise ConnectionError("the file server does not answer")
    file.write_text("fetched\n")
