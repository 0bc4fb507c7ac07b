"""`dataset`: rendered birds with their labels, and the parameters that made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fieldmark.demo.sketchbirds.birds import Bird
from fieldmark.demo.sketchbirds.designs import Confounder, Design, find_design
from fieldmark.demo.sketchbirds.drawing import Picture, render
from fieldmark.demo.sketchbirds.sampling import sample


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rendered birds in random order.

    images  uint8 (n, size, size, 3)      labels  int64 (n,)      names  one for each class
    parts   uint8 (n, size, size)         masks   bool (n, size, size): see `Picture`
    birds   the parameters of each, to change a mark and render again
    """

    images: np.ndarray
    labels: np.ndarray
    birds: tuple[Bird, ...]
    names: tuple[str, ...]
    parts: np.ndarray
    masks: np.ndarray


def dataset(
    design: Design | str,
    n_per_class: int,
    seed: int,
    tier: str = "easy",
    confounder: Confounder | str | None = "own",
) -> Dataset:
    """`n_per_class` birds of every class; the same arguments give the same pixels.

    The birds of one seed and those of another have nothing in common. `confounder` is that of `sample`.
    """
    design = find_design(design)
    labels = np.repeat(np.arange(len(design.marks)), n_per_class)
    birds = [sample(design, int(label), (seed, index), tier, confounder) for index, label in enumerate(labels)]
    order = np.random.default_rng((seed, 7)).permutation(len(labels))
    chosen = tuple(birds[index] for index in order)
    pictures = render_all(chosen)
    stacks = [np.stack([getattr(picture, name) for picture in pictures]) for name in ("image", "parts", "mask")]
    return Dataset(stacks[0], labels[order], chosen, design.names, stacks[1], stacks[2])


def render_all(birds: Sequence[Bird]) -> list[Picture]:
    """Every bird's picture."""
    return [render(bird) for bird in birds]


def images_of(birds: Sequence[Bird]) -> np.ndarray:
    """The images of birds, all of one size: uint8 (n, size, size, 3)."""
    return np.stack([render(bird).image for bird in birds])
