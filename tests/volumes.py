"""A folder as a kubelet mounts a ConfigMap: all of its files change at once, by a link."""

import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path

_moments = count(1)


def put(volume: Path, files: Mapping[str, str], *, visible: bool = True) -> None:
    """Replace all files, in the order of a kubelet: the link first, then what people see of it.

    `visible`: whether it comes to that.
    """
    moment, before = volume / f"..moment-{next(_moments)}", (volume / "..data").resolve()
    for name, text in files.items():
        (moment / name).parent.mkdir(parents=True, exist_ok=True)
        (moment / name).write_text(text)
    (volume / "..data_tmp").symlink_to(moment.name)
    (volume / "..data_tmp").rename(volume / "..data")
    if not visible:
        return
    wanted = {name.partition("/")[0] for name in files}
    for name in wanted:
        if not (volume / name).is_symlink():
            (volume / name).symlink_to(f"..data/{name}")
    for link in volume.iterdir():
        if not link.name.startswith("..") and link.name not in wanted:
            link.unlink()
    if before.name.startswith("..moment"):
        shutil.rmtree(before)
