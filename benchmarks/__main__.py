"""All benchmarks in one sitting, one after the other; each writes its page.

    python -m benchmarks                 all of them
    python -m benchmarks scale flux      these alone
    python -m benchmarks --quick         with few Plans, printed alone: does each still work?

One that fails does not keep the others from running. The exit code is 1 when one failed.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time

from benchmarks.pages import ROOT, load, tell

_PARTS = {
    "scale": ("the operator's own work, without a cluster", ["--print"]),
    "operator": ("the operator beside others", ["--quick", "--plans=100"]),
    "crowd": ("10,000 Plans on one operator", ["--plans=300", "--print"]),
    "flux": ("`manifests` beside Flux's kustomize-controller", ["--plans=10", "--print"]),
    "million": ("the model of a million Plans", ["--print"]),
    "engine": ("the engine beside its peers", ["--quick"]),
}
"""What each does, and its options for a quick look. The model begins with what the crowd has shown."""
_LONGEST = 1200.0
"""Seconds for a part: one that hangs must not delay the rest for long."""
_FAREWELL = 60.0


def run(part: str, *, quick: bool) -> bool:
    """Run one part; return whether it did well."""
    does, options = _PARTS[part]
    tell(f"== {part}: {does}; load average {load():.1f}")
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", f"benchmarks.{part}", *(options if quick else ())], cwd=ROOT)
    try:
        process.wait(_LONGEST)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # it ends what it has started
        try:
            process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    tell(f"== {part}: exit {process.returncode} after {time.monotonic() - began:.0f} s")
    return process.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(_PARTS)}; all when none is given")
    parser.add_argument("--quick", action="store_true", help="with few Plans; print, and write no page")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(_PARTS):
        parser.error(f"no part is named {', '.join(sorted(unknown))}")
    failed = [part for part in given.parts or _PARTS if not run(part, quick=given.quick)]
    if failed:
        tell(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
