"""`python -m tests.simulation`: live some lives, or one again. Exits with 1 when a rule was broken."""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
import time

from tests.simulation.life import Ended, drawn, live

_HASHES = "0"
_LONGEST = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lives", type=int, default=100)
    parser.add_argument("--seed", type=int, help="one life, told in full")
    parser.add_argument("--first", type=int, default=1, help="the first seed of many")
    parser.add_argument("--without", default="", help="numbers of deeds to leave out, with commas between")
    parser.add_argument("--how", default="error,fatal,exit,cancelled", help="how plan code may fail")
    parser.add_argument("--go-on", action="store_true", help="do not stop at the first broken rule")
    parser.add_argument("--all", action="store_true", help="tell the whole story")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != _HASHES:  # sets must have one order in each replay
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": _HASHES},
        )
    how = options.how.split(",")
    if options.seed is not None:
        without = {int(number) for number in options.without.split(",") if number}
        ended = live(drawn(options.seed, without, how), whole=options.all)
        _say(ended.story or "it ended well")
        return int(ended.violation is not None)
    return _many(options.first, options.lives, how, options.go_on)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _many(first: int, lives: int, how: list[str], go_on: bool) -> int:
    began, broken, requests, faults = time.perf_counter(), 0, 0, 0
    for seed in range(first, first + lives):
        faulthandler.dump_traceback_later(_LONGEST, exit=True)  # a life that does not end breaks a rule, too
        ended = live(drawn(seed, how=how))
        requests, faults = requests + ended.requests, faults + ended.faults
        if ended.violation is None:
            continue
        broken += 1
        _say(f"seed {seed}: {ended.violation.rule}: {ended.violation.what} ({ended.violation.site})")
        if not go_on:
            ended = _shortest(ended, how)
            _say(ended.story)
            _say(_command(ended))
            return 1
    took = time.perf_counter() - began
    _say(f"{lives} lives, {requests} requests, {faults} faults in {took:.1f} s: {broken} broke a rule")
    return int(broken > 0)


def _shortest(ended: Ended, how: list[str]) -> Ended:
    """Without each deed that it breaks the same rule without."""
    assert ended.violation is not None
    best, seed = ended, ended.script.seed
    without: set[int] = set()
    for deed in reversed(ended.script.deeds):
        tried = live(drawn(seed, without | {deed.number}, how))
        if tried.violation is not None and tried.violation.rule == ended.violation.rule:
            best = tried
            without.add(deed.number)
    return best


def _command(ended: Ended) -> str:
    kept = {deed.number for deed in ended.script.deeds}
    without = ",".join(str(deed.number) for deed in drawn(ended.script.seed).deeds if deed.number not in kept)
    return f"again: python -m tests.simulation --seed {ended.script.seed}{f' --without {without}' if without else ''}"


if __name__ == "__main__":
    sys.exit(main())
