"""Measures that make maps anew: with shuffled weights, for another class, under noise, with another seed.

Each costs maps, so few images are taken; the result says how many.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.errors import FieldmarkError
from fieldmark.explainers.diagnosis import silent
from fieldmark.explainers.seeds import has_seed
from fieldmark.progress import track
from fieldmark.targets import Resolved, Rule
from fieldmark.trust.shuffling import Stage, shuffling
from fieldmark.trust.stability import entropy, max_sensitivity
from fieldmark.trust.statistics import spearman

RADIUS, DRAWS = 0.02, 3  # of the image's range; noisy copies of each image

Remake = Callable[[Any, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Classes:
    """A target: for each image its own class (n,)."""

    indices: np.ndarray

    def resolve(self, _scores: Any, n: int, classes: int, _labels: Any) -> Resolved:
        if n != len(self.indices):
            raise FieldmarkError(f"expected {len(self.indices)} images, one for each class explained; received {n}")
        return Resolved(Rule("given"), np.eye(classes, dtype=np.float32)[self.indices][:, None])


@dataclass(frozen=True, eq=False)
class Few:
    """The images that maps are made anew for, and what was found for them as they are.

    images  (k, h, w, c); labels, least  (k,): the class explained, and the least likely one, or None
    maps    by name: (k, h, w)
    """

    images: np.ndarray
    labels: np.ndarray
    least: np.ndarray | None
    maps: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Remade:
    """By metric key the values (k,), NaN where there is none; the cascade; how many sets of k maps were made."""

    values: dict[str, np.ndarray]
    cascade: tuple[float, ...]
    made: int
    notes: tuple[str, ...] = ()


def make(classifier: Classifier, explainer: Any, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Maps (n, h, w) for each image's class, NaN for what is not finite.

    Raises FieldmarkError where the explainer makes anything else.
    """
    with silent():
        found = explainer(classifier, images, Classes(labels))
    if isinstance(found, list):
        raise FieldmarkError("it gives maps of several layers; name one")
    maps = np.asarray(found.maps)
    if found.pictures is not None or maps.ndim != 4 or maps.shape[:2] != (len(images), 1):
        raise FieldmarkError("it does not give one map of each image for a class, so there is nothing to compare")
    return np.where(np.isfinite(maps[:, 0]), maps[:, 0], np.float32(np.nan))


def remake(
    classifier: Classifier, explainers: Mapping[str, Any], few: Few, cascade: tuple[Stage, ...], seed: int
) -> dict[str, Remade]:
    """All of it, for every explainer; the weights are shuffled once for all of them."""
    shuffled = _shuffled(classifier, explainers, few, cascade, seed)
    found = {}
    for name, explainer in track(list(explainers.items()), label="Noise, classes, seeds"):
        values, average, notes = _sanity(few.maps[name], shuffled[name])
        made = len(shuffled[name])
        others = {
            "class_sensitivity": _other_class,
            "max_sensitivity": _noisy,
            "seeds": _other_seed,
        }
        for key, function in others.items():
            result, count = _tried(function, classifier, explainer, few, few.maps[name], seed)
            made += count
            if result is not None:
                values[key] = result
        found[name] = Remade(values, average, made, notes)
    return found


def _shuffled(
    classifier: Classifier, explainers: Mapping[str, Any], few: Few, cascade: tuple[Stage, ...], seed: int
) -> dict[str, list[np.ndarray]]:
    """By name the maps (k, h, w) after each stage; NaN where the method fails on a shuffled network."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in explainers}
    if not cascade:
        return found
    with shuffling(classifier, seed) as shuffle:
        for stage in track(cascade, label="Shuffled weights"):
            shuffle(stage)
            for name, explainer in track(list(explainers.items()), label=f"Shuffled: {stage.words}"):
                try:
                    maps = make(classifier, explainer, few.images, few.labels)
                except FieldmarkError:
                    maps = np.full_like(few.maps[name], np.nan, dtype=np.float32)
                found[name].append(maps)
    return found


def _sanity(
    maps: np.ndarray, shuffled: list[np.ndarray]
) -> tuple[dict[str, np.ndarray], tuple[float, ...], tuple[str, ...]]:
    if not shuffled:
        return {}, (), ()
    before = _flat(np.abs(maps))
    alike = np.stack([spearman(before, _flat(np.abs(each))) for each in shuffled])
    entropies = entropy(np.abs(maps)), entropy(np.abs(shuffled[-1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = (entropies[1] - entropies[0]) / entropies[0]
    # At the last stage the first layers are shuffled too, which changes whatever comes out of them, edges included.
    upper = alike[:-1] if len(alike) > 1 else alike
    values = {"randomisation": upper.mean(axis=0), "emprt": np.where(np.isfinite(rise), rise, np.nan)}
    blank = int((np.ptp(_flat(shuffled[-1]), axis=1) == 0).sum())
    notes = (f"{blank} of {len(maps)} maps of the shuffled network are blank",) if blank else ()
    return values, tuple(_mean(each) for each in alike), notes


def _tried(function: Any, *arguments: Any) -> tuple[np.ndarray | None, int]:
    """What it finds, and for how many maps of each image; nothing where it cannot be asked."""
    try:
        found: tuple[np.ndarray | None, int] = function(*arguments)
        return found
    except FieldmarkError:
        return None, 0


def _other_class(
    classifier: Classifier, explainer: Any, few: Few, maps: np.ndarray, _seed: int
) -> tuple[np.ndarray | None, int]:
    if few.least is None:
        return None, 0
    return spearman(_flat(maps), _flat(make(classifier, explainer, few.images, few.least))), 1


def _noisy(classifier: Classifier, explainer: Any, few: Few, maps: np.ndarray, seed: int) -> tuple[np.ndarray, int]:
    rng = np.random.default_rng(seed)
    radius = RADIUS * value_range(few.images)
    moved = []
    for _ in range(DRAWS):
        noise = rng.uniform(-1, 1, few.images.shape).astype(np.float32) * radius
        moved.append(make(classifier, explainer, few.images.astype(np.float32) + noise, few.labels))
    found = max_sensitivity(maps, np.stack(moved))
    return np.where(np.isfinite(found), found, np.nan), DRAWS


def _other_seed(
    classifier: Classifier, explainer: Any, few: Few, maps: np.ndarray, _seed: int
) -> tuple[np.ndarray | None, int]:
    if not dataclasses.is_dataclass(explainer) or not has_seed(explainer):
        return None, 0
    fields: Any = explainer
    again = dataclasses.replace(fields, seed=fields.seed + 1000)
    return spearman(_flat(maps), _flat(make(classifier, again, few.images, few.labels))), 1


def value_range(images: np.ndarray) -> np.ndarray:
    """What 2 % of is noise (n, 1, 1, 1): 255 for bytes, else each image's largest value less its smallest."""
    if images.dtype.kind in "ui":
        return np.full((len(images), 1, 1, 1), float(np.iinfo(images.dtype).max), np.float32)
    axes = tuple(range(1, images.ndim))
    return np.asarray(np.ptp(images, axis=axes, keepdims=True), np.float32)


def _flat(maps: np.ndarray) -> np.ndarray:
    return maps.reshape(len(maps), -1)


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
