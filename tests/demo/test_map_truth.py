"""What maps of birds are judged by, on four parts whose truth is set by hand, and on one rendered bird."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.scoreboard.map_truth import COLUMNS, EXTRA, PARTS_SHOWN, Cases, busy, judged, truth_maps
from fieldmark.demo.sketchbirds import MARKS, sample

SIDE = 8


@pytest.fixture
def four() -> Cases:
    """Four parts, the quarters of the picture: 0 decides, 1 helps, 2 does nothing, 3 speaks against the class."""
    masks = np.zeros((1, 4, SIDE, SIDE), bool)
    half = SIDE // 2
    masks[0, 0, :half, :half] = masks[0, 1, :half, half:] = masks[0, 2, half:, :half] = masks[0, 3, half:, half:] = True
    kept = np.arange(16)
    return Cases(
        images=np.zeros((1, SIDE, SIDE, 3), np.uint8),
        predicted=np.array([0]),
        parts=(("a", "b", "c", "d"),),
        masks=masks,
        drops=np.array([[5.0, 2.0, 0.0, -1.0]]),
        stays=((kept & 1) == 1)[None],  # as long as part 0 is there
        relied=np.array([[True, False, False, False]]),
        ignored=np.array([[False, False, True, False]]),
    )


def one(cases: Cases, heatmap: np.ndarray) -> dict[str, float]:
    return dict(zip(COLUMNS, judged(cases, heatmap[None])[0], strict=True))


def test_the_truth_drawn_as_a_map_is_the_best_map(four: Cases) -> None:
    found = one(four, truth_maps(four)[0])
    assert found == {
        "deletion": pytest.approx(1),
        "preservation": 1,
        "distractors": 1,
        "energy": pytest.approx(5 / 7),
        "pointing": 1,
    }


def test_the_truth_upside_down_is_the_worst(four: Cases) -> None:
    found = one(four, -truth_maps(four)[0])
    assert found == {"deletion": pytest.approx(-1), "preservation": 0, "distractors": 0.5, "energy": 0, "pointing": 0}


def test_a_map_that_says_nothing_is_at_chance(four: Cases) -> None:
    for blank in (np.ones((SIDE, SIDE)), np.zeros((SIDE, SIDE)), np.full((SIDE, SIDE), np.nan)):
        found = one(four, blank)
        assert found["deletion"] == 0
        assert found["distractors"] == 0.5
        assert found["pointing"] == pytest.approx(1 / 4), "the share of the picture that is relied on"
    assert one(four, np.ones((SIDE, SIDE)))["energy"] == pytest.approx(1 / 4)


def test_a_map_of_the_distractor_fails_where_it_should(four: Cases) -> None:
    heatmap = np.zeros((SIDE, SIDE))
    heatmap[four.masks[0, 2]] = 1
    found = one(four, heatmap)
    assert (found["distractors"], found["energy"], found["pointing"]) == (0, 0, 0)
    assert found["preservation"] < 1, "the part that decides isn't kept first"


def test_preservation_counts_how_many_parts_a_map_needs(four: Cases) -> None:
    heatmap = 3.0 * four.masks[0, 1] + 2.0 * four.masks[0, 0] + 1.0 * four.masks[0, 2]
    assert one(four, heatmap)["preservation"] == pytest.approx(2 / 3), "not with one part, with two and with three"


def test_a_busy_bird_keeps_its_marks_and_its_pose() -> None:
    bird = sample("two", 3, 7)
    crowded = busy(bird, np.random.default_rng(0))
    assert bird.marks < crowded.marks
    assert len(crowded.marks) == PARTS_SHOWN
    assert crowded.marks <= set(MARKS)
    assert crowded.has(EXTRA)
    assert crowded.pose == bird.pose
