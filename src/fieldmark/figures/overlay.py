"""A map laid over its image: the colour says what, the opacity how much."""

from __future__ import annotations

import numpy as np

from fieldmark.attribution import Attribution, resize_maps
from fieldmark.errors import FieldmarkError
from fieldmark.figures.colours import colour_table, rows
from fieldmark.figures.registration import WHOLE, Box, pixels, place
from fieldmark.figures.scale import Scale, check_fraction, scale_of, to_rgb

ALPHA = 0.7
FADE = 0.85
UNSEEN = 0.65
"""How much of a photograph is whitened where the model did not see it."""

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def overlay(
    image: np.ndarray,
    heatmap: np.ndarray,
    alpha: float = ALPHA,
    *,
    signed: bool | None = None,
    fade: float = FADE,
    colours: str | None = None,
    scale: Scale | None = None,
    pale: float = 0.0,
    box: Box = WHOLE,
) -> np.ndarray:
    """The image with a map over it: (1 - a) image + a colour, where a = alpha * strength, pixel by pixel.

    image    (H, W, c) or (H, W), any c, uint8 or float; see `to_rgb`
    heatmap  (h, w), enlarged to the image's size
    alpha    0..1, the opacity of the strongest evidence
    signed   whether negative values are evidence against; by default whether there are any
    fade     0..1, how much of the image's own colour is taken away, so that a map shows on an image of its colour
    colours  a matplotlib colormap, by default fieldmark's own
    scale    the scale of the map, by default its own
    pale     0..1, how much the image is whitened, so that colours stand out: .8 is the look of SHAP's figures
    box      where the map lies on the image, as `seen_box` says for a photograph before it was cropped; the parts that
             the model never saw are whitened

    Returns uint8 (H, W, 3). Where there is no evidence the (faded) image is untouched.
    """
    heatmap = np.asarray(heatmap)
    if heatmap.ndim != 2 or 0 in heatmap.shape:
        raise FieldmarkError(f"overlay: expected a map of shape (height, width), received {heatmap.shape}")
    base = to_rgb(image)
    if base.ndim != 3:
        raise FieldmarkError(f"overlay: expected one image (height, width, channels), received {np.shape(image)}")
    if scale is None:
        scale = scale_of(heatmap, bool((heatmap < 0).any()) if signed is None else signed)
    values = lay(scale(heatmap), (base.shape[0], base.shape[1]), box)
    faded = whiten(fade_colour(base, check_fraction("fade", fade)), check_fraction("pale", pale))
    if box != WHOLE:
        seen = pixels(box, values.shape)
        unseen = whiten(faded, UNSEEN)
        unseen[seen] = faded[seen]
        faded = unseen
    return blend(faded, values, check_fraction("alpha", alpha), colour_table(scale.signed, colours), scale.signed)


def show(att: Attribution, image: int, target: int, alpha: float = ALPHA) -> np.ndarray:
    """What there is to see of one image and target, as RGB uint8: its map over the image, or the picture made for it.

    The attribution must carry its images. Raises FieldmarkError as `overlay` does.
    """
    if att.pictures is not None:
        return to_rgb(att.pictures[image, target][None])[0]
    assert att.images is not None
    return overlay(att.images[image], att.maps[image, target], alpha, signed=att.signed)


def fade_colour(image: np.ndarray, fade: float = FADE) -> np.ndarray:
    """RGB (H, W, 3) as float with `fade` of its colour replaced by its luminance, as CSS `grayscale()` does."""
    return np.asarray((1 - fade) * image + fade * (image @ _LUMINANCE)[..., None])


def whiten(image: np.ndarray, pale: float) -> np.ndarray:
    """RGB (H, W, 3) with `pale` of the way to white gone."""
    return np.asarray(image + pale * (255.0 - image))


def lay(values: np.ndarray, size: tuple[int, int], box: Box = WHOLE) -> np.ndarray:
    """Scaled values (h, w) at the size of a picture, within the box; 0 outside."""
    if box == WHOLE:
        return resize_maps(values, size)
    return np.nan_to_num(place(values, size, box), copy=False)


def blend(base: np.ndarray, values: np.ndarray, alpha: float, table: np.ndarray, signed: bool) -> np.ndarray:
    """RGB (H, W, 3) in 0..255 with scaled values (H, W) over it in the colours of `colour_table`, as uint8."""
    colour = table[rows(values, signed)]
    weight = alpha * colour[..., 3:]
    return np.asarray(np.rint(base * (1 - weight) + 255 * weight * colour[..., :3]), np.uint8)
