"""Gradients and paths against the peers' raw maps, scale and all; where a peer draws at random, on its own draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.demo import lite0
from fieldmark.explainers.gradients import over_channels
from fieldmark.explainers.paths import Mixture
from tests.parity.compare import CLASSES, KINKS, compare

STEPS, LAYER = 16, "block4a_project_bn"  # as in peer_gradients.py
NEAR = 1e-3  # of the map's largest value, for 99 % of the pixels
SCRIPT = "peer_gradients.py"
RAW = f"raw values; {KINKS}; 99 % of pixels are within 1e-3"
DRAWN = f"on the peer's own random draws, {RAW}"
KINK = 0.03  # for the others: rounding, another in each framework, puts a few ReLUs on the other side of their kink


@dataclass(frozen=True)
class Drawn:
    """The points, factors and weights of a peer, as a path."""

    points: Callable[[np.ndarray], Iterator[tuple[np.ndarray, Any, float]]]
    samples: int

    def draw(self, _index: int, value: np.ndarray) -> Iterator[tuple[np.ndarray, Any, float]]:
        return self.points(value)


def same(table: Any, method: str, peer: str, mine: np.ndarray, theirs: np.ndarray, why: str = RAW) -> None:
    """Raw values, no scale between them."""
    table(method, peer, mine, theirs, why)
    for a, b in zip(mine, theirs, strict=True):
        off = np.abs(a - b) / np.abs(b).max()
        correlation, most = compare(a, b)[0], np.quantile(off, 0.99)
        assert correlation >= 0.9999
        assert most <= NEAR
        assert off.max() <= KINK


@pytest.mark.parametrize(
    ("name", "explainer"),
    [
        ("Gradients", fm.Gradients(channels="sum")),
        ("GradientTimesInput", fm.GradientTimesInput()),
        ("IntegratedGradients", fm.IntegratedGradients(steps=STEPS, baseline=127.0)),  # 0 to the network
    ],
)
def test_captum_says_the_same(recorded: Any, classifier: fm.Classifier, table: Any, name: str, explainer: Any) -> None:
    theirs = recorded(SCRIPT, "captum")
    made = explainer(classifier, lite0.sample_photo(), list(CLASSES))
    np.testing.assert_allclose(classifier.predict(lite0.sample_photo()).scores[0], theirs["scores"][0], atol=1e-4)
    same(table, name, "captum", made.maps[0], theirs[name])


def test_captum_guides_relus_as_we_do(recorded: Any, table: Any) -> None:
    model = lite0.lite0()
    for layer in model.layers:
        if hasattr(layer, "max_value"):
            layer.max_value = None  # captum leaves ReLU6 unguided, so both get plain ReLUs
    classifier = fm.Classifier(model, preprocess=lite0.preprocess)
    made = fm.GuidedBackprop(channels="sum")(classifier, lite0.sample_photo(), list(CLASSES))
    same(
        table,
        "GuidedBackprop",
        "captum",
        made.maps[0],
        recorded(SCRIPT, "captum")["GuidedBackprop"],
        "plain ReLUs: captum leaves ReLU6 unguided",
    )


def test_saliency_says_the_same_of_its_own_noise(recorded: Any, classifier: fm.Classifier, table: Any) -> None:
    theirs = recorded(SCRIPT, "saliency")
    spread = np.ptp(lite0.preprocess(lite0.sample_photo()[None])[0])
    count = len(theirs["noise"])
    path = Drawn(lambda value: ((value + spread * noise, 1.0, 1 / count) for noise in theirs["noise"]), count)
    found = classifier.engine.path_gradients(*resolved(classifier), path, square=True)
    assert found.square is not None
    same(table, "SmoothGrad", "saliency", over_channels(found.mean[0], "sum"), theirs["SmoothGrad"], DRAWN)
    same(table, "SquareGrad", "saliency", over_channels(found.square[0], "sum"), theirs["SquareGrad"], DRAWN)


@pytest.mark.parametrize("layer", [None, LAYER])
def test_shap_says_the_same_of_its_own_draws(
    recorded: Any, classifier: fm.Classifier, table: Any, layer: str | None
) -> None:
    """The maps. Its variances are divided by the root of the number of samples, ours by the number: that of a mean."""
    theirs = recorded(SCRIPT, "shap")
    x, target = resolved(classifier)
    usual = theirs["background"] if layer is None else classifier.engine.activations(theirs["background"], layer)
    mixture = Mixture(lambda _index: usual, theirs["alphas"], theirs["picks"])
    found = classifier.engine.path_gradients(x, target, mixture, at=layer or "input", sum_channels=True)
    name = "ExpectedGradients" if layer is None else "ExpectedGradients at a layer"
    same(table, name, "shap", found.mean[0], theirs[name], DRAWN)


def resolved(classifier: fm.Classifier) -> tuple[np.ndarray, Any]:
    from fieldmark.explainers.contract import Job

    job = Job.begin(classifier, lite0.sample_photo(), list(CLASSES))
    return job.x, job.target
