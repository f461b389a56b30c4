"""Files of a folder are what their digests say, downloaded where they are not.

Plain blocking code: with `parallelism` several downloads run at once, each in a thread.
"""

import hashlib
import urllib.request
from pathlib import Path
from shutil import copyfileobj
from typing import Annotated

from pydantic import BaseModel, Field, HttpUrl, StringConstraints

from execloop import FatalError, Task, plan

FileName = Annotated[str, StringConstraints(pattern=r"^[\w-][\w.-]*$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class File(BaseModel):
    url: HttpUrl
    sha256: Digest


class Parameters(BaseModel):
    folder: Path = Field(description="Where the files belong")
    files: dict[FileName, File] = Field(description="What each is, by name")


def digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Download(Task):
    def __init__(self, path: Path, wanted: File) -> None:
        self.path, self.wanted, self.name = path, wanted, path.name
        self.partial = path.with_name(f".{path.name}.partial")

    def pre(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def perform(self) -> None:
        with urllib.request.urlopen(str(self.wanted.url), timeout=30) as response, self.partial.open("wb") as stream:
            copyfileobj(response, stream)

    def post(self) -> None:
        """Rename the file only when its digest is right: no reader sees half a file, or a wrong one."""
        if digest(self.partial) != self.wanted.sha256:
            raise FatalError(f"{self.wanted.url} is not the file that was wanted: its digest is another")
        self.partial.replace(self.path)


@plan("downloads", parameters=Parameters)
class Downloads:
    """Files of a folder are what their digests say."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters

    def create(self) -> list[Task]:
        wanted = {self.parameters.folder / name: file for name, file in self.parameters.files.items()}
        return [
            Download(path, file) for path, file in wanted.items() if not path.is_file() or digest(path) != file.sha256
        ]
