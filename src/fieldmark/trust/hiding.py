"""Insertion, deletion, ROAD and MuFidelity of all maps of one image, from one plan of masked pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fieldmark.explainers.fills import gaussian_blur
from fieldmark.trust.faithfulness import BLUR_CELLS, area, hidden, mufidelity, order, step_counts
from fieldmark.trust.metrics import FILLS, ROAD
from fieldmark.trust.planner import SEGMENTS, Planner, Scene

STEPS = 8
SHARES = (0.2, 0.4, 0.6, 0.8)  # of the image that ROAD hides
SETS, SET_SHARE = 64, 0.2  # random sets of superpixels, and how many of them each hides

Curves = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Drawn:
    """A map as the measures need it: the mean over each cell (cells,), and its sum over each set (m,)."""

    cells: np.ndarray
    sums: np.ndarray


@dataclass(frozen=True, eq=False)
class Asked:
    """Where the answers to one map's questions are."""

    curves: dict[str, np.ndarray]
    road: tuple[np.ndarray, np.ndarray]
    blurred: tuple[np.ndarray, np.ndarray] | None
    losses: np.ndarray


def draw_sets(segments: int, rng: np.random.Generator, count: int = SETS, share: float = SET_SHARE) -> np.ndarray:
    """Bool (count, segments): random sets of a share of the segments, at least one each."""
    size = max(1, round(share * segments))
    return np.asarray(rng.random((count, segments)).argsort(axis=1) < size)


def measure(
    scene: Scene, maps: Mapping[str, Drawn], sets: np.ndarray, chance: np.ndarray, plain: set[str], steps: int = STEPS
) -> tuple[dict[str, dict[str, float]], dict[str, Curves], Planner]:
    """Values by name and metric key, curves by name, and the plan with its counts.

    sets    (m, segments) of MuFidelity
    chance  (cells,): the random map, by which cells of the same value are ordered
    plain   names whose map is not tried blurred too: the dummies
    """
    planner = Planner(scene)
    asked = {name: _ask(planner, drawn, sets, chance, name not in plain, steps) for name, drawn in maps.items()}
    answers = planner.answer()
    found = {name: _values(asked[name], drawn, answers, scene, steps) for name, drawn in maps.items()}
    return (
        {name: values for name, (values, _) in found.items()},
        {name: curve for name, (_, curve) in found.items()},
        planner,
    )


def _ask(planner: Planner, drawn: Drawn, sets: np.ndarray, chance: np.ndarray, blurred: bool, steps: int) -> Asked:
    """Every measure asks for all that it needs, as if it were alone."""
    first = order(drawn.cells, chance)
    counts = step_counts(len(first), steps)
    gone, left = hidden(first, counts), ~hidden(first, counts)
    curves = {}
    for fill in FILLS:
        curves[f"deletion_{fill}"] = planner.ask(fill, gone)
        curves[f"insertion_{fill}"] = planner.ask(fill, left)
    softer = _road(planner, order(_softened(drawn.cells, planner.scene.cells), chance)) if blurred else None
    return Asked(curves, _road(planner, first), softer, planner.ask(FILLS[0], sets, SEGMENTS))


def _road(planner: Planner, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the pictures are without the most, and without the least important cells."""
    planner.asked += 1  # the image as it is, which says what was predicted
    counts = np.maximum(1, np.round(np.array(SHARES) * len(first))).astype(int)
    counts = np.minimum(counts, len(first) - 1)
    most, least = (planner.ask(ROAD, hidden(each, counts)) for each in (first, first[::-1]))
    return most, least


def _softened(cells: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    picture = cells.reshape(1, *size, 1).astype(np.float32)
    return gaussian_blur(picture, BLUR_CELLS).ravel()


def _values(
    asked: Asked, drawn: Drawn, answers: np.ndarray, scene: Scene, steps: int
) -> tuple[dict[str, float], Curves]:
    counts = step_counts(len(drawn.cells), steps)
    curves = {name: answers[places, 1] for name, places in asked.curves.items()}
    values = {name: float(area(curve, counts)) for name, curve in curves.items()}
    values["road"] = _gap(asked.road, answers)
    if asked.blurred is not None:
        values["road_blurred"] = _gap(asked.blurred, answers)
    gaps = [values[f"insertion_{fill}"] - values[f"deletion_{fill}"] for fill in FILLS]
    values["gap"] = float(np.mean([*gaps, values["road"]]))
    values["mufidelity"] = float(mufidelity(drawn.sums, scene.whole[0] - answers[asked.losses, 0]))
    return values, curves


def _gap(places: tuple[np.ndarray, np.ndarray], answers: np.ndarray) -> float:
    most, least = places
    return float((answers[least, 1] - answers[most, 1]).mean())
