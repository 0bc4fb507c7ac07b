"""What the guide is measured against: NMF concepts, the way of CRAFT, and marks at random places.

Both give what the guide gives, a list of `Region`: which class, and which pixels of which image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

import fieldmark as fm
from benchmarks.scoreboard.truth import margins, scores_of


@dataclass(frozen=True, eq=False)
class Region:
    """One mark as places: bool (n, h, w), all False in images that don't show it or aren't of its class."""

    mark: str
    label: int
    masks: np.ndarray


def nmf_regions(
    classifier: fm.Classifier,
    images: np.ndarray,
    *,
    concepts: int = 6,
    keep: int = 2,
    level: float = 0.5,
    layer: str | None = None,
    seed: int = 0,
) -> list[Region]:
    """The concepts of each predicted class: NMF of the activations of crops at the layer CAMs use [fel2023craft].

    Crops are the four quarters and the middle, enlarged to the full image. A concept's importance is what the margin
    loses when its part of the activations is taken out (CRAFT: a Sobol index of the same); `keep` stay for each class.
    A mask is where a concept's map, enlarged, is at least `level` of the map's highest value in that image, in images
    where that value is at least `level` of the concept's median.
    """
    from sklearn.decomposition import NMF

    name, _ = classifier.choose_layer(layer, spatial=True)
    labels = scores_of(classifier, images).argmax(axis=1)
    _, x = classifier.prepare(images)
    found: list[Region] = []
    for label in np.unique(labels):
        rows = np.nonzero(labels == label)[0]
        if len(rows) < 5:
            continue
        acts = np.maximum(classifier.engine.activations(x[rows], name), 0)
        _, crops = classifier.prepare(_crops(images[rows]))
        pooled = np.maximum(classifier.engine.activations(crops, name), 0).mean(axis=(1, 2))
        nmf = NMF(concepts, init="nndsvda", max_iter=400, tol=1e-3, random_state=seed).fit(pooled)
        maps = nmf.transform(acts.reshape(-1, acts.shape[-1]).astype(pooled.dtype))
        maps = maps.reshape(*acts.shape[:3], concepts)
        drops = _importance(classifier, name, acts, maps, nmf.components_, x[rows], int(label))
        for concept in np.argsort(-drops)[:keep]:
            if drops[concept] > 0:
                masks = np.zeros(images.shape[:3], bool)
                masks[rows] = _masks(maps[..., concept], images.shape[1:3], level)
                found.append(Region(f"concept {concept}", int(label), masks))
    return found


def _crops(images: np.ndarray) -> np.ndarray:
    """The four quarters and the middle of every image, at full size: (5 n, h, w, c)."""
    height, width = images.shape[1:3]
    h, w = height // 2, width // 2
    corners = [(0, 0), (0, width - w), (height - h, 0), (height - h, width - w), (h // 2, w // 2)]
    parts = [images[:, top : top + h, left : left + w] for top, left in corners]
    return np.concatenate([np.stack([_enlarged(crop, (height, width)) for crop in part]) for part in parts])


def _enlarged(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))


def _importance(
    classifier: fm.Classifier,
    layer: str,
    acts: np.ndarray,
    maps: np.ndarray,
    bank: np.ndarray,
    x: np.ndarray,
    label: int,
) -> np.ndarray:
    """The mean margin that is lost without each concept's part of the activations: (concepts,)."""
    labels = np.full(len(x), label)
    whole = margins(classifier.engine.scores_from(layer, acts, x), labels)
    lost = []
    for concept in range(maps.shape[-1]):
        part = maps[..., concept, None] * bank[concept]
        left = np.maximum(acts - part, 0).astype(np.float32)
        lost.append(np.mean(whole - margins(classifier.engine.scores_from(layer, left, x), labels)))
    return np.array(lost)


def _masks(maps: np.ndarray, size: tuple[int, int], level: float) -> np.ndarray:
    """(n, h, w) maps of one concept to masks (n, *size)."""
    peaks = maps.max(axis=(1, 2))
    shown = peaks >= level * np.median(peaks)
    large = np.stack([_enlarged(one.astype(np.float32), size) for one in maps])
    return (large >= level * np.maximum(peaks, 1e-9)[:, None, None]) & shown[:, None, None]


def random_regions(
    classifier: fm.Classifier,
    images: np.ndarray,
    masks: np.ndarray,
    *,
    per_class: int = 2,
    share: float = 0.06,
    seed: int = 0,
) -> list[Region]:
    """Discs of `share` of the object, at a random place of it that is the same in all images of a class.

    The place is one of the object's own frame: a share of its height and width, both from its bounding box `masks`.
    """
    rng = np.random.default_rng(seed)
    labels = scores_of(classifier, images).argmax(axis=1)
    boxes = [_box(mask) for mask in masks]
    ys, xs = np.mgrid[: images.shape[1], : images.shape[2]]
    found = []
    for label in np.unique(labels):
        for number in range(per_class):
            place = rng.uniform(0.1, 0.9, 2)
            discs = np.zeros(images.shape[:3], bool)
            for row in np.nonzero(labels == label)[0]:
                top, left, height, width = boxes[row]
                radius = np.sqrt(share * masks[row].sum() / np.pi)
                apart = (ys - top - place[0] * height) ** 2 + (xs - left - place[1] * width) ** 2
                discs[row] = apart <= radius**2
            found.append(Region(f"random {number}", int(label), discs))
    return found


def _box(mask: np.ndarray) -> Sequence[int]:
    """Top, left, height and width of a mask; the whole picture where it is empty."""
    if not mask.any():
        return 0, 0, *mask.shape
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    return rows[0], columns[0], rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
