"""A field guide as one HTML page: verdict and warnings first, the key, a plate a class, and where it fails."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from markupsafe import Markup, escape
from PIL import Image

import fieldmark
from fieldmark.guide import FieldGuide
from fieldmark.guide.mark import Mark, Picture
from fieldmark.guide.text import left_over
from fieldmark.report.html import _asset, _digest, templates, write_atomically

CROPS = 4  # pictures of a mark on its plate
STYLES = ("guide.css",)


def write_guide(guide: FieldGuide, path: Path) -> Path:
    """Write the page; returns its path. Raises OutputError where the place cannot be written."""
    environment = templates()
    style = Markup("").join(_asset(environment, name) for name in STYLES)
    page = environment.get_template("guide.html").render(
        guide=guide,
        remains=commands(guide.remains),
        plates=[plate(guide, name) for name in guide.plates],
        steps=[] if guide.key is None else guide.key.couplets(),
        parted=[shown(guide.pictures[i]) for i in guide.parted if i in guide.pictures],
        style=style,
        policy=f"default-src 'none'; img-src data:; style-src {_digest(style)}; base-uri 'none'; form-action 'none'",
        version=fieldmark.__version__,
    )
    return write_atomically(path, page)


def plate(guide: FieldGuide, name: str) -> dict[str, Any]:
    """All that the page says of one class."""
    marks = [mark for mark in guide.marks if name in mark.classes]
    row = guide.confusions.get(name, {})
    total = sum(row.values())
    return {
        "name": name,
        "mean": png(middle(guide.plates[name])),
        "pictures": guide.counts.get(name, 0),
        "marks": [described(guide, mark) for mark in marks],
        "right": row.get(name, 0) / total if total else None,
        "alike": alike(guide, name),
        "lacking": guide.lacking.get(name, ()),
        "together": guide.together.get(name),
        "left_over": left_over(guide) if guide.default and guide.classes[guide.default.cls] == name else "",
    }


def alike(guide: FieldGuide, name: str) -> list[dict[str, Any]]:
    """The classes that the key takes this one for, most often first, and the marks that separate them."""
    row = guide.confusions.get(name, {})
    others = sorted((n, other) for other, n in row.items() if other != name)[::-1][:2]
    return [
        {
            "name": other,
            "times": n,
            "of": sum(row.values()),
            "marks": [m.words[:1].lower() + m.words[1:] for m in guide.marks if other in m.classes],
        }
        for n, other in others
    ]


def described(guide: FieldGuide, mark: Mark) -> dict[str, Any]:
    examples = [each for each in mark.examples if each.image in guide.pictures][:CROPS]
    return {
        "mark": mark,
        "where": png(where(guide, mark)),
        "crops": [
            {"src": data("jpeg", guide.pictures[each.image].jpeg), "image": each.image, **outline(each.mask)}
            for each in examples
        ],
    }


def where(guide: FieldGuide, mark: Mark) -> np.ndarray:
    """The mark's place on the mean object of its class, or on the mean picture where it is beside the objects."""
    if mark.ground is None:
        return middle(heat(guide.plates[mark.classes[0]], mark.plate))
    return heat(mark.ground, mark.plate)


def commands(text: str) -> Markup:
    """Text with what stands in backticks set as code."""
    parts = str(escape(text)).split("`")
    return Markup("".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts)))


def shown(picture: Picture) -> dict[str, Any]:
    return {"src": data("jpeg", picture.jpeg), "image": picture.image, "network": picture.network, "key": picture.key}


def outline(mask: np.ndarray) -> dict[str, str]:
    """A mask's border as an SVG path, and the box it is drawn in."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    paths: Iterable[str] = (
        "M" + "L".join(f"{x + 0.5:g},{y + 0.5:g}" for x, y in contour[:, 0]) + "Z" for contour in contours
    )
    return {"path": "".join(paths), "box": f"0 0 {mask.shape[1]} {mask.shape[0]}"}


def heat(plate: np.ndarray, place: np.ndarray) -> np.ndarray:
    """A class's mean picture, grey, with a place of the frame left in colour."""
    grey = plate.mean(axis=-1, keepdims=True) * 0.45 + 140
    weight = np.clip(place, 0, 1)[..., None]
    tint = np.array([234.0, 84.0, 17.0])
    return (grey * (1 - 0.75 * weight) + (0.35 * plate + 0.65 * tint) * 0.75 * weight).clip(0, 255).astype(np.uint8)


def middle(plate: np.ndarray) -> np.ndarray:
    """The part of a canvas where the object is."""
    edge = len(plate) // 8
    return plate[edge:-edge, edge:-edge]


def png(rgb: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG", optimize=True)
    return data("png", buffer.getvalue())


def data(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
