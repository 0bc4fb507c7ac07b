"""Whether the network reduces to marks, or why not; and what is suspicious about the marks that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fieldmark.guide.loose import find_all
from fieldmark.guide.marks import CUT, Candidate
from fieldmark.guide.observer import Agreement
from fieldmark.guide.places import Table
from fieldmark.guide.pose import Poses
from fieldmark.guide.regions import Region

LEAST_FIDELITY = 0.70  # the low end of what an observer of the words achieves
LEAST_GAIN = 0.20  # of that over a random region
LEAST_OF_REST = 0.5  # of what a random region leaves to gain: large marks are hit by random places, too
LEAST_SHARE = 0.20  # of the positive evidence in the strongest region, in the median picture
LEAST_PROVED = 0.6  # of the classes
LEAST_STABLE = 0.6  # Jaccard over bootstraps
MOST_ELSEWHERE = 0.5  # of the classes
SAME = 0.5  # cosine of two plates that show one mark
REDUCIBLE = "reducible"


@dataclass(frozen=True)
class Findings:
    """All that the verdict rests on.

    described  what somebody with the words alone achieves, beside random places put into words
    top_share  share of the positive evidence in the strongest region of the median picture
    proved     share of the classes with a proved mark, or proved to be what is left without marks
    stability  Jaccard between the marks and those of bootstraps over the pictures
    elsewhere  share of the classes for which the network goes by something that is nowhere in particular
    whole      share of the classes with a proved mark that is most of their object: no place on it is another one
    """

    described: Agreement
    top_share: float
    proved: float
    stability: float
    elsewhere: float = 0.0
    whole: float = 0.0

    @property
    def everywhere(self) -> bool:
        """Whether random places are no rivals, since the marks are everywhere on their objects."""
        return self.whole >= LEAST_PROVED

    @property
    def carried(self) -> bool:
        """Whether spread-out evidence does no harm: the words bring most of all that random places leave to gain.

        A mark that an object has many times has no strongest place. A network of random weights goes by no place, but
        by the objects' colours: what is everywhere on them is no excuse.
        """
        return self.of_rest >= LEAST_OF_REST

    @property
    def gain(self) -> float:
        """What the words bring over random places put into words."""
        return self.described.value - self.described.control

    @property
    def of_rest(self) -> float:
        """The same as a share of all that could be gained."""
        return self.gain / max(1 - self.described.control, 1e-9)

    @property
    def margin(self) -> float:
        """How reducible the network is: 1 at best, below 0 where a guide is refused.

        The least over all conditions of how far a number is from its threshold, as a share of how far it could be.
        """
        said = self.described
        return min(
            _above(said.low, LEAST_FIDELITY),
            1.0 if self.everywhere else max(_above(self.gain, LEAST_GAIN), _above(self.of_rest, LEAST_OF_REST)),
            1.0 if self.carried else _above(self.top_share, LEAST_SHARE),
            _above(self.proved, LEAST_PROVED),
            _above(self.stability, LEAST_STABLE),
            _above(1 - self.elsewhere, 1 - MOST_ELSEWHERE),
        )


def _above(value: float, least: float) -> float:
    """1 at the value 1, 0 at the threshold, -1 at 0 and below, straight between."""
    return max(-1.0, (value - least) / ((1 - least) if value >= least else least))


def verdict(found: Findings) -> str:
    """ "reducible", or every reason why not, in one sentence each."""
    reasons = []
    if found.elsewhere > MOST_ELSEWHERE:
        reasons.append(
            f"for {found.elsewhere:.0%} of the classes the network goes by something that is nowhere in particular "
            "(see the warnings)"
        )
    if found.described.low < LEAST_FIDELITY:
        reasons.append(
            f"somebody with the words alone agrees with the network on {found.described.value:.0%} of new pictures "
            f"(at least {found.described.low:.0%}; {LEAST_FIDELITY:.0%} is needed)"
        )
    if found.gain < LEAST_GAIN and found.of_rest < LEAST_OF_REST and not found.everywhere:
        reasons.append(
            f"the words bring {found.gain:.0%} more than random places put into words ({LEAST_GAIN:.0%} is needed, or "
            f"{LEAST_OF_REST:.0%} of what these leave)"
        )
    if found.top_share < LEAST_SHARE and not found.carried:
        reasons.append(
            f"the evidence is spread out: the strongest place holds {found.top_share:.0%} of it in the median picture"
        )
    if found.proved < LEAST_PROVED:
        reasons.append(f"it is proved of {found.proved:.0%} of the classes only that erasing a mark changes its mind")
    if found.stability < LEAST_STABLE:
        reasons.append(f"other pictures give other marks (Jaccard {found.stability:.2f})")
    return "; ".join(reasons) or REDUCIBLE


def remains(proved: Sequence[str], classes: int, plates: int) -> str:
    """What a user still has where a guide is refused: `proved` are the classes with a proved mark."""
    shown = ", ".join(proved[:8]) + (f" and {len(proved) - 8} more" if len(proved) > 8 else "")
    kept = [f"the proved marks of {len(proved)} of {classes} classes ({shown})"] if proved else []
    kept += [f"what the pictures of each of {plates} classes have in common, as plates"] if plates else []
    kept.append(
        "where it looks in a single picture, by `fieldmark explain`, and which such maps to believe, by "
        "`fieldmark trust`"
    )
    return f"What can still be had: {'; '.join(kept)}."


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
    table: Table,
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
        found.append(jaccard(marks, find_all(own, predicted, poses, table)))
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
    if (one.cls, one.loose) != (other.cls, other.loose) or np.linalg.norm(one.colour - other.colour) / 28 > CUT:
        return False
    if one.loose:
        return True
    norms = float(np.linalg.norm(one.plate) * np.linalg.norm(other.plate))
    return norms > 0 and float((one.plate * other.plate).sum()) / norms >= SAME
