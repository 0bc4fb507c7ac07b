"""LRP: relevance is kept, rules have their closed forms, every layer of a CNN has a rule, what has none is named."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import fieldmark as fm
from fieldmark.errors import FieldmarkError, LayerError
from fieldmark.explainers.relevance import COMPOSITES, LRP
from tests.support import relevance_nets

every_backend = pytest.mark.every_backend

SHAPE = (10, 8, 3)


def images(n: int = 3, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)


def model_of(*steps: Any, shape: tuple[int, int, int] = SHAPE) -> Any:
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input(shape), *steps])


def linear_model() -> Any:
    """Linear in its input, with strides, padding, groups of its own and averages; no biases."""
    plain = {"use_bias": False}
    return model_of(
        layers.ZeroPadding2D(1),
        layers.Conv2D(4, 3, strides=2, **plain),
        layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, **plain),
        layers.Conv2D(6, 3, padding="same", groups=2, **plain),
        layers.AveragePooling2D(2),
        layers.SeparableConv2D(5, 2, padding="same", **plain),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, activation="softmax", **plain),
    )


def relu_model(bias: float = 0.0) -> Any:
    """Convolutions, batch-norm, a residual sum of a wide and a narrow branch, two dense layers."""
    keras.utils.set_random_seed(2)
    image = keras.Input(SHAPE)
    x = layers.Conv2D(6, 3, padding="same", bias_initializer=keras.initializers.Constant(bias))(image)
    x = layers.ReLU()(layers.BatchNormalization(center=False)(x))
    x = layers.MaxPooling2D(2)(x)
    side = layers.Conv2D(6, 1, activation="relu")(x)
    x = layers.Concatenate()([layers.Add()([x, side]), side])
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    x = layers.Dense(8, activation="relu", bias_initializer=keras.initializers.Constant(bias))(x)
    return keras.Model(image, layers.Dense(4, activation="softmax")(x))


@every_backend
def test_on_a_linear_model_the_epsilon_rule_is_gradient_times_input() -> None:
    clf = fm.Classifier(linear_model())
    x = images()
    found = LRP(rule="epsilon", epsilon=0.0)(clf, x, fm.Top(2))
    gradients = clf.engine.gradients(x, fm.Top(2).resolve(lambda: None, 3, 3, clf.labels)).gradients
    wanted = (gradients * x[:, None]).sum(axis=-1)
    assert np.allclose(found.maps, wanted, atol=1e-4 * np.abs(wanted).max())


@every_backend
@pytest.mark.parametrize("fields", [{"rule": "epsilon"}, {"composite": "epsilon_plus"}], ids=str)
def test_relevance_sums_to_the_score_where_there_are_no_biases(fields: dict[str, Any]) -> None:
    clf = fm.Classifier(relu_model())
    found = LRP(**fields)(clf, images(), fm.Top(4))
    assert np.allclose(found.maps.sum(axis=(2, 3)), found.scores, rtol=2e-3, atol=1e-4)
    assert np.allclose(found.provenance["relevance_sum"], found.maps.sum(axis=(2, 3)), atol=1e-4)


def test_alpha_beta_keeps_the_sum_where_every_unit_has_contributions_of_both_signs() -> None:
    steps = [layers.Conv2D(6, 3, use_bias=False, activation="relu"), layers.GlobalAveragePooling2D()]
    clf = fm.Classifier(model_of(*steps, layers.Dense(3, use_bias=False)))
    found = LRP(composite="epsilon_alpha2_beta1")(clf, images(), fm.Top(3))
    assert (found.maps < 0).any()
    assert np.allclose(found.maps.sum(axis=(2, 3)), found.scores, rtol=2e-3, atol=1e-4)


def test_biases_take_their_share_unless_left_out() -> None:
    clf = fm.Classifier(relu_model(bias=0.2))
    with_bias = LRP(composite="epsilon_plus")(clf, images())
    without = LRP(composite="epsilon_plus", bias=False)(clf, images())
    assert np.allclose(without.maps.sum(axis=(2, 3)), without.scores, rtol=2e-3, atol=1e-4)
    assert not np.allclose(with_bias.maps.sum(axis=(2, 3)), with_bias.scores, rtol=0.05)


def test_scores_are_the_models_own() -> None:
    model = relu_model(bias=0.2)
    clf = fm.Classifier(model)
    before = np.asarray(keras.ops.convert_to_numpy(model(images(), training=False)))
    found = LRP()(clf, images())
    assert np.allclose(found.scores[:, 0], clf.predict(images()).scores.max(axis=1), atol=1e-5)
    assert np.array_equal(before, np.asarray(keras.ops.convert_to_numpy(model(images(), training=False))))


@every_backend
def test_rules_of_one_dense_layer_have_their_closed_forms() -> None:
    model = model_of(layers.Flatten(), layers.Dense(3, bias_initializer="ones"))
    clf = fm.Classifier(model)
    x = images(1)
    kernel, bias = (np.asarray(keras.ops.convert_to_numpy(v)) for v in model.layers[-1].weights)
    z = x.reshape(-1, 1) * kernel
    score = z.sum(axis=0) + bias
    plus, minus = np.maximum(z, 0), np.minimum(z, 0)
    for_, against = plus / (plus.sum(axis=0) + np.maximum(bias, 0)), minus / minus.sum(axis=0)
    forms = {
        "epsilon": z / (z.sum(axis=0) + bias) * score,
        "z_plus": for_ * score,
        "alpha_beta": (3 * for_ - 2 * against) * score,
    }
    for rule, form in forms.items():
        found = LRP(rule=rule, alpha=3.0)(clf, x, [0, 1, 2]).maps[0]
        assert np.allclose(found, form.T.reshape(3, *SHAPE).sum(axis=-1), atol=1e-4), rule


def test_flat_shares_equally_among_the_pixels_that_are_seen() -> None:
    clf = fm.Classifier(model_of(layers.Conv2D(2, 3, use_bias=False), layers.Flatten(), layers.Dense(1)))
    flat = LRP()(clf, np.zeros((1, *SHAPE), np.float32) + images(1), 0)
    assert flat.maps[0, 0, 0, 0] != 0
    one = LRP()(fm.Classifier(model_of(layers.Flatten(), layers.Dense(2))), images(1), 0)
    assert np.allclose(one.maps, one.scores[0, 0] / (SHAPE[0] * SHAPE[1]), rtol=1e-4)


def test_rescaling_and_normalising_within_the_model_change_no_relevance() -> None:
    steps = [layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    inner = model_of(*steps)
    x = images()
    outer = keras.Sequential([keras.Input(SHAPE), layers.Rescaling(0.5, -1.0), inner])
    expected = LRP(rule="z_plus")(fm.Classifier(inner), x * 0.5 - 1, 0).maps
    assert np.allclose(LRP(rule="z_plus")(fm.Classifier(outer), x, 0).maps, expected, atol=1e-6)


@every_backend
def test_batch_normalisation_is_merged_into_the_layer_before_it() -> None:
    x = images()
    norm, conv = layers.BatchNormalization(), layers.Conv2D(4, 3)
    apart = model_of(conv, norm, layers.ReLU(), layers.GlobalAveragePooling2D(), layers.Dense(3))
    rng = np.random.default_rng(0)
    norm.set_weights([rng.normal(size=4), *rng.normal(size=(2, 4)), rng.uniform(0.5, 2, 4)])
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    merged = keras.models.clone_model(apart)
    merged.set_weights(apart.get_weights())
    kernel, bias = conv.get_weights()
    merged.layers[0].set_weights([kernel * scale, (bias - mean) * scale + beta])
    merged.layers[1].set_weights([np.full(4, np.sqrt(1 + norm.epsilon)), np.zeros(4), np.zeros(4), np.ones(4)])
    for composite in COMPOSITES if keras.backend.backend() == "tensorflow" else ["epsilon_plus_flat"]:
        two = [LRP(composite=composite)(fm.Classifier(model), x, 1).maps for model in (apart, merged)]
        assert np.allclose(*two, atol=1e-5 * max(1.0, np.abs(two[0]).max())), composite


@pytest.mark.parametrize("activation", ["relu6", "silu", "gelu", "tanh", "elu"])
def test_activations_pass_relevance_on(activation: str) -> None:
    plain = {"use_bias": False}
    clf = fm.Classifier(
        model_of(
            layers.Conv2D(4, 3, **plain), layers.Activation(activation), layers.Flatten(), layers.Dense(2, **plain)
        )
    )
    found = LRP(rule="epsilon")(clf, 3 * images(), 0)
    assert np.allclose(found.maps.sum(axis=(2, 3)), found.scores, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "changed",
    [{"composite": "epsilon_plus"}, {"rule": "epsilon"}, {"epsilon": 0.5}, {"bias": False}],
    ids=str,
)
def test_every_field_changes_the_map(changed: dict[str, Any]) -> None:
    clf = fm.Classifier(relu_model(bias=0.2))
    assert not np.allclose(LRP()(clf, images()).maps, LRP(**changed)(clf, images()).maps, rtol=1e-3)


def test_alpha_changes_the_map_of_its_rule() -> None:
    clf = fm.Classifier(relu_model())
    two, one, plus = (
        LRP(**fields)(clf, images()).maps
        for fields in ({"rule": "alpha_beta"}, {"rule": "alpha_beta", "alpha": 1.0}, {"rule": "z_plus"})
    )
    assert np.allclose(one, plus, atol=1e-6)
    assert not np.allclose(one, two, rtol=1e-2)


def test_a_batch_equals_its_images_one_by_one() -> None:
    clf = fm.Classifier(relu_model(bias=0.2), batch_size=2)
    together = LRP()(clf, images(), fm.Top(2)).maps
    for index, image in enumerate(images()):
        assert np.allclose(LRP()(clf, image, fm.Top(2)).maps[0], together[index], atol=1e-5)


@pytest.mark.parametrize("channels", [1, 13])
def test_any_number_of_channels(channels: int) -> None:
    shape = (8, 6, channels)
    clf = fm.Classifier(model_of(layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2), shape=shape))
    assert LRP()(clf, images(2, shape)).maps.shape == (2, 1, 8, 6)


def test_the_twins_of_the_parity_table_are_finite_and_kept() -> None:
    for name in ("vgg", "resnet"):
        clf = fm.Classifier(relevance_nets.keras_net(name))
        found = LRP(composite="epsilon_plus", bias=False)(clf, relevance_nets.images(), [0, 1])
        assert np.allclose(found.maps.sum(axis=(2, 3)), found.scores, rtol=1e-2, atol=1e-3)


def test_a_layer_without_a_rule_is_named() -> None:
    clf = fm.Classifier(model_of(layers.LayerNormalization(name="norm"), layers.Flatten(), layers.Dense(2)))
    with pytest.raises(LayerError) as error:
        LRP()(clf, images(1))
    assert str(error.value) == (
        "layer 'norm' (LayerNormalization): LRP has no rule for it; use a gradient method (IntegratedGradients)"
    )


def test_products_of_two_maps_are_refused() -> None:
    image = keras.Input(SHAPE)
    x = layers.Conv2D(3, 3, padding="same")(image)
    x = layers.Multiply(name="gate")([x, x])
    clf = fm.Classifier(keras.Model(image, layers.Dense(2)(layers.Flatten()(x))))
    with pytest.raises(LayerError, match=r"layer 'gate' .Multiply.: LRP has no rule for it"):
        LRP()(clf, images(1))


class Hidden(keras.Model):
    """Squares between its layers, where nobody sees it."""

    def __init__(self) -> None:
        super().__init__(name="hidden")
        self.first, self.flat, self.last = layers.Conv2D(2, 3), layers.Flatten(name="flat"), layers.Dense(2)

    def call(self, x: Any) -> Any:
        return self.last(self.flat(keras.ops.square(self.first(x))))


@every_backend
def test_a_step_that_is_no_layer_is_noticed() -> None:
    with pytest.raises(LayerError) as error:
        LRP()(fm.Classifier(Hidden()), images(1))
    assert str(error.value) == (
        "layer 'flat' comes from a step that is none: LRP goes from layer to layer; make that step a layer, "
        "or preprocess= outside"
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"composite": "epsilon_pluss"}, "unknown composite 'epsilon_pluss'"),
        ({"rule": "zplus"}, "unknown rule 'zplus'"),
        ({"epsilon": -1.0}, "epsilon=-1.0: expected a number of 0 or more"),
        ({"alpha": 0.5}, "alpha=0.5: expected a number of 1 or more (beta is alpha - 1)"),
    ],
)
def test_fields_out_of_range_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldmarkError) as error:
        LRP(**fields)
    assert str(error.value).startswith(message)
