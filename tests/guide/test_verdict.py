"""When a network comes down to marks, when a guide is refused, and what remains then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.guide.marks import CANVAS, Candidate
from fieldmark.guide.observer import Agreement
from fieldmark.guide.verdict import REDUCIBLE, Findings, jaccard, remains, top_share, verdict
from tests.guide.drawn import NAMES, boxes, untrained_network
from tests.guide.made import small_guide

GOOD = Findings(Agreement(0.95, 0.92, 0.97, 0.4, 200), top_share=0.5, proved=1.0, stability=0.95)
LITTLE = Agreement(0.77, 0.72, 0.82, 0.55, 200)  # less than half of what random places leave


def test_good_numbers_are_reducible() -> None:
    assert verdict(GOOD) == REDUCIBLE
    assert GOOD.margin > 0


def test_marks_that_are_many_need_no_strongest_place_where_the_words_do() -> None:
    assert verdict(replace(GOOD, top_share=0.11)) == REDUCIBLE
    assert replace(GOOD, top_share=0.11).margin > 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"described": Agreement(0.72, 0.66, 0.78, 0.3, 200)}, "at least 66%; 70% is needed"),
        ({"described": Agreement(0.95, 0.92, 0.97, 0.92, 200)}, "the words bring 3% more than random places"),
        ({"described": LITTLE, "top_share": 0.13}, "the strongest place holds 13% of it"),
        ({"proved": 0.5}, "it is proved of 50% of the classes only"),
        ({"stability": 0.3}, "other pictures give other marks (Jaccard 0.30)"),
        ({"elsewhere": 1.0}, "for 100% of the classes the network goes by something that is nowhere in particular"),
    ],
)
def test_every_condition_can_refuse_and_the_margin_says_so(change: dict, reason: str) -> None:
    found = replace(GOOD, **change)
    assert reason in verdict(found)
    assert found.margin < 0


def test_the_margin_is_the_weakest_number_and_lies_between_its_bounds() -> None:
    assert replace(GOOD, proved=0.7).margin == pytest.approx(0.25)
    assert replace(GOOD, proved=0.0).margin == -1
    none = Agreement(0.0, 0.0, 0.1, 1.0, 200)
    assert replace(GOOD, described=none).margin == -1


def test_what_remains_names_the_proved_classes() -> None:
    said = remains(["red", "blue"], 4, 4)
    assert "the proved marks of 2 of 4 classes (red, blue)" in said
    assert "fieldmark explain" in said
    assert "fieldmark trust" in said
    assert "marks" not in remains([], 4, 4)


def test_a_refused_guide_says_what_remains_and_another_does_not() -> None:
    assert small_guide().remains == ""
    refused = small_guide(verdict="the evidence is spread out")
    assert "What can still be had: the proved marks of 1 of 2 classes (redcap)" in refused.remains
    assert refused.remains in str(refused)


def test_the_same_marks_have_jaccard_one_and_others_none() -> None:
    plate = np.zeros((CANVAS, CANVAS), np.float32)
    plate[10:20, 10:20] = 1
    one = Candidate(0, plate, (), 1.0, 0.5, np.zeros(3))
    elsewhere, another = replace(one, plate=np.roll(plate, 40)), replace(one, cls=1)
    assert jaccard([one], [one]) == 1
    assert jaccard([one], [elsewhere]) == 0
    assert jaccard([one], [another]) == 0
    assert jaccard([one, another], [one]) == 0.5
    assert jaccard([], []) == 1
    assert top_share([], np.arange(3)) == 0


def test_random_weights_are_refused() -> None:
    classifier = fm.Classifier(untrained_network(), labels=NAMES)
    made = fm.FieldGuide.from_images(classifier, boxes(per_class=30)[0])
    assert not made.reducible
    assert "fieldmark explain" in made.remains
    assert made.findings is None or made.findings.margin < 0
