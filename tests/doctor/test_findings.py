"""Every finding: a model or images where it is made, and the same without the fault, where it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import fieldmark as fm
from fieldmark.classifier.preprocessing import PREPROCESS, to_unit
from fieldmark.doctor import Diagnosis, examine
from tests.doctor.networks import CLASSES, SHAPE, images, network

Case = Callable[[], Diagnosis]


def look(model: Any, given: Any = None, preprocess: Any = None, costs: bool = False) -> Diagnosis:
    clf = fm.Classifier(model, preprocess=preprocess)
    return examine(clf, images() if given is None else given, costs=costs)


def codes(found: Diagnosis) -> set[str]:
    return {finding.code for finding in found.findings}


def brief(model: Any, given: Any = None, **options: Any) -> Diagnosis:
    return examine(fm.Classifier(model, **options), images() if given is None else given, brief=True)


def scaled(fed_small: bool) -> Diagnosis:
    model = network(layers.Rescaling(1 / 255, name="scaled"), norm=False)
    return look(model, preprocess="0-1" if fed_small else None)


def scaled_floats(divided: bool) -> Diagnosis:
    given = images().astype(np.float32)
    return look(network(layers.Rescaling(1 / 255), norm=False), given / 255 if divided else given)


def standardised(fed_large: bool) -> Diagnosis:
    model = network(layers.Normalization(mean=[0.5] * 3, variance=[0.06] * 3), norm=False)
    return look(model, preprocess=None if fed_large else "0-1")


def nan_weights(broken: bool) -> Diagnosis:
    model = network(trained_on=to_unit)
    if broken:
        final = model.get_layer("final")
        final.set_weights([np.full_like(weight, np.nan) for weight in final.get_weights()])
    return look(model, preprocess="0-1")


def hidden_softmax(hidden: bool) -> Diagnosis:
    inputs = keras.Input(SHAPE)
    scores = network(trained_on=to_unit, activation=None)(inputs)
    shown = keras.ops.exp(scores) / keras.ops.sum(keras.ops.exp(scores), axis=1, keepdims=True) if hidden else scores
    return brief(keras.Model(inputs, shown), preprocess="0-1")


def same_answer(blind: bool) -> Diagnosis:
    model = network(trained_on=to_unit)
    if blind:
        kernel, bias = model.get_layer("conv2").get_weights()
        model.get_layer("conv2").set_weights([kernel * 0, bias + 1])
    return brief(model, preprocess="0-1")


def sure(gain: float, scores: str) -> Diagnosis:
    return brief(network(trained_on=to_unit, gain=gain), preprocess="0-1", scores=scores)


def dead_channels(dead: int) -> Diagnosis:
    model = network(trained_on=to_unit)
    kernel, bias = model.get_layer("conv2").get_weights()
    bias[:dead] = -1000
    model.get_layer("conv2").set_weights([kernel, bias])
    return look(model, preprocess="0-1")


def stopped(where: str) -> Diagnosis:
    class Stop(layers.Layer):
        def call(self, x: Any) -> Any:
            return keras.ops.stop_gradient(x)

    inputs = keras.Input(SHAPE)
    value = layers.Conv2D(4, 3, activation="relu", name="conv1")(inputs)
    value = Stop()(value) if where == "before" else value
    value = layers.Conv2D(6, 3, activation="relu", bias_initializer="ones", name="conv2")(value)
    value = layers.GlobalAveragePooling2D()(value)
    value = Stop()(value) if where == "after" else value
    return look(keras.Model(inputs, layers.Dense(CLASSES)(value)), images().astype(np.float32) / 255, costs=True)


def square_root(bent: bool) -> Diagnosis:
    """A gradient that is infinite where a channel is zero."""
    inputs = keras.Input(SHAPE)
    value = layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    value = layers.GlobalAveragePooling2D()(keras.ops.sqrt(value) if bent else value)
    return look(keras.Model(inputs, layers.Dense(CLASSES)(value)), images().astype(np.float32) / 255, costs=True)


def flattened(spatial: bool) -> Diagnosis:
    before = [layers.Conv2D(4, 3)] if spatial else []
    model = keras.Sequential([layers.Input(SHAPE), *before, layers.Flatten(), layers.Dense(CLASSES)])
    return look(model, images().astype(np.float32) / 255)


def means(x: np.ndarray) -> np.ndarray:
    return x.mean(axis=(1, 2))


FIRES: dict[str, tuple[str, Case, Case]] = {
    "an outer 0-1 before an embedded Rescaling": ("scaled-twice", lambda: scaled(True), lambda: scaled(False)),
    "floats of 0 to 1 into an embedded Rescaling": (
        "scaled-twice",
        lambda: scaled_floats(True),
        lambda: scaled_floats(False),
    ),
    "pixels into a Normalization made for 0 to 1": (
        "not-scaled",
        lambda: standardised(True),
        lambda: standardised(False),
    ),
    "pixels where 0 to 1 was trained": (
        "preprocessing",
        lambda: look(network(trained_on=to_unit)),
        lambda: look(network(trained_on=to_unit), preprocess="0-1"),
    ),
    "images unlike any training": (
        "unlike-training",
        lambda: look(network(trained_on=lambda x: x * 30), preprocess="0-1"),
        lambda: look(network(trained_on=lambda x: x), None),
    ),
    "pixels into weights that tell nothing": (
        "unscaled",
        lambda: look(network(norm=False)),
        lambda: look(network(norm=False), preprocess="0-1"),
    ),
    "batch-norms that never saw an image": (
        "untrained",
        lambda: brief(network()),
        lambda: brief(network(trained_on=to_unit)),
    ),
    "NaN weights": ("not-finite", lambda: nan_weights(True), lambda: nan_weights(False)),
    "a softmax by hand": ("softmax-hidden", lambda: hidden_softmax(True), lambda: hidden_softmax(False)),
    "the same answer for all images": ("constant", lambda: same_answer(True), lambda: same_answer(False)),
    "a saturated softmax": ("saturated", lambda: sure(1e5, "logits"), lambda: sure(1.0, "logits")),
    "a layer of dead channels": ("dead-layer", lambda: dead_channels(11), lambda: dead_channels(2)),
    "dead ReLUs": ("dead-relus", lambda: dead_channels(12), lambda: dead_channels(2)),
    "no gradient at the layer": ("layer-unreached", lambda: stopped("after"), lambda: stopped("")),
    "no gradient at the input": ("input-unreached", lambda: stopped("before"), lambda: stopped("")),
    "an infinite gradient": ("gradient-not-finite", lambda: square_root(True), lambda: square_root(False)),
    "no feature map": ("no-layer", lambda: flattened(False), lambda: flattened(True)),
    "a bare function": ("prediction-only", lambda: look(means), lambda: flattened(True)),
}


@pytest.mark.parametrize("case", FIRES)
def test_a_finding_is_made_where_it_should(case: str) -> None:
    code, fault, _ = FIRES[case]
    found = fault()
    (finding,) = [each for each in found.findings if each.code == code]
    assert finding.advice.endswith(".")
    assert " ".join(finding.text.split()) in " ".join(str(found).split())


@pytest.mark.parametrize("case", FIRES)
def test_a_finding_is_not_made_without_the_fault(case: str) -> None:
    code, _, sound = FIRES[case]
    assert code not in codes(sound())


def test_every_code_has_its_case() -> None:
    from pathlib import Path

    import fieldmark.doctor.findings as source

    text = Path(source.__file__).read_text(encoding="utf-8")
    listed = {line.strip().strip('",') for line in text.splitlines() if line.strip().startswith('"')}
    made = {word for word in listed if word and " " not in word and word.islower()}
    assert made == {code for code, _, _ in FIRES.values()}


def test_saturation_is_a_warning_only_where_probabilities_are_explained() -> None:
    levels = {scores: [f.level for f in sure(1e5, scores).findings] for scores in ("logits", "probabilities")}
    assert levels == {"logits": ["note"], "probabilities": ["warning"]}


@pytest.mark.parametrize(
    ("right", "wrong"), [("none", "0-1"), ("0-1", "none"), ("-1-1", "none"), ("imagenet", "0-1"), ("caffe", "imagenet")]
)
def test_the_right_preprocessing_is_named(right: str, wrong: str) -> None:
    model = network(trained_on=PREPROCESS[right] or (lambda x: x))
    (named,) = [finding for finding in look(model, preprocess=wrong).findings if finding.code == "preprocessing"]
    assert f"with {right} they are near it" in named.text
    assert f"--preprocess {right}" in look(model, preprocess=wrong).next_steps[0][1]
    assert "preprocessing" not in codes(look(model, preprocess=right))


def test_a_model_that_was_trained_with_both_scalings_is_left_alone() -> None:
    rescaling = layers.Rescaling(1 / 255)
    assert codes(look(network(rescaling, trained_on=to_unit), preprocess="0-1")) == set()
    assert "scaled-twice" in codes(look(network(layers.Rescaling(1 / 255), trained_on=lambda x: x), preprocess="0-1"))
