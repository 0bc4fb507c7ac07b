"""Insertion, deletion, ROAD and MuFidelity of a network of sixteen weights, against loops over single pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.trust.faithfulness import order
from fieldmark.trust.hiding import SHARES, Drawn, measure
from fieldmark.trust.metrics import FILLS, ROAD
from fieldmark.trust.planner import NOISE, Planner, Scene

RNG = np.random.default_rng(3)
WEIGHTS = RNG.normal(size=(4, 4, 1))
IMAGE = RNG.normal(size=(4, 4, 1)).astype(np.float32)
FILL = {"blur": RNG.normal(size=(4, 4, 1)).astype(np.float32), "mean": np.full((4, 4, 1), 0.2, np.float32)}
MAP = RNG.normal(size=16)
CHANCE = RNG.random(16)
SEGMENTS = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]])
SETS = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1], [1, 0, 1, 0]], bool)


def network(images: np.ndarray) -> np.ndarray:
    score = (images * WEIGHTS).sum(axis=(1, 2, 3))
    return np.stack([score, np.zeros(len(images))], axis=1)


network.input_shape = (4, 4, 1)  # type: ignore[attr-defined]


def probability(picture: np.ndarray) -> float:
    return float(1 / (1 + np.exp(-(picture * WEIGHTS).sum())))


@pytest.fixture(scope="module")
def scene() -> Scene:
    classifier = fm.Classifier(network)
    whole = float((IMAGE * WEIGHTS).sum()), probability(IMAGE)
    return Scene(classifier, IMAGE, FILL, SEGMENTS, (4, 4), 0, whole, seed=5)


def measured(scene: Scene, values: np.ndarray = MAP, steps: int = 16) -> dict[str, float]:
    sums = SETS @ np.bincount(SEGMENTS.ravel(), values)
    return measure(scene, {"it": Drawn(values, sums)}, SETS, CHANCE, set(), steps)[0]["it"]


def places(first: np.ndarray) -> list[tuple[int, int]]:
    return [(index // 4, index % 4) for index in first]


@pytest.mark.parametrize("fill", FILLS)
def test_deletion_and_insertion_take_one_pixel_after_the_other(scene: Scene, fill: str) -> None:
    deleted, inserted = [probability(IMAGE)], [probability(FILL[fill])]
    less, more = IMAGE.copy(), FILL[fill].copy()
    for place in places(np.argsort(-MAP)):
        less[place], more[place] = FILL[fill][place], IMAGE[place]
        deleted.append(probability(less))
        inserted.append(probability(more))
    found = measured(scene)
    assert found[f"deletion_{fill}"] == pytest.approx(np.trapezoid(deleted, dx=1 / 16), abs=1e-5)
    assert found[f"insertion_{fill}"] == pytest.approx(np.trapezoid(inserted, dx=1 / 16), abs=1e-5)


def imputed(gone: list[tuple[int, int]]) -> np.ndarray:
    """The paper's equations, written out and solved."""
    left, right = np.zeros((16, 16)), np.zeros(16)
    for y in range(4):
        for x in range(4):
            row = 4 * y + x
            if (y, x) not in gone:
                left[row, row], right[row] = 1, IMAGE[y, x, 0]
                continue
            for dy, dx in [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]:
                if 0 <= y + dy < 4 and 0 <= x + dx < 4:
                    weight = 1 / 12 if dy and dx else 1 / 6
                    left[row, row] += weight
                    left[row, 4 * (y + dy) + x + dx] -= weight
    return np.linalg.solve(left, right).reshape(4, 4, 1)


def test_road_is_the_gap_between_the_least_and_the_most_important(scene: Scene) -> None:
    noise = np.random.default_rng(5).normal(0, NOISE * float(IMAGE.std()), IMAGE.shape)

    def without(first: np.ndarray, share: float) -> float:
        gone = places(first[: round(16 * share)])
        picture = imputed(gone)
        for place in gone:
            picture[place] += noise[place]
        return probability(picture)

    most = np.argsort(-MAP)
    gaps = [without(most[::-1], share) - without(most, share) for share in SHARES]
    assert measured(scene)["road"] == pytest.approx(np.mean(gaps), abs=1e-3)


def test_mufidelity_and_the_gap(scene: Scene) -> None:
    found = measured(scene)
    losses = []
    for row in SETS:
        gone = row[SEGMENTS][..., None]
        losses.append(float(((IMAGE - FILL["blur"]) * gone * WEIGHTS).sum()))
    sums = [float(MAP.reshape(4, 4)[row[SEGMENTS]].sum()) for row in SETS]
    ranked = [np.argsort(np.argsort(each)) for each in (losses, sums)]
    assert found["mufidelity"] == pytest.approx(np.corrcoef(ranked)[0, 1], abs=1e-6)
    gaps = [found[f"insertion_{fill}"] - found[f"deletion_{fill}"] for fill in FILLS]
    assert found["gap"] == pytest.approx((sum(gaps) + found["road"]) / 3)


def test_the_true_map_of_a_linear_network_wins_and_its_opposite_loses(scene: Scene) -> None:
    truth = ((IMAGE - FILL["blur"]) * WEIGHTS).ravel().astype(float)
    right, wrong, other = (measured(scene, each) for each in (truth, -truth, MAP))
    assert right["mufidelity"] == pytest.approx(1.0)
    assert right["insertion_blur"] > other["insertion_blur"] > wrong["insertion_blur"]
    assert right["deletion_blur"] < other["deletion_blur"] < wrong["deletion_blur"]


def test_a_picture_is_computed_once_whoever_asks(scene: Scene) -> None:
    def counts(**maps: np.ndarray) -> tuple[int, int, Any]:
        drawn = {name: Drawn(each, SETS @ np.bincount(SEGMENTS.ravel(), each)) for name, each in maps.items()}
        values, _, planner = measure(scene, drawn, SETS, CHANCE, set(maps), 4)
        return planner.needed, planner.asked, values

    one, asked, values = counts(a=MAP)
    assert asked == 2 * 2 * 5 + (2 * len(SHARES) + 1) + len(SETS)
    again, twice, both = counts(a=MAP, b=2 * MAP + 1)  # the same order: nothing more to compute
    assert (again, twice) == (one, 2 * asked)
    assert both["a"] == values["a"]
    assert both["b"]["gap"] == values["a"]["gap"]
    assert counts(a=MAP, b=-MAP)[0] == one  # what one inserts the other deletes
    assert counts(a=CHANCE, b=np.zeros(16))[0] == counts(a=CHANCE)[0]  # a blank map is the random one


def test_the_plan_tells_fills_and_cuts_apart(scene: Scene) -> None:
    planner = Planner(scene)
    grid, sets = np.zeros((1, 16), bool), np.array([[True, False, False, False]])
    grid[0, [0, 1, 4, 5]] = True
    found = [planner.ask("blur", grid), planner.ask("mean", grid), planner.ask("blur", sets, "segments")]
    found += [planner.ask(ROAD, grid), planner.ask("blur", np.zeros((1, 16), bool)), planner.ask("mean", grid)]
    assert [int(each[0]) for each in found] == [0, 1, 2, 3, 4, 1]
    assert (planner.asked, planner.needed) == (6, 4)
    answers = planner.answer()
    assert answers[0] == pytest.approx(answers[2])  # the same picture, cut another way
    assert tuple(answers[4]) == scene.whole
    assert order(MAP, CHANCE)[0] == MAP.argmax()
