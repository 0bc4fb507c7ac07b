"""The same work on a Ray cluster: one row a shard through `Dataset.map_batches`, an actor per device with its model.

An actor reads its shards' images where it runs and writes the finished files itself, by the same atomic rename as a
local run; only the short records of finished shards travel. So the folder must be one that every machine sees, and a
worker or a node that dies costs the shards it was at: Ray gives them to another actor.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fieldmark.errors import BackendError, FieldmarkError
from fieldmark.run.reading import Span
from fieldmark.run.sources import ArraySource
from fieldmark.run.store import Shard, shard_name
from fieldmark.run.worker import Recipe, Tick, Worker
from fieldmark.run.writer import read_shard

ANSWER = 5.0  # seconds in which an address must accept a connection
JOIN = 60.0  # seconds in which a cluster must let us in
RESERVED = {"fn", "fn_args", "fn_kwargs", "fn_constructor_args", "fn_constructor_kwargs", "batch_format"}


class Actor:
    """What Ray runs on each device: the recipe's worker, its model loaded once."""

    def __init__(self, recipe: Recipe, folders: Sequence[str]) -> None:
        sys.path[:0] = [folder for folder in folders if folder not in sys.path]
        self.recipe = recipe
        self.worker = Worker.start(recipe)

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
    client = ray.util.client.ray.is_connected()
    try:
        if client:
            yield from _from_client(ray, recipe, spans, options)
        else:
            yield from _shards(recipe, spans, options)
    except ray.exceptions.RayError as error:
        raise FieldmarkError(f"engine ray: {_reason(error)}; finished shards are kept: run the same again") from None


def _shards(recipe: Recipe, spans: Sequence[Span], options: Mapping[str, Any]) -> Iterator[Tick | Shard]:
    """The Ray Data job itself, in a process of the cluster."""
    import json

    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    rows = [{"number": span.number, "start": span.start, "stop": span.stop} for span in spans]
    settings: dict[str, Any] = {"batch_size": 1, "compute": _actors(ray, options), **options}
    settings.pop("concurrency", None)
    # A block a shard: Ray hands out, and after a loss repeats, whole blocks.
    data = ray.data.from_items(rows, override_num_blocks=-(-len(rows) // settings["batch_size"]))
    folders = tuple(dict.fromkeys([os.getcwd(), *(path for path in sys.path if path)]))
    done = data.map_batches(Actor, fn_constructor_args=(recipe, folders), batch_format="numpy", **settings)
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
    return ray.data.ActorPoolStrategy(size=wanted or int(resources.get("GPU", 0)) or max(1, int(resources["CPU"])))


def _from_client(ray: Any, recipe: Recipe, spans: Sequence[Span], options: Mapping[str, Any]) -> Iterator[Tick | Shard]:
    """Through ray:// this process is outside the cluster, where Ray Data does not run: a task inside runs it.

    Finished shards are seen in their folder, which this process shares with the cluster as it is.
    """

    def inside() -> int:
        return sum(isinstance(event, Shard) for event in _shards(recipe, spans, options))

    running = ray.remote(num_cpus=0)(inside).remote()
    left = {span.number: span for span in spans}
    over = False
    while not over:
        over = bool(ray.wait([running], timeout=1.0)[0])
        if over:
            ray.get(running)  # raises what went wrong
        there = {entry.name for entry in os.scandir(recipe.shards)}
        for number in [number for number in left if shard_name(number) in there]:
            shard = read_shard(Path(recipe.shards, shard_name(number)))
            if shard is not None:
                span = left.pop(number)
                yield Tick(span.stop - span.start)
                yield shard
    if left:
        raise FieldmarkError(
            f"engine ray: {len(left)} shards were finished where this machine does not see them; "
            "give a folder that the whole cluster and this machine share"
        )


def join(address: str | None) -> Any:
    """The module ray, connected: to `address`, to RAY_ADDRESS, or to a cluster of this machine alone.

    Raises BackendError, one line, where ray is not installed or the address does not answer within a minute.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise BackendError("engine ray needs Ray: pip install 'fieldmark[ray]'") from None
    if ray.is_initialized():
        return ray
    wanted = address or os.environ.get("RAY_ADDRESS") or None
    if wanted not in (None, "auto", "local"):
        _knock(wanted)
    failed: list[BaseException] = []
    waiting = threading.Thread(target=_connect, args=(ray, wanted, failed), daemon=True)
    waiting.start()
    waiting.join(JOIN)
    if waiting.is_alive():
        raise BackendError(f"Ray at {wanted}: no answer within {JOIN:.0f} seconds; see that a Ray head runs there")
    if failed:
        raise BackendError(f"Ray{f' at {wanted}' if wanted else ''}: {_reason(failed[0])}") from None
    return ray


def _connect(ray: Any, address: str | None, failed: list[BaseException]) -> None:
    env = {name: os.environ[name] for name in ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL") if name in os.environ}
    try:
        here = {} if address else {"include_dashboard": False}
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", runtime_env={"env_vars": env}, **here)
    except BaseException as error:  # SystemExit too: this is not the thread that may end the process
        failed.append(error)


def _knock(address: str) -> None:
    """Raise BackendError unless something listens at host:port."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise BackendError(f"Ray address {address!r}: expected host:port, ray://host:port or auto")
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER).close()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BackendError(
            f"Ray at {address}: nothing answers ({reason}); see that the head node runs, or leave the address out"
        ) from None


def _reason(error: BaseException) -> str:
    """The last line that says something, of an error that may hold a traceback of another machine."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line.partition("FieldmarkError: ")[2] or line for line in lines if re.search(r"^[\w.]*Error: ", line)]
    return (told or lines or [type(error).__name__])[-1][:300]
