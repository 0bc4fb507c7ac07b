"""Whether the network reduces to marks, or why not; and what is suspicious about the marks that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fieldmark.guide.marks import CUT, Candidate, find_marks
from fieldmark.guide.observer import Agreement
from fieldmark.guide.pose import Poses
from fieldmark.guide.regions import Region

LEAST_FIDELITY = 0.70  # the low end of what an observer of the words achieves
LEAST_GAIN = 0.20  # of that over a random region
LEAST_SHARE = 0.20  # of the positive evidence in the strongest region, in the median picture
LEAST_PROVED = 0.6  # of the classes
LEAST_STABLE = 0.6  # Jaccard over bootstraps
SAME = 0.5  # cosine of two plates that show one mark
REDUCIBLE = "reducible"


@dataclass(frozen=True)
class Findings:
    """All that the verdict rests on."""

    described: Agreement
    top_share: float
    proved: float
    stability: float


def verdict(found: Findings) -> str:
    """ "reducible", or every reason why not, in one sentence each."""
    reasons = []
    if found.described.low < LEAST_FIDELITY:
        reasons.append(
            f"somebody with the words alone agrees with the network on {found.described.value:.0%} of new pictures "
            f"(at least {found.described.low:.0%}; {LEAST_FIDELITY:.0%} is needed)"
        )
    gain = found.described.value - found.described.control
    if gain < LEAST_GAIN:
        reasons.append(f"random places put into words do as well to {gain:.0%} (a gain of {LEAST_GAIN:.0%} is needed)")
    if found.top_share < LEAST_SHARE:
        reasons.append(
            f"the evidence is spread out: the strongest place holds {found.top_share:.0%} of it in the median picture"
        )
    if found.proved < LEAST_PROVED:
        reasons.append(f"erasing a mark changes the network's mind for {found.proved:.0%} of the classes only")
    if found.stability < LEAST_STABLE:
        reasons.append(f"other pictures give other marks (Jaccard {found.stability:.2f})")
    return "; ".join(reasons) or REDUCIBLE


def top_share(regions: Sequence[Region], images: np.ndarray) -> float:
    """The median over pictures of the share of positive evidence in the strongest region."""
    best = dict.fromkeys((int(i) for i in images), 0.0)
    for region in regions:
        if region.image in best:
            best[region.image] = max(best[region.image], region.share)
    return float(np.median(list(best.values()))) if best else 0.0


def stability(
    regions: list[Region],
    marks: Sequence[Candidate],
    predicted: np.ndarray,
    poses: Poses,
    bodies: np.ndarray,
    *,
    rounds: int = 20,
    seed: int = 0,
) -> float:
    """Mean Jaccard between the marks and those of bootstraps over the pictures [hennig2007]."""
    rng = np.random.default_rng(seed)
    images = np.unique([region.image for region in regions])
    if len(images) == 0:
        return 0.0
    found = []
    for _ in range(rounds):
        drawn = set(rng.choice(images, len(images)).tolist())
        own = [region for region in regions if region.image in drawn]
        found.append(jaccard(marks, find_marks(own, predicted, poses, bodies)))
    return float(np.mean(found))


def jaccard(one: Sequence[Candidate], other: Sequence[Candidate]) -> float:
    """Marks in both over marks in either; two are the same where class and place are, and colours differ little."""
    free = list(other)
    both = 0
    for mark in one:
        match = next((each for each in free if same_mark(mark, each)), None)
        if match is not None:
            free.remove(match)
            both += 1
    either = len(one) + len(other) - both
    return both / either if either else 1.0


def same_mark(one: Candidate, other: Candidate) -> bool:
    if one.cls != other.cls or np.linalg.norm(one.colour - other.colour) / 28 > CUT:
        return False
    norms = float(np.linalg.norm(one.plate) * np.linalg.norm(other.plate))
    return norms > 0 and float((one.plate * other.plate).sum()) / norms >= SAME
