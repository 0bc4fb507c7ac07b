"""The pretrained network's maps are the same on TensorFlow, JAX, Keras on torch, and as a plain torch module."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.demo import lite0

EXPLAINERS = (fm.GradCAM(), fm.GradCAMPlusPlus(), fm.Gradients(channels="sum"))
CLASSES = [fm.Class(285), fm.Class(281)]
WITHIN = 1e-4  # of the largest value

# Grad-CAM needs one pass; the gradient at the input goes through every ReLU6, where rounding flips a few for good.
TOLERANCE = {"GradCAM": WITHIN, "GradCAMPlusPlus": WITHIN, "Gradients": None}

REFERENCE = """
import sys
import numpy as np
from tests.parity.test_backends import maps
from fieldmark.demo import lite0
import fieldmark as fm
np.savez(sys.argv[1], **maps(fm.Classifier(lite0.lite0(), preprocess=lite0.preprocess)))
"""


def maps(classifier: fm.Classifier) -> dict[str, np.ndarray]:
    photo = lite0.sample_photo()
    return {type(e).__name__: e(classifier, photo, target=CLASSES).maps for e in EXPLAINERS}


@pytest.fixture(scope="module")
def on_tensorflow(tmp_path_factory: pytest.TempPathFactory, backend: str) -> dict[str, np.ndarray]:
    """The maps of a process that runs TensorFlow; in that process itself, those of the model with nothing folded."""
    if backend == "tensorflow":
        return maps(fm.Classifier(lite0.lite0(), preprocess=lite0.preprocess, fold=False))
    path = tmp_path_factory.mktemp("reference") / "maps.npz"
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", REFERENCE, str(path)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(path) as file:
        return dict(file)


def compare(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    for name, expected in theirs.items():
        scale = np.abs(expected).max()
        assert scale > 0
        if TOLERANCE[name] is not None:
            np.testing.assert_allclose(ours[name], expected, atol=TOLERANCE[name] * scale, rtol=0, err_msg=name)
        else:
            assert np.corrcoef(ours[name].ravel(), expected.ravel())[0, 1] > 0.9999, name
            assert np.median(np.abs(ours[name] - expected)) < WITHIN * scale, name


@pytest.mark.every_backend
def test_keras_on_this_backend(on_tensorflow: dict[str, np.ndarray]) -> None:
    compare(maps(fm.Classifier(lite0.lite0(), preprocess=lite0.preprocess)), on_tensorflow)


@pytest.mark.native_torch
def test_a_torch_module_with_the_same_weights(on_tensorflow: dict[str, np.ndarray]) -> None:
    from fieldmark.demo.weights import read_state_dict
    from tests.support.lite0_torch import lite0_torch

    for inplace in (False, True):
        module = lite0_torch(read_state_dict(lite0.weights_path()), inplace=inplace)
        compare(maps(fm.Classifier(module, preprocess=lite0.preprocess)), on_tensorflow)
