"""From results to one plain dict of JSON-able values: everything a report shows, and nothing about how."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image

from fieldmark.attribution import Attribution
from fieldmark.errors import FieldmarkError
from fieldmark.figures.overlay import show
from fieldmark.figures.scale import Scale, scales_of, to_rgb
from fieldmark.figures.text import clean, percent
from fieldmark.figures.words import describe_place, describe_score
from fieldmark.report.choices import Choices
from fieldmark.report.maps import Budget, budget, colour_text, data_uri, encode_map, encode_photo
from fieldmark.report.network import Layer, draw_network

TITLE = "What the model looks at"


class Ranked(Protocol):
    """What is needed of predictions: per image the k best (label, probability)."""

    def top(self, k: int = 5) -> list[list[tuple[str, float]]]: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """An attribution as it stands in a report.

    keys    one an image: equal keys are the same image, whatever attribution they come from
    scales  of each (image, target)
    side    "before", "after", "difference" where two are compared
    layer   what to call its layer, where not by its name
    """

    attribution: Attribution
    keys: Sequence[str]
    scales: Sequence[Sequence[Scale]]
    side: str = ""
    layer: str | None = None


def build(
    attributions: Sequence[Attribution],
    predictions: Ranked | Sequence[Ranked] | None = None,
    *,
    names: Sequence[str] | None = None,
    title: str = TITLE,
    notes: str | Sequence[str] = (),
    summaries: Mapping[str, str] | None = None,
    shared_scale: bool = False,
    layers: Sequence[Layer] = (),
    command: str = "",
    doctor: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The data of a report.

    attributions  any number; those of the same images come together, those of other images are added
    predictions   of all the images in the order of their first appearance; one, or one for each batch of them
    names         one an image in that order, for example the file names
    notes         paragraphs shown at the top
    summaries     one sentence for each method, by its name
    shared_scale  one scale for all maps of an attribution, as in `panel`
    layers        `Classifier.layers()`: the network is drawn, so that a layer can be chosen by looking
    command       the command line that makes the report, to which `--layer NAME` can be added
    doctor        `fieldmark.doctor.as_data` of the model's diagnosis
    """
    if not attributions:
        raise FieldmarkError("report: expected at least one attribution, received none")
    parts = [
        Part(attribution=att, keys=image_keys(att), scales=scales_of(att.maps, att.signed, shared_scale))
        for att in attributions
    ]
    data = assemble(parts, names, summaries or {}, shared_scale)
    batches = predictions if isinstance(predictions, Sequence) else [predictions] if predictions is not None else []
    rank(data["images"], batches)
    said = [notes] if isinstance(notes, str) else list(notes)
    data["title"], data["notes"] = clean(title), [clean(note) for note in said] + data["notes"]
    carried = [method["layer"] for method in data["methods"]]
    data["doctor"] = doctor
    data["network"] = draw_network(layers, carried, command) if layers else None
    return data


def assemble(
    parts: Sequence[Part], names: Sequence[str] | None, summaries: Mapping[str, str], shared_scale: bool
) -> dict[str, Any]:
    """The data of parts: methods, images with their maps, colours; predictions, title and network are empty yet."""
    choices = Choices(summaries)
    shapes = [att.maps.shape[2:] for att in (part.attribution for part in parts) for _ in range(att.scores.size)]
    keys = dict.fromkeys(key for part in parts for key in part.keys)
    if not keys:
        raise FieldmarkError("report: expected at least one image, received none")
    plan = budget(shapes, len(keys))
    images: dict[str, dict[str, Any]] = {}
    for part in parts:
        att = part.attribution
        assert att.images is not None
        method = choices.number(att, part.side, part.layer)
        photos = to_rgb(att.images if att.images.ndim == 4 else att.images[..., None])
        for i, key in enumerate(part.keys):
            if key not in images:
                images[key] = _photo(photos[i], len(images), plan)
            for t in range(att.maps.shape[1]):
                _add_map(images[key], method, part, (i, t), plan)
    _name(list(images.values()), names)
    return {
        "title": TITLE,
        "notes": [plan.note] if plan.note else [],
        "model": " and ".join(choices.models),
        "methods": choices.finish(shared_scale),
        "images": list(images.values()),
        "colours": {kind: colour_text(kind == "signed") for kind in ("signed", "amount")},
        "network": None,
        "comparison": None,
    }


def image_keys(att: Attribution) -> list[str]:
    """A name for each image's content; the second of two equal images gets one of its own."""
    if att.images is None:
        raise FieldmarkError(f"report: the attribution of {describe_place(att)} carries no images; explain them again")
    if att.maps.ndim != 4 or att.images.ndim not in (3, 4):
        raise FieldmarkError(
            f"report: expected maps (n, t, height, width), received {att.maps.shape} of {describe_place(att)}; "
            "signals and volumes are drawn by att.plot()"
        )
    seen: dict[str, int] = {}
    keys = []
    for image in att.images:
        head = f"{image.dtype}{image.shape}".encode()
        digest = hashlib.blake2b(head + np.ascontiguousarray(image).tobytes(), digest_size=16).hexdigest()
        seen[digest] = seen.get(digest, 0) + 1
        keys.append(f"{digest}-{seen[digest]}")
    return keys


def _photo(photo: np.ndarray, number: int, plan: Budget) -> dict[str, Any]:
    height, width = photo.shape[:2]
    shown, picture = encode_photo(photo, plan)
    return {
        "name": f"image {number}",
        "size": [width, height],
        "shown": list(shown.size),
        "picture": picture,
        "rankings": [],
        "change": "",
        "targets": [],
        "maps": [],
    }


def _add_map(entry: dict[str, Any], method: int, part: Part, place: tuple[int, int], plan: Budget) -> None:
    att, (i, t) = part.attribution, place
    target = clean(att.targets[i][t])
    if target not in entry["targets"]:
        entry["targets"].append(target)
    number = entry["targets"].index(target)
    if any((m["method"], m["target"]) == (method, number) for m in entry["maps"]):
        return
    scale = part.scales[i][t]
    made: dict[str, Any] = {"picture": "", "where": ""}
    if att.pictures is not None:
        made |= {"shape": list(att.maps.shape[2:]), "limit": 0.0}
        made["picture"] = data_uri(Image.fromarray(show(att, i, t)), plan.quality)
    else:
        made |= encode_map(att.maps[i, t], scale, plan)
    if not scale.blank:
        made["where"] = strongest_place(scale(att.maps[i, t]))
    said = describe_score(att, i, t)
    entry["maps"].append({"method": method, "target": number, "score": said, "note": scale.note, **made})


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


def rank(images: list[dict[str, Any]], batches: Sequence[Ranked], side: str = "") -> None:
    """Add to each image what the predictions, one or several batches of them, say of it."""
    if not batches:
        return
    ranked = [(row, getattr(batch, "reading", "") == "value") for batch in batches for row in batch.top(5)]
    if len(ranked) != len(images):
        raise FieldmarkError(f"report: expected predictions of {len(images)} images, received {len(ranked)}")
    for image, (row, is_value) in zip(images, ranked, strict=True):
        rows = [_ranked(label, float(number), is_value) for label, number in row]
        image["rankings"].append({"side": side, "rows": rows})


def _ranked(label: str, number: float, is_value: bool) -> dict[str, Any]:
    known = math.isfinite(number)
    share = round(100 * min(max(number, 0), 1), 2) if known and not is_value else None
    said = f"{number:.4g}" if is_value else percent(number)
    return {"label": clean(label), "share": share, "words": said if known else "unknown"}
