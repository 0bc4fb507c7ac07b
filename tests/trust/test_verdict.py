"""The ranking and the paragraph, from values that are made up."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from fieldmark.trust.result import BEST, DUMMY, GOOD, Judged, Passes, Trust
from fieldmark.trust.verdict import places_of, verdict

N = 40
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(0, 0.4, N)  # some images are easy, for every method: only pairs tell C from A


def judged(name: str, gap: float, *, dummy: bool = False, **means: float) -> Judged:
    values = {"gap": gap + IMAGES + RNG.normal(0, 0.02, N)}
    values |= {key: np.full(N, value) for key, value in means.items()}
    return Judged(name, dummy, {}, values)


DUMMIES = tuple(
    judged(name, gap, dummy=True)
    for name, gap in (("random map", 0.0), ("edge detector", 0.2), ("centred Gaussian", 0.1))
)


def trust(*methods: Judged, **changes: Any) -> Trust:
    every = (*methods, *DUMMIES)
    agreement = np.eye(len(every))
    made = Trust(
        model="net",
        backend="none",
        verdict="",
        places=places_of(every),
        judged=every,
        agreement=agreement,
        stages=("all layers",),
        fills={"blur, mean": 0.9, "blur, road": 0.8, "mean, road": 0.85},
        passes=Passes(10, 20, 5.0),
        seconds=1.0,
        failed={},
        notes=(),
        settings={"classes": 10},
        targets=("cat",) * N,
    )
    return dataclasses.replace(made, **changes)


def test_groups_and_ties() -> None:
    methods = [judged("A", 0.6), judged("B", 0.6), judged("C", 0.55), judged("D", 0.2), judged("E", -0.5)]
    places = {place.name: place for place in places_of((*methods, *DUMMIES))}
    assert {name: place.group for name, place in places.items()} == {
        "A": BEST,
        "B": BEST,
        "C": GOOD,
        "D": DUMMY,
        "E": DUMMY,
    }
    assert places["A"].ties == ("B",)
    assert places["C"].ties == ()
    assert places["D"].not_beaten == ("edge detector",)
    assert places["E"].not_beaten == ("random map", "edge detector", "centred Gaussian")


def test_a_method_below_a_dummy_stands_below_all_that_are_above_them() -> None:
    """Its mean is the highest, but one image made it."""
    lucky = judged("lucky", 0.0)
    lucky.values["gap"][0] += 40
    places = places_of((lucky, judged("A", 0.6), *DUMMIES))
    assert [(place.name, place.group) for place in places] == [("A", BEST), ("lucky", DUMMY)]


def test_what_to_use_and_what_costs_least() -> None:
    said = verdict(trust(judged("A", 0.6, passes=100, randomisation=0.1), judged("B", 0.6, passes=1)))
    assert said.startswith("On net use ")
    assert "better than every dummy (the best of them, the edge detector, has 0." in said
    assert "is tied with it; of these B costs least, 1 forward pass a map." in said
    assert "How sure: 40 images, intervals of 95 % by drawing images anew." in said
    assert "The three ways of hiding agree about the order (rank correlation 0.80 or more)." in said


def test_what_outlives_the_weights_is_not_recommended_however_faithful() -> None:
    said = verdict(trust(judged("A", 0.9, randomisation=0.8), judged("B", 0.5, randomisation=0.2)))
    assert said.startswith("On net use B: ")
    assert "its map changes when the weights are shuffled (rank correlation 0.20)" in said
    assert "Avoid A (0.80): so much of the map stays" in said
    alone = verdict(trust(judged("A", 0.9, randomisation=0.8)))
    assert alone.startswith("On net no method can be recommended: A beats the dummies, but keeps the map")


def test_nothing_beats_the_dummies() -> None:
    said = verdict(trust(judged("A", 0.1)))
    assert said.startswith("On net use none of these methods: none beats all three dummies for sure")
    assert "No better than a dummy: A (edge detector and centred Gaussian; against the edge detector -0.1" in said


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"fills": {"blur, mean": 0.9, "blur, road": 0.1}}, "The fills blur and road disagree about the order"),
        ({"failed": {"CAM": "no pooling"}}, "CAM gave no map here."),
        ({"targets": ("cat",) * 5}, "How sure: not very, with 5 images; 20 or more would tell."),
    ],
)
def test_what_makes_it_less_sure_is_said(changes: dict[str, Any], sentence: str) -> None:
    assert sentence in verdict(trust(judged("A", 0.6), **changes))


def test_other_witnesses_are_heard() -> None:
    a, b = judged("A", 0.6, mufidelity=0.1, road=0.3, road_blurred=0.4), judged("B", 0.4, mufidelity=0.5)
    said = verdict(trust(a, b))
    assert "MuFidelity would choose B (0.50; A 0.10)." in said
    assert "ROAD likes smooth maps: blurred, A would do better still." in said
    same = judged("C", 0.6, class_sensitivity=0.99)
    assert "Nearly the same map for another class (rank correlation): C (0.99)." in verdict(trust(same))
    assert "another class" not in verdict(trust(same, settings={"classes": 2}))
