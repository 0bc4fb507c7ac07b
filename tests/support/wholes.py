"""Drawn things that are told by what has no place on them: the colour of all of it, or dots all around."""

from __future__ import annotations

import cv2
import numpy as np

from tests.support.unseen import SCALE, SIZE, Family, Sheet, near, one_of

PETALS = ((235, 235, 230), (235, 215, 90), (240, 225, 235))


def cluttered(rng: np.random.Generator, sheet: Sheet, count: int = 8) -> Sheet:
    """With strokes and flecks on the ground, as long as nothing else was drawn."""
    for _ in range(count):
        start, colour = rng.uniform(0, SIZE * SCALE, 2), near(rng, tuple(sheet.image.mean(axis=(0, 1)).astype(int)), 45)
        end = start + rng.uniform(-30, 30, 2)
        cv2.line(sheet.image, start.astype(int).tolist(), end.astype(int).tolist(), colour, int(rng.integers(3, 9)))
    sheet.ground = sheet.image.copy()
    return sheet


def flower(rng: np.random.Generator, name: str) -> Sheet:
    """Nine petals about a yellow middle, turned any way; dots on all petals, a dark middle, or petals of one colour."""
    greens = ((80, 120, 60), (60, 100, 60), (100, 130, 80))
    middle, unit, angle = tuple(rng.uniform(0.45, 0.55, 2)), rng.uniform(0.33, 0.42), rng.uniform(0, 6.28)
    sheet = cluttered(rng, Sheet(rng, one_of(rng, greens), middle, unit, angle))
    petal = near(rng, (130, 60, 170), 12) if name == "purple" else one_of(rng, PETALS)
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    for way in 2 * np.pi * np.arange(9) / 9:
        along, across = 0.62 + 0.4 * np.cos(turn), 0.2 * np.sin(turn)
        sheet.shape(
            np.stack([along * np.cos(way) - across * np.sin(way), along * np.sin(way) + across * np.cos(way)], 1),
            petal,
            mark=name == "purple",
        )
        if name == "dotted":
            sheet.oval(0.9 * np.cos(way), 0.9 * np.sin(way), 0.1, 0.1, (60, 20, 30), mark=True)
    dark = name == "dark middle"
    sheet.oval(0, 0, 0.26, 0.26, near(rng, (80, 40, 20) if dark else (225, 170, 40), 8), mark=dark)
    return sheet


WHOLES: dict[str, Family] = {
    "flowers": (flower, ("purple", "dotted", "dark middle", "plain")),
}
