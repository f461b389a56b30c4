"""Hurt the operator on a control plane of its own; write docs/reliability.md: how soon it works again, what is lost.

python -m tests.faults.recovery                  all trials; some 12 minutes
python -m tests.faults.recovery killed full_disk of these alone, and print
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.cluster import Cluster, provide
from tests.faults import trials
from tests.faults.trials import Outcome

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
_HERE = "<!-- The rest is made by `make recovery`. -->"

TRIALS: dict[str, Callable[[Cluster, Path], Outcome]] = {
    "killed": trials.killed,
    "stopped": trials.stopped,
    "restarted": partial(trials.api_server_away, away=0.0, times=3),
    "outage": partial(trials.api_server_away, away=30.0),
    "etcd": trials.etcd_restarted,
    "network": trials.bad_network,
    "silent": trials.silent_watch,
    "token": trials.expired_token,
    "full_disk": trials.full_disk,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", nargs="*", choices=[[], *TRIALS], metavar="TRIAL", help=", ".join(TRIALS))
    chosen = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as folder, provide() as cluster:
        crd = f"--filename={ROOT / 'crds' / 'execloop.dev_plans.yaml'}"
        cluster.kubectl("apply", "--server-side", crd)
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", crd)
        found, failed = [], []
        for name in chosen or TRIALS:
            _tell(name)
            try:
                outcome = TRIALS[name](cluster, Path(folder) / name)
            except Exception as error:  # the other trials still count
                failed.append(name)
                _tell(f"{name} failed: {type(error).__name__}: {error}")
                continue
            _tell(_row(outcome))
            found.append(outcome)
    if not chosen and not failed:
        PAGE.write_text(PAGE.read_text().partition(_HERE)[0] + _HERE + "\n\n" + _as_markdown(found))
    return len(failed)


def _as_markdown(outcomes: list[Outcome]) -> str:
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, shared with the API server and its etcd"
    counts = "steps | begun again | done twice | two at once | errors lost"
    head = f"| fault | measured | times | median s | worst s | {counts} |\n"
    line = f"|---|---|{'---:|' * 8}\n"
    rows = "\n".join(map(_row, outcomes))
    return f"{machine}.\n\n{head}{line}{rows}\n"


def _row(outcome: Outcome) -> str:
    account = outcome.account
    lost = f"{account.errors - outcome.counted_errors} of {account.errors}"
    cells = [
        "; ".join([outcome.name, *outcome.notes]),
        outcome.what,
        len(outcome.seconds),
        f"{statistics.median(outcome.seconds):.1f}",
        f"{max(outcome.seconds):.1f}",
        account.steps,
        account.begun_again,
        account.done_twice,
        account.at_once,
        lost,
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
