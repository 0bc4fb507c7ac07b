"""The images of one examination: what is explained in each, how it is cut, and what hides its parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldmark.attribution import resize_maps
from fieldmark.classifier import Classifier
from fieldmark.classifier.rows import row_chunks
from fieldmark.errors import TargetError
from fieldmark.explainers.contract import Job
from fieldmark.explainers.fills import fill_images
from fieldmark.explainers.perturbation import require_images
from fieldmark.explainers.superpixels import slic
from fieldmark.progress import track
from fieldmark.targets import apply_rule, describe, single_classes
from fieldmark.trust.dummies import DUMMY_NAMES
from fieldmark.trust.hiding import Drawn, draw_sets, measure
from fieldmark.trust.metrics import FILLS
from fieldmark.trust.planner import Scene, class_values
from fieldmark.trust.shuffling import Stage

if TYPE_CHECKING:
    from fieldmark.trust.mapping import Made

CHUNK = 32  # images held as the model eats them
SEGMENTS = 50  # superpixels
SLIC_SIDE = 112  # superpixels of larger images are found on smaller ones
FAIR = 20  # images from which intervals may be believed


@dataclass(frozen=True, eq=False)
class Study:
    """n images with what is explained in each.

    images    (n, h, w, c) as given
    labels    (n,) the class explained; least (n,) the least likely one, or None for models of one class
    whole     (n, 2): score and probability of that class
    segments  n of (h, w), as the model eats them; sets: n of (m, segments)
    few       indices of the images for which maps are made anew
    """

    classifier: Classifier
    images: np.ndarray
    labels: np.ndarray
    least: np.ndarray | None
    whole: np.ndarray
    targets: tuple[str, ...]
    asked: str
    segments: list[np.ndarray]
    sets: list[np.ndarray]
    cells: tuple[int, int]
    steps: int
    few: np.ndarray
    seed: int

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def begin(
        cls, classifier: Classifier, images: Any, target: Any, cells: int, steps: int, few: int, seed: int
    ) -> Study:
        """Check images and target, predict, and cut every image into superpixels."""
        job = Job.begin(classifier, images, target)
        require_images(job)
        scores = classifier.engine.scores(job.x)
        weights = apply_rule(job.target, scores)
        labels = single_classes(weights)
        if labels.shape[1] != 1 or (labels < 0).any():
            raise TargetError("target: expected Predicted() or one class; what is measured is the class's probability")
        n, size = len(job.x), (int(job.x.shape[1]), int(job.x.shape[2]))
        grid = (min(cells, size[0]), min(cells, size[1]))
        segments = [_superpixels(image) for image in track(list(job.x), label="Superpixels")]
        rng = np.random.default_rng(seed)
        return cls(
            classifier=classifier,
            images=job.images,
            labels=labels[:, 0],
            least=_least_likely(scores, labels[:, 0]) if scores.shape[1] > 1 else None,
            whole=class_values(classifier, scores, labels[:, 0]),
            targets=tuple(row[0] for row in describe(job.target, weights, classifier.labels)),
            asked=job.asked,
            segments=segments,
            sets=[draw_sets(int(each.max()) + 1, rng) for each in segments],
            cells=grid,
            steps=steps,
            few=np.unique(np.linspace(0, n - 1, min(few, n)).round().astype(int)),
            seed=seed,
        )

    def least_few(self) -> np.ndarray | None:
        """The least likely class of the few images, or None for models of one class."""
        return None if self.least is None else np.asarray(self.least[self.few])

    def notes(self, cascade: tuple[Stage, ...]) -> tuple[str, ...]:
        """What the whole result rests on."""
        n, classes, found = len(self), self.classifier.classes, []
        if n < FAIR:
            found.append(
                f"{n} image{'s' * (n > 1)}: "
                + ("no intervals, so nothing is sure" if n == 1 else "intervals of so few are too narrow")
                + f"; give {FAIR} or more different ones"
            )
        if len(self.few) < n:
            found.append(f"sanity, stability and seeds: {len(self.few)} of the {n} images, evenly chosen")
        if classes == 2:
            found.append(
                "two classes: class sensitivity compares with the only other class; maps without signs may "
                "rightly be the same for both"
            )
        if not cascade:
            found.append("randomisation: not measured, since the weights of this model cannot be reached")
        if classes == 1:
            found.append("one output that is no class: its value stands for a probability; no class sensitivity")
        kinds = len(set(self.labels.tolist()))
        if n > 1 and kinds == 1 and classes > 1:
            found.append(f"all images are explained as {self.targets[0]}: nothing is known of other classes")
        return tuple(found)


@dataclass(frozen=True, eq=False)
class Hidden:
    """What hiding showed: values (n,) by name and key, mean curves by name, masked pictures computed and asked."""

    values: dict[str, dict[str, np.ndarray]]
    curves: dict[str, dict[str, np.ndarray]]
    used: int
    asked: int


@dataclass(frozen=True, eq=False)
class HiddenOne:
    """The same of one image: values by name and key, curves by name, pictures computed and asked."""

    values: dict[str, dict[str, float]]
    curves: dict[str, dict[str, np.ndarray]]
    used: int
    asked: int


HideBy = Callable[[Study, "Mapping[str, Made]", set[str]], Hidden]
"""What hides parts, called as `hide` is: here, or over many machines (`fieldmark.run.trusting.HidingRun`)."""


def hide(study: Study, made: Mapping[str, Made], plain: set[str]) -> Hidden:
    """Insertion, deletion, ROAD and MuFidelity of every finite map; each masked picture is computed once."""
    every = np.arange(len(study))
    return together(made, track(hide_each(study, made, plain, every), len(study), "Hiding parts"))


def hide_each(study: Study, made: Mapping[str, Made], plain: set[str], chosen: np.ndarray) -> Iterator[HiddenOne]:
    """The chosen images (k,) of the study, one by one; each is measured as if it were alone."""
    chance = made[DUMMY_NAMES["RandomMap"]].cells
    for place, index in enumerate(chosen):
        if place % CHUNK == 0:
            x, fills = _eaten(study, chosen[place : place + CHUNK])
        scene = Scene(
            classifier=study.classifier,
            x=x[place % CHUNK],
            fills={name: fill[place % CHUNK] for name, fill in fills.items()},
            segments=study.segments[index],
            cells=study.cells,
            label=int(study.labels[index]),
            whole=(float(study.whole[index, 0]), float(study.whole[index, 1])),
            seed=study.seed,
        )
        maps = {name: Drawn(each.cells[index], each.sums[index]) for name, each in made.items() if each.finite[index]}
        values, curves, planner = measure(scene, maps, study.sets[index], chance[index], plain, study.steps)
        yield HiddenOne(values, curves, planner.needed, planner.asked)


def together(names: Collection[str], images: Iterable[HiddenOne]) -> Hidden:
    """All images in order as one result: what a map that is not finite has no value for is NaN."""
    rows = list(images)
    values: dict[str, dict[str, np.ndarray]] = {name: {} for name in names}
    curves: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in names}
    for index, row in enumerate(rows):
        for name, found in row.values.items():
            for key, value in found.items():
                values[name].setdefault(key, np.full(len(rows), np.nan))[index] = value
        for name, drawn in row.curves.items():
            for key, curve in drawn.items():
                curves[name].setdefault(key, []).append(curve)
    means = {name: {key: np.mean(each, axis=0) for key, each in found.items()} for name, found in curves.items()}
    return Hidden(values, means, sum(row.used for row in rows), sum(row.asked for row in rows))


def _eaten(study: Study, chosen: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Images as the model eats them, and what hides them."""
    images, prepare = study.images[chosen], study.classifier.prepare
    return prepare(images)[1], {fill: prepare(fill_images(images, fill))[1] for fill in FILLS}


def _least_likely(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n,): the class with the lowest score of those that are not explained."""
    others = np.where(np.arange(scores.shape[1]) == labels[:, None], np.inf, scores)
    return np.asarray(others.argmin(axis=1))


def _superpixels(image: np.ndarray) -> np.ndarray:
    """(h, w) from 0: found on a smaller picture where it is large."""
    height, width = image.shape[:2]
    shrink = max(1.0, max(height, width) / SLIC_SIDE)
    size = (max(1, round(height / shrink)), max(1, round(width / shrink)))
    small = np.moveaxis(resize_maps(np.moveaxis(image, -1, 0), size), 0, -1)
    labels = slic(small, min(SEGMENTS, max(1, size[0] * size[1] // 4)))
    rows, columns = (np.arange(side) * count // side for side, count in zip((height, width), size, strict=True))
    return labels[rows[:, None], columns[None]].astype(np.int16)  # held for all images


def chunks(study: Study) -> list[tuple[int, int]]:
    """(start, stop) of the images that are explained together."""
    return row_chunks(len(study), CHUNK)
