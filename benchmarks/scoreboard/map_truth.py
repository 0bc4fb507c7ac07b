"""What a map of a bird ought to show: every part of the picture rendered away, alone and with all others.

A case is a bird with marks of other classes and a watermark added, so that a map has something to leave out. Whether
the network heeds them is not assumed: all 2^k pictures with a choice of the k parts are rendered, and it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation

import fieldmark as fm
from benchmarks.scoreboard.nets import Net, load
from benchmarks.scoreboard.truth import IGNORED, RELIED, margins, scores_of
from fieldmark.demo.sketchbirds import MARKS, Bird
from fieldmark.demo.sketchbirds.datasets import images_of
from fieldmark.trust.statistics import spearman

PARTS_SHOWN = 5
"""Marks on a bird; with the watermark there are six parts, and 64 pictures of every bird."""
EXTRA = "watermark"
TRIES = 8
NEAR = 1
"""Pixels around a part that count as the part: half of an edge lies outside."""
COLUMNS = ("deletion", "preservation", "distractors", "energy", "pointing")


@dataclass(frozen=True, eq=False)
class Cases:
    """Birds of one network with what rendering says of their k parts.

    images     uint8 (n, s, s, 3)            predicted  (n,) what the network calls each
    parts      n tuples of k names           masks      bool (n, k, s, s), with a rim of NEAR pixels
    drops      (n, k) the margin lost when the part alone is rendered away, in logits
    stays      bool (n, 2^k): whether the class stays when the parts of these bits are kept, all others rendered away
    relied     bool (n, k): without it the class flips, or at least half of the margin is gone
    ignored    bool (n, k): without it neither, and the margin moves by less than a tenth
    """

    images: np.ndarray
    predicted: np.ndarray
    parts: tuple[tuple[str, ...], ...]
    masks: np.ndarray
    drops: np.ndarray
    stays: np.ndarray
    relied: np.ndarray
    ignored: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


def busy(bird: Bird, rng: np.random.Generator) -> Bird:
    """The bird with marks of other classes, PARTS_SHOWN in all, and a watermark."""
    others = [mark for mark in MARKS if not bird.has(mark)]
    chosen = rng.choice(others, max(0, PARTS_SHOWN - len(bird.marks)), replace=False)
    return bird.with_(*chosen, EXTRA)


def cases(net: Net, n: int, seed: int = 707) -> Cases:
    """About n fresh birds, as many of each class as there are, with a part relied on and one ignored.

    Marks are added to a bird up to TRIES times until the network still calls it by its class.
    """
    classifier = load(net)
    classes = len(net.of.marks)
    quota = np.full(classes, -(-n // classes))
    fresh = net.birds(2 * int(quota[0]), seed)
    rows = []
    for index, (bird, label) in enumerate(zip(fresh.birds, fresh.labels, strict=True)):
        if not quota[label]:
            continue
        tried = [busy(bird, np.random.default_rng((seed, index, turn))) for turn in range(TRIES)]
        right = np.nonzero(scores_of(classifier, images_of(tried)).argmax(axis=1) == label)[0]
        row = _case(classifier, tried[right[0]], int(label)) if len(right) else None
        if row is not None and row["relied"].any() and row["ignored"].any():
            rows.append(row)
            quota[label] -= 1
    stack = {name: np.stack([row[name] for row in rows]) for name in rows[0] if name != "parts"}
    return Cases(parts=tuple(row["parts"] for row in rows), **stack)


def _case(classifier: fm.Classifier, bird: Bird, label: int) -> dict[str, Any]:
    """What rendering every choice of parts says of one bird."""
    parts = (*(mark for mark in MARKS if bird.has(mark)), EXTRA)
    k = len(parts)
    kept = (np.arange(2**k)[:, None] >> np.arange(k)) & 1
    pictures = images_of([bird.without(*(p for p, on in zip(parts, row, strict=True) if not on)) for row in kept])
    scores = scores_of(classifier, pictures)
    margin = margins(scores, np.full(2**k, label))
    stays = scores.argmax(axis=1) == label
    alone = 2**k - 1 - (1 << np.arange(k))  # everything but one part
    drops = margin[-1] - margin[alone]
    flips = ~stays[alone]
    share = drops / max(float(margin[-1]), 1e-9)
    masks = np.stack([np.any(pictures[-1] != picture, axis=-1) for picture in pictures[alone]])
    return {
        "images": pictures[-1],
        "predicted": np.array(label),
        "parts": parts,
        "masks": np.stack([binary_dilation(mask, iterations=NEAR) for mask in masks]),
        "drops": drops,
        "stays": stays,
        "relied": flips | (share >= RELIED),
        "ignored": ~flips & (np.abs(share) < IGNORED),
    }


def truth_maps(cases: Cases) -> np.ndarray:
    """The truth drawn as a map: every part's drop spread over its pixels. The best that these measures can give."""
    area = np.maximum(cases.masks.sum(axis=(2, 3)), 1)
    return np.einsum("nk,nkhw->nhw", cases.drops / area, cases.masks)


def judged(cases: Cases, maps: np.ndarray) -> np.ndarray:
    """The five measures of COLUMNS for every bird, of maps (n, s, s): (n, 5), all better when higher.

    deletion      rank correlation of the map's sum over each part with the margin lost without it
    preservation  only the map's best 1, 2, ... k - 1 parts are kept, others rendered away: how often the class stays
    distractors   the positive energy a pixel on parts relied on, as a share of it and that on parts ignored
    energy        the share of all positive energy that lies on parts relied on
    pointing      whether the map's highest value lies on a part relied on
    """
    maps = np.nan_to_num(np.asarray(maps, dtype=np.float64))
    sums = np.einsum("nhw,nkhw->nk", maps, cases.masks)
    return np.stack([_judge(cases, row, maps[row], sums[row]) for row in range(len(cases))])


def _judge(cases: Cases, row: int, values: np.ndarray, sums: np.ndarray) -> list[float]:
    positive = np.maximum(values, 0)
    masks = cases.masks[row]
    relied, ignored = (masks[which[row]].any(axis=0) for which in (cases.relied, cases.ignored))
    ignored = ignored & ~relied
    on, off = positive[relied].mean(), positive[ignored].mean() if ignored.any() else 0.0
    order = np.lexsort((np.random.default_rng(row).random(len(sums)), -sums))  # equal parts in no order
    kept = np.cumsum(1 << order[:-1])
    best = np.argwhere(values == values.max())
    return [
        float(spearman(sums, cases.drops[row])),
        float(cases.stays[row][kept].mean()),
        float(on / (on + off)) if on + off > 0 else 0.5,
        float(positive[relied].sum() / positive.sum()) if positive.any() else 0.0,
        float(np.mean([relied[y, x] for y, x in best])),
    ]
