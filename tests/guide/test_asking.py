"""Which marks a key asks for."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2", reason="opencv (extra `guide`) finds the objects")

from fieldmark.guide.asking import MORE, to_ask
from fieldmark.guide.marks import CANVAS, Candidate
from fieldmark.guide.observer import Split
from fieldmark.guide.places import Table, grid
from fieldmark.guide.vocabulary import NAMES, TERMS
from fieldmark.guide.words import Word

EACH = 60  # pictures of a class


def mark(cls: int, row: slice, after: tuple[Candidate, ...] = ()) -> Candidate:
    plate = np.zeros((CANVAS, CANVAS))
    plate[row, 20:40] = 1
    return Candidate(cls, plate, (), 1.0, 0.5, np.zeros(3), after=after)


def table_of(first: np.ndarray, second: np.ndarray) -> Table:
    """Pictures that show `first` (n,) of term 0 in place 0, and `second` of term 1 in place 1."""
    places = grid(np.ones((CANVAS, CANVAS)))
    amounts = np.zeros((len(first), len(TERMS), len(places)), np.float32)
    amounts[:, 0, 0], amounts[:, 1, 1] = first, second
    nothing = np.zeros((len(first), len(NAMES)), np.float32)
    clear = np.zeros((len(TERMS), len(places)))
    return Table(amounts, nothing, {}, np.zeros((len(first), 3)), np.ones((CANVAS, CANVAS)), places, clear, first)


@pytest.mark.parametrize(("share", "asked"), [(1.0, True), (0.75, True), (MORE, False), (0.0, False)])
def test_what_needs_a_second_look_is_asked_where_the_key_is_much_better_with_it(share: float, asked: bool) -> None:
    """Of three classes the first mark tells one from the rest, the second these two in a share of the pictures."""
    rng = np.random.default_rng(0)
    classes = np.tile(np.arange(3), EACH)
    noise = rng.uniform(0, 0.1, (2, len(classes)))
    seen = rng.permutation(len(classes)) < share * len(classes)
    table = table_of((classes == 0) + noise[0], np.where((classes == 1) & seen, 1, 0) + noise[1])
    rows = np.arange(len(classes))
    split = Split(rows[:60], rows[60:120], rows[120:])
    strong = mark(0, slice(10, 20))
    hidden = mark(1, slice(40, 50), after=(strong,))
    kept = [(strong, Word(0, 0, 1.0)), (hidden, Word(1, 1, 1.0))]
    some, asks = to_ask(kept, table, split, classes, 3)
    assert [pair[0] is hidden for pair in some] == ([False, True] if asked else [False])
    assert asks == list(range(len(some)))
