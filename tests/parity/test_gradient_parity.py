"""Gradients and paths against the peers' raw maps, scale and all; where a peer draws at random, on its own draws."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.demo import lite0
from fieldmark.explainers.gradients import over_channels
from fieldmark.explainers.paths import Mixture
from tests.parity.test_parity import CLASSES, HERE, ROOT, compare, peers_python

STEPS, LAYER = 16, "block4a_project_bn"  # as in peer_gradients.py
EXACT = 1e-3  # of the map's largest value, for 99 % of the pixels
KINK = 0.03  # for the others: rounding, another in each framework, puts a few ReLUs on the other side of their kink


@dataclass(frozen=True)
class Drawn:
    """The points, factors and weights of a peer, as a path."""

    points: Callable[[np.ndarray], Iterator[tuple[np.ndarray, Any, float]]]
    samples: int

    def draw(self, _index: int, value: np.ndarray) -> Iterator[tuple[np.ndarray, Any, float]]:
        return self.points(value)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, np.ndarray]]:
    """What a peer says, run once each."""
    python = peers_python()

    @cache
    def record(peer: str) -> dict[str, np.ndarray]:
        out = tmp_path_factory.mktemp("peers") / "maps.npz"
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests" / "support")])
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": paths}
        command = [python, "-W", "ignore", str(HERE / "peer_gradients.py"), peer, str(out)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-2000:]
        with np.load(out) as arrays:
            return dict(arrays)

    return record


@pytest.fixture(scope="module")
def classifier() -> fm.Classifier:
    return fm.Classifier(lite0.lite0(), preprocess=lite0.preprocess, labels=lite0.labels())


def same(mine: np.ndarray, theirs: np.ndarray) -> None:
    """Raw values, no scale between them."""
    for a, b in zip(mine, theirs, strict=True):
        off = np.abs(a - b) / np.abs(b).max()
        correlation, most = compare(a, b)[0], np.quantile(off, 0.99)
        print(f"correlation {correlation:.7f}, difference {off.max():.1e}, of 99 % of pixels {most:.1e}")
        assert correlation >= 0.9999
        assert most <= EXACT
        assert off.max() <= KINK


@pytest.mark.parametrize(
    ("name", "explainer"),
    [
        ("Gradients", fm.Gradients(channels="sum")),
        ("GradientTimesInput", fm.GradientTimesInput()),
        ("IntegratedGradients", fm.IntegratedGradients(steps=STEPS, baseline=127.0)),  # 0 to the network
    ],
)
def test_captum_says_the_same(recorded: Any, classifier: fm.Classifier, name: str, explainer: Any) -> None:
    theirs = recorded("captum")
    made = explainer(classifier, lite0.sample_photo(), list(CLASSES))
    np.testing.assert_allclose(classifier.predict(lite0.sample_photo()).scores[0], theirs["scores"][0], atol=1e-4)
    same(made.maps[0], theirs[name])


def test_captum_guides_relus_as_we_do(recorded: Any) -> None:
    model = lite0.lite0()
    for layer in model.layers:
        if hasattr(layer, "max_value"):
            layer.max_value = None  # captum leaves ReLU6 unguided, so both get plain ReLUs
    classifier = fm.Classifier(model, preprocess=lite0.preprocess)
    made = fm.GuidedBackprop(channels="sum")(classifier, lite0.sample_photo(), list(CLASSES))
    same(made.maps[0], recorded("captum")["GuidedBackprop"])


def test_saliency_says_the_same_of_its_own_noise(recorded: Any, classifier: fm.Classifier) -> None:
    theirs = recorded("saliency")
    spread = np.ptp(lite0.preprocess(lite0.sample_photo()[None])[0])
    count = len(theirs["noise"])
    path = Drawn(lambda value: ((value + spread * noise, 1.0, 1 / count) for noise in theirs["noise"]), count)
    found = classifier.engine.path_gradients(*resolved(classifier), path, square=True)
    assert found.square is not None
    same(over_channels(found.mean[0], "sum"), theirs["SmoothGrad"])
    same(over_channels(found.square[0], "sum"), theirs["SquareGrad"])


@pytest.mark.parametrize("layer", [None, LAYER])
def test_shap_says_the_same_of_its_own_draws(recorded: Any, classifier: fm.Classifier, layer: str | None) -> None:
    """The maps. Its variances are divided by the root of the number of samples, ours by the number: that of a mean."""
    theirs = recorded("shap")
    x, target = resolved(classifier)
    usual = theirs["background"] if layer is None else classifier.engine.activations(theirs["background"], layer)
    mixture = Mixture(lambda _index: usual, theirs["alphas"], theirs["picks"])
    found = classifier.engine.path_gradients(x, target, mixture, at=layer or "input", sum_channels=True)
    same(found.mean[0], theirs["ExpectedGradients" if layer is None else "ExpectedGradients at a layer"])


def resolved(classifier: fm.Classifier) -> tuple[np.ndarray, Any]:
    from fieldmark.explainers.contract import Job

    job = Job.begin(classifier, lite0.sample_photo(), list(CLASSES))
    return job.x, job.target
