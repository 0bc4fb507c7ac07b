"""The gradient-free methods against the peers' raw maps, on the same masks; every difference is explained by making it.

Peers are found and run as test_parity.py says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.demo import lite0
from fieldmark.explainers.designs import kept_cells
from fieldmark.explainers.perturbation import grid_segments, segment_masks
from tests.parity.compare import CLASSES, compare, in_words

# As in peer_perturbation.py. 127 is what preprocessing makes 0 of.
CELLS, SEGMENTS = (4, 4), grid_segments((224, 224), (2, 4))
SOBOL, HSIC, LIME = 4, 64, 32
PATCH, STRIDE = 64, 40
BLACK = 127.0
SAME, CLOSE = 0.999999, 1e-4  # two frameworks' logits differ by 1e-5, and these are differences of logits


@dataclass(frozen=True)
class Row:
    """A method with its fields beside a peer's: least correlation, largest difference after one scale, and why."""

    explainer: type
    peer: str
    fields: dict[str, Any] = field(default_factory=dict)
    correlation: float = SAME
    difference: float = CLOSE
    scale: float | None = 1.0  # ours times this is theirs; None: any
    why: str = ""


SCRIPT = "peer_perturbation.py"
TABLE = [
    Row(fm.Occlusion, "captum", {"patch": PATCH, "stride": STRIDE}),
    Row(fm.Occlusion, "xplique", {"patch": 32}),
    Row(
        fm.LIME, "captum", {"samples": LIME, "segments": SEGMENTS}, why="the kernel and the rows are handed to the peer"
    ),
    Row(fm.KernelSHAP, "shap", {"segments": SEGMENTS}),
    Row(fm.Sobol, "xplique", {"samples": SOBOL, "cells": CELLS}, why="the design is handed to the peer"),
    Row(
        fm.HSIC,
        "xplique",
        {"samples": HSIC, "cells": CELLS},
        0.5,
        1.0,
        None,
        "the peer takes the median score as the kernel's width, which changes when a constant is added to the score; "
        "we take the median difference of two scores",
    ),
    Row(
        fm.RISE,
        "xplique",
        {"samples": 384},
        0.6,
        3.0,  # one map is centred, the other not
        None,
        "both draw, the peer 300 masks; it crops a whole batch of them at one offset, and divides by each pixel's mean "
        "mask instead of its expectation, which our centring stands for",
    ),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.explainer.__name__}, {row.peer}")
def test_maps_equal_the_peers_or_the_row_says_why(
    recorded: Any, classifier: fm.Classifier, table: Any, row: Row
) -> None:
    theirs = recorded(SCRIPT, row.peer)
    made = row.explainer(**{"fill": BLACK, **row.fields})(classifier, lite0.sample_photo(), list(CLASSES))
    np.testing.assert_allclose(made.scores[0], [theirs["scores"][0, cls] for cls in CLASSES], atol=1e-4)
    why = "; ".join(part for part in (in_words(row.fields), row.why) if part)
    table(row.explainer.__name__, row.peer, made.maps[0], theirs[row.explainer.__name__], why)
    for mine, other in zip(made.maps[0], theirs[row.explainer.__name__], strict=True):
        correlation, difference = compare(mine, other)
        assert correlation >= row.correlation
        assert difference <= row.difference
        if row.scale is not None:
            assert np.abs(mine * row.scale - other).max() <= row.difference * np.abs(other).max()


def test_hsic_with_the_peers_width_and_factor_is_the_peers(recorded: Any, classifier: fm.Classifier) -> None:
    x = lite0.preprocess(lite0.sample_photo()[None])
    shown = kept_cells(HSIC, 16, 0.5, np.random.default_rng(0))
    masks = segment_masks(shown, grid_segments((224, 224), CELLS))
    scores = classifier.engine.masked_scores(x, masks, np.zeros_like(x))[0].astype(np.float64)
    u = shown - shown.mean(axis=0)
    for index, cls in enumerate(CLASSES):
        found = scores[:, cls]
        kernel = np.exp(-np.square((found[:, None] - found[None]) / np.median(found)) / 2)
        theirs = recorded(SCRIPT, "xplique")["HSIC"][index].ravel()
        np.testing.assert_allclose(2 * ((kernel @ u) * u).sum(axis=0) / HSIC, theirs, atol=1e-3 * theirs.max())
