"""A run from start to end: refuse what can be refused, plan, work, and leave a folder that says what it holds."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fieldmark
from fieldmark.errors import FieldmarkError
from fieldmark.progress import track
from fieldmark.run.arrow import arrow
from fieldmark.run.jobs import Explain, Job
from fieldmark.run.models import as_model
from fieldmark.run.options import Options, Report
from fieldmark.run.plan import (
    Continued,
    is_whole,
    list_source,
    open_spans,
    refuse_other_settings,
    spans_of,
)
from fieldmark.run.reading import Span
from fieldmark.run.sources import FileSource, IterableSource, Source, SourceOptions, as_source
from fieldmark.run.sources.files import Changes
from fieldmark.run.store import (
    LISTING,
    RunFolder,
    Shard,
    one_line,
    opened,
    shard_name,
)
from fieldmark.run.worker import Counts, Recipe, Tick, Worker
from fieldmark.run.writer import read_story, write_rejected
from fieldmark.targets import Predicted


def run(
    classifier: Any,
    source: Any,
    explainers: Any,
    *,
    out: str | os.PathLike[str],
    target: Any = Predicted(),  # noqa: B008
    size: tuple[int, int] | None = None,
    fit: str = "crop",
    top: int = 5,
    precision: str = "float32",
    device: str | None = None,
    column: str | None = None,
    truth: str | None = None,
    split: str | None = None,
    channels_first: bool | None = None,
    **options: Any,
) -> Report:
    """Predict and explain any number of images, into a folder of Parquet shards; called again, it goes on.

    classifier  a Classifier, or what `fieldmark.load` takes
    source      a folder, glob or file (or several); a Parquet file; a dataset that `datasets` saved; an array
                (n, h, w, c); a `tf.data.Dataset`, torch `DataLoader` or other iterable of images, batches or
                (images, classes)
    explainers  one explainer, or several
    target      what is explained, as everywhere
    size, fit   how files are brought to the model's size, as in `read_images`
    top         classes an image that are kept with their probabilities
    precision   "float32", "mixed_float16" or "mixed_bfloat16" (Keras models): its error is measured on the first batch
    device      "cpu", "gpu:0", ...; None: the framework's choice
    column, truth, split, channels_first  see `SourceOptions`
    options     see `Options`

    Raises FieldmarkError, one line, for anything the user can mend. Images that cannot be read never stop a run.
    """
    listed = tuple(explainers) if isinstance(explainers, Iterable) else (explainers,)
    job = Explain(
        model=as_model(classifier),
        explainers=listed,
        target=target,
        size=size,
        fit=fit,
        top=top,
        precision=precision,
        device=device,
    )
    read = SourceOptions(column=column, truth=truth, split=split, channels_first=channels_first)
    return run_job(job, source, out=out, options=Options(source=read, **options))


def run_job(job: Job, source: Any, *, out: str | os.PathLike[str], options: Options | None = None) -> Report:
    """Any job over any source, by the same path: see `PerBatch` for a function of a batch."""
    arrow()
    options = options or Options()
    started = time.monotonic()
    path = Path(out).expanduser()
    with opened(path) as folder:
        given = as_source(source, options.source, (path / LISTING).absolute())
        return _Run(folder, job, given, options, started).go()


class _Run:
    """One call of `run_job`, with its folder open."""

    def __init__(self, folder: RunFolder, job: Job, source: Source, options: Options, started: float) -> None:
        self.folder, self.job, self.source, self.options, self.started = folder, job, source, options, started
        self.earlier = folder.read_manifest()
        self.counts = Counts()
        self.new = 0

    def go(self) -> Report:
        settings: dict[str, Any] = {
            "job": self.job.describe(),
            "source": self.source.describe(),
            "shard_size": self.options.shard_size,
            "float16": self.options.float16,
        }
        if self.earlier is not None:
            refuse_other_settings(self.folder.path, self.earlier["settings"], settings)
        generations, changes = self._count()
        environment = {"fieldmark": fieldmark.__version__, "python": platform.python_version(), **_frameworks()}
        self.manifest = {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            **{key: value for key, value in (self.earlier or {}).items() if key != "format"},
            "settings": settings,
            "environment": environment,
            "labels": getattr(self.job, "labels", None),
            "generations": generations,
            "complete": False,
        }
        before = (self.earlier or {}).get("environment", environment)
        finished = self.folder.finished()
        complete = bool((self.earlier or {}).get("complete"))
        self.folder.write_manifest(self.manifest)
        if not is_whole(self.source, finished, self.options.shard_size, complete):
            # A list of ten thousand Parquet files belongs into the manifest, and not into each of as many shards.
            short = {name: value for name, value in settings["source"].items() if name != "files"}
            about = {"settings": {**settings, "source": short}, "environment": environment}
            self._work(self._left(generations, finished), finished, about)
        return self._close(finished, [*_changes_said(changes), *_versions_said(before, environment)])

    def _count(self) -> tuple[list[int], Changes]:
        """Items by generation: of files from their listing, which is written here."""
        if isinstance(self.source, FileSource):
            return list_source(self.folder, self.source, self.earlier)
        return ([] if self.source.count is None else [self.source.count]), Changes()

    def _left(self, generations: Sequence[int], finished: Mapping[int, Shard]) -> Sequence[Span] | Iterator[Span]:
        if self.source.count is None:
            return open_spans(self.options.shard_size, finished)
        return [span for span in spans_of(generations, self.options.shard_size) if span.number not in finished]

    def _work(self, spans: Any, finished: dict[int, Shard], about: dict[str, Any]) -> None:
        if isinstance(spans, list) and not spans:
            return
        source = Continued(self.source, dict(finished)) if isinstance(self.source, IterableSource) else self.source
        recipe = Recipe(
            job=self.job,
            source=source,
            shards=str(self.folder.shards.absolute()),
            about=about,
            schema=self._schema(finished),
            half=self.options.float16,
            batch_size=self.options.batch_size,
            ahead=self.options.ahead,
            threads=self.options.threads,
        )
        total = sum(span.stop - span.start for span in spans) if isinstance(spans, list) else None
        for _ in track(self._steps(recipe, spans, finished), total, "Images"):
            self.new += 1
        if total is None and not self.new and not finished:
            raise FieldmarkError("source: expected at least one image, received none")

    def _steps(self, recipe: Recipe, spans: Any, finished: dict[int, Shard]) -> Iterator[None]:
        """One step an image, for the progress bar; finished shards are logged on the way."""
        for event in self._events(recipe, spans):
            if isinstance(event, Tick):
                yield from (None for _ in range(event.images))
            else:
                self.folder.log(event)
                finished[event.number] = event

    def _events(self, recipe: Recipe, spans: Any) -> Iterator[Tick | Shard]:
        if self.options.engine == "ray":
            from fieldmark.run.cluster import run_on_ray

            return run_on_ray(recipe, spans, self.options.address, self.options.ray_options)
        worker = Worker.start(recipe)
        self.counts = worker.counts
        return worker.run(spans)

    def _schema(self, finished: Mapping[int, Shard]) -> Any:
        if not finished:
            return None
        path = self.folder.shards / shard_name(min(finished))
        return arrow().parquet.read_schema(path).remove_metadata()

    def _close(self, finished: Mapping[int, Shard], notes: Sequence[str]) -> Report:
        """Totals, the table of rejected images, and the manifest that says it is complete."""
        remarks: Counter[str] = Counter()
        for shard in finished.values():
            remarks.update(shard.remarks)
        changed = sum(shard.changed for shard in finished.values())
        said = [
            *notes,
            *(text if ", the first time: " in text else f"{text}: {number}" for text, number in remarks.items()),
        ]
        if changed:
            said.append(f"{changed} files changed after they were listed: what was explained is what was read then")
        with one_line(self.folder.path):
            write_rejected(self.folder, finished)
        totals = {
            "images": sum(shard.rows for shard in finished.values()),
            "rejected": sum(shard.rejected for shard in finished.values()),
            "shards": len(finished),
            "bytes": sum(shard.bytes for shard in finished.values()),
        }
        story = read_story(self.folder.shards / shard_name(min(finished))) if finished else {}
        schema = self._schema(finished)
        self.manifest |= {
            "totals": totals,
            "notes": said,
            "provenance": story.get("provenance"),
            "columns": {each.name: str(each.type) for each in schema} if schema is not None else {},
            "complete": True,
        }
        self.folder.write_manifest(self.manifest)
        return Report(
            out=self.folder.path,
            new=self.new,
            seconds=time.monotonic() - self.started,
            notes=tuple(said),
            counts=self.counts,
            **totals,
        )


def _frameworks() -> dict[str, str]:
    import sys

    if "keras" not in sys.modules:
        return {}
    from fieldmark.classifier.backend import versions

    return versions()


def _changes_said(changes: Changes) -> Iterator[str]:
    """The source compared with its listing of before, in a sentence each."""
    if changes.added:
        yield f"{changes.added} files were added since this run began, and have been taken in"
    if changes.vanished:
        yield f"{changes.vanished} files are gone since this run began; those not yet explained are among the rejected"
    if changes.changed:
        yield (
            f"{changes.changed} files changed since this run began ({changes.examples[-1]} is one): finished shards "
            "keep what was explained then; for the new ones choose another folder"
        )


def _versions_said(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    other = [f"{name} {before.get(name, '?')} then, {now[name]} now" for name in now if before.get(name) != now[name]]
    if other:
        yield f"this run was begun with other versions: {', '.join(other)}"
