"""`fieldmark.trust` on a network that was trained: what is known comes out, what is broken stays with the dummies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.demo import sketchbirds
from fieldmark.trust import METRICS, Trust
from fieldmark.trust.metrics import FAMILIES
from fieldmark.trust.result import DUMMY, GROUPS
from tests.support.models import functional
from tests.trust.broken import Broken

INNER = {"Gradients": fm.Gradients(), "GradCAM": fm.GradCAM()}
BROKEN = {
    f"{how} {name}": Broken(inner=inner, how=how)
    for name, inner in INNER.items()
    for how in ("shifted", "flipped", "constant")
}
MADE_WRONG = {"nan": "its maps are not finite for any image", "refuses": "this model is not to its taste"}


@pytest.fixture(scope="module")
def birds() -> tuple[fm.Classifier, np.ndarray]:
    return sketchbirds.classifier(), sketchbirds.dataset("two", n_per_class=3, seed=5).images


@pytest.fixture(scope="module")
def found(birds: tuple[fm.Classifier, np.ndarray]) -> Trust:
    classifier, images = birds
    before = classifier.model.get_weights()
    real = {"GradCAM": fm.GradCAM(), "Gradients": fm.Gradients(), "GuidedBackprop": fm.GuidedBackprop()}
    seeded = {"SmoothGrad": fm.SmoothGrad(samples=4)}
    wrong = {how: Broken(inner=fm.Gradients(), how=how) for how in ("nan", "refuses", "sometimes infinite")}
    result: Trust = fm.trust(classifier, images, {**real, **seeded, **BROKEN, **wrong}, few=8)
    assert all(np.array_equal(a, b) for a, b in zip(before, classifier.model.get_weights(), strict=True))
    return result


def test_guided_backprop_outlives_the_weights_gradients_and_grad_cam_do_not(found: Trust) -> None:
    kept = {name: found[name].interval("randomisation").mean for name in ("GradCAM", "Gradients", "GuidedBackprop")}
    assert kept["GradCAM"] < 0.3
    assert kept["Gradients"] < 0.72
    assert kept["GuidedBackprop"] > 0.75
    assert "Avoid GuidedBackprop" in found.verdict
    assert "Avoid Grad" not in found.verdict
    assert all(found[dummy.name].cascade == pytest.approx([1.0] * len(found.stages)) for dummy in found.dummies)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_explainer_is_ranked_with_the_dummies(found: Trust, name: str) -> None:
    place = next(place for place in found.places if place.name == name)
    assert place.group == DUMMY
    assert place.not_beaten
    assert name in found.verdict.split("No better than a dummy: ")[1].split("). ")[0]


def test_a_blank_map_scores_as_the_random_map(found: Trust) -> None:
    blank, random = found["constant Gradients"].values, found["random map"].values
    for key in ("gap", "deletion_blur", "insertion_mean", "road"):
        assert np.array_equal(blank[key], random[key])
    assert found["constant Gradients"].interval("gini").mean == pytest.approx(0.0, abs=1e-6)
    assert any("same everywhere" in note for note in found["constant Gradients"].notes)


def test_the_opposite_map_has_the_opposite_gap(found: Trust) -> None:
    for key in ("gap", "road"):
        assert np.allclose(found["flipped Gradients"].values[key], -found["Gradients"].values[key], atol=1e-6)


def test_maps_that_are_not_finite_are_left_out_and_it_is_said(found: Trust) -> None:
    n = len(found)
    measured = np.isfinite(found["sometimes infinite"].values["gap"])
    assert 0 < measured.sum() < n
    assert np.array_equal(measured, np.isfinite(found["sometimes infinite"].values["gini"]))
    assert found["sometimes infinite"].notes[0] == f"{n - measured.sum()} of {n} maps are not finite and were left out"
    assert found.failed == MADE_WRONG
    assert "nan and refuses gave no map here." in found.verdict


def test_every_metric_is_measured_where_it_can_be_and_within_its_range(found: Trust) -> None:
    for each in found.judged:
        known = {metric.key for metric in METRICS} - ({"road_blurred"} if each.dummy else set())
        known -= set() if each.name in ("SmoothGrad", "random map") else {"seeds"}
        assert set(each.values) >= known - {"seeds"}
        for metric in METRICS:
            values = each.values.get(metric.key, np.array([]))
            values = values[np.isfinite(values)]
            assert metric.low is None or (values >= metric.low - 1e-6).all(), metric.key
            assert metric.high is None or (values <= metric.high + 1e-6).all(), metric.key
    assert found["SmoothGrad"].interval("seeds").n == 8
    assert found["GradCAM"].interval("seeds").n == 0
    assert found["GradCAM"].interval("passes").mean == pytest.approx(1, abs=0.1)
    assert found["Gradients"].interval("passes").mean == pytest.approx(2, abs=0.2)


def test_methods_of_a_kind_agree_and_the_matrix_is_that_of_the_names(found: Trust) -> None:
    names = [each.name for each in found.judged]
    at = {name: index for index, name in enumerate(names)}
    assert np.allclose(found.agreement, found.agreement.T, equal_nan=True)
    assert np.allclose(np.diag(found.agreement), 1)
    assert found.agreement[at["Gradients"], at["flipped Gradients"]] == pytest.approx(-1)
    assert found.agreement[at["Gradients"], at["SmoothGrad"]] > found.agreement[at["Gradients"], at["random map"]] + 0.2


def test_passes_are_shared_and_counted(found: Trust) -> None:
    judged, n = len(found.judged), len(found)
    assert found.passes.used < found.passes.apart / 2
    assert found.passes.apart > (judged - 1) * n * 64
    assert str(found.passes.used) in str(found)
    assert str(found.passes.apart) in str(found)


def test_places_come_best_first_and_the_dummies_equals_last(found: Trust) -> None:
    groups = [GROUPS.index(place.group) for place in found.places]
    assert groups == sorted(groups)
    assert {place.name for place in found.places} == {each.name for each in found.methods}
    for place in found.places:
        for other in place.ties:
            apart = found.difference(place.name, other)
            assert apart.low <= 0 <= apart.high


def test_the_result_is_saved_and_loaded_whole(found: Trust, tmp_path: Path) -> None:
    again = Trust.load(found.save(tmp_path / "trust.json"))
    assert again.to_dict() == found.to_dict()
    assert str(again) == str(found)
    told = json.loads((tmp_path / "trust.json").read_text())
    assert [metric["key"] for metric in told["metrics"]] == [metric.key for metric in METRICS]
    (tmp_path / "other.json").write_text('{"fieldmark trust": 7}')
    with pytest.raises(fm.FieldmarkError, match="expected format 1 of fieldmark trust, received 7"):
        Trust.load(tmp_path / "other.json")
    (tmp_path / "half.json").write_text((tmp_path / "trust.json").read_text()[:1000])
    with pytest.raises(fm.FieldmarkError, match=r"half\.json: no result of"):
        Trust.load(tmp_path / "half.json")
    with pytest.raises(fm.FieldmarkError, match="unknown method 'gradcam': did you mean 'GradCAM'"):
        found["gradcam"]


def test_the_same_seed_gives_the_same_result(birds: tuple[fm.Classifier, np.ndarray]) -> None:
    classifier, images = birds
    runs = [fm.trust(classifier, images[:3], [fm.GradCAM()], few=2, seed=seed) for seed in (0, 0, 1)]
    told = [json.dumps([each.values["mufidelity"].tolist() for each in run.judged]) for run in runs]
    assert told[0] == told[1] != told[2]


def test_one_image_says_that_nothing_is_sure(birds: tuple[fm.Classifier, np.ndarray]) -> None:
    classifier, images = birds
    one = fm.trust(classifier, images[0], [fm.GradCAM()])
    assert len(one) == 1
    assert np.isnan(one.places[0].gap.low)
    assert "How sure: not very, with 1 image; 20 or more would tell." in one.verdict
    assert one.notes[0] == "1 image: no intervals, so nothing is sure; give 20 or more different ones"
    assert "1 image:" in str(one).replace("\n", " ")


def test_two_classes_and_one_are_said_to_be_so() -> None:
    two = functional(outputs=2)
    result = fm.trust(fm.Classifier(two.model), two.images(3), [fm.Gradients()], target=0)
    assert any(note.startswith("two classes: class sensitivity compares with the only other") for note in result.notes)
    assert any("all images are explained as class 0" in note for note in result.notes)
    assert result["Gradients"].interval("class_sensitivity").n == 3  # against the other class, also if that is the best
    one = functional(activation=None, outputs=1)
    result = fm.trust(fm.Classifier(one.model), one.images(3), [fm.Gradients()])
    assert "one output that is no class: its value stands for a probability; no class sensitivity" in result.notes
    assert result["Gradients"].interval("class_sensitivity").n == 0


def test_a_function_is_measured_without_the_cascade() -> None:
    def network(images: np.ndarray) -> np.ndarray:
        return images.mean(axis=(1, 2))

    images = np.random.default_rng(0).uniform(size=(3, 12, 10, 3)).astype(np.float32)
    result = fm.trust(fm.Classifier(network), images, [fm.Occlusion(), fm.GradCAM()], few=2, cells=5)
    assert list(result.failed) == ["GradCAM"]
    assert "bare prediction function" in result.failed["GradCAM"]
    assert any(note.startswith("randomisation: not measured") for note in result.notes)
    assert result.settings["cells"] == [5, 5]
    assert result["Occlusion"].interval("randomisation").n == 0
    assert np.isfinite(result["Occlusion"].interval("gap").mean)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"explainers": []}, "explainers: expected at least one, such as fm.GradCAM(); received none"),
        ({"explainers": ["gradcam"]}, "explainers: expected such as fm.GradCAM(), received 'gradcam'"),
        ({"explainers": {"random map": fm.GradCAM()}}, "explainers: 'random map' is the name of a dummy"),
        ({"explainers": [fm.ActivationMaps()]}, "no method gave a map: ActivationMaps: it does not give one map"),
        ({"target": fm.Top(2)}, "target: expected Predicted() or one class"),
        ({"target": fm.Contrast(0, 1)}, "target: expected Predicted() or one class"),
        ({"steps": 1}, "steps=1: expected a whole number of 2 or more"),
        ({"images": np.zeros((0, 16, 12, 3), np.float32)}, "images"),
    ],
)
def test_bad_input_is_one_line(given: dict[str, Any], line: str) -> None:
    known = functional()
    options = {"images": known.images(2), "explainers": [fm.GradCAM()], **given}
    with pytest.raises(fm.FieldmarkError) as error:
        fm.trust(fm.Classifier(known.model), options.pop("images"), options.pop("explainers"), **options)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


def test_two_of_a_kind_are_numbered() -> None:
    known = functional()
    result = fm.trust(fm.Classifier(known.model), known.images(2), [fm.GradCAM(), fm.GradCAM(relu=False)], few=1)
    assert [each.name for each in result.methods] == ["GradCAM", "GradCAM (2)"]
    assert result["GradCAM (2)"].parameters["relu"] is False
    assert result["GradCAM"].parameters["layer"] == "conv2"


def test_metrics_are_complete_and_cited() -> None:
    keys = [metric.key for metric in METRICS]
    assert len(set(keys)) == len(keys)
    references = (Path(__file__).resolve().parents[2] / "docs" / "references.bib").read_text()
    for metric in METRICS:
        assert metric.family in FAMILIES
        assert metric.better in ("higher", "lower", "")
        assert all((metric.formula, metric.says, metric.pitfall))
        assert all("{" + key + "," in references for key in metric.citation), metric.key
