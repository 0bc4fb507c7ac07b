"""Words for the outline of an object as a whole: how much each fits, from the object's mask alone."""

from __future__ import annotations

import cv2
import numpy as np

from fieldmark.guide.vocabulary import OUTLINES

LONG, ROUND = (1.3, 2.0), (0.80, 0.92)  # from "not at all" to "surely": axes; overlap with a disc of the same area
CUT, BOXED = (0.08, 0.25), (0.82, 0.94)  # share of the convex hull that is not object; of the least box that is
UPRIGHT = (0.2, 0.6)  # logarithm of width over height in the picture


def outline_amounts(mask: np.ndarray) -> np.ndarray:
    """(len(OUTLINES),) how much of every word the mask (h, w) bool shows, 0 to 1; 0 where it is empty."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return np.zeros(len(OUTLINES), np.float32)
    filled = np.zeros(mask.shape, np.uint8)
    points = max(contours, key=cv2.contourArea)
    cv2.drawContours(filled, [points], -1, 1, -1)
    y, x = np.nonzero(filled)
    area = float(len(y))
    axes = np.sqrt(np.linalg.eigvalsh(np.cov(np.stack([x, y])) + np.eye(2) / 12)) if area > 2 else np.ones(2)
    rows, columns = np.indices(mask.shape)
    disc = np.hypot(rows - y.mean(), columns - x.mean()) <= np.sqrt(area / np.pi)
    hull = np.zeros(mask.shape, np.uint8)
    cv2.fillPoly(hull, [cv2.convexHull(points)], 1)
    (width, height) = cv2.minAreaRect(points)[1]
    across = np.log((np.ptp(x) + 1) / (np.ptp(y) + 1))
    found = {
        "long": _ramp(axes[1] / axes[0], LONG),
        "round": _ramp((disc & (filled > 0)).sum() / max((disc | (filled > 0)).sum(), 1), ROUND),
        "deeply cut": _ramp(1 - area / max(float(hull.sum()), 1.0), CUT),
        "box-shaped": _ramp(area / ((width + 1) * (height + 1)), BOXED),
        "wide": _ramp(across, UPRIGHT),
        "tall": _ramp(-across, UPRIGHT),
    }
    return np.array([found[name] for name in OUTLINES], np.float32)


def _ramp(value: float, span: tuple[float, float]) -> float:
    return float(np.clip((value - span[0]) / (span[1] - span[0]), 0, 1))
