"""The questions of a key, and what somebody achieves who has only their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fieldmark.guide.key import Node, answers
from fieldmark.guide.mark import Fidelity
from fieldmark.guide.marks import Candidate
from fieldmark.guide.observer import Split, agreement, confirmed, controlled, distinct, numbers, observe
from fieldmark.guide.places import Table
from fieldmark.guide.words import Word


@dataclass(frozen=True, eq=False)
class Asked:
    """Words that are asked, each with the plate of its mark; the tree over them, and how far it carries.

    says  (hold-out,) the class that the tree gives every picture of the hold-out
    """

    words: tuple[tuple[Word, np.ndarray], ...]
    tree: Node
    fidelity: Fidelity
    says: np.ndarray


def ask(
    kept: Sequence[tuple[Candidate, Word]], table: Table, split: Split, predicted: np.ndarray, count: int, seed: int
) -> Asked:
    """The key over the words of marks, for `count` classes.

    What needs a second look is not asked. The proof sees the hold-out, so it may not choose the questions.
    """
    simple = [pair for pair in kept if not pair[0].after] or list(kept)
    marks, words = [mark for mark, _ in simple], [word for _, word in simple]
    asks = distinct(words, [mark.plate for mark in marks], table)
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


def _searched(marks: Sequence[Candidate], table: Table, split: Split, predicted: np.ndarray, count: int) -> float:
    """What the best words achieve that a search with the network's labels finds at the marks."""
    found = confirmed(marks, table, split, predicted)
    both = [(word, mark.plate) for word, mark in zip(found, marks, strict=True) if word is not None]
    words = [both[i][0] for i in distinct([word for word, _ in both], [plate for _, plate in both], table)]
    return observe(words, table, split, predicted, count)[1] if words else 0.0
