"""Ratios of times: a job beside a forward pass, turn by turn, so that a machine that slows down slows both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

WARM_UP = 2
SLOW = 10.0  # seconds: a job that takes longer is warmed up once, and not measured more than FEWEST_ROUNDS times
MOST_SECONDS = 60.0
FEWEST_ROUNDS = 3


@dataclass(frozen=True)
class Ratio:
    """A job in forward passes: the median over rounds and its quartiles; the seconds of both; how many rounds."""

    ratio: float
    low: float
    high: float
    seconds: float
    forward_seconds: float
    rounds: int


def measure(job: Callable[[], object], forward: Callable[[], object], rounds: int) -> Ratio:
    """forward, job, forward, job, ..., forward: each job is divided by the mean of the passes before and after it.

    Stops after `rounds`, or when MOST_SECONDS are over and FEWEST_ROUNDS done. The first WARM_UP calls don't count:
    they trace and compile.
    """
    for _ in range(WARM_UP):
        forward()
        if seconds(job) > SLOW:
            rounds = min(rounds, FEWEST_ROUNDS)
            break
    forward()
    started = time.perf_counter()
    passes, jobs = [seconds(forward)], []
    while len(jobs) < rounds and (len(jobs) < FEWEST_ROUNDS or time.perf_counter() - started < MOST_SECONDS):
        jobs.append(seconds(job))
        passes.append(seconds(forward))
    ratios = [2 * taken / (before + after) for taken, before, after in zip(jobs, passes[:-1], passes[1:], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return Ratio(middle, low, high, statistics.median(jobs), statistics.median(passes), len(jobs))


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
