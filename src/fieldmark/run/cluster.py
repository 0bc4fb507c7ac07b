"""The same work on a Ray cluster: one row a shard through `Dataset.map_batches`, an actor per device with its model.

An actor reads its shards' images where it runs and writes the finished files itself, by the same atomic rename as a
local run; only the short records of finished shards travel. So the folder must be one that every machine sees, and a
worker or a node that dies costs the shards it was at: Ray gives them to another actor.
"""

from __future__ import annotations

import logging
import os
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fieldmark.errors import FieldmarkError
from fieldmark.run.address import join, reason
from fieldmark.run.reading import Span
from fieldmark.run.sources import ArraySource
from fieldmark.run.store import Shard, shard_name
from fieldmark.run.worker import Recipe, Tick, Worker
from fieldmark.run.writer import read_shard

RESERVED = {"fn", "fn_args", "fn_kwargs", "fn_constructor_args", "fn_constructor_kwargs", "batch_format"}


@dataclass(frozen=True)
class Parcel:
    """A recipe on its way: pickled with the folders in which this process finds modules, as those of its job are."""

    pickled: bytes
    folders: tuple[str, ...]

    @classmethod
    def of(cls, recipe: Recipe) -> Parcel:
        from ray import cloudpickle

        return cls(cloudpickle.dumps(recipe), tuple(dict.fromkeys([os.getcwd(), *(path for path in sys.path if path)])))

    def opened(self) -> Recipe:
        sys.path += [folder for folder in self.folders if folder not in sys.path]
        found = pickle.loads(self.pickled)
        assert isinstance(found, Recipe)
        return found


class Actor:
    """What Ray runs on each device: the recipe's worker, its model loaded once."""

    def __init__(self, parcel: Parcel) -> None:
        self.recipe = parcel.opened()
        self.worker = Worker.start(self.recipe)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Rows of (number, start, stop) in, the records of the finished shards out."""
        import json

        spans = [Span(int(n), int(a), int(b)) for n, a, b in zip(*(batch[k] for k in KEYS), strict=True)]
        spans.sort(key=lambda span: span.number)
        found = {span.number: read_shard(Path(self.recipe.shards, shard_name(span.number))) for span in spans}
        left = [span for span in spans if found[span.number] is None]  # another actor finished it before it died
        for event in self.worker.run(left):
            if isinstance(event, Shard):
                found[event.number] = event
        return {"shard": [json.dumps(asdict(found[span.number])) for span in spans]}  # type: ignore[arg-type]


KEYS = ("number", "start", "stop")


def run_on_ray(recipe: Recipe, spans: Any, address: str | None, options: Mapping[str, Any]) -> Iterator[Tick | Shard]:
    """Finished shards in the order in which they come. Raises FieldmarkError, one line, for what cannot travel."""
    if not isinstance(spans, list):
        raise FieldmarkError(
            "engine ray: expected a folder, a Parquet file, a saved dataset or an array, received an iterable, which "
            "only this process can read; use engine local, or write the images to Parquet"
        )
    if isinstance(recipe.source, ArraySource) and recipe.source.images.nbytes > 1 << 30:
        raise FieldmarkError(
            "engine ray: an array of more than 1 GB would be sent to every worker; write it to Parquet"
        )
    wrong = sorted(RESERVED & set(options))
    if wrong:
        raise FieldmarkError(f"engine ray: {wrong[0]} is not yours to set; see Dataset.map_batches for the others")
    ray = join(address)
    from ray.util import client

    parcel = Parcel.of(recipe)
    try:
        if client.ray.is_connected():
            yield from _from_client(ray, Path(recipe.shards), parcel, spans, options)
        else:
            yield from _shards(parcel, spans, options)
    except ray.exceptions.RayError as error:
        raise FieldmarkError(f"engine ray: {reason(error)}; finished shards are kept: run the same again") from None


def _shards(parcel: Parcel, spans: Sequence[Span], options: Mapping[str, Any]) -> Iterator[Tick | Shard]:
    """The Ray Data job itself, in a process of the cluster."""
    import json

    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # it tells of every plan on the screen
    rows = [{"number": span.number, "start": span.start, "stop": span.stop} for span in spans]
    settings: dict[str, Any] = {"batch_size": 1, "compute": _actors(ray, options), **options}
    settings.pop("concurrency", None)
    # A block a shard: Ray hands out, and after a loss repeats, whole blocks.
    data = ray.data.from_items(rows, override_num_blocks=-(-len(rows) // settings["batch_size"]))
    done = data.map_batches(Actor, fn_constructor_args=(parcel,), batch_format="numpy", **settings)
    for row in done.iter_rows():
        shard = Shard(**json.loads(row["shard"]))
        yield Tick(shard.stop - shard.start)
        yield shard


def _actors(ray: Any, options: Mapping[str, Any]) -> Any:
    """`concurrency` actors (or from-to); else one per GPU where there are any, or one per CPU."""
    wanted = options.get("concurrency")
    if isinstance(wanted, tuple):
        return ray.data.ActorPoolStrategy(min_size=wanted[0], max_size=wanted[1])
    resources = ray.cluster_resources()
    return ray.data.ActorPoolStrategy(
        size=wanted or int(resources.get("GPU", 0)) or max(1, int(resources.get("CPU", 0)))
    )


def _inside(parcel: Parcel, spans: Sequence[Span], options: Mapping[str, Any]) -> int:
    """The job as a task of the cluster; the number of shards."""
    return sum(isinstance(event, Shard) for event in _shards(parcel, spans, options))


def _from_client(
    ray: Any, shards: Path, parcel: Parcel, spans: Sequence[Span], options: Mapping[str, Any]
) -> Iterator[Tick | Shard]:
    """Through ray:// this process is outside the cluster, where Ray Data does not run: a task inside runs it.

    Finished shards are seen in their folder, which this process shares with the cluster as it is.
    """
    running = ray.remote(num_cpus=0)(_inside).remote(parcel, list(spans), dict(options))
    left = {span.number: span for span in spans}
    over = False
    try:
        while not over:
            over = bool(ray.wait([running], timeout=1.0)[0])
            if over:
                ray.get(running)  # raises what went wrong
            there = {entry.name for entry in os.scandir(shards)}
            for number in [number for number in left if shard_name(number) in there]:
                shard = read_shard(shards / shard_name(number))
                if shard is not None:
                    span = left.pop(number)
                    yield Tick(span.stop - span.start)
                    yield shard
    finally:
        if not over:
            ray.cancel(running)
    if left:
        raise FieldmarkError(
            f"engine ray: {len(left)} shards were finished where this machine does not see them; "
            "give a folder that the whole cluster and this machine share"
        )
