"""Images cut into patches of alike pixels: SLIC in NumPy, or whatever segments the user has."""

from __future__ import annotations

from typing import Any

import numpy as np

from fieldmark.errors import FieldmarkError
from fieldmark.explainers.perturbation import check_count, grid_segments

Segments = int | np.ndarray

ITERATIONS = 10
COMPACTNESS = 0.5  # the step in colour, in standard deviations of the image, that weighs like one superpixel's width


def check_segments(segments: Any) -> None:
    """Raise FieldmarkError unless `segments` is a number of superpixels, or an array of whole numbers (n,) h, w."""
    if not isinstance(segments, np.ndarray):
        check_count("segments", segments)
        return
    if segments.ndim not in (2, 3) or segments.dtype.kind not in "bui" or segments.size == 0:
        raise FieldmarkError(
            "segments: expected a number of superpixels, or whole numbers of shape (height, width) or (n, height, "
            f"width) that say each pixel's segment; received {segments.dtype} of shape {segments.shape}"
        )


def segment_images(x: np.ndarray, segments: Segments, image_size: tuple[int, int]) -> list[np.ndarray]:
    """For each image (h, w, c) of x the segment of each pixel (h, w), numbered from 0 without gaps.

    Given segments may be of the size of x or of `image_size`, the images before preprocessing.
    """
    size = (int(x.shape[1]), int(x.shape[2]))
    if not isinstance(segments, np.ndarray):
        if segments > size[0] * size[1]:
            raise FieldmarkError(f"segments={segments}: expected at most {size[0] * size[1]}, the pixels of the image")
        return [slic(image, segments) for image in x]
    given = segments[None] if segments.ndim == 2 else segments
    if given.shape[1:] not in (size, image_size) or len(given) not in (1, len(x)):
        raise FieldmarkError(
            f"segments: expected shape {size} or {(len(x), *size)} as the images, received {segments.shape}"
        )
    rows, columns = (np.arange(side) * count // side for side, count in zip(size, given.shape[1:], strict=True))
    fitted = [_numbered(each[rows[:, None], columns[None]]) for each in given]
    return fitted if len(fitted) == len(x) else fitted * len(x)


def slic(image: np.ndarray, count: int, compactness: float = COMPACTNESS) -> np.ndarray:
    """About `count` superpixels of an image (h, w, c): k-means over colour and place, near a grid [achanta2012].

    A pixel may join the centres of the nine grid cells around it. Colour is measured in standard deviations of the
    image, so any units and channels will do. Loose ends go to a neighbour. Returns (h, w), numbered from 0.
    """
    size = (int(image.shape[0]), int(image.shape[1]))
    step = np.sqrt(size[0] * size[1] / count)
    cells = (_between(size[0] / step, size[0]), _between(size[1] / step, size[1]))
    points = _features(image, step, compactness)
    labels = grid_segments(size, cells).ravel()
    near = _neighbours(labels, cells)
    for _ in range(ITERATIONS):
        centres = _means(points, labels, cells[0] * cells[1])
        distances = np.array([np.square(points - centres[index]).sum(axis=1) for index in near])
        moved = near[distances.argmin(axis=0), np.arange(len(labels))]
        if np.array_equal(moved, labels):
            break
        labels = moved
    return _numbered(_joined(labels.reshape(size)))


def segment_means(image: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """The image (h, w, c) with every pixel replaced by the mean of its segment."""
    flat = segments.ravel()
    means = _means(image.reshape(len(flat), -1).astype(np.float64), flat, int(flat.max()) + 1)
    return means[flat].reshape(image.shape).astype(np.float32)


def _features(image: np.ndarray, step: float, compactness: float) -> np.ndarray:
    """(pixels, c + 2): colours over their spread and the compactness, and places over the width of a superpixel."""
    colours = image.reshape(-1, image.shape[-1]).astype(np.float64)
    spread = float(np.sqrt(colours.var(axis=0).mean())) or 1.0
    places = np.indices(image.shape[:2]).reshape(2, -1).T / step
    return np.concatenate([colours / (spread * compactness * np.sqrt(colours.shape[1])), places], axis=1)


def _neighbours(cell: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    """(9, pixels): the cells around each pixel's own, the border's repeated; its own first, so that ties stay."""
    row, column = np.divmod(cell, cells[1])
    offsets = sorted(((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)), key=lambda offset: offset != (0, 0))
    down = [np.clip(row + i, 0, cells[0] - 1) for i, _ in offsets]
    across = [np.clip(column + j, 0, cells[1] - 1) for _, j in offsets]
    return np.stack([a * cells[1] + b for a, b in zip(down, across, strict=True)])


def _means(points: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """(count, features); a label that nobody has gets a place that nobody is near."""
    sizes = np.bincount(labels, minlength=count)
    sums = np.stack([np.bincount(labels, column, minlength=count) for column in points.T], axis=1)
    return np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], np.inf)


def _joined(labels: np.ndarray) -> np.ndarray:
    """Labels (h, w) where each keeps its largest connected part; other parts take a neighbour's, from their rim in."""
    parts = _connected(labels)
    _, index, sizes = np.unique(parts, return_inverse=True, return_counts=True)
    size = sizes[index].reshape(labels.shape)
    largest = np.zeros(int(labels.max()) + 1, int)
    np.maximum.at(largest, labels, size)
    first = np.full(len(largest), labels.size)
    np.minimum.at(first, labels, np.where(size == largest[labels], parts, labels.size))
    joined = np.where(parts == first[labels], labels, -1)
    while (joined < 0).any():
        for axis, shift in ((0, 1), (0, -1), (1, 1), (1, -1)):
            joined = np.where(joined < 0, _shifted(joined, axis, shift, -1), joined)
    return joined


def _connected(labels: np.ndarray) -> np.ndarray:
    """(h, w): for each pixel the first pixel of its connected part, in reading order."""
    parts = np.arange(labels.size).reshape(labels.shape)
    alike = [(axis, shift, labels == _shifted(labels, axis, shift, -1)) for axis in (0, 1) for shift in (1, -1)]
    while True:
        before = parts
        for axis, shift, same in alike:
            parts = np.where(same, np.minimum(parts, _shifted(parts, axis, shift, labels.size)), parts)
        parts = parts.ravel()[parts]
        if np.array_equal(parts, before):
            return parts


def _shifted(values: np.ndarray, axis: int, shift: int, border: int) -> np.ndarray:
    """Each pixel's neighbour along an axis; `border` where there is none."""
    moved = np.roll(values, shift, axis=axis)
    edge = [slice(None), slice(None)]
    edge[axis] = slice(0, 1) if shift == 1 else slice(-1, None)
    moved[tuple(edge)] = border
    return moved


def _numbered(labels: np.ndarray) -> np.ndarray:
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


def _between(value: float, most: int) -> int:
    return min(max(1, round(value)), most)
