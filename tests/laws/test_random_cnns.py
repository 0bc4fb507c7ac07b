"""Laws that hold for any convolutional classifier, on networks made up by Hypothesis.

CI takes the same few examples every time; FIELDMARK_EXAMPLES=300 tries that many new ones.
"""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import fieldmark as fm
from fieldmark.errors import FieldmarkError
from fieldmark.targets import Resolved, Rule
from tests.support import explainers, random_cnns
from tests.support.random_cnns import Plan, plans

pytestmark = pytest.mark.every_backend

MANY = int(os.environ.get("FIELDMARK_EXAMPLES", 0))
FEW = {"tensorflow": 10, "jax": 4, "torch": 6}[keras.backend.backend()]
MAY_REFUSE = {"CAM", "LRP", "GuidedBackprop"}  # they ask for a head or for layers that not every network has
examples = settings(
    max_examples=MANY or FEW,
    derandomize=not MANY,
    deadline=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.generate],  # a plan is short as it is; making it smaller takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, as a share of the largest value."""
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / max(1e-3, float(np.abs(expected).max())))


@examples
@given(plans(), st.sampled_from(explainers.ALL))
def test_laws_of_any_network(plan: Plan, explainer: Any) -> None:
    model, body = random_cnns.build(plan)
    x = random_cnns.images(plan)
    before = random_cnns.state(model)
    clf = fm.Classifier(model, batch_size=4)
    scores = the_scores_are_the_models_own(clf, model, body, x, plan)
    grad_cam_is_its_definition(clf, model, x, scores, plan)
    any_explainer_keeps_its_promises(clf, explainer, x, plan)
    np.testing.assert_equal(random_cnns.state(model), before)


def the_scores_are_the_models_own(clf: fm.Classifier, model: Any, body: Any, x: np.ndarray, plan: Plan) -> np.ndarray:
    logits, found = random_cnns.logits(model, body, x), clf.predict(x)
    expected = np.concatenate([-logits, logits], axis=1) if plan.head == "one sigmoid" else logits
    assert relative(found.scores, expected) < 1e-3
    raw = random_cnns.models.numpy(model(x, training=False))
    if plan.head in ("softmax", "softmax layer", "sigmoid"):
        np.testing.assert_allclose(found.probabilities, raw, atol=1e-3)
    elif plan.head == "one sigmoid":
        np.testing.assert_allclose(found.probabilities[:, 1:], raw, atol=1e-3)
    return found.scores


def grad_cam_is_its_definition(clf: fm.Classifier, model: Any, x: np.ndarray, scores: np.ndarray, plan: Plan) -> None:
    """Put back, the layer's own output gives the scores; the slope along each map is the gradient that weighs it."""
    layer, reason = clf.choose_layer()
    engine, target = clf.engine, int(scores[0].argmax())
    maps = engine.activations(x, layer)
    assert relative(engine.scores_from(layer, maps, x), scores) < 1e-3, reason
    att = fm.GradCAM(relu=False)(clf, x, target=target)
    assert att.maps.shape[2:] == maps.shape[1:-1]
    weights = np.zeros((len(x), 1, scores.shape[1]), np.float32)
    weights[:, 0, target] = 1
    gradients = engine.gradients(x, Resolved(Rule("given"), weights), at=layer).gradients[:, 0]
    expected = np.einsum("nhwc,nc->nhw", maps, gradients.mean(axis=(1, 2)))
    np.testing.assert_allclose(att.maps[:, 0], expected, atol=1e-5 * max(1, np.abs(expected).max()))
    np.testing.assert_allclose(fm.GradCAM()(clf, x, target=target).maps, np.maximum(att.maps, 0), atol=1e-6)
    if not plan.smooth:
        return
    step = 3e-3 * max(1e-3, float(np.abs(maps).max()))
    direction = np.random.default_rng(plan.seed).normal(size=maps.shape).astype(np.float32)
    ends = [engine.scores_from(layer, maps + sign * step * direction, x)[:, target] for sign in (1, -1)]
    slope = (ends[0] - ends[1]) / (2 * step)
    along = (gradients * direction).sum(axis=(1, 2, 3))
    size = np.sqrt((gradients**2).sum(axis=(1, 2, 3)) * direction[0].size) + 1e-3
    assert np.abs(slope - along).max() < 0.02 * size.max() + 2e-6 * np.abs(scores).max() / step


def explained_or_refused(clf: fm.Classifier, explainer: Any, x: np.ndarray) -> fm.Attribution | str:
    try:
        return explainer(clf, x, target=0)
    except FieldmarkError as refusal:
        return str(refusal)


def any_explainer_keeps_its_promises(clf: fm.Classifier, explainer: Any, x: np.ndarray, plan: Plan) -> None:
    name = type(explainer).__name__
    att = explained_or_refused(clf, explainer, x)
    if isinstance(att, str):
        assert name in MAY_REFUSE, att
        assert "\n" not in att
        return
    assert np.isfinite(att.maps).all()
    assert att.maps.shape[0] == len(x)
    assert att.maps.any() or att.warnings
    assert att.resized().shape[2:] == x.shape[1:3]
    if type(explainer).needs_layer:
        wanted = next(each.shape[:2] for each in clf.layers() if each.name == att.provenance["layer"])
        assert att.maps.shape[2:] == tuple(wanted)
    alone = explainer(clf, x[:1], target=0)
    if name != "ActivationMaximisation":  # a long ascent multiplies the rounding of its steps
        np.testing.assert_allclose(alone.maps[0], att.maps[0], atol=1e-4 * max(1, np.abs(att.maps).max()))


def test_the_made_up_networks_are_of_many_kinds() -> None:
    """So that the laws are not shown on one network a hundred times."""
    found: list[Plan] = []

    @settings(max_examples=200, derandomize=True, database=None)
    @given(plans())
    def collect(plan: Plan) -> None:
        found.append(plan)

    collect()
    assert {plan.head for plan in found} == set(random_cnns.HEADS)
    assert {block[0] for plan in found for block in plan.blocks} == set(random_cnns.BLOCKS)
    assert {plan.channels for plan in found} == {1, 2, 3, 4, 13}
