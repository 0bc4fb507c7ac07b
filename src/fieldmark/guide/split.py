"""Which images discover marks, which calibrate the key and which judge it: drawn by the class that the network says."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from fieldmark.guide.observer import Split

DISCOVER, CALIBRATE = 0.4, 0.3  # of a class's images
MOST = 40  # images a class for each of the two
LEAST = 12  # images a class


def split_by_prediction(
    predicted: np.ndarray, labels: Sequence[str], seed: int, copies: np.ndarray | None = None
) -> tuple[Split | str, tuple[str, ...]]:
    """The split, or in words why there is none; and what is left out.

    copies  (n,) bool: these have no part, for a picture that is both learned from and held out proves nothing
    """
    own = np.ones(len(predicted), bool) if copies is None else ~copies
    rng = np.random.default_rng(seed)
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    few: list[str] = []
    never: list[str] = []
    used = 0
    for cls, name in enumerate(labels):
        rows = rng.permutation(np.nonzero((predicted == cls) & own)[0])
        if len(rows) < LEAST:
            (few if len(rows) else never).append(f"{name} ({len(rows)})" if len(rows) else name)
            continue
        used += 1
        first = min(MOST, round(DISCOVER * len(rows)))
        second = first + min(MOST, round(CALIBRATE * len(rows)))
        for part, some in zip(parts, (rows[:first], rows[first:second], rows[second:]), strict=True):
            part += some.tolist()
    notes = []
    if not own.all():
        notes.append(f"{(~own).sum()} of the {len(own)} images are copies of others and have no part in this")
    if few:
        notes.append(f"left out, {LEAST} images that the network calls so are needed: {', '.join(few)}")
    if never:
        notes.append(f"the network calls no image {_or(never)}")
    if used < 2:
        counts = np.bincount(predicted, minlength=len(labels))
        return (
            f"a guide tells classes apart: expected 2 classes or more with {LEAST} images that the network calls so, "
            f"received {used} (of {len(predicted)} images {int(counts.max())} are called "
            f"{labels[int(counts.argmax())]!r})"
        ), tuple(notes)
    return Split(*(np.sort(np.array(part, int)) for part in parts)), tuple(notes)


def copies(images: np.ndarray) -> np.ndarray:
    """(n,) bool: which images are pixel by pixel the same as one before."""
    seen: set[bytes] = set()
    found = np.zeros(len(images), bool)
    for i, image in enumerate(images):
        digest = hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16).digest()
        found[i] = digest in seen
        seen.add(digest)
    return found


def _or(names: list[str]) -> str:
    shown = names[:8]
    return " or ".join(shown) + (f" or {len(names) - 8} more" if len(names) > 8 else "")
