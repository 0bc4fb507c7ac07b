"""Words are chosen for what is special about a place, and places are named as people name them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fieldmark.guide.key import Node, grow
from fieldmark.guide.marks import CANVAS
from fieldmark.guide.naming import Directions
from fieldmark.guide.observer import distinct
from fieldmark.guide.places import COVERS, Table, around, clearness, covering, grid, nearest
from fieldmark.guide.vocabulary import TERMS
from fieldmark.guide.words import Word, describe

ROUND = np.hypot(*(np.indices((CANVAS, CANVAS)) - (CANVAS - 1) / 2)) < 30
ANY_WAY = Directions(("thick end", "thin end"), False, ("one side", "the other side"))
NATURAL, TURNED = Directions(("left", "right"), True), Directions(("thick end", "thin end"), False)


def _box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    plate = np.zeros((CANVAS, CANVAS), np.float32)
    plate[top:bottom, left:right] = 1
    return plate


def _table(means: dict[int, np.ndarray]) -> Table:
    places = grid(ROUND.astype(np.float32))
    nothing = np.zeros((0, len(TERMS)), np.float32)
    clear = np.ones((len(TERMS), len(places)))
    return Table(
        nothing[..., None], nothing, means, np.zeros((0, 3)), ROUND.astype(np.float32), places, clear, np.zeros(0)
    )


def _mean(**terms: np.ndarray) -> np.ndarray:
    mean = np.zeros((len(TERMS), CANVAS, CANVAS), np.float32)
    for name, where in terms.items():
        mean[TERMS.index(name.replace("_", " "))] = where
    return mean


def test_a_question_that_parts_the_pictures_is_clear() -> None:
    some = np.random.default_rng(0).normal(size=4000)
    amounts = np.stack([some > 1, some, np.ones(4000)], axis=-1).reshape(4000, 3, 1)
    assert np.allclose(clearness(amounts)[:, 0], [1, 2 / np.pi, 0], atol=0.02)


def test_of_two_words_the_one_that_is_clearly_there_or_not_wins() -> None:
    spot = _box(40, 52, 20, 32)
    table = _table({0: _mean(red=spot, dark_spots=0.9 * spot), 1: _mean()})
    assert describe(spot, 0, table)[0].name == "red"
    table.clear[TERMS.index("red")] = 0.7
    assert describe(spot, 0, table)[0].name == "dark spots"


@pytest.mark.parametrize(("others", "words"), [(9, []), (1, ["red"])])
def test_a_difference_that_may_be_chance_has_no_word(others: int, words: list[str]) -> None:
    """Of 40 pictures of one class 12 are red there; of as many of another 9, or one."""
    spot, red = _box(40, 52, 20, 32), TERMS.index("red")
    table = _table({0: _mean(red=0.3 * spot), 1: _mean(red=others / 40 * spot)})
    amounts = np.zeros((80, len(TERMS), len(table.places)), np.float32)
    amounts[:12, red] = amounts[40 : 40 + others, red] = 1
    owners = np.repeat([0, 1], 40)
    table = replace(table, amounts=amounts, discovered=np.arange(80), owners=owners)
    assert [word.name for word in describe(spot, 0, table)] == words


def test_what_every_class_shows_at_the_place_is_no_word_for_one_of_them() -> None:
    spot = _box(40, 52, 20, 32)
    table = _table({0: _mean(red=spot, dark_spots=spot), 1: _mean(red=spot)})
    assert describe(spot, 0, table)[0].name == "dark spots"
    assert describe(spot, 1, table) == []


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_how_many_classes_there_are_is_nothing_to_a_word(classes: int) -> None:
    """Red is on a third of every object, and three times as much of it at the spot in one class as in the others."""
    spot = _box(40, 56, 40, 56)
    own, others = _mean(red=0.5 * ROUND), _mean(red=0.5 * ROUND - 0.35 * spot)
    assert [w.name for w in describe(spot, 0, _table({0: own} | dict.fromkeys(range(1, classes), others)))] == ["red"]
    like = _mean(red=0.5 * ROUND - 0.25 * spot)
    assert describe(spot, 0, _table({0: own} | dict.fromkeys(range(1, classes), like))) == []


def test_what_has_no_place_is_named_without_one() -> None:
    table = _table({0: _mean()})
    nowhere = np.zeros_like(ROUND, np.float32)
    assert [table.named(place, nowhere).extent for place in (-1, -2)] == ["anywhere", "as a whole"]


def test_a_mark_outside_the_frame_has_no_word_and_divides_by_nothing() -> None:
    table = _table({0: _mean(red=ROUND), 1: _mean()})
    assert describe(np.zeros_like(ROUND), 0, table) == []


def test_what_the_whole_object_shows_is_no_word_for_a_place_on_it() -> None:
    spot = _box(40, 52, 20, 32)
    table = _table({0: _mean(red=ROUND, notch=spot), 1: _mean()})
    assert describe(spot, 0, table)[0].name == "notch"


def test_a_colours_name_is_plainer_than_a_texture_or_a_comparison_that_says_a_little_more() -> None:
    spot = _box(40, 52, 20, 32)
    table = _table({0: _mean(yellow=0.9 * spot, yellower=spot, light_spots=spot), 1: _mean()})
    assert describe(spot, 0, table)[0].name == "yellow"


RING = np.where(ROUND & ~(np.hypot(*(np.indices((CANVAS, CANVAS)) - (CANVAS - 1) / 2)) < 23), 1.0, 0.0)


@pytest.mark.parametrize(
    ("plate", "natural", "turned"),
    [
        (_box(44, 52, 44, 52), "in the middle", "in the middle"),
        (_box(44, 52, 19, 25), "at the left", "at the thick end"),
        (_box(20, 26, 44, 52), "at the top", "at the top, half-way along"),
        (_box(20, 26, 30, 38), "at the top, left of the middle", "at the top, towards the thick end"),
        (_box(20, 28, 19, 77), "all along the top", "all along the top"),
        (_box(44, 52, 19, 77), "across the middle", "across the middle"),
        (_box(19, 77, 68, 76), "all the way down, at the right", "all the way down, at the thin end"),
        (_box(19, 77, 19, 77), "all over", "all over"),
        (RING, "all along the rim", "all along the rim"),
    ],
)
def test_places_are_named(plate: np.ndarray, natural: str, turned: str) -> None:
    place = nearest(plate, grid(ROUND.astype(np.float32)))
    assert NATURAL.where(place) == natural
    assert TURNED.where(place) == turned


@pytest.mark.parametrize(
    ("plate", "words"),
    [
        (_box(20, 26, 44, 52), "at one side, half-way along"),
        (_box(62, 70, 68, 74), "at the thin end, at the other side"),
        (_box(44, 52, 19, 77), "from end to end, in the middle"),
        (_box(19, 77, 68, 76), "from side to side, at the thin end"),
        (_box(44, 52, 30, 38), "towards the thick end"),
    ],
)
def test_nothing_is_up_on_what_is_turned_any_way(plate: np.ndarray, words: str) -> None:
    assert ANY_WAY.where(nearest(plate, grid(ROUND.astype(np.float32)))) == words


def test_what_a_key_measures_lies_where_the_words_say() -> None:
    places = grid(_box(34, 60, 10, 86))  # long things, whose rows lie close together
    spot = _box(34, 40, 70, 80)
    named, found = nearest(spot, places), around(spot, places)
    apart = np.array([max(abs(place.row - named.row), abs(place.column - named.column)) for place in places])
    assert len(found)
    assert (covering(spot, places)[found] >= COVERS).all()
    assert (apart[found] <= 1).all()
    assert apart[covering(spot, places) >= COVERS].max() > 1  # a wide square that holds it may lie far off
    assert not len(around(0 * spot, places))


def test_no_two_words_of_a_key_ask_the_same() -> None:
    table = _table({0: _mean()})
    left, right = _box(44, 52, 19, 25), _box(44, 52, 71, 77)
    words = [Word(0, 3, 0.2), Word(0, 5, 0.4), Word(0, 5, 0.3), Word(1, 5, 0.1)]
    assert distinct(words, [left, left, right, left], table) == [1, 2, 3]


def _paths(node: Node, asked: tuple[tuple[int, float], ...] = ()) -> list[tuple[tuple[int, float], ...]]:
    if node.yes is None or node.no is None:
        return [asked]
    here = (*asked, (node.feature, node.threshold))
    return _paths(node.yes, here) + _paths(node.no, here)


def test_a_question_of_a_key_means_the_same_wherever_it_is_asked() -> None:
    """Three classes that one number at two thresholds would tell apart: a person can't see two thresholds."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(3), 60)
    numbers = np.column_stack([classes + rng.normal(0, 0.1, 180), rng.normal(size=180), rng.normal(size=180)])
    numbers[:, 1] += 1.5 * (classes == 1)
    paths = _paths(grow(numbers, classes, 3))
    assert all(len({feature for feature, _ in path}) == len(path) for path in paths)
    thresholds = {(feature, threshold) for path in paths for feature, threshold in path}
    assert len(thresholds) == len({feature for feature, _ in thresholds}) >= 2
