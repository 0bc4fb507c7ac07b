"""From results to one plain dict of JSON-able values: everything a report shows, and nothing about how."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from PIL import Image

from fieldmark.attribution import Attribution
from fieldmark.errors import FieldmarkError
from fieldmark.figures.colours import WORDS, colour_table, rows
from fieldmark.figures.overlay import show
from fieldmark.figures.panels import describe_place, describe_score, legend_text
from fieldmark.figures.scale import Scale, scales_of, to_rgb
from fieldmark.figures.text import clean, percent

MOST_PIXELS = 768
"""Longest side at which a photograph travels; the maps keep their own size."""

TITLE = "What the model looks at"

_SETTINGS = ("seed", "scores", "model", "backend")
_IDENTITY = ("method", "parameters", "layer", *_SETTINGS)


class Ranked(Protocol):
    """What is needed of predictions: per image the k best (label, probability)."""

    def top(self, k: int = 5) -> list[list[tuple[str, float]]]: ...


def build(
    attributions: Sequence[Attribution],
    predictions: Ranked | Sequence[Ranked] | None = None,
    *,
    names: Sequence[str] | None = None,
    title: str = TITLE,
    notes: str | Sequence[str] = (),
    summaries: Mapping[str, str] | None = None,
    shared_scale: bool = False,
) -> dict[str, Any]:
    """The data of a report.

    attributions  any number; those of the same images come together, those of other images are added
    predictions   of all the images in the order of their first appearance; one, or one for each batch of them
    names         one an image in that order, for example the file names
    notes         paragraphs shown at the top
    summaries     one sentence for each method, by its name
    shared_scale  one scale for all maps of an attribution, as in `panel`
    """
    if not attributions:
        raise FieldmarkError("report: expected at least one attribution, received none")
    methods = _Methods(summaries or {})
    images: dict[str, dict[str, Any]] = {}
    for att in attributions:
        if att.images is None:
            raise FieldmarkError(
                f"report: the attribution of {describe_place(att)} carries no images; explain them again"
            )
        method = methods.number(att)
        scales = scales_of(att.maps, att.signed, shared_scale)
        keys = _keys(att.images)
        photos = to_rgb(att.images)
        for i, key in enumerate(keys):
            entry = images.setdefault(key, _photo(photos[i], len(images)))
            for t in range(att.maps.shape[1]):
                _add_map(entry, method, att, scales[i][t], i, t)
    _name(list(images.values()), names)
    _rank(list(images.values()), predictions)
    return {
        "title": clean(title),
        "notes": [clean(note) for note in ([notes] if isinstance(notes, str) else notes)],
        "model": methods.model,
        "methods": methods.finish(shared_scale),
        "images": list(images.values()),
        "colours": {kind: _table(kind == "signed") for kind in ("signed", "amount")},
    }


class _Methods:
    """The distinct methods of a report, numbered in the order of their first appearance, with names that differ."""

    def __init__(self, summaries: Mapping[str, str]) -> None:
        self.summaries = summaries
        self.identities: list[str] = []
        self.found: list[dict[str, Any]] = []
        self.model = ""

    def number(self, att: Attribution) -> int:
        source = att.provenance
        identity = json.dumps([source.get(key) for key in _IDENTITY] + [att.signed], default=str, sort_keys=True)
        if identity not in self.identities:
            self.identities.append(identity)
            self.model = self.model or clean(source.get("model") or "")
            name = str(source.get("method", "unknown method"))
            self.found.append(
                {
                    "name": clean(name),
                    "place": clean(describe_place(att)),
                    "kind": "picture" if att.pictures is not None else "signed" if att.signed else "amount",
                    "ends": list(WORDS[att.signed]),
                    "summary": clean(self.summaries.get(name, "")),
                    "details": _details(source),
                    "warnings": [],
                    "settings": {key: source.get(key) for key in _SETTINGS} | dict(source.get("parameters") or {}),
                }
            )
        number = self.identities.index(identity)
        kept = self.found[number]["warnings"]
        kept += [clean(text) for text in att.warnings if clean(text) not in kept]
        return number

    def finish(self, shared_scale: bool) -> list[dict[str, Any]]:
        """The methods, those of one name told apart by layer, and where that is the same too, by what else differs."""
        for tell in (lambda method: method["place"], self._told_apart):
            names = [method["name"] for method in self.found]
            told = [tell(method) if names.count(method["name"]) > 1 else method["name"] for method in self.found]
            for method, name in zip(self.found, told, strict=True):
                method["name"] = name
        for method in self.found:
            made = method["kind"] == "picture"
            method["legend"] = "" if made else legend_text(method["kind"] == "signed", shared_scale)
            del method["settings"]
        return self.found

    def _told_apart(self, method: dict[str, Any]) -> str:
        mine = method["settings"]
        others = [other["settings"] for other in self.found if other["name"] == method["name"]]
        differing = [key for key in mine if any(other.get(key) != mine[key] for other in others)]
        return f"{method['name']} ({', '.join(f'{clean(key)} {_words(mine[key])}' for key in differing)})"


def _details(provenance: Mapping[str, Any]) -> list[list[str]]:
    """Provenance as rows of words, parameters and versions each on one line."""
    return [
        [clean(key).replace("_", " "), _words(value)]
        for key, value in provenance.items()
        if value not in (None, {}, "")
    ]


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{clean(key)} {_words(item)}" for key, item in value.items() if item is not None)
    return (
        clean(json.dumps(value, ensure_ascii=False, default=str)) if isinstance(value, (list, tuple)) else clean(value)
    )


def _keys(images: np.ndarray) -> list[str]:
    """A name for each image's content; the second of two equal images gets one of its own."""
    seen: dict[str, int] = {}
    keys = []
    for image in images:
        head = f"{image.dtype}{image.shape}".encode()
        digest = hashlib.blake2b(head + np.ascontiguousarray(image).tobytes(), digest_size=16).hexdigest()
        seen[digest] = seen.get(digest, 0) + 1
        keys.append(f"{digest}-{seen[digest]}")
    return keys


def _photo(photo: np.ndarray, number: int) -> dict[str, Any]:
    height, width = photo.shape[:2]
    shown = Image.fromarray(photo)
    shown.thumbnail((MOST_PIXELS, MOST_PIXELS))
    return {
        "name": f"image {number}",
        "size": [width, height],
        "shown": list(shown.size),
        "picture": _data_uri(shown),
        "ranking": [],
        "targets": [],
        "maps": [],
    }


def _data_uri(picture: Image.Image) -> str:
    """PNG for what is small enough to show its pixels, JPEG for photographs."""
    file = io.BytesIO()
    small = max(picture.size) <= 128
    if small:
        picture.save(file, "PNG", optimize=True)
    else:
        picture.save(file, "JPEG", quality=88, subsampling=0, optimize=True)
    return f"data:image/{'png' if small else 'jpeg'};base64,{base64.b64encode(file.getvalue()).decode()}"


def _add_map(entry: dict[str, Any], method: int, att: Attribution, scale: Scale, i: int, t: int) -> None:
    target = clean(att.targets[i][t])
    if target not in entry["targets"]:
        entry["targets"].append(target)
    number = entry["targets"].index(target)
    if any((m["method"], m["target"]) == (method, number) for m in entry["maps"]):
        return
    values = scale(att.maps[i, t])
    entry["maps"].append(
        {
            "method": method,
            "target": number,
            "score": describe_score(att, i, t),
            "note": scale.note,
            "where": "" if scale.blank else strongest_place(values),
            "limit": scale.limit,
            "shape": list(values.shape),
            "picture": "" if att.pictures is None else _data_uri(Image.fromarray(show(att, i, t))),
            "values": "" if scale.blank or att.pictures is not None else _text(rows(values, att.signed)),
        }
    )


def _text(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()


def strongest_place(values: np.ndarray) -> str:
    """Where the strongest evidence lies, in words for readers who cannot see the map: "upper left", "centre"."""
    row, column = np.unravel_index(int(np.abs(values).argmax()), values.shape)
    vertical = ("upper", "", "lower")[min(2, int(3 * (row + 0.5) / values.shape[0]))]
    horizontal = ("left", "", "right")[min(2, int(3 * (column + 0.5) / values.shape[1]))]
    return f"{vertical} {horizontal}".strip() or "centre"


def _name(images: list[dict[str, Any]], names: Sequence[str] | None) -> None:
    if names is None:
        return
    if len(names) != len(images):
        raise FieldmarkError(f"report: expected a name for each of {len(images)} images, received {len(names)}")
    for image, name in zip(images, names, strict=True):
        image["name"] = clean(name) or image["name"]


def _rank(images: list[dict[str, Any]], predictions: Ranked | Sequence[Ranked] | None) -> None:
    if predictions is None:
        return
    batches = predictions if isinstance(predictions, Sequence) else [predictions]
    ranked = [(row, getattr(batch, "reading", "") == "value") for batch in batches for row in batch.top(5)]
    if len(ranked) != len(images):
        raise FieldmarkError(f"report: expected predictions of {len(images)} images, received {len(ranked)}")
    for image, (row, is_value) in zip(images, ranked, strict=True):
        image["ranking"] = [_ranked(label, float(number), is_value) for label, number in row]


def _ranked(label: str, number: float, is_value: bool) -> dict[str, Any]:
    known = math.isfinite(number)
    share = round(100 * min(max(number, 0), 1), 2) if known and not is_value else None
    words = f"{number:.4g}" if is_value else percent(number)
    return {"label": clean(label), "share": share, "words": words if known else "unknown"}


def _table(signed: bool) -> str:
    """The colour table as base64 of uint8 (255, 4)."""
    return base64.b64encode(np.rint(255 * colour_table(signed)).astype(np.uint8).tobytes()).decode()
