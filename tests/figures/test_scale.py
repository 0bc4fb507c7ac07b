"""Laws of the one normalisation of maps, and of images for the screen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldmark.errors import ImageError
from fieldmark.figures.scale import limit_of, scale_of, scales_of, to_rgb

pytestmark = pytest.mark.no_framework

RANDOM = np.random.default_rng(1)


@given(st.floats(1e-30, 1e30), st.booleans(), st.integers(0, 99))
def test_what_is_shown_does_not_depend_on_the_unit(factor: float, signed: bool, seed: int) -> None:
    heatmap = np.random.default_rng(seed).normal(size=(7, 9))
    plain, scaled = scale_of(heatmap, signed)(heatmap), scale_of(factor * heatmap, signed)(factor * heatmap)
    np.testing.assert_allclose(plain, scaled, atol=1e-6)


def test_a_signed_map_keeps_zero_at_zero_and_its_negative_is_its_mirror() -> None:
    heatmap = RANDOM.normal(size=(7, 7)) + 2
    shown = scale_of(heatmap, True)(heatmap)
    np.testing.assert_array_equal(scale_of(-heatmap, True)(-heatmap), -shown)
    np.testing.assert_array_equal(np.sign(shown), np.sign(heatmap))
    assert np.abs(shown).max() == 1


def test_an_amount_is_divided_and_not_stretched_from_its_least_value() -> None:
    heatmap = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_allclose(scale_of(heatmap, False)(heatmap), heatmap / 4)


@pytest.mark.parametrize(
    ("heatmap", "signed", "note"),
    [
        (np.zeros((3, 4)), True, "blank: zero everywhere"),
        (np.full((3, 4), 0.37), False, "blank: 0.37 everywhere"),
        (np.full((3, 4), -0.37), True, "blank: -0.37 everywhere"),
        (np.full((3, 4), -2.0), False, "blank: nothing above zero"),
        (np.full((3, 4), np.nan), True, "blank: no finite value"),
        (np.array([[5.0]]), False, "blank: 5 everywhere"),
        (np.full((3, 4), 0.5) + 1e-9 * RANDOM.normal(size=(3, 4)), False, "blank: 0.5 everywhere"),
    ],
)
def test_a_map_that_cannot_say_where_is_blank_and_says_why(heatmap: np.ndarray, signed: bool, note: str) -> None:
    scale = scale_of(heatmap, signed)
    assert scale.blank
    assert scale.note == note
    np.testing.assert_array_equal(scale(heatmap), np.zeros(heatmap.shape))


def test_values_that_are_not_finite_are_shown_as_nothing_and_change_nothing_else() -> None:
    heatmap = np.array([[np.nan, np.inf, -np.inf], [1.0, -4.0, 2.0]])
    np.testing.assert_allclose(scale_of(heatmap, True)(heatmap), [[0, 0, 0], [0.25, -1, 0.5]])


def test_one_stray_pixel_does_not_hide_the_rest() -> None:
    heatmap = RANDOM.uniform(0.5, 1, size=(40, 40))
    heatmap[3, 3] = 1e6
    shown = scale_of(heatmap, False)(heatmap)
    assert shown.max() == 1
    assert np.median(shown) > 0.5


def test_the_limit_of_a_small_or_sparse_map_is_its_strongest_value() -> None:
    cam = RANDOM.uniform(size=(7, 7))
    sparse = np.zeros((200, 200))
    sparse[0, 0] = 3
    assert limit_of(cam, False) == cam.max()
    assert limit_of(sparse, True) == 3


def test_shared_scales_keep_the_ratios_between_maps_and_own_scales_do_not() -> None:
    maps = np.stack([np.eye(5), 4 * np.eye(5)])[None]
    shared = [scale(heatmap).max() for scale, heatmap in zip(scales_of(maps, False, True)[0], maps[0], strict=True)]
    own = [scale(heatmap).max() for scale, heatmap in zip(scales_of(maps, False)[0], maps[0], strict=True)]
    assert shared == [0.25, 1]
    assert own == [1, 1]


def test_a_blank_map_stays_blank_under_a_shared_scale() -> None:
    maps = np.stack([np.eye(5), np.zeros((5, 5))])[None]
    assert [scale.note for scale in scales_of(maps, False, True)[0]] == ["", "blank: zero everywhere"]


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-2.1, 2.6)],
    ids=["0..1", "-1..1", "0..255", "standardised"],
)
def test_every_usual_value_range_shows_the_same_picture(low: float, high: float) -> None:
    picture = RANDOM.integers(30, 200, (5, 6, 3), dtype=np.uint8)
    if low < -1:  # only then is the picture stretched to its own ends
        picture[0, 0], picture[0, 1] = 0, 255
    shown = to_rgb((low + picture / 255 * (high - low)).astype(np.float32))
    np.testing.assert_allclose(shown.astype(int), picture.astype(int), atol=1)


def test_channels() -> None:
    rgb = RANDOM.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    many = RANDOM.integers(0, 256, (5, 6, 13), dtype=np.uint8)
    transparent = np.concatenate([rgb, np.zeros((5, 6, 1), np.uint8)], axis=-1)
    np.testing.assert_array_equal(to_rgb(transparent), rgb)
    np.testing.assert_array_equal(to_rgb(transparent / 255.0), rgb)
    np.testing.assert_array_equal(to_rgb(rgb[..., :1]), rgb[..., [0, 0, 0]])
    np.testing.assert_array_equal(to_rgb(rgb[..., 0]), rgb[..., [0, 0, 0]])
    np.testing.assert_array_equal(to_rgb(many)[..., 1], np.rint(many.mean(axis=-1)))
    assert to_rgb(rgb) is not None
    assert to_rgb(np.stack([rgb, rgb])).shape == (2, 5, 6, 3)


def test_odd_values() -> None:
    holes = np.array([[[np.nan], [1.0]], [[0.5], [0.0]]])
    np.testing.assert_array_equal(to_rgb(holes)[..., 0], [[0, 255], [128, 0]])
    np.testing.assert_array_equal(to_rgb(np.full((2, 2, 3), np.nan)), np.zeros((2, 2, 3)))
    np.testing.assert_array_equal(to_rgb(np.full((2, 2, 1), 300.0)), np.full((2, 2, 3), 127))
    np.testing.assert_array_equal(to_rgb(np.array([[True, False]]))[0, :, 0], [255, 0])
    np.testing.assert_array_equal(to_rgb(np.array([[0, 200]]))[0, :, 0], [0, 200])


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ImageError) as caught:
        to_rgb(np.zeros(5, np.float32))
    assert str(caught.value) == "image: expected numbers of shape (height, width, channels), received float32 (5,)"
