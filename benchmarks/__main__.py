"""All benchmarks in one sitting, one after the other; each writes its page.

    python -m benchmarks                 all of them
    python -m benchmarks scale flux      these alone

One that fails does not keep the others from running. The exit code is 1 when one failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from benchmarks.pages import ROOT, load, tell

_PARTS = {
    "scale": "the operator's own work, without a cluster",
    "million": "the model of a million Plans",
    "engine": "the engine beside its peers",
    "operator": "the operator beside others",
    "crowd": "10,000 Plans on one operator",
    "flux": "`manifests` beside Flux's kustomize-controller",
}
_LONGEST = 900.0
"""Seconds for a part: one that hangs must not delay the rest for long."""


def run(part: str) -> bool:
    """Run one part; return whether it did well."""
    tell(f"== {part}: {_PARTS[part]}; load average {load():.1f}")
    began = time.monotonic()
    command = [sys.executable, "-m", f"benchmarks.{part}"]
    try:
        code = subprocess.run(command, cwd=ROOT, check=False, timeout=_LONGEST).returncode
    except subprocess.TimeoutExpired:
        code = 1
    tell(f"== {part}: exit {code} after {time.monotonic() - began:.0f} s")
    return code == 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(_PARTS)}; all when none is given")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(_PARTS):
        parser.error(f"no part is named {', '.join(sorted(unknown))}")
    failed = [part for part in given.parts or _PARTS if not run(part)]
    if failed:
        tell(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
