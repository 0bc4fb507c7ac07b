"""The activation maps against the peers' raw maps, and every difference explained by making it ourselves.

Peers are found and run as test_parity.py says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.demo import lite0
from tests.parity.compare import CLASSES, EXACT, compare, in_words

STEM, KEPT = "stem_activation", 8  # as in peer_cam.py
SAME = 0.999999


@dataclass(frozen=True)
class Row:
    """A method with its fields beside a peer's: least correlation, largest difference after one scale, and why."""

    explainer: type
    peer: str
    script: str = "peer_cam.py"
    fields: dict[str, Any] = field(default_factory=dict)
    correlation: float = SAME
    difference: float = EXACT
    why: str = ""


ALIGNED = "the peer enlarges masks with corners aligned; the paper's own code, as we do, with half-pixel centres"
TABLE = [
    Row(fm.GradCAM, "captum", fields={"relu": False}),
    Row(fm.HiResCAM, "pytorch-grad-cam", "record.py", {"relu": True}, why="the peer clips; the paper's map is signed"),
    Row(fm.XGradCAM, "pytorch-grad-cam", "record.py"),
    Row(fm.LayerCAM, "pytorch-grad-cam", "record.py"),
    Row(fm.LayerCAM, "tf-keras-vis", "record.py"),
    Row(fm.EigenCAM, "pytorch-grad-cam", fields={"centred": True}, why="the peer centres; the paper does not"),
    Row(fm.AblationCAM, "pytorch-grad-cam", fields={"layer": STEM, "relu": False}),
    Row(fm.ScoreCAM, "pytorch-grad-cam", "peer_cam.py", {"layer": STEM, "relu": False}, 0.99, 0.03, ALIGNED),
    Row(
        fm.ScoreCAM,
        "tf-keras-vis",
        "peer_cam.py",
        {"layer": STEM, "relu": False, "channels": KEPT, "softmax": False},
        0.93,
        0.3,
        ALIGNED + "; it weighs by probabilities instead of logits, without the baseline or the softmax over channels",
    ),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.explainer.__name__}, {row.peer}")
def test_maps_equal_the_peers_or_the_row_says_why(
    recorded: Any, classifier: fm.Classifier, table: Any, row: Row
) -> None:
    theirs = recorded(row.script, row.peer)
    made = row.explainer(**row.fields)(classifier, lite0.sample_photo(), list(CLASSES))
    np.testing.assert_allclose(made.scores[0], [theirs["scores"][0, cls] for cls in CLASSES], atol=1e-4)
    why = "; ".join(part for part in (in_words(row.fields), row.why) if part)
    table(row.explainer.__name__, row.peer, made.maps[0], theirs[row.explainer.__name__], why)
    for mine, other in zip(made.maps[0], theirs[row.explainer.__name__], strict=True):
        correlation, difference = compare(mine, other)
        assert correlation >= row.correlation
        assert difference <= row.difference


def corners_aligned(activations: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Masks (n, k, H, W) from feature maps (n, h, w, k), enlarged so that the corners' centres coincide."""

    def matrix(small: int, large: int) -> np.ndarray:
        return np.maximum(0, 1 - np.abs(np.linspace(0, small - 1, large)[:, None] - np.arange(small)))

    maps = np.moveaxis(activations, -1, 1)
    large = matrix(maps.shape[2], size[0]) @ maps @ matrix(maps.shape[3], size[1]).T
    low, high = large.min(axis=(2, 3), keepdims=True), large.max(axis=(2, 3), keepdims=True)
    return ((large - low) / np.maximum(high - low, 1e-8)).astype(np.float32)


def softmax(scores: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def test_score_cam_with_the_peers_enlarging_and_weights_is_the_peers(recorded: Any, classifier: fm.Classifier) -> None:
    x = lite0.preprocess(lite0.sample_photo()[None])
    maps = classifier.engine.activations(x, STEM)
    masks = corners_aligned(maps, x.shape[1:3])
    scores = classifier.engine.masked_scores(x, masks, np.zeros((1, *x.shape[1:]), np.float32))[0]
    varied = np.argsort(-maps[0].std(axis=(0, 1)))[:KEPT]
    for index, cls in enumerate(CLASSES):
        torch_weights = softmax(scores[:, cls], 0)
        assert (
            compare(maps[0] @ torch_weights, recorded("peer_cam.py", "pytorch-grad-cam")["ScoreCAM"][index])[1] < EXACT
        )
        keras_weights = softmax(scores, 1)[varied, cls]
        theirs = recorded("peer_cam.py", "tf-keras-vis")["ScoreCAM"][index]
        assert compare(maps[0][..., varied] @ keras_weights, theirs)[1] < EXACT
