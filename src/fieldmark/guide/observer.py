"""What somebody achieves who sees only the words: a key over the marks' numbers, judged on pictures not used yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fieldmark.guide.key import Node, answers, grow
from fieldmark.guide.loose import describe_loose, describe_outline
from fieldmark.guide.marks import Candidate
from fieldmark.guide.places import ANYWHERE, AS_A_WHOLE, Table, around
from fieldmark.guide.pose import UNIT
from fieldmark.guide.vocabulary import COLOURS, NAMES, OUTLINES, RELATIONS, TERMS, UNUSUAL
from fieldmark.guide.words import Word, describe

Z = 1.96  # of a 95 % interval
CONTROLS = 10  # random places for every mark, each with a key of its own
WIDE, VAGUE = 0.01, 0.02  # what a wider place and a word that only compares cost in balanced accuracy
TELLS = 0.6  # area under the curve: with less, a word tells next to nothing of a class
USEFUL = 0.75  # balanced accuracy that a confirmed word must have


@dataclass(frozen=True)
class Agreement:
    """Share of hold-out pictures on which a key says what the network says, its 95 % interval, and its control's."""

    value: float
    low: float
    high: float
    control: float
    n: int


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of the pictures to discover with, to calibrate with, and to judge by; class by class."""

    discover: np.ndarray
    calibrate: np.ndarray
    hold_out: np.ndarray

    @property
    def fit(self) -> np.ndarray:
        return np.concatenate([self.discover, self.calibrate])


def numbers(words: Sequence[Word], table: Table) -> np.ndarray:
    """(n, words): how much of each word's term its place shows."""
    if not words:
        return np.zeros((len(table.amounts), 0), np.float32)
    return np.stack([table.shown(word.term, word.place) for word in words], axis=1)


def tells(word: Word, cls: int, table: Table, rows: np.ndarray, predicted: np.ndarray) -> bool:
    """Whether the class's pictures among the rows show more of what the word says than the others do."""
    shown, own = table.shown(word.term, word.place)[rows], predicted[rows] == cls
    others = np.sort(shown[~own])
    if own.all() or not own.any():
        return True
    below, level = (np.searchsorted(others, shown[own], side).mean() / len(others) for side in ("left", "right"))
    return bool((below + level) / 2 >= TELLS)


def observe(words: Sequence[Word], table: Table, split: Split, predicted: np.ndarray, count: int) -> tuple[Node, float]:
    """The key over the words, and its agreement with the network on the hold-out."""
    values = numbers(words, table)
    key = grow(values[split.fit], predicted[split.fit], count)
    said = answers(key, values[split.hold_out])
    return key, float((said == predicted[split.hold_out]).mean())


def distinct(words: Sequence[Word], plates: Sequence[np.ndarray], table: Table) -> list[int]:
    """Which words to keep so that no two ask the same: the best of those with one term at one named place."""
    best: dict[tuple[int, int, int, str], int] = {}
    for index, (word, plate) in enumerate(zip(words, plates, strict=True)):
        place = table.named(word.place, plate)
        row, column = place.row, place.column
        if place.extent:  # then not all of where it is is said
            row, column = (row if place.extent == "across" else -1), (column if place.extent == "down" else -1)
        says = (word.term, row, column, place.extent)
        if says not in best or words[best[says]].score < word.score:
            best[says] = index
    return sorted(best.values())


def described(marks: Sequence[Candidate], table: Table) -> list[Word | None]:
    """One word a mark from what its region shows, without any label; None where there is none."""
    found = [words_of(mark, table) for mark in marks]
    return [words[0] if words else None for words in found]


def words_of(mark: Candidate, table: Table, count: int = 1) -> list[Word]:
    """The best words for a mark."""
    if mark.outline:
        return describe_outline(mark, table)[:count]
    if mark.loose:
        return describe_loose(mark, table)[:count]
    return describe(mark.plate, mark.cls, table, count, whole=mark.whole)


def confirmed(marks: Sequence[Candidate], table: Table, split: Split, predicted: np.ndarray) -> list[Word | None]:
    """One word a mark: of all words at its region, the one that best tells its class from the others."""
    return [
        _search_placeless(mark, table, split.fit, predicted)
        if mark.loose or mark.outline
        else _search(mark.plate, mark.cls, table, split.fit, predicted)
        for mark in marks
    ]


def controlled(
    marks: Sequence[Candidate],
    table: Table,
    split: Split,
    predicted: np.ndarray,
    count: int,
    *,
    search: bool,
    seed: int,
) -> float:
    """The mean agreement of keys whose marks were moved to random places of the object and then put into words."""
    rng = np.random.default_rng(seed)
    places = np.argwhere(table.outline > 0.5)
    found = []
    for _ in range(CONTROLS):
        words: list[Word] = []
        plates: list[np.ndarray] = []
        for mark in marks:
            plate = _moved(_patch(mark) if mark.loose else mark.plate, places, rng)
            if search:
                word = _search(plate, mark.cls, table, split.fit, predicted)
            else:
                word = next(iter(describe(plate, mark.cls, table)), None)
            if word is not None:
                words.append(word)
                plates.append(plate)
        kept = [words[i] for i in distinct(words, plates, table)]
        found.append(observe(kept, table, split, predicted, count)[1])
    return float(np.mean(found))


def agreement(value: float, n: int, control: float) -> Agreement:
    """With Wilson's interval [wilson1927]."""
    low, high = wilson(value, n)
    return Agreement(value, low, high, control, n)


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n."""
    if n == 0:
        return 0.0, 1.0
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return float(np.clip(middle - half, 0.0, share)), float(np.clip(middle + half, share, 1.0))


def _search(plate: np.ndarray, cls: int, table: Table, rows: np.ndarray, predicted: np.ndarray) -> Word | None:
    allowed = around(plate, table.places)
    if not len(allowed):
        return None
    values = table.amounts[np.ix_(rows, np.arange(len(TERMS)), allowed)]
    scores = balanced_accuracy(values.reshape(len(rows), -1), predicted[rows] == cls).reshape(len(TERMS), -1)
    halves = np.array([table.places[place].half for place in allowed])
    scores = scores - WIDE * np.searchsorted(np.unique(halves), halves)
    scores[[TERMS.index(name) for name in (*RELATIONS, "more colourful", *UNUSUAL)]] -= VAGUE
    term, place = np.unravel_index(int(scores.argmax()), scores.shape)
    if scores[term, place] < USEFUL:
        return None
    return Word(int(term), int(allowed[place]), float(scores[term, place]))


def _search_placeless(mark: Candidate, table: Table, rows: np.ndarray, predicted: np.ndarray) -> Word | None:
    """Of all colours, or of all outlines, the word that best tells the class from the others."""
    names, place = (OUTLINES, AS_A_WHOLE) if mark.outline else (tuple(COLOURS), ANYWHERE)
    terms = [NAMES.index(name) for name in names]
    scores = balanced_accuracy(table.whole[rows][:, terms], predicted[rows] == mark.cls)
    best = int(scores.argmax())
    return Word(terms[best], place, float(scores[best])) if scores[best] >= USEFUL else None


def balanced_accuracy(values: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """(features,) the best balanced accuracy of "at least this much" over all thresholds; values (n, features)."""
    order = np.argsort(-values, axis=0, kind="stable")
    hits = positive[order]
    ranked = np.take_along_axis(values, order, axis=0)
    true = np.cumsum(hits, axis=0) / max(positive.sum(), 1)
    false = np.cumsum(~hits, axis=0) / max((~positive).sum(), 1)
    possible = np.concatenate([np.diff(ranked, axis=0) < -1e-9, np.ones((1, values.shape[1]), bool)])
    return np.where(possible, (true + 1 - false) / 2, 0.5).max(axis=0)


def _patch(mark: Candidate) -> np.ndarray:
    """A disc in the middle of the frame, as large as the regions of a mark that has no place are as a rule."""
    y, x = np.indices(mark.plate.shape) - (len(mark.plate) - 1) / 2
    return (np.hypot(y, x) <= np.sqrt(mark.area / np.pi) * UNIT * len(mark.plate)).astype(np.float32)


def _moved(plate: np.ndarray, places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A region's shape with its middle at a random place."""
    y, x = np.nonzero(plate > 0.3)
    if len(places) == 0 or len(y) == 0:
        return plate
    target = places[rng.integers(len(places))]
    rows, columns = np.indices(plate.shape)
    rows, columns = rows - (target[0] - round(y.mean())), columns - (target[1] - round(x.mean()))
    inside = (rows >= 0) & (rows < len(plate)) & (columns >= 0) & (columns < len(plate))
    return np.where(inside, plate[rows.clip(0, len(plate) - 1), columns.clip(0, len(plate) - 1)], 0)
