"""Grad-CAM, Grad-CAM++ and gradients against the peers' raw maps: the same cat, network, classes and layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fieldmark import explainers
from fieldmark.demo import lite0
from tests.parity.compare import CLASSES, EXACT, KINKS, compare

# explainer, peer, the least correlation, the largest difference after one scale
TABLE = [
    ("GradCAM", "tf-keras-vis", 0.999999, EXACT),
    ("GradCAM", "tf-explain", 0.999999, EXACT),
    ("GradCAM", "pytorch-grad-cam", 0.999999, EXACT),
    # Both differ from the paper's equation 19 in their own way: see the tests below.
    ("GradCAMPlusPlus", "tf-keras-vis", 0.999, 0.01),
    ("GradCAMPlusPlus", "pytorch-grad-cam", 0.999, 0.04),
    ("Gradients", "tf-keras-vis", 0.9999, 0.03),
]

WHY = {
    "tf-keras-vis": "the peer divides its alphas by their sum; with that done here they are equal",
    "pytorch-grad-cam": "the peer adds 1e-6 below the fraction; with that done here they are equal",
}


def ours(classifier: Any, name: str) -> np.ndarray:
    """(2, h, w) of the cat's two classes."""
    return getattr(explainers, name)()(classifier, lite0.sample_photo(), list(CLASSES)).maps[0]


@pytest.mark.parametrize(("name", "peer", "correlation", "difference"), TABLE)
def test_maps_equal_the_peers_raw_maps_up_to_one_scale(
    recorded: Any, classifier: Any, table: Any, name: str, peer: str, correlation: float, difference: float
) -> None:
    maps = recorded("record.py", peer)
    assert np.allclose(classifier.predict(lite0.sample_photo()).scores[0], maps["scores"], atol=1e-4)
    why = KINKS if name == "Gradients" else WHY[peer] if name == "GradCAMPlusPlus" else "one scale for the whole map"
    table(name, peer, ours(classifier, name), maps[name], why)
    for mine, theirs in zip(ours(classifier, name), maps[name], strict=True):
        found = compare(mine, theirs)
        assert found[0] >= correlation
        assert found[1] <= difference


def plus_plus(activations: np.ndarray, gradients: np.ndarray, epsilon: float = 0.0, share: bool = False) -> np.ndarray:
    """Grad-CAM++ (2, h, w) from arrays (2, c, h, w): equation 19, or with a peer's epsilon or its alphas as shares."""
    a, g = activations.astype(np.float64), gradients.astype(np.float64)
    below = 2 * g**2 + g**3 * a.sum(axis=(2, 3), keepdims=True) + epsilon
    alpha = np.divide(g**2, below, out=np.zeros_like(g), where=(g != 0) & (below != 0))
    if share:
        totals = alpha.sum(axis=(2, 3), keepdims=True)
        alpha = np.divide(alpha, totals, out=np.zeros_like(g), where=totals != 0)
    weights = (alpha * np.maximum(g, 0)).sum(axis=(2, 3), keepdims=True)
    return np.maximum((weights * a).sum(axis=1), 0)


@pytest.mark.parametrize(
    ("peer", "variant"),
    [
        ("pytorch-grad-cam", {"epsilon": 1e-6}),  # added to the denominator: not small beside squared gradients
        ("tf-keras-vis", {"share": True}),  # alphas divided by their sum over the pixels
    ],
)
def test_grad_cam_plus_plus_is_the_papers_and_a_peers_difference_is_known(
    recorded: Any, classifier: Any, peer: str, variant: dict[str, Any]
) -> None:
    arrays = recorded("record.py", "pytorch-grad-cam")
    paper = plus_plus(arrays["activations"], arrays["gradients"])
    changed = plus_plus(arrays["activations"], arrays["gradients"], **variant)
    for index, mine in enumerate(ours(classifier, "GradCAMPlusPlus")):
        assert compare(mine, paper[index])[1] < EXACT
        assert compare(changed[index], recorded("record.py", peer)["GradCAMPlusPlus"][index])[1] < EXACT
        assert compare(paper[index], changed[index])[1] > 100 * EXACT


def test_a_wrong_map_would_be_noticed(recorded: Any, classifier: Any) -> None:
    theirs = recorded("record.py", "tf-keras-vis")["GradCAM"]
    mine = ours(classifier, "GradCAM")
    correlation, difference = compare(mine[0], theirs[1])  # the other cat's map
    assert correlation < 0.999
    assert difference > EXACT
    assert compare(np.square(mine[0]), theirs[0])[1] > EXACT
