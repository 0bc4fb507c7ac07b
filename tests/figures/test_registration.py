"""A map lies where it belongs on the user's own photograph, whatever was done to that before the model saw it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fieldmark.attribution import axis_weights, resize_maps
from fieldmark.errors import FieldmarkError
from fieldmark.figures import overlay, panel, seen_box
from fieldmark.figures.registration import WHOLE, pixels, place
from fieldmark.images import read_images
from tests.figures.samples import sample

pytestmark = pytest.mark.no_framework

FITS = ("crop", "stretch", "letterbox")
SIZES = [(40, 60), (90, 31), (33, 33), (7, 200), (224, 100)]
CORNERS = [(0, 0), (0, -1), (-1, 0), (-1, -1)]


def spot(size: tuple[int, int], y: float, x: float) -> np.ndarray:
    """A photograph that is black but for one bright disc at (y, x), in shares."""
    rows, columns = (np.arange(size[0]) + 0.5)[:, None], np.arange(size[1]) + 0.5
    near = (rows - y * size[0]) ** 2 + (columns - x * size[1]) ** 2 <= (0.12 * min(size)) ** 2 + 2
    return np.where(near, 255, 0).astype(np.uint8)[..., None].repeat(3, axis=-1)


def centre(values: np.ndarray) -> np.ndarray:
    """The centre of mass, in pixels, of what is above half of the greatest value."""
    strong = np.nan_to_num(values) * (np.nan_to_num(values) > 0.5 * np.nanmax(values))
    return np.array([(strong.sum(axis=1 - k) * np.arange(strong.shape[k])).sum() / strong.sum() for k in (0, 1)])


def model_pixel(size: tuple[int, int], seen: tuple[int, int], fit: str) -> np.ndarray:
    """How many pixels of the photograph, down and across, became one of the model's."""
    left, top, right, bottom = seen_box(size, seen, fit)
    return np.array(size) * (bottom - top, right - left) / seen


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seen", [(64, 64), (48, 96)])
def test_what_the_model_saw_is_laid_back_where_it_was(fit: str, size: tuple[int, int], seen: tuple[int, int]) -> None:
    photograph = spot(size, 0.5, 0.5 + 0.1 * min(size) / size[1])
    given_to_model = read_images(photograph, size=seen, fit=fit)[0, ..., 0].astype(np.float32)
    back = place(given_to_model, size, seen_box(size, seen, fit))
    error = np.abs(centre(back) - centre(photograph[..., 0].astype(float)))
    assert (error <= 0.15 * np.maximum(1, model_pixel(size, seen, fit))).all()


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("corner", CORNERS)
def test_one_bright_corner_pixel_comes_back_to_its_corner(
    fit: str, size: tuple[int, int], corner: tuple[int, int]
) -> None:
    photograph = np.zeros((*size, 3), np.uint8)
    box = seen_box(size, (64, 64), fit)
    rows, columns = pixels(box, size)
    y, x = (range(*each.indices(length))[k] for each, length, k in zip((rows, columns), size, corner, strict=True))
    photograph[y, x] = 255
    seen = read_images(photograph, size=64, fit=fit)[0, ..., 0].astype(np.float32)
    if not seen.any():
        pytest.skip("the pixel is too small a part of what the model saw to be left over")
    back = np.nan_to_num(place(seen, size, box))
    found = np.unravel_index(int(back.argmax()), back.shape)
    assert (np.abs(np.array(found) - (y, x)) <= np.maximum(0.5, model_pixel(size, (64, 64), fit))).all()
    assert back[y, x] > 0.5 * back.max()


def test_a_crop_leaves_the_rim_unknown_and_a_letterbox_nothing() -> None:
    heat = np.ones((7, 7), np.float32)
    cropped = place(heat, (40, 60), seen_box((40, 60), (64, 64), "crop"))
    assert np.isnan(cropped[:, :10]).all()
    assert np.isnan(cropped[:, 50:]).all()
    assert (cropped[:, 10:50] == 1).all()
    boxed = place(heat, (40, 60), seen_box((40, 60), (64, 64), "letterbox"))
    np.testing.assert_allclose(boxed, 1, rtol=1e-6)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_a_map_over_the_whole_picture_is_what_resizing_makes_of_it(h: int, w: int, height: int, width: int) -> None:
    heat = np.random.default_rng(h * w).normal(size=(h, w)).astype(np.float32)
    np.testing.assert_allclose(place(heat, (height, width)), resize_maps(heat, (height, width)), atol=2e-5)


def test_weights_of_an_axis_are_shares() -> None:
    for length, cells in ((5, 7), (7, 5), (1, 9), (9, 1)):
        np.testing.assert_allclose(axis_weights(length, cells).sum(axis=1), 1, rtol=1e-6)


def test_signals_and_volumes_are_resized_along_every_axis() -> None:
    ramp = np.linspace(0, 1, 5, dtype=np.float32)
    np.testing.assert_allclose(resize_maps(ramp[None], (10,))[0, 1:-1], np.linspace(0.0625, 0.9375, 8), atol=1e-6)
    volume = ramp[:, None, None] + np.zeros((5, 3, 4), np.float32)
    assert resize_maps(volume, (10, 6, 9)).shape == (10, 6, 9)
    np.testing.assert_allclose(resize_maps(volume, (10, 6, 9))[:, 0, 0], resize_maps(ramp[None], (10,))[0], atol=1e-6)


def test_the_overlay_covers_what_was_seen_and_pales_the_rest() -> None:
    grey = np.full((40, 60, 3), 100, np.uint8)
    drawn = overlay(grey, np.ones((7, 7)) + np.eye(7), 0.9, box=seen_box(grey.shape, (64, 64), "crop"))
    assert (np.ptp(drawn[:, :10], axis=-1) <= 1).all()
    assert (drawn[:, :10] > 180).all()
    assert (np.ptp(drawn[:, 11:49], axis=-1) > 20).all()
    np.testing.assert_array_equal(overlay(grey, np.eye(7), box=WHOLE), overlay(grey, np.eye(7)))


def test_a_panel_over_the_users_own_files() -> None:
    att = sample(2, 1, size=(64, 64, 3))
    photographs = [spot((40, 60), 0.5, 0.5), spot((90, 31), 0.5, 0.5)]
    figure = panel(att, originals=photographs, fit="crop")
    assert "photograph, 60 x 40 px" in " ".join(text.get_text() for text in figure.texts)
    assert "pale: cut off before the model saw it" in " ".join(text.get_text() for text in figure.texts)
    boxed = panel(att, originals=photographs, fit="letterbox")
    assert "cut off" not in " ".join(text.get_text() for text in boxed.texts)
    with pytest.raises(FieldmarkError, match="originals: expected one for each of 2 images, received 1"):
        panel(att, originals=photographs[:1])
    with pytest.raises(FieldmarkError, match="unknown fit 'pad'"):
        panel(att, originals=photographs, fit="pad")
    with pytest.raises(FieldmarkError, match="originals: expected maps of photographs that carry the images"):
        panel(dataclasses.replace(att, images=None), originals=photographs)


def test_images_are_still_letterboxed_as_we_undo_it() -> None:
    """Edges of a white frame, to the pixel: a rounding that changes is found here."""
    for size in SIZES:
        picture = Image.fromarray(np.full(size, 255, np.uint8))
        seen = read_images(picture, size=(50, 70), channels=1, fit="letterbox")[0, ..., 0] > 127
        left, top, right, bottom = seen_box(size, (50, 70), "letterbox")
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        expected = (-top / (bottom - top) * 50, -left / (right - left) * 70)
        np.testing.assert_allclose((rows[0], columns[0]), expected, atol=1e-6)
        np.testing.assert_allclose(len(rows), 50 / (bottom - top), atol=1e-6)
        np.testing.assert_allclose(len(columns), 70 / (right - left), atol=1e-6)
