"""What the commands share: the model and the images that the command line names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.classifier.loading import load
from fieldmark.classifier.sizes import check_file_channels, image_shape
from fieldmark.errors import FieldmarkError, unknown
from fieldmark.images import FITS, read_images
from fieldmark.images.read import Fit


@dataclass(frozen=True, kw_only=True)
class ModelRequest:
    """The options of every command that concern the model."""

    model: str
    preprocess: str | None = None
    labels: str | None = None
    trust_model_code: bool = False
    batch_size: int | None = None
    probabilities: bool = False

    def load(self) -> Classifier:
        if self.batch_size is not None and self.batch_size < 1:
            raise FieldmarkError(f"--batch-size {self.batch_size}: expected 1 or more")
        return load(
            self.model,
            trust_model_code=self.trust_model_code,
            preprocess=self.preprocess,
            labels=self.labels,
            scores="probabilities" if self.probabilities else None,
            batch_size=self.batch_size,
        )


@dataclass(frozen=True, eq=False)
class Pictures:
    """The images of a command: their files, short names that differ, and the batch (n, h, w, c) uint8."""

    files: list[Path]
    names: list[str]
    batch: np.ndarray


def read_pictures(classifier: Classifier, files: list[Path], fit: Fit, size: tuple[int, int] | None) -> Pictures:
    """Read every file at the size the model takes. One bad file refuses all, before anything is computed."""
    height, width, channels = image_shape(classifier, size)
    check_file_channels(classifier, channels)
    return Pictures(files, short_names(files), read_images(files, (height, width), channels, fit))


def parse_size(text: str | None) -> tuple[int, int] | None:
    """(height, width) of "224" or "224x160"."""
    if text is None:
        return None
    parts = text.casefold().replace("×", "x").split("x")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise FieldmarkError(f"--size {text!r}: expected 224, or height x width as 224x160")
    return int(parts[0]), int(parts[-1])


def parse_fit(text: str) -> Fit:
    """The fit of that name."""
    for fit in FITS:
        if text.casefold() == fit:
            return fit
    raise FieldmarkError(unknown("fit", text, FITS))


def short_names(files: Sequence[Path]) -> list[str]:
    """File names; where two are the same, with as many folders as tell them apart."""
    depth = 1
    while True:
        names = ["/".join(file.parts[-depth:]) for file in files]
        if len(set(names)) == len(names) or depth >= max(len(file.parts) for file in files):
            return names
        depth += 1


def ranked(top: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    """(label, probability) pairs for JSON; a probability that is no number becomes null."""
    return [{"label": label, "probability": number(probability)} for label, probability in top]


def number(value: Any) -> float | None:
    """A float for JSON, which has neither NaN nor infinity."""
    value = float(value)
    return value if np.isfinite(value) else None
