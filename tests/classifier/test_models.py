"""Each kind of model, explained by maps that are known in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from tests.support import models

pytestmark = pytest.mark.every_backend


@pytest.mark.parametrize("name", models.SOFTMAX_MODELS)
def test_grad_cam_is_its_closed_form(name: str) -> None:
    known = models.SOFTMAX_MODELS[name]()
    images = known.images(5)
    att = fm.GradCAM()(fm.Classifier(known.model), images, target=[fm.Class(3), fm.Class(0)])
    assert att.provenance["layer"] == known.layer
    for t, cls in enumerate((3, 0)):
        expected = known.grad_cam(images, np.eye(models.CLASSES)[cls])
        assert expected.max() > 1e-3
        np.testing.assert_allclose(att.maps[:, t], expected, atol=1e-6)


@pytest.mark.parametrize("name", models.SOFTMAX_MODELS)
def test_scores_are_the_logits(name: str) -> None:
    known = models.SOFTMAX_MODELS[name]()
    images = known.images(3)
    clf = fm.Classifier(known.model)
    predictions = clf.predict(images)
    features = known.feature_maps(images).mean(axis=(1, 2))
    np.testing.assert_allclose(predictions.scores, features @ known.kernel, atol=1e-5)
    shown = models.numpy(known.model(images, training=False))
    if name != "logits":
        np.testing.assert_allclose(predictions.probabilities, shown, atol=1e-6)
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, atol=1e-5)


def test_one_sigmoid_output_is_two_classes() -> None:
    known = models.sigmoid()
    images = known.images(4)
    clf = fm.Classifier(known.model, labels=["daisy"])
    assert clf.labels == ["not daisy", "daisy"]
    att = fm.GradCAM(relu=False)(clf, images, target=[fm.Class("daisy"), fm.Class("not daisy")])
    features = known.feature_maps(images)
    expected = features @ known.kernel[:, 0] / (features.shape[1] * features.shape[2])
    np.testing.assert_allclose(att.maps[:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(att.maps[:, 1], -expected, atol=1e-6)
    np.testing.assert_allclose(clf.predict(images).probabilities[:, 1:], models.numpy(known.model(images)), atol=1e-6)
    np.testing.assert_allclose(att.probabilities.sum(axis=1), 1, atol=1e-6)


def test_input_gradients_equal_finite_differences() -> None:
    known = models.smooth()
    clf = fm.Classifier(known.model)
    image, step = known.images(1), 1e-2
    att = fm.Gradients(channels="sum")(clf, image, target=fm.Class(2))
    moves = step * np.eye(image.size, dtype=np.float32).reshape(-1, *known.shape)
    up, down = (clf.predict(image + sign * moves).scores[:, 2] for sign in (1, -1))
    numeric = ((up - down) / (2 * step)).reshape(known.shape).sum(axis=-1)
    np.testing.assert_allclose(att.maps[0, 0], numeric, atol=1e-3 * np.abs(numeric).max())


def test_probabilities_on_request_change_the_map() -> None:
    known = models.functional()
    images = known.images(4)
    behind = fm.GradCAM(relu=False)(fm.Classifier(known.model), images, target=fm.Class(1))
    shown = fm.GradCAM(relu=False)(fm.Classifier(known.model, scores="probabilities"), images, target=fm.Class(1))
    assert (behind.provenance["scores"], shown.provenance["scores"]) == ("logits", "probabilities")
    features = known.feature_maps(images)
    p = shown.scores
    rows = p[:, :1] * (np.eye(models.CLASSES)[1] - models.numpy(known.model(images)))  # the softmax's gradient
    expected = np.einsum("nhwc,ck,nk->nhw", features, known.kernel, rows) / (features.shape[1] * features.shape[2])
    np.testing.assert_allclose(shown.maps[:, 0], expected, atol=1e-6)
    assert not np.allclose(behind.maps, shown.maps, atol=1e-3)


def test_weights_that_change_are_seen_without_a_new_compilation() -> None:
    known = models.functional()
    clf = fm.Classifier(known.model)
    images = known.images(2)
    before = fm.GradCAM(relu=False)(clf, images, target=3)
    traces = clf.engine.passes.traces
    kernel = known.model.get_layer("final").kernel
    kernel.assign(models.numpy(kernel) * 2)
    after = fm.GradCAM(relu=False)(clf, images, target=3)
    np.testing.assert_allclose(after.maps, 2 * before.maps, rtol=1e-4, atol=1e-6)
    assert clf.backend == "torch" or clf.engine.passes.traces == traces


def test_a_softmax_that_cannot_be_looked_behind_is_said() -> None:
    import keras

    class Hidden(keras.Model):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def call(self, x: Any) -> Any:
            return keras.ops.softmax(self.inner(x))

    known = models.logits()
    clf = fm.Classifier(Hidden(known.model))
    att = fm.GradCAM()(clf, known.images(2))
    assert att.provenance["scores"] == "probabilities"
    assert "cannot be looked behind" in att.warnings[0]
    np.testing.assert_allclose(clf.predict(known.images(2)).probabilities.sum(axis=1), 1, atol=1e-5)
