"""The measures of `fieldmark.trust` beside those of Quantus, xplique and captum: the same maps, the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.trust.faithfulness import mufidelity
from fieldmark.trust.hiding import Drawn, measure
from fieldmark.trust.imputation import impute
from fieldmark.trust.planner import Scene, class_values
from fieldmark.trust.stability import entropy, gini, max_sensitivity
from fieldmark.trust.statistics import spearman
from tests.parity.peer_trust import SIDE, STEPS, holes, images, kernel, labels, maps, moved

SCRIPT = "peer_trust.py"


def network(batch: np.ndarray) -> np.ndarray:
    return np.asarray(batch.reshape(len(batch), -1) @ kernel())


network.input_shape = (SIDE, SIDE, 3)  # type: ignore[attr-defined]


def test_imputation_equals_that_of_quantus(recorded: Any) -> None:
    found = impute(images(), holes(), close=1e-7, sweeps=5000)
    assert np.allclose(found, recorded(SCRIPT, "quantus")["imputed"], atol=1e-4)


def test_gini_entropy_and_rank_correlation_equal_those_of_quantus(recorded: Any) -> None:
    peer = recorded(SCRIPT, "quantus")
    assert np.allclose(gini(maps()), peer["gini"], atol=1e-6)  # the peer adds 1e-7 to every pixel
    assert np.allclose(entropy(np.abs(maps())), peer["entropy"], atol=1e-9)
    flat = maps().reshape(5, -1)
    assert np.allclose(spearman(flat, np.roll(flat, 1, axis=0)), peer["spearman"], atol=1e-9)


@pytest.mark.parametrize("key", ["deletion", "insertion"])
def test_insertion_and_deletion_equal_those_of_xplique(recorded: Any, key: str) -> None:
    classifier, found = fm.Classifier(network), []
    fill = {name: np.full((SIDE, SIDE, 3), 0.25, np.float32) for name in ("blur", "mean")}
    for image, each, label in zip(images(), maps(), labels(), strict=True):
        whole = class_values(classifier, network(image[None]), int(label))[0]
        scene = Scene(
            classifier, image, fill, np.zeros((SIDE, SIDE), int), (SIDE, SIDE), int(label), (whole[0], whole[1])
        )
        drawn = {"it": Drawn(each.ravel(), np.zeros(1))}
        values = measure(scene, drawn, np.ones((1, 1), bool), np.zeros(SIDE * SIDE), set(), STEPS)[0]["it"]
        assert values[f"{key}_blur"] == values[f"{key}_mean"]
        found.append(values[f"{key}_mean"])
    assert np.allclose(found, recorded(SCRIPT, "xplique")[key], atol=1e-5)


def test_mufidelity_equals_that_of_xplique_on_its_sets(recorded: Any) -> None:
    peer = recorded(SCRIPT, "xplique")
    rows = zip(images(), maps(), labels(), peer["masks"], peer["mufidelity"], strict=True)
    for image, each, label, masks, theirs in rows:
        covered = image[None] * masks[..., None] + 0.25 * (1 - masks[..., None])
        losses = network(image[None])[:, label] - network(covered)[:, label]
        sums = (each[None] * (1 - masks)).sum(axis=(1, 2))
        assert mufidelity(sums, losses) == pytest.approx(theirs, abs=1e-6)


def test_max_sensitivity_equals_that_of_captum(recorded: Any) -> None:
    assert np.allclose(max_sensitivity(maps(), moved()), recorded(SCRIPT, "captum")["max_sensitivity"], atol=1e-6)


def test_a_wrong_number_would_be_noticed(recorded: Any) -> None:
    peer = recorded(SCRIPT, "quantus")
    assert not np.allclose(gini(np.square(maps())), peer["gini"], atol=1e-2)
    assert not np.allclose(impute(images(), ~holes()), peer["imputed"], atol=1e-1)
