"""Which drawn mark a region is, and how a list of regions compares with rendered truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation

from benchmarks.scoreboard.baselines import Region
from benchmarks.scoreboard.truth import TESTED, Truth
from fieldmark.demo.sketchbirds import MARKS, PARTS, Dataset
from fieldmark.demo.sketchbirds.drawing import render

COVERED, INSIDE = 0.3, 0.25
"""A region is a mark if it covers so much of it, and so much of the region lies on it or within two pixels."""


@dataclass(frozen=True)
class Comparison:
    """Pairs (class, mark) of a method against rendered truth.

    found    what the regions were matched to; None for a region that is no mark
    missed   relied on and not found
    """

    found: tuple[tuple[int, str | None], ...]
    missed: tuple[tuple[int, str], ...]
    precision: float
    recall: float


def part_masks(birds: Dataset, name: str, rows: np.ndarray | None = None) -> np.ndarray:
    """bool (n, s, s): where a mark or cue is in every picture; for a cue, where the picture changes without it.

    rows  the pictures to look at, all of them if None
    """
    rows = np.arange(len(birds.birds)) if rows is None else rows
    if name in MARKS:
        return birds.parts[rows] == PARTS[name]
    masks = np.zeros((len(rows), *birds.masks.shape[1:]), bool)
    for at, index in enumerate(rows):
        bird = birds.birds[index]
        if bird.has(name):
            masks[at] = np.any(birds.images[index] != render(bird.without(name)).image, axis=-1)
    return masks


def match(region: Region, places: dict[str, np.ndarray]) -> str | None:
    """The mark or cue that a region is, by `part_masks` of each name; None if it is none."""
    best, score = None, 0.0
    for name, masks in places.items():
        rows = np.nonzero(region.masks.any(axis=(1, 2)) & masks.any(axis=(1, 2)))[0]
        shown = region.masks.any(axis=(1, 2)).sum()
        if len(rows) < 0.25 * shown or not len(rows):
            continue
        both = region.masks[rows] & masks[rows]
        covered = np.mean(both.sum(axis=(1, 2)) / masks[rows].sum(axis=(1, 2)))
        near = np.stack([binary_dilation(mask, iterations=2) for mask in masks[rows]])
        inside = np.mean((region.masks[rows] & near).sum(axis=(1, 2)) / region.masks[rows].sum(axis=(1, 2)))
        if covered >= COVERED and inside >= INSIDE and covered * inside > score:
            best, score = name, float(covered * inside)
    return best


def compare(regions: Sequence[Region], truth: Truth, birds: Dataset) -> Comparison:
    """Precision: regions that are a mark their class doesn't ignore. Recall: of the marks relied on, those found.

    A mark between relied on and ignored counts neither way. NaN where there is nothing to count.
    """
    shown = np.any([region.masks.any(axis=(1, 2)) for region in regions], axis=0) if regions else np.zeros(0, bool)
    rows = np.nonzero(shown)[0]
    places = {name: part_masks(birds, name, rows) for name in TESTED}
    found = [(each.label, match(Region(each.mark, each.label, each.masks[rows]), places)) for each in regions]
    relied = {(label, name) for label in range(len(truth.names)) for name in truth.relied(label)}
    ignored = {(label, name) for label in range(len(truth.names)) for name in truth.ignored(label)}
    counted = [pair for pair in found if pair[1] is None or pair in relied or pair in ignored]
    right = [pair for pair in counted if pair in relied]
    missed = sorted(relied - set(found))
    return Comparison(
        found=tuple(found),
        missed=tuple(missed),
        precision=len(right) / len(counted) if counted else float("nan"),
        recall=1 - len(missed) / len(relied) if relied else float("nan"),
    )
