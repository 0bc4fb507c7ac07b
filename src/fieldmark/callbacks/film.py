"""Pictures one after the other, in one file that browsers, chats and slides play."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fieldmark.errors import OutputError, unknown

KINDS: dict[str, dict[str, Any]] = {
    ".gif": {"optimize": False, "disposal": 1},
    ".webp": {"quality": 82, "method": 4},
    ".png": {},
}


INK = (27, 31, 36)
"""The colour of a figure's bold words."""


def check_film(path: Path) -> None:
    """Raise OutputError for a file name that says no kind of film."""
    if path.suffix.lower() not in KINDS:
        raise OutputError(unknown("kind of film", path.name, KINDS))


def write_film(path: Path, frames: Sequence[np.ndarray], milliseconds: int) -> Path:
    """Write RGB frames (H, W, 3), which may differ in size; white is added below and at the right. The film loops."""
    check_film(path)
    height, width = (max(frame.shape[axis] for frame in frames) for axis in (0, 1))
    pictures = [Image.fromarray(_padded(frame, height, width)) for frame in frames]
    if path.suffix.lower() == ".gif":
        pictures = _with_one_palette(pictures)
    times = [milliseconds] * (len(frames) - 1) + [3 * milliseconds]
    partial = path.with_name(f"{path.name}.partial")
    kind = path.suffix.lower().lstrip(".")
    try:
        pictures[0].save(
            partial,
            format=kind,
            save_all=True,
            append_images=pictures[1:],
            duration=times,
            loop=0,
            **KINDS[path.suffix.lower()],
        )
        os.replace(partial, path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"cannot write {path}: {reason}; choose a folder you can write to") from None
    return path


def _padded(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    missing = ((0, height - frame.shape[0]), (0, width - frame.shape[1]), (0, 0))
    return np.pad(frame, missing, constant_values=255)


def _with_one_palette(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """256 colours chosen over up to twelve of the pictures, pure white and the ink of words among them.

    One palette for all, so that what stays the same does not flicker.
    """
    width, height = pictures[0].size
    some = [pictures[round(k)] for k in np.linspace(0, len(pictures) - 1, min(12, len(pictures)))]
    strip = Image.new("RGB", (width, height * len(some)))
    for number, picture in enumerate(some):
        strip.paste(picture, (0, number * height))
    colours = strip.quantize(254, method=Image.Quantize.MEDIANCUT).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*colours[: 3 * 254], 255, 255, 255, *INK])
    return [picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for picture in pictures]
