"""How a run is done, and what it reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fieldmark.errors import FieldmarkError, unknown
from fieldmark.run.sources import SourceOptions
from fieldmark.run.worker import Counts

SHARD_SIZE = 1024
ENGINES = ("local", "ray")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a run is done. What changes the results is kept in the manifest and compared when a run goes on.

    shard_size  images a shard: what is lost at most when the run is killed
    float16     write maps as float16; the largest error is written beside them
    batch_size  images a pass; None: the classifier's
    ahead       batches that may wait decoded; threads that decode, None: one a core
    engine      "local", or "ray" with `address` of a cluster (None: RAY_ADDRESS, else this machine) and `ray_options`,
                which go to `Dataset.map_batches` as they are (concurrency, num_cpus, num_gpus, batch_size in shards)
    """

    shard_size: int = SHARD_SIZE
    float16: bool = False
    batch_size: int | None = None
    ahead: int = 4
    threads: int | None = None
    engine: str = "local"
    address: str | None = None
    ray_options: Mapping[str, Any] = field(default_factory=dict)
    source: SourceOptions = field(default_factory=SourceOptions)

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise FieldmarkError(unknown("engine", self.engine, ENGINES))
        for name in ("shard_size", "batch_size", "ahead", "threads"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise FieldmarkError(f"{name}={value!r}: expected a whole number of 1 or more")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a run left in its folder, and what this call did.

    images, rejected, shards  in the folder, all in all
    new        images that this call explained or rejected
    seconds    of this call's work, model loading included
    notes      what the user should know, a sentence each
    counts     images decoded and computed by this call (engine local)
    """

    out: Path
    images: int
    rejected: int
    shards: int
    new: int
    seconds: float
    bytes: int
    notes: tuple[str, ...]
    counts: Counts
