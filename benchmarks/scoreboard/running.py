"""`make scoreboard`: measure the field guide on every network, and write docs/scoreboard.md.

`python -m benchmarks.scoreboard [--only TEXT] [--again] [--jobs N] [--image-seed N]`. Networks and truths that are
not there are made first. Results are kept for each network by a hash of the code: a run that was broken off goes on.
"""

from __future__ import annotations

import argparse
import os
import re
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

IMAGE_SEED = 707  # of the birds that the page is about; development looks at others
RANDOM_NETS = 4  # of each architecture


@dataclass(frozen=True)
class Task:
    """One network to measure: what kind of row it is for, and its number among those of the kind."""

    kind: str
    index: int
    name: str


def tasks() -> Iterator[Task]:
    """All that is measured; the slow ones, which share the most, first."""
    from benchmarks.scoreboard.cues import cue_nets, global_nets
    from benchmarks.scoreboard.nets import ARCHITECTURES, main_nets

    everyone = list(enumerate(main_nets()))
    yield from (Task("main", i, net.name) for i, net in sorted(everyone, key=lambda pair: pair[1].tier != "hard"))
    yield from (Task("cue", i, net.name) for i, net in enumerate(cue_nets()))
    yield from (Task("global", i, net.name) for i, net in enumerate(global_nets()))
    yield from (
        Task("random", seed, f"random-{architecture}-{seed}")
        for seed in range(RANDOM_NETS)
        for architecture in ARCHITECTURES
    )


def measure(task: Task, image_seed: int, again: bool, code: str) -> str:
    """Measure one network in a worker, unless that was done; a line about it."""
    import keras

    from benchmarks.scoreboard import store
    from benchmarks.scoreboard.cues import cue_nets, global_nets
    from benchmarks.scoreboard.measure import cue_net, main_net, other_net, untrained_net
    from benchmarks.scoreboard.nets import main_nets

    path = store.results(image_seed, code) / f"{task.name}.json"
    if path.exists() and not again:
        return f"{task.name}: there already"
    began = time.perf_counter()
    if task.kind == "random":
        found = untrained_net(task.index, task.name.split("-")[1], image_seed)
    else:
        nets, way = {
            "main": (main_nets, main_net),
            "cue": (cue_nets, cue_net),
            "global": (global_nets, other_net),
        }[task.kind]
        found = way(list(nets())[task.index], image_seed)
    store.write(path, {"kind": task.kind, **found})
    keras.backend.clear_session()
    return f"{task.name}: {time.perf_counter() - began:.0f} s, {found['verdict'][:80]}"


def run(chosen: list[Task], image_seed: int, jobs: int, again: bool, code: str) -> int:
    """Measure in `jobs` processes; the number that failed."""
    failed = 0
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(measure, task, image_seed, again, code): task for task in chosen}
        for done, future in enumerate(as_completed(futures), 1):
            try:
                line = future.result()
            except Exception:
                failed += 1
                line = f"{futures[future].name}: failed\n{traceback.format_exc(limit=-4)}"
            print(f"{done}/{len(chosen)} {line}", flush=True)
    return failed


def main() -> int:
    from benchmarks.scoreboard import page, store

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="networks whose name matches this; the page is printed, not written")
    parser.add_argument("--again", action="store_true", help="measure what is there already, too")
    parser.add_argument("--jobs", type=int, default=2, help="processes, each with one thread")
    parser.add_argument("--image-seed", type=int, default=IMAGE_SEED, help="of the birds that guides are made of")
    options = parser.parse_args()
    code = store.version()
    chosen = [task for task in tasks() if re.search(options.only, task.name)]
    failed = run(chosen, options.image_seed, options.jobs, options.again, code)
    if failed:
        print(f"{failed} of {len(chosen)} failed")
    elif options.only or options.image_seed != IMAGE_SEED:
        print(page.text(store.results(options.image_seed, code)))
    else:
        print(page.write(store.results(options.image_seed, code), [task.name for task in tasks()]))
    return int(failed > 0)
