"""`fieldmark run`: any number of images into a folder of Parquet shards; the same command goes on where it stopped."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldmark.cli.methods import make_explainers
from fieldmark.cli.screen import Screen, printable
from fieldmark.cli.targets import parse_targets
from fieldmark.cli.work import ModelRequest, parse_fit, parse_size
from fieldmark.errors import FieldmarkError
from fieldmark.images.read import Fit
from fieldmark.run import Explain, Options, Report, SourceOptions, run_job
from fieldmark.run.address import knock, meant
from fieldmark.run.models import NamedModel, absolute
from fieldmark.run.precision import check_precision

if TYPE_CHECKING:
    from fieldmark.classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """The options of `fieldmark run` beside the model's."""

    source: Sequence[str]
    methods: Sequence[str]
    targets: Sequence[str]
    layers: Sequence[str]
    settings: Sequence[str]
    out: Path
    fit: Fit
    size: tuple[int, int] | None
    top: int
    precision: str
    device: str | None
    summary: bool
    options: Options


def run(screen: Screen, model: ModelRequest, request: RunRequest) -> None:
    """Work through the source. What can be refused is refused before the model is loaded."""
    names = [name for text in request.methods for name in text.split(",") if name.strip()]
    explainers = make_explainers(names, request.layers, request.settings)
    check_precision(request.precision)
    page = None
    try:
        with screen.working():
            job = _job(model, request, explainers)
            report = run_job(job, list(request.source), out=request.out, options=request.options)
            if request.summary:
                page = _summarise(report.out)
    except KeyboardInterrupt:
        screen.note(f"interrupted; finished shards are kept in {request.out}: the same command goes on from there")
        raise
    for text in report.notes:
        screen.note(text)
    _report(screen, job, report, page)


def requests(given: Mapping[str, Any]) -> dict[str, Any]:
    """The model's request and the run's from the options of the command line, by their names there."""
    source = SourceOptions(column=given["column"], truth=given["truth"], split=given["split"])
    shared = ("model", "preprocess", "labels", "trust_model_code", "batch_size", "probabilities")
    return {
        "model": ModelRequest(**{name: given[name] for name in shared}),
        "request": RunRequest(
            source=given["source"],
            methods=given["methods"] or ["gradcam"],
            targets=given["target"] or ["predicted"],
            layers=given["layer"] or [],
            settings=given["settings"] or [],
            out=given["out"],
            fit=parse_fit(given["fit"]),
            size=parse_size(given["size"]),
            top=given["top"],
            precision=given["precision"],
            device=given["device"],
            summary=given["summary"],
            options=Options(
                shard_size=given["shard_size"],
                float16=given["float16"],
                threads=given["threads"],
                source=source,
                **parse_engine(given["engine"], given["address"], given["ray"]),
            ),
        ),
    }


def parse_engine(engine: str, address: str | None, ray: Sequence[str] | None) -> dict[str, Any]:
    """The engine of a run as `Options` takes it. A cluster that does not answer is refused here, before any work."""
    options = parse_ray(ray or [])
    if engine != "ray" and (options or address):
        raise FieldmarkError("--ray and --address: expected --engine ray beside them")
    if engine == "ray":
        knock(meant(address))
    return {"engine": engine, "address": address, "ray_options": options}


def parse_ray(pairs: Sequence[str]) -> dict[str, Any]:
    """Options for `Dataset.map_batches` from texts such as concurrency=4 or num_gpus=0.5; 2-8 is a range."""
    found: dict[str, Any] = {}
    for text in pairs:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise FieldmarkError(f"--ray {text!r}: expected name=number, for example concurrency=4 or num_gpus=1")
        found[name.strip()] = _number(text, value.strip())
    return found


def _number(text: str, value: str) -> Any:
    low, dash, high = value.partition("-")
    try:
        if dash and low:
            return int(low), int(high)
        return float(value) if "." in value else int(value)
    except ValueError:
        raise FieldmarkError(f"--ray {text!r}: expected a number after =, or a range as 2-8") from None


def _job(model: ModelRequest, request: RunRequest, explainers: list[Any]) -> Explain:
    named = named_model(model, model.load())
    return Explain(
        model=named,
        explainers=tuple(explainers),
        target=parse_targets(request.targets, named.classifier().labels),
        size=request.size,
        fit=request.fit,
        top=request.top,
        precision=request.precision,
        device=request.device,
    )


def named_model(model: ModelRequest, loaded: Classifier) -> NamedModel:
    """The model by what it was loaded from, so that a worker elsewhere loads it by itself."""
    asked = {
        "trust_model_code": model.trust_model_code,
        "preprocess": model.preprocess,
        "labels": None if model.labels is None else absolute(model.labels),
        "scores": "probabilities" if model.probabilities else None,
        "batch_size": model.batch_size,
    }
    named = NamedModel(absolute(model.model), asked, os.getcwd())
    named.adopt(loaded)
    return named


def _summarise(folder: Path) -> Path:
    from fieldmark.run.results import Results
    from fieldmark.run.summary_page import write_page

    return write_page(Results(folder))


def _report(screen: Screen, job: Explain, report: Report, page: Path | None) -> None:
    classifier = job.model.classifier()
    methods = ", ".join(dict.fromkeys(type(each).__name__ for each in job.explainers))
    screen.show(f"Model   {printable(classifier.name)} on {classifier.backend}, {classifier.classes} classes")
    if report.new:
        rate = report.new / report.seconds if report.seconds else 0.0
        screen.show(f"Images  {report.new} by {methods} in {report.seconds:.1f} s ({rate:.1f} a second)")
    else:
        screen.show("Images  none left to do: this run is complete")
    if report.rejected:
        screen.show(f"        {report.rejected} could not be read: {report.out / 'rejected.parquet'} says why")
    screen.show(f"Wrote   {report.out / 'shards'}: {report.images} images, {report.shards} files, {size(report.bytes)}")
    if page is not None:
        screen.show(f"        {page}: open it in a browser")
    screen.document(
        {
            "model": classifier.name,
            "backend": classifier.backend,
            "out": str(report.out),
            "images": report.images,
            "rejected": report.rejected,
            "shards": report.shards,
            "bytes": report.bytes,
            "new": report.new,
            "seconds": round(report.seconds, 3),
            "notes": list(report.notes),
            "summary": None if page is None else str(page),
        }
    )


def size(count: int) -> str:
    """A number of bytes for people."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000  # type: ignore[assignment]
    return f"{count:.1f} TB"
