"""How long a guide will take, roughly, said before the long work begins."""

from __future__ import annotations

import os
from math import ceil

FROM = 120.0  # seconds: shorter work is not announced
CORES = max(1, min(4, os.cpu_count() or 1))
PLACED = 2e-5  # seconds a picture and working pixel, on one core: its object, pose and words
TRIED = 1.6e-7  # seconds an edited picture and working pixel, beside what the network takes
MARKS, EDITS = 2, 810  # marks a class; edited pictures a mark
SEARCHED = 4e-4  # seconds a mark and picture: random marks put into words


def seconds(pictures: int, classes: int, pixels: int, network: float) -> float:
    """A rough guess: pictures of `pixels` working pixels, classes that have marks, seconds a picture of the network."""
    placed = PLACED * pixels * pictures / CORES
    proved = MARKS * classes * EDITS * (network + TRIED * pixels)
    return placed + proved + 12 * network * pictures + SEARCHED * MARKS * classes * pictures


def announcement(pictures: int, classes: int, pixels: int, network: float) -> str:
    """As "40 classes, 2000 pictures: this takes about 12 minutes"; empty for short work."""
    guess = seconds(pictures, classes, pixels, network)
    if guess < FROM:
        return ""
    minutes = ceil(guess / 60)
    length = f"{minutes} minutes" if minutes < 90 else f"{minutes / 60:.0f} hours"
    return f"{classes} classes, {pictures} pictures: this takes about {length}"
