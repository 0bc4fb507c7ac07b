"""What is to be done: the source's items cut into shards, and what an earlier run into the same folder leaves."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldmark.errors import FieldmarkError, ImageError
from fieldmark.images import check_images
from fieldmark.run.arrow import arrow
from fieldmark.run.reading import Span
from fieldmark.run.sources import FileSource, Item, IterableSource, Source
from fieldmark.run.sources.files import Changes, compare, list_files, write_listing
from fieldmark.run.store import LISTING, TEMPORARY, RunFolder, Shard, sync_folder
from fieldmark.run.worker import digest


def spans_of(generations: Sequence[int], size: int) -> list[Span]:
    """Shards of `size` items; each generation (a count of items so far) starts a shard of its own.

    So that files which are added to a finished run make new shards and leave the old ones as they are.
    """
    spans: list[Span] = []
    start = 0
    for count in generations:
        for first in range(start, count, size):
            spans.append(Span(len(spans), first, min(first + size, count)))
        start = count
    return spans


def open_spans(size: int, finished: Container[int]) -> Iterator[Span]:
    """Unfinished shards of a source that doesn't say how long it is."""
    for number in itertools.count():
        if number not in finished:
            yield Span(number, number * size, (number + 1) * size, open_end=True)


def list_source(folder: RunFolder, source: FileSource, earlier: Mapping[str, Any] | None) -> tuple[list[int], Changes]:
    """List the files, or list them anew and add what is new; (counts of items by generation, what is different)."""
    listing = folder.path / LISTING
    known = listing.exists() and earlier is not None and bool(earlier.get("generations"))
    fresh = folder.path / f"{TEMPORARY}{LISTING}"
    total = write_listing(fresh, list_files(source.patterns))
    if not known:
        _put(fresh, listing)
        return [total], Changes()
    assert earlier is not None
    changes, added = compare(listing, fresh)
    generations = list(earlier["generations"])
    rows = arrow().parquet.read_metadata(listing).num_rows
    if rows > generations[-1]:  # killed between the listing and the manifest
        generations.append(rows)
    if added.num_rows:
        before = arrow().parquet.read_table(listing)
        generations.append(write_listing(fresh, zip(*added.to_pydict().values(), strict=True), before))
        _put(fresh, listing)
    else:
        fresh.unlink()
    return generations, changes


def _put(fresh: Path, listing: Path) -> None:
    os.replace(fresh, listing)
    sync_folder(listing.parent)


def refuse_other_settings(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise FieldmarkError, one line that says what differs, unless both settings are the same."""
    now = json.loads(json.dumps(now, default=str))
    found = list(differences(before, now))
    if not found:
        return
    said = "; ".join(f"{name} was {_short(old)}, now {_short(new)}" for name, old, new in found[:3])
    more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
    raise FieldmarkError(
        f"{path} holds a run with other settings: {said}{more}; go on with those, or choose another folder"
    )


def differences(before: Any, now: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(name, before, now) of everything that differs between two JSON values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            yield from differences(before.get(key), now.get(key), f"{name}.{key}" if name else str(key))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from differences(old, new, f"{name}[{number}]")
    elif before != now:
        yield name, before, now


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:40]}… {text[-16:]}"


@dataclass(frozen=True, eq=False)
class Continued:
    """An iterable source whose finished shards are read past. Each one's first image must be what it was."""

    source: IterableSource
    finished: Mapping[int, Shard]
    kind: str = "iterable"
    count: None = None

    def describe(self) -> dict[str, Any]:
        return self.source.describe()

    def read(self, start: int, stop: int | None) -> Iterator[Item]:
        covered = sorted((shard.start, shard.stop, shard.first) for shard in self.finished.values())
        position = 0
        for item in self.source.read(0, None):
            while position < len(covered) and item.index >= covered[position][1]:
                position += 1
            if position < len(covered) and item.index >= covered[position][0]:
                self._check(item, covered[position][2])
            else:
                yield item

    def _check(self, item: Item, first: str | None) -> None:
        number, _, before = (first or "").partition(":")
        if number != str(item.index):
            return
        try:
            now = digest(check_images(item.payload)[0])
        except ImageError:
            now = "no image"
        if now != before:
            raise FieldmarkError(
                f"source: image {number} is not what it was when this run began; give the same images in the same "
                "order (a fixed seed, or no shuffling), or choose another folder"
            )


def is_whole(source: Source, finished: Mapping[int, Shard], size: int, complete: bool) -> bool:
    """Whether nothing is left of an iterable: it was read to its end before."""
    if source.count is not None:
        return False
    return complete or any(shard.stop - shard.start < size for shard in finished.values())
