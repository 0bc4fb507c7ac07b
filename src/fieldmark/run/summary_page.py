"""The summary as one page that opens from disk: the report's style, pictures within, nothing fetched."""

from __future__ import annotations

import base64
import io
import json
import math
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fieldmark.errors import FieldmarkError
from fieldmark.figures.overlay import overlay
from fieldmark.images import read_one
from fieldmark.run.results import Results
from fieldmark.run.sources.tables import Part, _rows
from fieldmark.run.store import write_atomically
from fieldmark.run.summary import BORDER, CLOSE, Example, Summary, summarise

PAGE, SUMMARY = "summary.html", "summary.json"
THUMB = 160  # pixels of a picture's longer side
MEAN = 112


def write_page(results: Results, method: str | None = None) -> Path:
    """Write `summary.json` and `summary.html` into the run's folder; returns the page's path."""
    summary = summarise(results, method)
    write_summary(results, summary)
    path = results.folder / PAGE
    write_atomically(path, render(results, summary).encode())
    return path


def write_summary(results: Results, summary: Summary) -> None:
    """`summary.json`: numbers and names, the mean maps as nested lists."""
    document = {
        "method": summary.method,
        "images": summary.images,
        "rejected": summary.rejected,
        "blank": summary.blank,
        "judged": summary.judged,
        "accuracy": summary.accuracy,
        "unknown_to_the_model": dict(summary.strangers),
        "counts": dict(summary.counts),
        "confused": [{"class": a, "with": b, "images": n} for a, b, n in summary.pairs],
        "confusion": "true and predicted class" if summary.truth_known else f"second class within {CLOSE} of the first",
        "border": {"even": summary.border_share, "median": summary.border_median},
        "outliers": [vars(each) for each in summary.outliers],
        "classes": [
            {
                "name": each.name,
                "images": each.count,
                "blank": each.blank,
                "likeness": None if math.isnan(each.likeness) else each.likeness,
                "mean_map": each.mean.round(5).tolist(),
                "typical": [vars(example) for example in each.typical],
                "untypical": [vars(example) for example in each.untypical],
            }
            for each in summary.classes
        ],
    }
    write_atomically(results.folder / SUMMARY, json.dumps(document, indent=1).encode())


def render(results: Results, summary: Summary) -> str:
    """The page as HTML. A photograph that is gone is left out, and its name stays."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fieldmark.run", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    picture = partial(_thumbnail, results, summary)
    settings = summary.manifest["settings"]
    return environment.get_template("run_summary.html").render(
        summary=summary,
        style=resources.files("fieldmark").joinpath("report", "templates", "report.css").read_text("utf-8"),
        model=settings["job"].get("model", {}).get("name", "a model"),
        where=_where(settings["source"]),
        mean=lambda each: _png(mean_picture(each.mean, summary.signed)),
        legend=_png(mean_picture(np.tile(np.linspace(-1 if summary.signed else 0, 1, MEAN), (8, 1)), summary.signed)),
        number=number,
        picture=picture,
        name=lambda source: Path(source).name,
        outliers=[each for each in summary.outliers if each.value > border_limit(summary.border_share)],
        limit=border_limit(summary.border_share),
        border=BORDER,
        close=CLOSE,
        pairs_of=max((n for _, _, n in summary.pairs), default=1),
        most=summary.counts[0][1] if summary.counts else 1,
    )


def border_limit(even: float) -> float:
    """From which share of a map at the border it is odd: half-way from an even spread to all of it.

    A border of one cell is half of a 7 x 7 map, so that no multiple of `even` would do.
    """
    return (1 + even) / 2


def number(value: float) -> str:
    """Two digits after the point, a minus that is one, and no minus before nothing."""
    return f"{value + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−")


def mean_picture(mean: np.ndarray, signed: bool) -> np.ndarray:
    """A mean map on white, enlarged with soft edges: uint8 (MEAN, MEAN, 3) for a square map."""
    h, w = mean.shape
    scale = MEAN / max(h, w)
    ground = np.full((round(h * scale), round(w * scale), 3), 255, np.uint8)
    return overlay(ground, mean, 1.0, signed=signed, fade=0.0)


def _thumbnail(results: Results, summary: Summary, example: Example) -> str | None:
    """The image with its map over it, as a data URL; None where the image cannot be read any more."""
    image = _image(results, example)
    if image is None:
        return None
    att = results.attribution(example.index, summary.method)
    return _png(overlay(image, att.maps[0, 0], signed=summary.signed), jpeg=True)


def _image(results: Results, example: Example) -> np.ndarray | None:
    """The image as the model saw it, small, from where the run read it."""
    source = results.manifest["settings"]["source"]
    read_at = (results.manifest.get("provenance") or {}).get("read_at") or {"height": 1, "width": 1, "fit": "crop"}
    scale = THUMB / max(read_at["height"], read_at["width"])
    size = (max(1, round(read_at["height"] * scale)), max(1, round(read_at["width"] * scale)))
    try:
        payload: Any = _payload(source, example)
        if payload is None:
            return None
        if isinstance(payload, np.ndarray):
            return payload
        return read_one(payload, size, fit=read_at["fit"])
    except (FieldmarkError, OSError, ValueError):
        return None


def _payload(source: dict[str, Any], example: Example) -> Any:
    if source["kind"] == "files":
        return Path(example.source)
    if source["kind"] == "parquet":
        path, _, row = example.source.rpartition(":")
        part = next((Part(*each) for each in source["files"] if each[0] == path), None)
        if part is not None:
            return next(iter(_rows(part, source["column"], None, int(row), int(row) + 1)))[1]
    if source["kind"] == "hugging face" and source["path"]:
        import datasets

        from fieldmark.run.sources.arrays import from_datasets

        data = datasets.load_from_disk(source["path"])
        if not isinstance(data, datasets.DatasetDict):
            return next(from_datasets(data, source["column"], None).read(example.index, example.index + 1)).payload
    return None


def _where(source: dict[str, Any]) -> str:
    named = source.get("images") or [each[0] for each in source.get("files", [])] or [source.get("path")]
    shown = [str(each) for each in named if each][:2]
    return ", ".join(shown) + (" …" if len(named) > 2 else "") if shown else f"an {source['kind']}"


def _png(picture: np.ndarray, jpeg: bool = False) -> str:
    held = io.BytesIO()
    Image.fromarray(picture).save(held, "JPEG" if jpeg else "PNG", **({"quality": 85} if jpeg else {"optimize": True}))
    kind = "jpeg" if jpeg else "png"
    return f"data:image/{kind};base64,{base64.b64encode(held.getvalue()).decode()}"
