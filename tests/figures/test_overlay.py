"""Laws of colours and overlays."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

from fieldmark.errors import FieldmarkError
from fieldmark.figures import overlay
from fieldmark.figures.colours import LEVELS, colormap, colour_table
from fieldmark.figures.overlay import ALPHA

pytestmark = pytest.mark.no_framework

GREY = np.full((48, 80, 3), 120, np.uint8)

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
DEFICIENCIES = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of linear RGB."""
    xyz = rgb @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    x, y, z = np.cbrt(np.clip(xyz / [0.9505, 1, 1.089], 1e-4, None)).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def linear(rgb: np.ndarray) -> np.ndarray:
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_for_and_against_are_told_apart_by_every_colour_vision(deficiency: str) -> None:
    table = linear(colour_table(signed=True)[:, :3])
    seen = lab(np.clip(table @ np.array(DEFICIENCIES[deficiency]).T, 0, 1))
    strong = LEVELS // 4
    distance = np.linalg.norm(seen[:strong] - seen[::-1][:strong], axis=-1)
    assert distance.min() > 40  # a difference of 10 is seen at a glance


def test_signed_colours_are_centred_on_zero() -> None:
    table = colour_table(signed=True)
    assert table[LEVELS // 2, 3] == 0
    assert np.ptp(table[LEVELS // 2, :3]) < 0.02
    np.testing.assert_allclose(table[:, 3], table[::-1, 3], atol=1e-6)
    assert table[0, 2] > table[0, 0]  # against is blue, for is orange-red
    assert table[-1, 0] > table[-1, 2]


def test_amounts_rise_in_lightness_and_opacity() -> None:
    table = colour_table(signed=False)
    assert (np.diff(lab(linear(table[:, :3]))[:, 0]) > -0.05).all()
    assert (np.diff(table[:, 3]) > 0).all()


def test_jet_comes_only_when_asked_for() -> None:
    jet = matplotlib.colormaps["jet"](np.linspace(0, 1, LEVELS))[:, :3]
    np.testing.assert_allclose(colour_table(False, "jet")[:, :3], jet, atol=1e-6)
    assert not np.allclose(colour_table(False)[:, :3], jet, atol=0.1)


def test_unknown_colours_are_refused() -> None:
    with pytest.raises(FieldmarkError, match="unknown colours 'viridian': did you mean 'viridis'") as caught:
        colormap("viridian", False)
    assert "\n" not in str(caught.value)


def test_no_evidence_leaves_the_image_and_more_evidence_changes_it_more() -> None:
    ramp = np.linspace(0, 1, 80)[None].repeat(48, axis=0)
    drawn = overlay(GREY, ramp, fade=0)
    change = np.abs(drawn[20].astype(int) - 120).max(axis=-1)
    assert change[0] == 0
    assert change[-1] > 80
    opacity = ALPHA * ramp[20]
    expected = 120 * (1 - opacity[:, None]) + 255 * opacity[:, None] * matplotlib.colormaps["plasma"](ramp[20])[:, :3]
    np.testing.assert_allclose(drawn[20], expected, atol=2)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1)])
@pytest.mark.parametrize("size", [(48, 80), (81, 30)])
def test_a_corner_of_the_map_lies_on_that_corner_of_the_image(
    corner: tuple[int, int], size: tuple[int, int], signed: bool
) -> None:
    heatmap = np.zeros((4, 5), np.float32)
    heatmap[corner] = 1
    image = np.full((*size, 3), 120, np.uint8)
    change = np.abs(overlay(image, heatmap, signed=signed, fade=0).astype(int) - 120).max(axis=-1)
    assert change[corner] == change.max() > 50
    changed = np.argwhere(change > 0)
    rows, columns = (np.minimum(changed[:, k], size[k] - 1 - changed[:, k]).max() for k in (0, 1))
    # One map pixel reaches bilinearly to the centre of the next: 1.5 map pixels from the edge.
    assert rows <= 1.5 * size[0] / 4
    assert columns <= 1.5 * size[1] / 5
    for other in [(0, 0), (0, -1), (-1, 0), (-1, -1)]:
        assert other == corner or change[other] == 0


@pytest.mark.parametrize("channels", [1, 3, 4, 13])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_every_image_gives_rgb(channels: int, dtype: type) -> None:
    image = (np.random.default_rng(0).integers(0, 256, (20, 33, channels)) / (1 if dtype is np.uint8 else 255)).astype(
        dtype
    )
    drawn = overlay(image, np.eye(5))
    assert (drawn.shape, drawn.dtype) == ((20, 33, 3), np.uint8)


def test_alpha_fade_and_colours_change_the_picture() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 33, 3), dtype=np.uint8)
    heatmap = np.eye(5)
    np.testing.assert_array_equal(overlay(image, heatmap, 0, fade=0), image)
    np.testing.assert_array_equal(overlay(image, 0 * heatmap, fade=0), image)
    assert np.ptp(overlay(image, heatmap, 0, fade=1), axis=-1).max() <= 1
    plain = overlay(image, heatmap)
    for changed in ({"alpha": 0.4}, {"fade": 0.2}, {"colours": "jet"}, {"signed": True}):
        assert not np.array_equal(overlay(image, heatmap, **changed), plain), changed


def test_negative_values_are_shown_as_against_unless_told_otherwise() -> None:
    heatmap = np.array([[-1.0, 0.5]])
    np.testing.assert_array_equal(overlay(GREY, heatmap), overlay(GREY, heatmap, signed=True))
    amount = overlay(GREY, heatmap, signed=False, fade=0)
    np.testing.assert_array_equal(amount[:, :20], GREY[:, :20])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 1.5}, "alpha: expected a number from 0 to 1, received 1.5"),
        ({"fade": float("nan")}, "fade: expected a number from 0 to 1, received nan"),
        ({"heatmap": np.ones((1, 4, 4))}, "overlay: expected a map of shape (height, width), received (1, 4, 4)"),
        (
            {"image": np.ones((2, 4, 4, 3))},
            "overlay: expected one image (height, width, channels), received (2, 4, 4, 3)",
        ),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(FieldmarkError) as caught:
        overlay(**{"image": GREY, "heatmap": np.eye(4), **arguments})
    assert str(caught.value) == message
