"""The verbs: what they return, that they agree with each other, and that the model comes back as it was."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

import fieldmark as fm
from fieldmark.errors import LayerError, ModelError
from fieldmark.targets import Resolved, Rule
from tests.support import models

pytestmark = pytest.mark.every_backend


def given(weights: np.ndarray) -> Resolved:
    return Resolved(Rule("given"), weights.astype(np.float32))


def one_hot(n: int, *classes: int) -> Resolved:
    return given(np.broadcast_to(np.eye(models.CLASSES)[list(classes)], (n, len(classes), models.CLASSES)))


@pytest.fixture(scope="module")
def known() -> models.Known:
    return models.functional()


@pytest.fixture(scope="module")
def clf(known: models.Known) -> fm.Classifier:
    return fm.Classifier(known.model, batch_size=4)


def test_activations_are_the_layers_output(known: models.Known, clf: fm.Classifier) -> None:
    x = known.images(6)
    np.testing.assert_allclose(clf.engine.activations(x, "conv2"), known.feature_maps(x), atol=1e-6)


def test_a_layers_gradient_is_the_heads_kernel(known: models.Known, clf: fm.Classifier) -> None:
    result = clf.engine.gradients(known.images(6), one_hot(6, 1, 5), at="conv2")
    assert result.gradients.shape == (6, 2, 8, 6, 12)
    expected = known.kernel[:, [1, 5]].T[None, :, None, None] / (8 * 6)
    np.testing.assert_allclose(result.gradients, np.broadcast_to(expected, result.gradients.shape), atol=1e-7)
    np.testing.assert_allclose(result.scores, clf.engine.scores(known.images(6)), atol=1e-5)


def test_several_layers_come_from_one_pass(known: models.Known, clf: fm.Classifier) -> None:
    x = known.images(3)
    names = ("conv2", "conv1", "input")
    together = clf.engine.gradients(x, one_hot(3, 2), at=names)
    for name, value, gradient in zip(names, together.values, together.gradients, strict=True):
        alone = clf.engine.gradients(x, one_hot(3, 2), at=name)
        np.testing.assert_allclose(value, alone.values, atol=1e-6)
        np.testing.assert_allclose(gradient, alone.gradients, atol=1e-6)


def test_top_rule_weighs_the_best_classes_of_the_same_pass(known: models.Known, clf: fm.Classifier) -> None:
    x = known.images(6)
    result = clf.engine.gradients(x, Resolved(Rule("top", 3), None), at="conv2")
    order = np.argsort(-result.scores, axis=1)[:, :3]
    np.testing.assert_array_equal(result.weights.argmax(axis=2), order)


def test_log_odds_gradient_is_that_of_the_margin(known: models.Known, clf: fm.Classifier) -> None:
    x = known.images(3)
    target = Resolved(Rule("log_odds"), one_hot(3, 4).given)
    result = clf.engine.gradients(x, target, at="conv2")
    z = result.scores
    others = np.delete(np.arange(models.CLASSES), 4)
    softmax = np.exp(z[:, others]) / np.exp(z[:, others]).sum(axis=1, keepdims=True)
    expected = (known.kernel[:, 4] - softmax @ known.kernel[:, others].T) / (8 * 6)
    np.testing.assert_allclose(result.gradients[:, 0, 0, 0], expected, atol=1e-6)


def test_scores_from_a_layers_own_output_are_the_scores(known: models.Known, clf: fm.Classifier) -> None:
    x = known.images(5)
    for layer in ("conv1", "conv2"):
        own = clf.engine.activations(x, layer)
        np.testing.assert_allclose(clf.engine.scores_from(layer, own, x), clf.engine.scores(x), atol=1e-5)
    halved = clf.engine.scores_from("conv2", clf.engine.activations(x, "conv2") / 2, x)
    np.testing.assert_allclose(halved, clf.engine.scores(x) / 2, atol=1e-5)  # the head is linear, its bias zero


class Jittered:
    """Five points around each image, the same whatever batch they land in."""

    samples = 5

    def draw(self, index: int, value: np.ndarray) -> Iterator[tuple[np.ndarray, Any, float]]:
        rng = np.random.default_rng(index)
        for k in range(self.samples):
            yield value + 0.2 * rng.normal(size=value.shape).astype(np.float32), rng.random(value.shape), 0.1 * (k + 1)


@pytest.mark.parametrize("at", ["input", "conv1"])
def test_path_gradients_are_the_sum_done_by_hand(at: str) -> None:
    known = models.smooth()
    clf = fm.Classifier(known.model, batch_size=4)
    x, path = known.images(2), Jittered()
    values = x if at == "input" else clf.engine.activations(x, at)
    result = clf.engine.path_gradients(x, one_hot(2, 0, 6), path, at=at, square=True)
    first, second = np.zeros_like(result.mean), np.zeros_like(result.mean)
    wide = fm.Classifier(known.model, batch_size=512)
    for i, value in enumerate(values):
        for point, factor, weight in path.draw(i, value):
            gradient = numeric_gradient(wide, at, point, x[i])[[0, 6]]
            first[i] += weight * factor * gradient
            second[i] += weight * (factor * gradient) ** 2
    np.testing.assert_allclose(result.mean, first, atol=1e-3 * np.abs(first).max())
    np.testing.assert_allclose(result.square, second, atol=1e-3 * second.max())
    np.testing.assert_allclose(result.scores, clf.engine.scores(x), atol=1e-6)


def numeric_gradient(clf: fm.Classifier, at: str, point: np.ndarray, image: np.ndarray) -> np.ndarray:
    """(classes, ...): central differences of every score with respect to every value of the input or of a layer."""
    moves = 1e-2 * np.eye(point.size, dtype=np.float32).reshape(-1, *point.shape)
    moved = np.concatenate([point + moves, point - moves])
    if at == "input":
        scores = clf.engine.scores(moved)
    else:
        scores = clf.engine.scores_from(at, moved, np.repeat(image[None], len(moved), axis=0))
    return ((scores[: point.size] - scores[point.size :]) / 2e-2).T.reshape(-1, *point.shape)


@pytest.mark.parametrize("own", [False, True], ids=["shared masks", "own masks"])
def test_masked_scores_blend_image_and_fill(known: models.Known, clf: fm.Classifier, own: bool) -> None:
    x, fill = known.images(3), known.images(3, seed=9)
    rng = np.random.default_rng(0)
    masks = (rng.random((3, 5, 4, 3)) if own else rng.random((5, 4, 3))).astype(np.float32)
    result = clf.engine.masked_scores(x, masks, fill, "nearest")
    large = masks.repeat(4, axis=-2).repeat(4, axis=-1)[..., None]
    each = large if own else np.broadcast_to(large, (3, *large.shape))
    for i in range(3):
        blended = x[i] * each[i] + fill[i] * (1 - each[i])
        np.testing.assert_allclose(result[i], clf.engine.scores(blended.astype(np.float32)), atol=1e-5)


def test_masks_are_enlarged_between_pixel_centres(known: models.Known, clf: fm.Classifier) -> None:
    x, zero = known.images(1), np.zeros((1, *known.shape), np.float32)
    mask = np.random.default_rng(0).random((1, 4, 3)).astype(np.float32)
    from fieldmark.attribution import resize_maps

    by_hand = clf.engine.scores(x * resize_maps(mask, known.shape[:2])[..., None])
    np.testing.assert_allclose(clf.engine.masked_scores(x, mask, zero)[:, 0], by_hand, atol=1e-5)


def test_results_do_not_depend_on_the_batch_size(known: models.Known) -> None:
    x = known.images(7)
    small, large = (fm.Classifier(known.model, batch_size=b) for b in (2, 16))
    for explainer in (fm.GradCAM(), fm.GradCAMPlusPlus(), fm.Gradients()):
        a, b = (explainer(clf, x, target=fm.Top(2)).maps for clf in (small, large))
        np.testing.assert_allclose(a, b, atol=1e-5, err_msg=repr(explainer))


# The model comes back as it was


def snapshot(model: Any) -> list[Any]:
    state: list[Any] = [model.trainable, [np.array(w) for w in model.get_weights()]]
    for layer in [model, *models._every_layer(model)]:
        state.append((layer.name, sorted(layer.__dict__), layer.trainable, layer.__dict__.get("call")))
        state.append(getattr(layer, "activation", None))
    return state


@pytest.mark.parametrize("build", [models.functional, models.around_base, models.frozen])
def test_the_model_is_left_as_it_was(build: Any) -> None:
    known = build()
    known.model.predict_on_batch(known.images(2))
    before = snapshot(known.model)
    clf = fm.Classifier(known.model)
    for explainer in (fm.GradCAM(), fm.Gradients()):
        explainer(clf, known.images(2), target=fm.Top(2))
    np.testing.assert_equal(snapshot(known.model), before)


def test_the_model_is_left_as_it_was_after_an_exception() -> None:
    known = models.functional()
    clf = fm.Classifier(known.model)
    before = snapshot(known.model)

    def fail(_value: Any) -> Any:
        raise RuntimeError("in the middle of a pass")

    with pytest.raises(RuntimeError, match="in the middle of a pass"):
        clf.engine.forward(keras.ops.convert_to_tensor(known.images(1)), {"conv2": fail})
    np.testing.assert_equal(snapshot(known.model), before)
    with pytest.raises(LayerError, match=r"layer 'conv2': expected to be called 2 time\(s\), received 1"):
        clf.engine.activations(known.images(1), "conv2#2")
    np.testing.assert_equal(snapshot(known.model), before)


class Failing(keras.Model):
    def call(self, x: Any) -> Any:
        raise ValueError("two lines\nof trouble")


def test_a_model_that_fails_says_so_in_one_line() -> None:
    with pytest.raises(ModelError) as caught:
        fm.Classifier(Failing(name="broken")).predict(np.zeros((1, 5, 4, 2), np.float32))
    message = str(caught.value)
    assert message.startswith(
        "model 'broken' cannot be called on one image of shape (5, 4, 2) (height, width, channels)"
    )
    assert "\n" not in message


# Compiled once per shape


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_thousand_images_neither_recompile_nor_grow(known: models.Known) -> None:
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("no /proc/self/statm to read the memory from")
    clf = fm.Classifier(known.model)
    images = known.images(50)
    explain = fm.GradCAM()
    for image in images:
        explain(clf, image)
    gc.collect()
    traces, before = clf.engine.passes.traces, resident()
    # On TensorFlow, where it takes seconds; what would leak there leaks sooner on the slower two.
    for _ in range(19 if clf.backend == "tensorflow" else 3):
        for image in images:
            explain(clf, image)
    gc.collect()
    assert clf.backend == "torch" or clf.engine.passes.traces == traces
    assert resident() - before < 20e6  # bytes: one leaked graph or one map kept per image would be several times that


def test_batches_of_any_length_share_few_compilations(known: models.Known) -> None:
    clf = fm.Classifier(known.model, batch_size=16)
    for n in (3, 1, 16, 7, 33, 5, 2, 12):
        fm.GradCAM()(clf, known.images(n))
    # The scores pass is not needed: one pass serves all lengths, or on JAX the five powers of two up to 16.
    # JAX runs the function twice per compilation, once for shapes.
    assert clf.backend == "torch" or clf.engine.passes.traces <= 5
