"""A batch of real photographs: crops of the ones that scikit-image carries."""

from __future__ import annotations

from itertools import cycle, islice, product

import numpy as np
from PIL import Image

SIDES = (1.0, 0.8, 0.6)  # of the shorter side
PLACES = (0.5, 0.0, 1.0)  # how far the crop is moved, of what is left


def photographs(n: int, size: int) -> np.ndarray:
    """n square crops of the cat, the coffee and the astronaut, uint8 (n, size, size, 3); the first 27 all differ."""
    from skimage import data

    pictures = (data.chelsea(), data.coffee(), data.astronaut())
    crops = islice(cycle(product(SIDES, PLACES, pictures)), n)
    return np.stack([_crop(picture, side, place, size) for side, place, picture in crops])


def _crop(picture: np.ndarray, side: float, place: float, size: int) -> np.ndarray:
    height, width = picture.shape[:2]
    edge = int(side * min(height, width))
    top, left = int(place * (height - edge)), int(place * (width - edge))
    square = Image.fromarray(picture[top : top + edge, left : left + edge])
    return np.asarray(square.resize((size, size), Image.Resampling.BICUBIC))
