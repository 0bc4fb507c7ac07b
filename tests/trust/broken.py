"""Explainers that are broken on purpose, and one that is right."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

import fieldmark as fm
from fieldmark.errors import ModelError


@dataclass(frozen=True, kw_only=True)
class Broken:
    """`inner` with its maps shifted by 30 pixels, upside down in sign, constant, or not finite for some images."""

    summary: ClassVar[str] = "Broken."
    needs_layer: ClassVar[bool] = False

    inner: Any
    how: str

    def __call__(self, classifier: Any, images: Any, target: Any = fm.Predicted()) -> fm.Attribution:  # noqa: B008
        if self.how == "refuses":
            raise ModelError("this model is not to its taste")
        made = self.inner(classifier, images, target)
        maps = made.resized() if self.how == "shifted" else made.maps.copy()
        if self.how == "shifted":
            maps = np.roll(maps, (30, 30), axis=(2, 3))
        elif self.how == "flipped":
            maps = -maps
        elif self.how == "constant":
            maps = np.full_like(maps, 0.3)
        elif self.how == "nan":
            maps[..., 0, 0] = np.nan
        elif self.how == "sometimes infinite":
            dark = np.asarray(images).reshape(len(maps), -1).mean(axis=1) < np.median(np.asarray(images))
            maps[dark, :, 0, 0] = np.inf
        return dataclasses.replace(made, maps=maps)
