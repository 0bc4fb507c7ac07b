"""Marks at no place in particular, and words for where an object is and most are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("cv2", reason="opencv (extra `guide`) finds the objects")

from fieldmark.guide.loose import describe_loose, with_loose
from fieldmark.guide.marks import CANVAS, Candidate, find_marks
from fieldmark.guide.naming import SIDES, Directions
from fieldmark.guide.places import ANYWHERE, Table, grid
from fieldmark.guide.pose import Poses
from fieldmark.guide.regions import Region
from fieldmark.guide.vocabulary import TERMS, UNUSUAL, look

pytestmark = pytest.mark.no_framework

N, SIDE = 40, 64
RED, GREY = np.array([48, 66, 50], np.float32), np.array([55, 0, 0], np.float32)
WHOLE_OUTLINE = np.zeros((CANVAS, CANVAS), np.float32)
WHOLE_OUTLINE[24:72, 24:72] = 1


def table(shown: str | None = None, where: np.ndarray = WHOLE_OUTLINE) -> Table:
    """Of two classes; pictures of the first show a term there."""
    means = {cls: np.zeros((len(TERMS), CANVAS, CANVAS), np.float32) for cls in (0, 1)}
    if shown is not None:
        means[0][TERMS.index(shown)] = where
    places, nothing = grid(WHOLE_OUTLINE), np.zeros((0, len(TERMS)), np.float32)
    clear = np.ones((len(TERMS), len(places)))
    return Table(nothing[..., None], nothing, means, np.tile(GREY, (N, 1)), WHOLE_OUTLINE, places, clear, np.ones(N))


def marks(place: Callable[[np.random.Generator], np.ndarray], colour: np.ndarray, of: Table) -> list[Candidate]:
    """Those of one class, each picture with one region of 6 x 6 pixels about `place`."""
    rng = np.random.default_rng(0)
    regions = []
    for i in range(N):
        y, x = place(rng).astype(int)
        mask = np.zeros((SIDE, SIDE), bool)
        mask[y - 3 : y + 3, x - 3 : x + 3] = True
        regions.append(Region(i, mask, 0.5, colour + rng.normal(0, 2, 3)))
    middle, none = np.full(N, SIDE / 2), np.zeros(N)
    poses = Poses(middle, middle, np.full(N, 30.0), none, none.astype(bool), "centred")
    predicted = np.zeros(N, int)
    return with_loose(find_marks(regions, predicted, poses, of.bodies), regions, predicted, poses, of)


def anywhere(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(18, 46, 2)


def in_one_place(rng: np.random.Generator) -> np.ndarray:
    return np.array([22, 40]) + rng.normal(0, 1, 2)


def test_a_colour_at_ever_other_places_is_one_mark_and_has_its_name() -> None:
    seen = table("red", 0.05 * WHOLE_OUTLINE)
    (mark,) = marks(anywhere, RED, seen)
    assert (mark.loose, mark.whole, mark.coverage) == (True, False, 1.0)
    assert mark.area == pytest.approx((6 / 30) ** 2, rel=0.2)
    word = describe_loose(mark, seen)[0]
    assert (word.name, word.place) == ("red", ANYWHERE)
    place = seen.named(word.place, mark.plate)
    assert Directions(SIDES, True).where(place) == "somewhere"


def test_a_colour_that_all_classes_show_as_much_of_has_no_word() -> None:
    seen = table()
    (mark,) = marks(anywhere, RED, seen)
    assert describe_loose(mark, seen) == []


def test_what_is_in_one_place_or_has_the_body_s_colour_is_not_loose() -> None:
    spot = np.zeros((CANVAS, CANVAS), np.float32)
    spot[32:44, 52:66] = 1
    assert [mark.loose for mark in marks(in_one_place, RED, table("red", spot))] == [False]
    assert not any(mark.loose for mark in marks(anywhere, GREY + 4, table()))


def test_what_is_in_one_place_without_a_word_for_it_there_is_looked_for_everywhere() -> None:
    assert [mark.loose for mark in marks(in_one_place, RED, table())] == [True]


def test_an_object_is_told_by_where_it_is_and_most_are_not() -> None:
    lab, usual, own = np.full((SIDE, SIDE, 3), 50, np.float32), *np.zeros((2, SIDE, SIDE), bool)
    usual[16:48, 16:48] = True
    own[8:48, 24:48] = True  # reaches up by 8, and 8 columns are missing at the left
    further, sooner = (look(lab, own, usual)[..., TERMS.index(name)] > 0 for name in UNUSUAL)
    assert (further == (own & ~usual)).all()
    assert (sooner == (usual & ~own)).all()
    assert not look(lab, own)[..., [TERMS.index(name) for name in UNUSUAL]].any()
    off = np.roll(usual, 1, axis=0)  # by a pixel: nothing unusual
    assert not look(lab, off, usual)[..., [TERMS.index(name) for name in UNUSUAL]].any()
