"""`python -m benchmarks.redaction`: how long the redactor takes for a large Secret and many task names."""

from __future__ import annotations

import sys
import time

from execloop.controller.plancode.redaction.redactor import Redactor

VALUES, NAMES = 20_000, 1_000


def main() -> int:
    secret = [f"user-{number:05}:{number * 7919:012x}" for number in range(VALUES)]
    names = [f"create database tenant-{number:05} in region eu-west-{number % 3}" for number in range(NAMES)]
    begun = time.perf_counter()
    redactor = Redactor(secret)
    built = time.perf_counter()
    for name in names:
        redactor.text(name)
    done = time.perf_counter()
    for text in (f"{VALUES} values: {built - begun:.3f} s", f"{NAMES} names: {done - built:.3f} s"):
        sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
