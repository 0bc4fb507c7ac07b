"""SmoothGrad, SquareGrad and VarGrad: around nothing, around anything, and what their noise is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.errors import FieldmarkError
from fieldmark.explainers.contract import Job
from fieldmark.explainers.smoothing import Cloud
from fieldmark.targets import Predicted
from tests.support import linear, models

every_backend = pytest.mark.every_backend  # the laws; the rest is the same arithmetic on any of them

WRAPPERS = [fm.SmoothGrad, fm.SquareGrad, fm.VarGrad]
INNER = [
    fm.Gradients(),
    fm.Gradients(channels="sum"),
    fm.GradientTimesInput(),
    fm.GuidedBackprop(),
    fm.IntegratedGradients(steps=3),
    fm.ExpectedGradients(samples=3),
    fm.GradCAM(),
]


@pytest.fixture(scope="module")
def known() -> models.Known:
    return models.functional()


@pytest.fixture(scope="module")
def clf(known: models.Known) -> fm.Classifier:
    return fm.Classifier(known.model, batch_size=8)


@dataclass(frozen=True, kw_only=True)
class Brightness:
    """An explainer whose map is the image, channels added up: its statistics under noise are known."""

    summary: ClassVar[str] = "The image."
    needs_layer: ClassVar[bool] = False

    def __call__(self, classifier: fm.Classifier, images: Any, target: Any = Predicted()) -> fm.Attribution:  # noqa: B008
        job = Job.begin(classifier, images, target)
        found = classifier.engine.gradients(job.x, job.target)
        maps = np.broadcast_to(job.images.sum(axis=-1)[:, None], (*found.weights.shape[:2], *job.x.shape[1:3]))
        return job.attribution(self, maps, found.scores, found.weights, signed=True)


def copies(cloud: Cloud, value: np.ndarray) -> np.ndarray:
    return np.stack([copy for copy, _, _ in cloud.draw(0, value)])


@pytest.mark.parametrize("inner", INNER, ids=repr)
@pytest.mark.parametrize("average", ["gradients", "maps"])
def test_one_sample_without_noise_is_the_inner_explainer(
    clf: Any, known: models.Known, inner: Any, average: str
) -> None:
    images = known.images(2)
    plain = inner(clf, images, fm.Top(2))
    smooth = fm.SmoothGrad(inner=inner, samples=1, noise=0.0, average=average)(clf, images, fm.Top(2))
    np.testing.assert_allclose(smooth.maps, plain.maps, atol=1e-6)
    np.testing.assert_allclose(smooth.scores, plain.scores, atol=1e-5)
    assert smooth.targets == plain.targets
    assert smooth.signed == plain.signed
    assert smooth.provenance["layer"] == plain.provenance["layer"]
    square = fm.SquareGrad(inner=inner, samples=1, noise=0.0, average="maps")(clf, images, fm.Top(2))
    np.testing.assert_allclose(square.maps, plain.maps**2, atol=1e-6)
    spread = fm.VarGrad(inner=inner, samples=2, noise=0.0, average=average)(clf, images, fm.Top(2))
    np.testing.assert_allclose(spread.maps, 0, atol=1e-6)


@every_backend
@pytest.mark.parametrize("channels", ["max", "l2", "sum"])
def test_around_gradients_the_signed_gradients_are_averaged_first(clf: Any, known: models.Known, channels: str) -> None:
    image, target = known.images(1), fm.Class(2)
    cloud = Cloud(6, 0.3, True, 0)
    noisy = clf.engine.gradients(copies(cloud, image[0]), Job.begin(clf, np.repeat(image, 6, 0), target).target)
    gradients = noisy.gradients[:, 0].astype(np.float64)
    options = {"inner": fm.Gradients(channels=channels), "samples": 6, "noise": 0.3, "antithetic": True}
    join = linear.JOINED[channels]
    mean, square = gradients.mean(axis=0), (gradients**2).mean(axis=0)
    for explainer, expected in (
        (fm.SmoothGrad(**options), join(mean)),
        (fm.SquareGrad(**options), join(square)),
        (fm.VarGrad(**options), join(square - mean**2)),
        (fm.SmoothGrad(average="maps", **options), np.mean([join(each) for each in gradients], axis=0)),
        (fm.SquareGrad(average="maps", **options), np.mean([join(each) ** 2 for each in gradients], axis=0)),
        (fm.VarGrad(average="maps", **options), np.var([join(each) for each in gradients], axis=0)),
    ):
        maps = explainer(clf, image, target).maps[0, 0]
        np.testing.assert_allclose(maps, expected, atol=1e-4 * np.abs(expected).max(), err_msg=repr(explainer))


@every_backend
def test_on_a_linear_model_noise_changes_nothing() -> None:
    clf, weights, images = linear.model()
    expected = np.abs(np.moveaxis(weights[..., [0, 2]], -1, 0)).max(axis=-1)
    for explainer, wanted in ((fm.SmoothGrad(), expected), (fm.SquareGrad(), expected**2), (fm.VarGrad(), 0)):
        maps = explainer(clf, images, [0, 2]).maps
        np.testing.assert_allclose(maps, np.broadcast_to(wanted, maps.shape), atol=1e-4)


@every_backend
def test_the_target_is_that_of_the_image_itself_for_all_its_copies(clf: Any, known: models.Known) -> None:
    image = known.images(1)
    chosen = clf.predict(image).top(1)[0][0][0]
    for inner in (fm.Gradients(), fm.GradCAM()):
        wild = fm.SmoothGrad(inner=inner, samples=8, noise=3.0)
        np.testing.assert_array_equal(wild(clf, image).maps, wild(clf, image, chosen).maps)
    against = fm.Contrast(1)
    plain = fm.GradientTimesInput()(clf, image, against)
    smooth = fm.SmoothGrad(inner=fm.GradientTimesInput(), samples=1, noise=0.0)(clf, image, against)
    np.testing.assert_allclose(smooth.maps, plain.maps, atol=1e-6)


def test_noise_is_a_share_of_the_images_range_with_mean_zero() -> None:
    value = np.random.default_rng(0).uniform(-1, 7, size=(40, 30, 3)).astype(np.float32)
    noise = copies(Cloud(50, 0.2, False, 3), value) - value
    assert noise.std() == pytest.approx(0.2 * np.ptp(value), rel=0.02)
    assert np.abs(noise.mean(axis=(1, 2, 3))).max() < 0.2
    assert len({float(each[0, 0, 0]) for each in noise}) == 50


@pytest.mark.parametrize("samples", [1, 2, 5, 6])
def test_antithetic_noise_comes_in_pairs_that_cancel(samples: int) -> None:
    value = np.random.default_rng(0).uniform(size=(4, 3, 3)).astype(np.float32)
    noise = copies(Cloud(samples, 0.2, True, 0), value) - value
    assert len(noise) == samples
    for first in range(0, samples - 1, 2):
        np.testing.assert_allclose(noise[first], -noise[first + 1], atol=1e-6)
        assert np.abs(noise[first]).max() > 0.01


def test_what_is_odd_in_the_noise_cancels_with_antithetic_pairs_only(clf: Any, known: models.Known) -> None:
    image = known.images(1)
    plain = Brightness()(clf, image).maps
    options = {"inner": Brightness(), "samples": 4, "noise": 0.3}
    np.testing.assert_allclose(fm.SmoothGrad(**options)(clf, image).maps, plain, atol=1e-5)
    assert np.abs(fm.SmoothGrad(antithetic=False, **options)(clf, image).maps - plain).max() > 0.1


def test_vargrad_is_the_variance_of_the_noise_where_the_map_is_the_image(clf: Any, known: models.Known) -> None:
    image = known.images(1)
    made = fm.VarGrad(inner=Brightness(), samples=400, noise=0.1)(clf, image)
    assert made.maps.mean() == pytest.approx(3 * (0.1 * np.ptp(image)) ** 2, rel=0.05)  # three channels
    assert not made.signed


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("inner", [fm.Gradients(), fm.GradCAM(), fm.ExpectedGradients(samples=3)], ids=repr)
def test_a_batch_is_its_images_one_by_one_and_batches_may_have_any_size(
    known: models.Known, wrapper: Any, inner: Any
) -> None:
    images, explainer = known.images(3), wrapper(inner=inner, samples=5)
    whole = explainer(fm.Classifier(known.model, batch_size=16), images, fm.Top(2)).maps
    small = fm.Classifier(known.model, batch_size=3)
    np.testing.assert_allclose(explainer(small, images, fm.Top(2)).maps, whole, atol=1e-5)
    np.testing.assert_allclose(explainer(small, images[2], fm.Top(2)).maps[0], whole[2], atol=1e-5)


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize(
    "change",
    [{"samples": 7}, {"noise": 0.4}, {"seed": 1}, {"average": "maps"}, {"inner": fm.GradCAM()}, {"antithetic": None}],
)
def test_every_field_changes_the_map(clf: Any, known: models.Known, wrapper: Any, change: dict[str, Any]) -> None:
    images, usual = known.images(1), wrapper(samples=6)
    if "antithetic" in change:
        change = {"antithetic": not usual.antithetic}
    a, again = usual(clf, images), wrapper(samples=6)(clf, images)
    b = wrapper(**{"samples": 6, **change})(clf, images)
    np.testing.assert_array_equal(a.maps, again.maps)
    assert a.maps.shape != b.maps.shape or np.abs(a.maps - b.maps).max() > 1e-3 * np.abs(a.maps).max()
    assert a.provenance["parameters"] != b.provenance["parameters"]
    assert b.provenance["seed"] == change.get("seed", 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fm.SmoothGrad(samples=0), "samples=0: expected a whole number of 1 or more"),
        (lambda: fm.VarGrad(samples=1), "samples=1: expected a whole number of 2 or more"),
        (lambda: fm.SmoothGrad(noise=-0.1), "noise=-0.1: expected a number of 0 or more, a share of the image's range"),
        (lambda: fm.SquareGrad(average="both"), "average='both': expected one of gradients, maps"),
        (lambda: fm.SmoothGrad(seed=-1), "seed=-1: expected a whole number of 0 or more"),
        (
            lambda: fm.SmoothGrad(inner=3),
            "inner=3: expected an explainer, for example SmoothGrad(inner=Gradients())",
        ),
    ],
)
def test_fields_out_of_range_are_refused_in_one_line(make: Any, message: str) -> None:
    with pytest.raises(FieldmarkError) as caught:
        make()
    assert str(caught.value) == message


def test_an_inner_explainer_with_several_layers_is_refused(clf: Any, known: models.Known) -> None:
    inner = fm.GradCAM(layers=("conv1", "conv2"))
    with pytest.raises(FieldmarkError, match=r"^inner: expected an explainer that gives one map"):
        fm.SmoothGrad(inner=inner, samples=2)(clf, known.images(1))
