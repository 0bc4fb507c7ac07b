"""The CNN of the Fashion-MNIST tutorials, trained on real images: one channel, batch-norm, a flattening head."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

import fieldmark as fm
from tests.support import fashion


@pytest.fixture(scope="module")
def trained(shared_data: Path) -> fashion.Fashion:
    return fashion.train_fashion(shared_data / "fashion_mnist_900.npz")


@pytest.fixture(scope="module")
def clf(trained: fashion.Fashion) -> fm.Classifier:
    return fm.Classifier(trained.model, preprocess=fashion.preprocess, labels=fashion.LABELS)


def test_grad_cam_is_its_closed_form(trained: fashion.Fashion, clf: fm.Classifier) -> None:
    images = trained.images[::9]
    att = fm.GradCAM()(clf, images, target=fm.Class("bag"))
    assert att.provenance["layer"] == "relu8"
    trunk = keras.Model(trained.model.input, trained.model.get_layer("relu8").output)
    maps = np.asarray(trunk(fashion.preprocess(images)))
    kernel = np.asarray(trained.model.get_layer("final").kernel).reshape(*maps.shape[1:], 10)
    weights = kernel[..., fashion.LABELS.index("bag")].mean(axis=(0, 1))
    expected = np.maximum(maps @ weights, 0)
    np.testing.assert_allclose(att.maps[:, 0], expected, atol=1e-5 * expected.max())


@pytest.mark.parametrize("explainer", [fm.GradCAM(relu=False), fm.GradCAMPlusPlus(), fm.Gradients()])
def test_erasing_what_the_map_marks_costs_more_than_erasing_the_rest(
    trained: fashion.Fashion, clf: fm.Classifier, explainer: fm.GradCAM
) -> None:
    images = trained.images
    att = explainer(clf, images)
    maps = att.resized()[:, 0]
    cut = np.quantile(maps, [0.25, 0.75], axis=(1, 2))
    strong, weak = maps >= cut[1][:, None, None], maps <= cut[0][:, None, None]
    rows = np.arange(len(images))
    scores = [
        clf.predict(np.where(gone[..., None], 0, images)).scores[rows, att.classes[:, 0]] for gone in (strong, weak)
    ]
    assert np.median(scores[1] - scores[0]) > 0.5  # logits, for a quarter of the pixels either way
