"""A result of `trust` made by hand: nothing is computed by a network, so that pages are tested fast."""

from __future__ import annotations

from typing import Any

import numpy as np

from fieldmark.trust import METRICS, Judged, Passes, Place, Trust
from fieldmark.trust.result import BEST, DUMMY, GOOD, Shown
from fieldmark.trust.statistics import interval
from tests.figures.samples import blob

DUMMIES = ("random map", "edge detector", "centred Gaussian")
IMAGES = 12
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
AMOUNTS = {"max_sensitivity": 0.4, "passes": 3.0, "seconds": 0.02}
"""Measures without an upper end, and how large they are for the first method; the others lie within 0..1."""


def values_of(place: int, methods: int, n: int = IMAGES) -> dict[str, np.ndarray]:
    """Every measure, worse from method to method; the last ones are where the dummies are."""
    rng = np.random.default_rng(place)
    level = 0.6 * (1 - place / max(methods, 1))
    found = {}
    for metric in METRICS:
        good = 1 - level if metric.better == "lower" else level
        values = good + rng.normal(0, 0.08, n)
        if metric.key in AMOUNTS:
            values = AMOUNTS[metric.key] * 2.0 ** (place % 9) * (1 + 0.1 * rng.random(n))
        found[metric.key] = values
    if place % 2:
        found["seeds"] = np.full(n, np.nan)  # has no seed
    return found


def made(methods: tuple[str, ...] = ("GradCAM", "IntegratedGradients", "GuidedBackprop"), **changes: Any) -> Trust:
    """Methods best first; the last of several is no better than the edge detector. Maps of two images are shown."""
    judged = [
        Judged(
            name, False, {"layer": "top"}, values_of(i, len(methods)), {}, (0.9, 0.4, 0.1), ("a note on it",) * (i == 0)
        )
        for i, name in enumerate(methods)
    ]
    judged += [Judged(name, True, {}, values_of(len(methods), len(methods)), {}, (1.0, 1.0, 1.0)) for name in DUMMIES]
    last = len(methods) - 1
    places = [
        Place(
            name,
            DUMMY if i == last else BEST if i < 2 else GOOD,
            interval(judged[i].values["gap"]),
            methods[1:2] if i == 0 else methods[:1] if i == 1 else (),
            ("edge detector",) if i == last and i else (),
        )
        for i, name in enumerate(methods)
    ]
    everything: dict[str, Any] = {
        "model": "net.keras",
        "backend": "tensorflow",
        "verdict": f"Use {methods[0]} here. {methods[last]} is no better than an edge detector.",
        "places": tuple(places),
        "judged": tuple(judged),
        "agreement": np.eye(len(judged)) * 0.5 + 0.5,
        "stages": ("the head", "half", "everything"),
        "fills": {"blur, mean": 0.8},
        "passes": Passes(12_345, 99_999, 40.0),
        "seconds": 61.3,
        "failed": {"LRP": "a layer of this network has no rule"},
        "notes": ("12 images are few: intervals are wide",),
        "settings": {"steps": 16, "seed": 0},
        "targets": ("tabby",) * IMAGES,
        "names": tuple(f"cat-{i}.jpg" for i in range(IMAGES)),
        "shown": tuple(
            Shown(i, PICTURE, {each.name: blob(7, 9, 0.3, 0.2 + 0.3 * i) for each in judged}) for i in (0, 3)
        ),
    }
    return Trust(**{**everything, **changes})
