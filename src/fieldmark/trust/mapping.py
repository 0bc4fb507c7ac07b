"""The maps of every method for every image, kept as what the measures need of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fieldmark.attribution import resize_maps
from fieldmark.errors import FieldmarkError
from fieldmark.explainers.diagnosis import silent
from fieldmark.progress import track
from fieldmark.trust.faithfulness import pooled, set_sums
from fieldmark.trust.remaking import make
from fieldmark.trust.stability import gini
from fieldmark.trust.study import Study, chunks


@dataclass(frozen=True, eq=False)
class Made:
    """One method's maps of n images.

    cells    (n, cells): means over the grid; sums (n, m): over the random sets of superpixels; gini (n,)
    finite   (n,): whether a map is all numbers; what is not is NaN in the others
    few      (k, h, w): the maps of the few images, at their own resolution
    seconds  to make all n
    """

    cells: np.ndarray
    sums: np.ndarray
    gini: np.ndarray
    finite: np.ndarray
    few: np.ndarray
    seconds: float
    layer: str | None
    notes: tuple[str, ...]


def made_maps(study: Study, cast: Mapping[str, Any]) -> tuple[dict[str, Made], dict[str, str]]:
    """By name what was made, and why some made nothing."""
    made, failed = {}, {}
    for name, explainer in track(list(cast.items()), label="Maps"):
        try:
            made[name] = _made(study, explainer)
        except FieldmarkError as error:
            failed[name] = str(error)
    return made, failed


def _made(study: Study, explainer: Any) -> Made:
    parts, few, seconds, blank = [], [], 0.0, 0
    for start, stop in track(chunks(study), label="Images"):
        begun = time.perf_counter()
        maps = make(study.classifier, explainer, study.images[start:stop], study.labels[start:stop])
        seconds += time.perf_counter() - begun
        finite = np.isfinite(maps).all(axis=(1, 2))
        blank += int((np.ptp(maps[finite], axis=(1, 2)) == 0).sum())
        parts.append(_drawn(study, start, maps, finite))
        few += [maps[index - start] for index in study.few if start <= index < stop]
    cells, sums, sparse, finite = (np.concatenate(column) for column in zip(*parts, strict=True))
    n = len(study)
    if not finite.any():
        raise FieldmarkError("its maps are not finite for any image")
    notes = []
    if not finite.all():
        notes.append(f"{n - int(finite.sum())} of {n} maps are not finite and were left out")
    if blank:
        notes.append(f"{blank} of {n} maps are the same everywhere, and count as the random map")
    return Made(cells, sums, sparse, finite, np.stack(few), seconds, _layer(study, explainer), tuple(notes))


def _drawn(
    study: Study, start: int, maps: np.ndarray, finite: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    safe = np.where(finite[:, None, None], maps, 0)
    smaller = any(side < count for side, count in zip(maps.shape[1:], study.cells, strict=True))
    cells = pooled(resize_maps(safe, study.cells) if smaller else safe, study.cells).reshape(len(maps), -1)
    size = study.segments[start].shape
    large = [resize_maps(each, (size[0], size[1])) for each in safe]
    sums = np.stack([set_sums(each, study.segments[start + i], study.sets[start + i]) for i, each in enumerate(large)])
    sparse = gini(safe)
    for each in (cells, sums, sparse):
        each[~finite] = np.nan
    return cells, sums, sparse, finite


def _layer(study: Study, explainer: Any) -> str | None:
    """The layer of choice, for a method that explains at one and was told none."""
    if not getattr(explainer, "needs_layer", False) or getattr(explainer, "layer", None):
        return None
    with silent():
        return study.classifier.choose_layer()[0]
