"""How sharp a picture is, whatever it shows, and pictures made less sharp."""

from __future__ import annotations

import cv2
import numpy as np

COARSE = 1 / 32  # of the side: sigma of the blur that sharpness is measured against
EDGES = 0.9  # quantile of the slopes after that blur: where there is an edge to be sharp
SIGMAS = tuple(2.0**k / 128 for k in np.arange(-1, 5.5, 0.5))  # of the side


def sharpness(image: np.ndarray, where: np.ndarray) -> float:
    """How much steeper an image's (h, w, c) edges in `where` (h, w) bool are than after a blur [crete2007].

    1 is no steeper. Only the strongest edges count, so that it doesn't matter how many there are.
    """
    grey = image[..., :3].astype(np.float32).mean(axis=-1)
    fine, coarse = _slope(grey), _slope(cv2.GaussianBlur(grey, (0, 0), COARSE * _side(image)))
    edges = where & (coarse >= np.quantile(coarse[where], EDGES)) if where.any() else where
    return float(fine[edges].sum() / max(float(coarse[edges].sum()), 1e-6))


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """The image blurred by `sigma` pixels, as the type it has."""
    soft = cv2.GaussianBlur(image.astype(np.float32), (0, 0), sigma).reshape(image.shape)
    return np.clip(soft + 0.5, 0, 255).astype(np.uint8) if image.dtype == np.uint8 else soft.astype(image.dtype)


def blurred_to(images: np.ndarray, where: np.ndarray, aim: float) -> float:
    """The sigma, in pixels, after which the median image (n, h, w, c) is as sharp as `aim`, or nearly."""
    sigmas = [sigma * _side(images[0]) for sigma in SIGMAS]
    reached = [
        float(np.median([sharpness(blurred(image, sigma), part) for image, part in zip(images, where, strict=True)]))
        for sigma in sigmas
    ]
    return sigmas[int(np.argmin(np.abs(np.array(reached) - aim)))]


def _slope(grey: np.ndarray) -> np.ndarray:
    return np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))


def _side(image: np.ndarray) -> float:
    return float(np.sqrt(image.shape[0] * image.shape[1]))
