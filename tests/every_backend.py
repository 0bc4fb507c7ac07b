"""`make test`: every backend in a process of its own, two at a time.

Keras fixes its backend when it is imported. Most tests run on the first backend, so its output is shown as it comes;
the others run beside it, one after the other, and their output is shown when it is whole. All run to their end, then
any failure is the result.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from threading import Thread
from typing import IO

NO_TESTS = 5  # of those asked for belong to this backend


def command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", *arguments]


def environment(backend: str) -> dict[str, str]:
    return {**os.environ, "KERAS_BACKEND": backend, "PYTHONUNBUFFERED": "1"}


def run_in_turn(backends: list[str], arguments: list[str], logs: list[IO[bytes]], codes: dict[str, int]) -> None:
    for backend, log in zip(backends, logs, strict=True):
        start = time.monotonic()
        codes[backend] = subprocess.call(
            command(arguments), env=environment(backend), stdout=log, stderr=subprocess.STDOUT
        )
        log.write(f"== {backend}: {time.monotonic() - start:.0f} s\n".encode())


def main(backends: list[str], arguments: list[str]) -> int:
    first, *others = backends
    codes: dict[str, int] = {}
    with ExitStack() as files:
        logs: list[IO[bytes]] = [files.enter_context(tempfile.TemporaryFile()) for _ in others]
        beside = Thread(target=run_in_turn, args=(others, arguments, logs, codes))
        print(f"\n== tests on {first}" + (f", and beside it on {' and '.join(others)}" if others else ""), flush=True)
        start = time.monotonic()
        beside.start()
        codes[first] = subprocess.call(command(arguments), env=environment(first))
        print(f"== {first}: {time.monotonic() - start:.0f} s", flush=True)
        beside.join()
        for backend, log in zip(others, logs, strict=True):
            print(f"\n== tests on {backend}", flush=True)
            log.seek(0)
            sys.stdout.buffer.write(log.read())
            sys.stdout.flush()
    failed = [backend for backend in backends if codes.get(backend) not in (0, NO_TESTS)]
    if failed:
        print(f"tests failed on: {' '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    at = sys.argv.index("--")
    sys.exit(main(sys.argv[1:at], sys.argv[at + 1 :]))
