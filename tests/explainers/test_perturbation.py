"""What every gradient-free method must do, and the closed forms of those that cover patches and cells."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import fieldmark as fm
from fieldmark.errors import FieldmarkError, ImageError
from fieldmark.explainers.designs import even_pairs, kept_cells, latin_hypercube, paired_designs
from fieldmark.explainers.fills import fill_images, gaussian_blur
from fieldmark.explainers.global_sensitivity import dependence, jansen_design, jansen_totals
from fieldmark.explainers.occlusion import patch_corners, spread
from fieldmark.explainers.perturbation import grid_segments
from fieldmark.explainers.rise import enlarged_masks
from tests.support import linear, models

every_backend = pytest.mark.every_backend

SIZE = (12, 9)
METHODS = {
    "Occlusion": fm.Occlusion(patch=4, stride=2),
    "RISE": fm.RISE(samples=40, cells=3),
    "LIME": fm.LIME(samples=40, segments=9),
    "KernelSHAP": fm.KernelSHAP(samples=40, segments=9),
    "Sobol": fm.Sobol(samples=4, cells=3),
    "HSIC": fm.HSIC(samples=40, cells=3),
}
each_method = pytest.mark.parametrize("explain", METHODS.values(), ids=METHODS)


def weighed(channels: int = 3, classes: int = 3) -> tuple[Any, np.ndarray]:
    """A linear function of the pixels whose weights are 0 in the right third, and those weights."""
    weights = np.random.default_rng(0).normal(size=(*SIZE, channels, classes)).astype(np.float32)
    weights[:, 6:] = 0
    return lambda images: np.einsum("nhwc,hwck->nk", images, weights), weights


def curved(images: np.ndarray) -> np.ndarray:
    """Scores in which pixels act together."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    waves = np.sin(np.outer(np.arange(1, 4), np.arange(flat.shape[1]) + 1))
    return np.tanh(flat @ waves.T) * 3 + (flat @ waves[::-1].T) ** 2 / 50


def photographs(n: int = 3, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).random((n, *SIZE, channels)).astype(np.float32)


# All of them


@every_backend
@each_method
def test_a_batch_equals_its_images_one_by_one_whatever_the_batch_size(explain: Any) -> None:
    known = models.functional()
    images = known.images(3)
    together = explain(fm.Classifier(known.model, batch_size=16), images, [1, 5])
    assert together.maps.shape[:2] == (3, 2)
    assert together.maps.any()
    classifier = fm.Classifier(known.model, batch_size=7)
    for index in range(3):
        alone = explain(classifier, images[index], [1, 5])
        scale = np.abs(together.maps[index]).max()
        assert np.abs(alone.maps[0] - together.maps[index]).max() < 1e-4 * scale
        assert np.allclose(alone.scores, together.scores[index], atol=1e-5)


@each_method
def test_any_number_of_channels_and_bytes(explain: Any) -> None:
    for channels in (1, 13):
        found = explain(fm.Classifier(weighed(channels)[0]), photographs(2, channels), [0, 1])
        assert np.isfinite(found.maps).all()
    bytes_ = (photographs() * 255).astype(np.uint8)
    classifier = fm.Classifier(weighed()[0])
    assert np.allclose(explain(classifier, bytes_).maps, explain(classifier, bytes_.astype(np.float32)).maps)


@each_method
def test_the_fill_is_in_the_units_of_the_image_and_goes_through_preprocess(explain: Any) -> None:
    from dataclasses import replace

    images = (photographs() * 255).astype(np.uint8)
    plain = replace(explain, fill=0.5)(fm.Classifier(curved), images / np.float32(255))
    fed = replace(explain, fill=127.5)(fm.Classifier(curved, preprocess=lambda x: x / 255), images)
    assert np.allclose(plain.maps, fed.maps, atol=1e-4)


@each_method
def test_every_fill_makes_another_map(explain: Any) -> None:
    from dataclasses import replace

    classifier, images = fm.Classifier(curved), photographs(1)
    image = np.random.default_rng(5).random((*SIZE, 3)).astype(np.float32)
    maps = [replace(explain, fill=fill)(classifier, images).maps for fill in (0, (0, 1, 0), "mean", "blur", image)]
    for index, one in enumerate(maps):
        for other in maps[:index]:
            assert not np.allclose(one, other, atol=1e-3 * np.abs(one).max())


@each_method
def test_the_provenance_counts_what_the_model_was_shown(explain: Any) -> None:
    shown = []

    def counting(images: np.ndarray) -> np.ndarray:
        shown.append(len(images))
        return weighed()[0](images)

    classifier = fm.Classifier(counting)
    classifier.predict(photographs(1))
    shown.clear()
    found = explain(classifier, photographs(1))
    assert found.provenance["passes"] == sum(shown)
    assert found.provenance["seed"] == getattr(explain, "seed", None)


@pytest.mark.parametrize("name", ["RISE", "LIME", "KernelSHAP", "Sobol", "HSIC"])
def test_the_seed_decides(name: str) -> None:
    from dataclasses import replace

    explain: Any = METHODS[name]
    if name in ("LIME", "KernelSHAP"):
        explain = replace(explain, segments=np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) // 9)
    classifier, images = fm.Classifier(curved), photographs(1)
    one, again, other = (replace(explain, seed=seed)(classifier, images).maps for seed in (1, 1, 2))
    assert (one == again).all()
    assert not np.allclose(one, other, rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "field", "values"),
    [
        ("Occlusion", "patch", [3, 4]),
        ("Occlusion", "stride", [2, 3]),
        ("RISE", "samples", [40, 64]),
        ("RISE", "cells", [3, (3, 4)]),
        ("RISE", "keep", [0.5, 0.4]),
        ("RISE", "centred", [True, False]),
        ("RISE", "low_discrepancy", [True, False]),
        ("LIME", "samples", [40, 64]),
        ("LIME", "segments", [9, 4]),
        ("LIME", "width", [0.25, 0.5]),
        ("LIME", "ridge", [1.0, 2.0]),
        ("KernelSHAP", "samples", [40, 64]),
        ("KernelSHAP", "segments", [9, 4]),
        ("KernelSHAP", "paired", [True, False]),
        ("Sobol", "samples", [4, 8]),
        ("Sobol", "cells", [3, (3, 2)]),
        ("Sobol", "low_discrepancy", [True, False]),
        ("HSIC", "samples", [40, 64]),
        ("HSIC", "cells", [3, (3, 2)]),
        ("HSIC", "low_discrepancy", [True, False]),
        ("LIME", "low_discrepancy", [True, False]),
    ],
)
def test_every_field_changes_the_map(name: str, field: str, values: list[Any]) -> None:
    from dataclasses import replace

    classifier, images = fm.Classifier(curved), photographs(1)
    one, other = (replace(METHODS[name], **{field: value})(classifier, images).maps for value in values)
    assert one.shape != other.shape or not np.allclose(one, other, rtol=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fm.Occlusion(patch=0), "patch=0: expected a whole number of 1 or more, or two (down, across)"),
        (lambda: fm.Occlusion(stride=-1), "stride=-1: expected a whole number of 1 or more, or two (down, across)"),
        (lambda: fm.Occlusion(patch=1.5), "patch=1.5: expected a whole number of 1 or more, or two (down, across)"),
        (
            lambda: fm.Occlusion(fill="black"),
            "fill='black': expected a number in the image's units, one per channel, an image, or one of 'mean', 'blur'",
        ),
        (lambda: fm.Occlusion(fill=float("nan")), "fill: expected finite numbers, received nan"),
        (lambda: fm.RISE(samples=1), "samples=1: expected a whole number of 2 or more"),
        (lambda: fm.RISE(cells=(0, 3)), "cells=(0, 3): expected a whole number of 1 or more, or two (down, across)"),
        (lambda: fm.RISE(keep=1), "keep=1: expected a number between 0 and 1, both excluded"),
        (lambda: fm.LIME(samples=True), "samples=True: expected a whole number of 2 or more"),
        (lambda: fm.LIME(segments=0), "segments=0: expected a whole number of 1 or more"),
        (lambda: fm.LIME(width=0), "width=0: expected a number greater than 0"),
        (lambda: fm.LIME(ridge=-1.0), "ridge=-1.0: expected a number greater than 0"),
        (lambda: fm.KernelSHAP(samples=0), "samples=0: expected a whole number of 2 or more"),
        (
            lambda: fm.KernelSHAP(segments=np.zeros((3, 3))),
            "segments: expected a number of superpixels, or whole numbers of shape (height, width) or (n, height, "
            "width) that say each pixel's segment; received float64 of shape (3, 3)",
        ),
        (lambda: fm.Sobol(samples=-4), "samples=-4: expected a whole number of 2 or more"),
        (lambda: fm.HSIC(samples=0), "samples=0: expected a whole number of 2 or more"),
    ],
)
def test_values_out_of_range_are_refused_when_they_are_given(make: Any, message: str) -> None:
    with pytest.raises(FieldmarkError) as refused:
        make()
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("explain", "message"),
    [
        (
            fm.Occlusion(patch=(3, 10)),
            "patch: expected at most 12 x 9, the size of what the model eats, received 3 x 10",
        ),
        (
            fm.Occlusion(patch=3, stride=4),
            "stride: expected at most the patch, 3 x 3, so that no pixel is left out; received 4 x 4",
        ),
        (fm.RISE(cells=13), "cells: expected at most 12 x 9, the size of what the model eats, received 13 x 13"),
        (fm.Sobol(cells=10), "cells: expected at most 12 x 9, the size of what the model eats, received 10 x 10"),
        (fm.HSIC(cells=10), "cells: expected at most 12 x 9, the size of what the model eats, received 10 x 10"),
        (fm.LIME(segments=109), "segments=109: expected at most 108, the pixels of the image"),
        (
            fm.KernelSHAP(segments=np.zeros((9, 12), int)),
            "segments: expected shape (12, 9) or (3, 12, 9) as the images, received (9, 12)",
        ),
        (
            fm.RISE(fill=(1, 2)),
            "fill: expected one number, 3 (one per channel) or an image (12, 9, 3), received shape (2,)",
        ),
    ],
)
def test_what_does_not_fit_the_image_is_refused_in_one_line(explain: Any, message: str) -> None:
    with pytest.raises(FieldmarkError) as refused:
        explain(fm.Classifier(curved), photographs())
    assert str(refused.value) == message


def test_a_fill_that_preprocess_cannot_take_is_refused() -> None:
    def standardised(images: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return (images - images.mean(axis=(1, 2, 3), keepdims=True)) / images.std(axis=(1, 2, 3), keepdims=True)

    with pytest.raises(ImageError, match="preprocess result: expected finite numbers"):
        fm.Occlusion(fill=0)(fm.Classifier(curved, preprocess=standardised), photographs())


# Occlusion


@every_backend
def test_occlusion_of_a_linear_model_is_its_closed_form() -> None:
    classifier, weights, images = linear.model()
    found = fm.Occlusion(patch=(2, 1), fill=0.25)(classifier, images, [0, 2])
    shares = linear.shares(weights, images - 0.25, [0, 2])  # (n, t, h, w)
    expected = shares.reshape(3, 2, 2, 2, 3).sum(axis=3).repeat(2, axis=2)
    assert np.allclose(found.maps, expected, atol=1e-5)
    assert found.signed
    assert found.provenance["passes"] == 7


@every_backend
def test_occluding_an_unused_pixel_changes_nothing() -> None:
    image = keras.Input((*SIZE, 3))
    scores = keras.layers.Dense(3)(keras.layers.Flatten()(image[:, :, :6]))
    classifier = fm.Classifier(keras.Model(image, scores))
    for explain in (fm.Occlusion(patch=3), fm.Sobol(samples=4, cells=(4, 3))):
        maps = explain(classifier, photographs()).maps
        width = maps.shape[-1] * 2 // 3
        assert np.abs(maps[..., width:]).max() < 1e-5 * np.abs(maps).max()
        assert maps[..., :width].any(axis=(-2, -1)).all()


@pytest.mark.native_torch
def test_occlusion_of_a_torch_module() -> None:
    import torch

    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4 * 6 * 3, 2))
    images = np.random.default_rng(0).random((2, 4, 6, 3)).astype(np.float32)
    maps = fm.Occlusion(patch=(4, 3), fill=0.0)(fm.Classifier(module), images, 1).maps
    weights = module[1].weight[1].detach().numpy().reshape(3, 4, 6)
    shares = np.einsum("nhwc,chw->nhw", images, weights)
    expected = shares.reshape(2, 4, 2, 3).sum(axis=(1, 3))
    assert np.allclose(maps[:, 0, 0, ::3], expected, atol=1e-5)


def test_patches_reach_the_border_and_a_pixel_gets_the_mean_of_those_that_cover_it() -> None:
    corners = patch_corners((7, 5), (3, 2), (3, 2))
    assert corners.tolist() == [[a, b] for a in (0, 3, 4) for b in (0, 2, 3)]
    values = np.arange(9.0)[None, None]
    maps = spread(values, (7, 5), (3, 2), corners)[0, 0]
    assert maps[0].tolist() == [0, 0, 1, 1.5, 2]
    assert maps[:, 0].tolist() == [0, 0, 0, 3, 4.5, 4.5, 6]


def test_a_default_patch_is_a_seventh_of_each_side() -> None:
    found = fm.Occlusion()(fm.Classifier(weighed()[0]), photographs(1))
    assert found.provenance["patch"] == [2, 2]
    assert found.provenance["passes"] == 6 * 5 + 1
    assert fm.Occlusion()._sizes((224, 224)) == ((32, 32), (32, 32))


def test_fills() -> None:
    images = photographs(2)
    assert (fill_images(images, (1, 2, 3))[1, 4, 4] == [1, 2, 3]).all()
    assert np.allclose(fill_images(images, "mean")[1, 2, 3], images[1].mean(axis=(0, 1)))
    blurred = gaussian_blur(images, 2.0)
    assert blurred.std() < 0.5 * images.std()
    assert np.allclose(gaussian_blur(np.ones((1, *SIZE, 2)), 3.0), 1)
    assert np.allclose(gaussian_blur(images, 1e-3), images)


# RISE


def test_rise_is_the_mean_of_the_masks_weighted_by_their_scores() -> None:
    scores_of, _ = weighed()
    images = photographs(1)
    explain = fm.RISE(samples=30, cells=(3, 2), keep=0.3, fill=0.0, centred=False, low_discrepancy=False, seed=3)
    masks = explain._masks(SIZE, (3, 2))[np.arange(30)]
    scores = scores_of(images * masks[..., None])[:, 1]
    expected = np.einsum("m,mhw->hw", scores, masks) / (30 * 0.3)
    found = explain(fm.Classifier(scores_of), images, 1)
    assert np.allclose(found.maps[0, 0], expected, atol=1e-4)
    centred = fm.RISE(samples=30, cells=(3, 2), keep=0.3, fill=0.0, low_discrepancy=False, seed=3)
    shifted = expected - scores.mean() * masks.mean(axis=0) / 0.3
    assert np.allclose(centred(fm.Classifier(scores_of), images, 1).maps[0, 0], shifted, atol=1e-4)


def test_rises_own_error_is_the_spread_between_seeds() -> None:
    classifier, images = fm.Classifier(curved, batch_size=256), photographs(1)
    runs = [
        fm.RISE(samples=100, cells=3, low_discrepancy=False, centred=False, seed=seed)(classifier, images)
        for seed in range(100)
    ]
    spread_between = np.var([run.maps for run in runs], axis=0, ddof=1).mean()
    said = np.mean([run.variance for run in runs])
    assert 0.7 < said / spread_between < 1.4


def test_even_masks_and_centring_need_fewer_passes() -> None:
    classifier, images = fm.Classifier(lambda x: curved(x) + 5, batch_size=512), photographs(1)
    converged = fm.RISE(samples=20000, cells=3, seed=99)(classifier, images).maps

    def error(**fields: Any) -> float:
        runs = [fm.RISE(samples=128, cells=3, seed=seed, **fields)(classifier, images).maps for seed in range(8)]
        return float(np.sqrt(np.mean([np.square(r - r.mean() - converged + converged.mean()) for r in runs])))

    assert error() < 0.85 * error(low_discrepancy=False)
    assert error(low_discrepancy=False) < 0.5 * error(low_discrepancy=False, centred=False)


def test_masks_lie_between_0_and_1_are_smooth_and_opposite_where_their_cells_are() -> None:
    rng = np.random.default_rng(0)
    grids, offsets = rng.random((50, 3, 4)) < 0.5, rng.random((50, 2))
    masks = enlarged_masks(grids, offsets, (13, 10))
    assert masks.shape == (50, 13, 10)
    made = masks[np.arange(50)]
    assert made.min() >= 0
    assert made.max() <= 1
    assert np.allclose(enlarged_masks(~grids, offsets, (13, 10))[np.arange(50)], 1 - made, atol=1e-6)
    assert np.allclose(enlarged_masks(np.ones((2, 3, 4), bool), offsets, (13, 10))[np.arange(2)], 1)
    assert np.abs(np.diff(made, axis=1)).max() < 0.5  # a cell is five pixels
    assert not np.allclose(enlarged_masks(grids, offsets * 0, (13, 10))[np.arange(50)], made)


# Sampling plans


def test_a_block_of_masks_is_an_orthogonal_array_of_strength_3() -> None:
    kept = kept_cells(64, 20, 0.5, np.random.default_rng(0)) * 2.0 - 1
    assert (kept.sum(axis=0) == 0).all()
    assert (kept.T @ kept == 64 * np.eye(20)).all()
    third = np.einsum("ia,ib,ic->abc", kept, kept, kept)
    assert (third == 0).all()
    assert (kept[::2] == -kept[1::2]).all()
    again = kept_cells(64, 20, 0.5, np.random.default_rng(1)) * 2.0 - 1
    assert (again != kept).any()


def test_other_shares_are_kept_in_every_cell() -> None:
    kept = kept_cells(50, 9, 0.3, np.random.default_rng(0))
    assert set(kept.sum(axis=0)) == {15}


def test_latin_hypercube_and_even_pairs_fill_every_interval() -> None:
    rng = np.random.default_rng(0)
    points = latin_hypercube(20, 5, rng)
    assert (np.sort(np.floor(points * 20), axis=0) == np.arange(20)[:, None]).all()
    pairs = even_pairs(256, rng)
    counts = np.histogram2d(*pairs.T, bins=8, range=[(0, 1), (0, 1)])[0]
    assert counts.min() >= 2
    assert counts.max() <= 6


# Sobol and HSIC


def test_sobols_design_changes_one_cell_at_a_time() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 4, 3))
    rows = jansen_design(a, b).reshape(4, 4, 3)
    assert (rows[0] == a).all()
    for cell in range(3):
        expected = a.copy()
        expected[:, cell] = b[:, cell]
        assert (rows[cell + 1] == expected).all()


def test_total_indices_of_a_product_are_known() -> None:
    # S = u1 + u2 u3 with u in [0, 1): Var(u1) = 1/12, Var(u2 u3) = 7/144, E[Var(u2 u3 | u3)] = 1/12 x 1/3
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 20000, 3))
    rows = jansen_design(a, b)
    totals = jansen_totals(rows[:, 0] + rows[:, 1] * rows[:, 2], 20000)
    variance = 1 / 12 + 7 / 144
    expected = np.array([1 / 12, 1 / 36, 1 / 36]) / variance
    assert np.allclose(totals, expected, atol=0.01)
    assert (jansen_totals(np.ones(80), 20) == 0).all()


@every_backend
def test_sobol_of_a_linear_model_goes_by_the_squares_of_what_its_cells_add() -> None:
    classifier, weights, images = linear.model()
    found = fm.Sobol(samples=32, cells=(2, 3), fill=0.0)(classifier, images, 1)
    parts = linear.shares(weights, images, [1]).reshape(3, 1, 2, 2, 3).sum(axis=3)
    expected = parts**2 / (parts**2).sum(axis=(2, 3), keepdims=True)
    assert found.maps.shape == (3, 1, 2, 3)
    assert not found.signed
    for mine, known in zip(found.maps, expected, strict=True):
        assert np.corrcoef(mine.ravel(), known.ravel())[0, 1] > 0.95


def test_even_designs_of_sobol_need_fewer_passes() -> None:
    weights = np.linspace(-1, 2, 9)
    known = weights**2 / (weights**2).sum()

    def error(draw: Any) -> float:
        designs = [draw(np.random.default_rng(seed)) for seed in range(200)]
        totals = [jansen_totals(jansen_design(*each) @ weights, 16) for each in designs]
        return float(np.sqrt(np.mean([np.square(each / each.sum() - known) for each in totals])))

    assert error(lambda rng: paired_designs(16, 9, rng)) < 0.7 * error(lambda rng: rng.random((2, 16, 9)))


def test_even_masks_of_hsic_need_fewer_passes() -> None:
    mixed = np.random.default_rng(5).normal(size=(20, 20))

    def found(shown: np.ndarray) -> np.ndarray:
        return dependence(shown, np.einsum("ni,ij,nj->n", shown, mixed, shown)[None, None])[0, 0]

    def error(draw: Any) -> float:
        return float(np.mean([np.square(found(draw(np.random.default_rng(seed))) - converged) for seed in range(20)]))

    rng = np.random.default_rng(99)
    converged = np.mean([found(rng.random((1500, 20)) < 0.5) for _ in range(4)], axis=0)
    assert error(lambda rng: kept_cells(128, 20, 0.5, rng)) < 0.5 * error(
        lambda rng: latin_hypercube(128, 20, rng) < 0.5
    )


def test_hsic_is_the_trace_of_its_definition() -> None:
    rng = np.random.default_rng(0)
    shown, scores = rng.random((30, 4)) < 0.5, rng.normal(size=(1, 2, 30))
    found = dependence(shown, scores)
    centre = np.eye(30) - 1 / 30
    for target in range(2):
        apart = np.abs(scores[0, target][:, None] - scores[0, target])
        width = np.median(apart[np.triu_indices(30, 1)])
        out = np.exp(-(apart**2) / (2 * width**2))
        for cell in range(4):
            same = (shown[:, None, cell] == shown[None, :, cell]).astype(float)
            assert np.isclose(found[0, target, cell], np.trace(same @ centre @ out @ centre) / 29**2)


@every_backend
def test_hsic_finds_the_one_cell_that_matters() -> None:
    image = keras.Input((*SIZE, 3))
    classifier = fm.Classifier(keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image[:, 3:6, 3:6]))))
    maps = fm.HSIC(samples=64, cells=(4, 3))(classifier, photographs()).maps
    assert (maps.reshape(3, -1).argmax(axis=1) == 1 * 3 + 1).all()
    others = np.delete(maps.reshape(3, -1), 4, axis=1)
    assert (others.max(axis=1) < 0.2 * maps.max(axis=(1, 2, 3))).all()
    assert (maps >= 0).all()


def test_grid_cells_differ_by_a_pixel_at_most() -> None:
    cells = grid_segments((7, 5), (3, 2))
    assert cells[:, 0].tolist() == [0, 0, 0, 2, 2, 4, 4]
    assert cells[0].tolist() == [0, 0, 0, 1, 1]
