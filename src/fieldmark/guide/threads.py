"""Work on single pictures in threads: OpenCV leaves Python's lock free while it works, and so does most of NumPy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
THREADS = 4  # more threads than this only wait for each other


def in_threads(work: Callable[[int], T], count: int) -> Iterator[T]:
    """What `work` makes of each index 0 to count - 1, in that order."""
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        yield from pool.map(work, range(count))
