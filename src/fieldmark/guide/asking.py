"""The questions of a key, and what somebody achieves who has only their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fieldmark.guide.key import Node, answers, grow
from fieldmark.guide.mark import Fidelity
from fieldmark.guide.marks import Candidate
from fieldmark.guide.observer import Split, agreement, confirmed, controlled, distinct, numbers, observe
from fieldmark.guide.places import Table
from fieldmark.guide.words import Word

MORE = 0.03  # of the pictures: so many more must a key get right to ask for what needs a second look


@dataclass(frozen=True, eq=False)
class Asked:
    """Words that are asked, each with the plate of its mark; the tree over them, and how far it carries.

    says  (hold-out,) the class that the tree gives every picture of the hold-out
    """

    words: tuple[tuple[Word, np.ndarray], ...]
    tree: Node
    fidelity: Fidelity
    says: np.ndarray

    def asks(self, mark: Candidate) -> bool:
        return any(plate is mark.plate for _, plate in self.words)


def ask(
    kept: Sequence[tuple[Candidate, Word]], table: Table, split: Split, predicted: np.ndarray, count: int, seed: int
) -> Asked:
    """The key over the words of marks, for `count` classes. The proof sees the hold-out: it has no part in this."""
    some, asks = to_ask(kept, table, split, predicted, count)
    marks, words = [mark for mark, _ in some], [word for _, word in some]
    chosen, n = [words[i] for i in asks], len(split.hold_out)
    tree, value = observe(chosen, table, split, predicted, count)
    control = controlled(marks, table, split, predicted, count, search=False, seed=seed)
    best = _searched(marks, table, split, predicted, count)
    rival = controlled(marks, table, split, predicted, count, search=True, seed=seed)
    return Asked(
        words=tuple((words[i], marks[i].plate) for i in asks),
        tree=tree,
        fidelity=Fidelity(agreement(value, n, control), agreement(best, n, rival)),
        says=answers(tree, numbers(chosen, table)[split.hold_out]),
    )


def to_ask(
    kept: Sequence[tuple[Candidate, Word]], table: Table, split: Split, predicted: np.ndarray, count: int
) -> tuple[Sequence[tuple[Candidate, Word]], list[int]]:
    """The marks that a key is made over, with their words, and which of these are asked.

    What needs a second look is left out, unless a key is right clearly more often with it on pictures that it is not
    made from: where classes differ in one of several marks, one may speak only when another is gone.
    """
    simple = [pair for pair in kept if not pair[0].after] or list(kept)
    asks = _distinct(simple, table)
    if len(simple) == len(kept):
        return simple, asks
    everything = _distinct(kept, table)
    less, more = (
        _right([some[i][1] for i in chosen], table, split, predicted, count)
        for some, chosen in ((simple, asks), (kept, everything))
    )
    return (kept, everything) if more >= less + MORE else (simple, asks)


def _distinct(some: Sequence[tuple[Candidate, Word]], table: Table) -> list[int]:
    return distinct([word for _, word in some], [mark.plate for mark, _ in some], table)


def _right(words: Sequence[Word], table: Table, split: Split, predicted: np.ndarray, count: int) -> float:
    """The share of the pictures to learn from that keys over the words get right, each made of the other half."""
    values, right = numbers(words, table), []
    for made, judged in ((split.discover, split.calibrate), (split.calibrate, split.discover)):
        tree = grow(values[made], predicted[made], count)
        right.append(answers(tree, values[judged]) == predicted[judged])
    return float(np.concatenate(right).mean())


def _searched(marks: Sequence[Candidate], table: Table, split: Split, predicted: np.ndarray, count: int) -> float:
    """What the best words achieve that a search with the network's labels finds at the marks."""
    found = confirmed(marks, table, split, predicted)
    both = [(word, mark.plate) for word, mark in zip(found, marks, strict=True) if word is not None]
    words = [both[i][0] for i in distinct([word for word, _ in both], [plate for _, plate in both], table)]
    return observe(words, table, split, predicted, count)[1] if words else 0.0
