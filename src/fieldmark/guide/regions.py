"""From evidence to places one can point at: its connected parts, cut where they are two things of two colours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

LEVEL = 0.3  # of the strongest evidence: what belongs to a region
SHARE = 0.08  # of all positive evidence: what is worth being one
MOST = 3  # regions a picture
APART = 38.0  # Delta E between the two colours of a region that is cut
UNLIKE_BODY = 22.0  # Delta E: pixels that differ from the body's colour
PART = 0.25  # of such pixels each colour must have
DISTANCE = 0.12  # body units between the middles of the two


@dataclass(frozen=True, eq=False)
class Region:
    """A place in one picture: image index, mask (h, w) bool, its share of the positive evidence, its colour (Lab)."""

    image: int
    mask: np.ndarray
    share: float
    colour: np.ndarray


def find_regions(index: int, evidence: np.ndarray, lab: np.ndarray, body: np.ndarray, unit: float) -> list[Region]:
    """The regions of one picture, strongest first."""
    positive = np.maximum(evidence, 0)
    total = float(positive.sum())
    if total <= 0:
        return []
    count, labels = cv2.connectedComponents((positive >= LEVEL * positive.max()).astype(np.uint8), connectivity=8)
    pieces = [labels == one for one in range(1, count)]
    cut = [part for piece in pieces for part in two_things(piece, lab, body, unit)]
    shares = [float(positive[part].sum()) / total for part in cut]
    order = sorted(range(len(cut)), key=lambda i: -shares[i])[:MOST]
    return [Region(index, cut[i], shares[i], core_colour(cut[i], positive, lab)) for i in order if shares[i] >= SHARE]


def core_colour(mask: np.ndarray, evidence: np.ndarray, lab: np.ndarray) -> np.ndarray:
    """(3,) the median colour of the half of a region where the evidence is strongest."""
    values = evidence[mask]
    core = mask & (evidence >= np.median(values))
    return np.median(lab[core], axis=0)


def two_things(mask: np.ndarray, lab: np.ndarray, body: np.ndarray, unit: float) -> list[np.ndarray]:
    """The region as it is, or its two parts where it holds two colours, neither the body's, in two places."""
    y, x = np.nonzero(mask)
    colours = lab[mask]
    unlike = np.linalg.norm(colours - body, axis=1) > UNLIKE_BODY
    if unlike.sum() < 8:
        return [mask]
    own = colours[unlike]
    far = np.linalg.norm(own - own.mean(axis=0), axis=1).argmax()
    centres = np.stack([own[far], own[np.linalg.norm(own - own[far], axis=1).argmax()]])
    for _ in range(8):
        nearest = np.linalg.norm(own[:, None] - centres, axis=-1).argmin(-1)
        if min((nearest == 0).sum(), (nearest == 1).sum()) < PART * len(own):
            return [mask]
        centres = np.stack([own[nearest == one].mean(axis=0) for one in (0, 1)])
    if np.linalg.norm(centres[0] - centres[1]) < APART:
        return [mask]
    places = np.column_stack([y, x])[unlike]
    middles = [places[nearest == one].mean(axis=0) for one in (0, 1)]
    if np.linalg.norm(middles[0] - middles[1]) < DISTANCE * unit:
        return [mask]
    side = np.linalg.norm(colours[:, None] - centres, axis=-1).argmin(-1)
    parts = []
    for one in (0, 1):
        part = np.zeros_like(mask)
        part[y[side == one], x[side == one]] = True
        parts.append(part)
    return parts
