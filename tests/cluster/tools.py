import shutil
from pathlib import Path

from tests.cluster.build import build


def find_tool(name: str) -> Path:
    """A client such as helm: from the PATH, else built (three minutes, once). Raises Unavailable."""
    if found := shutil.which(name):
        return Path(found)
    return build([name]) / name
