"""The pictures that a guide keeps, and how key and network differ on them."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from fieldmark.guide.evidence import Said
from fieldmark.guide.mark import Mark, Picture
from fieldmark.guide.pictures import Pictures

PARTED = 60  # pictures on which key and network part, at most
PRACTICE = 8  # pictures a class, for practice


def keep_pictures(
    pictures: Pictures,
    said: Said,
    hold_out: np.ndarray,
    says: np.ndarray,
    labels: Sequence[str],
    marks: Sequence[Mark],
) -> dict[int, Picture]:
    """Hold-out pictures by index: the marks' examples, those on which key and network part, and some of every class."""
    network = said.predicted[hold_out]
    wanted = {example.image for mark in marks for example in mark.examples}
    wanted |= {int(i) for i in hold_out[says != network][:PARTED]}
    for cls in np.unique(network):
        wanted |= {int(i) for i in hold_out[network == cls][:PRACTICE]}
    return {
        int(i): Picture(int(i), jpeg(pictures.rgb[i]), labels[n], labels[k])
        for i, n, k in zip(hold_out, network, says, strict=True)
        if int(i) in wanted
    }


def jpeg(rgb: np.ndarray) -> bytes:
    """(h, w, 3) uint8 as a JPEG in which small marks stay sharp."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=92, subsampling=0)
    return buffer.getvalue()


def confusions(network: np.ndarray, key: np.ndarray, labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """What the network calls a picture, what the key calls it, and how often."""
    found: dict[str, dict[str, int]] = {}
    for n, k in zip(network, key, strict=True):
        row = found.setdefault(labels[int(n)], {})
        row[labels[int(k)]] = row.get(labels[int(k)], 0) + 1
    return found
