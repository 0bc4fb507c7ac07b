"""The sheets of a guide: nothing runs into anything else, and what is a command is set as one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="opencv (extra `guide`) finds the objects")

from fieldmark.guide.together import Default
from fieldmark.report.guide_card import card, fitting
from tests.guide.made import small_guide

LONG = "Darker than the body, small, black, a fine pattern, in the upper part, right of the middle"


@pytest.mark.parametrize("count", [8, 12])
def test_texts_of_a_card_do_not_overlap(count: int) -> None:
    """The last class is what has no mark, in a small type of its own."""
    guide = small_guide()
    names = tuple(f"class {i}" for i in range(count))
    marks = tuple(replace(guide.marks[0], classes=(name,), words=LONG) for name in names[:-1] for _ in range(2))
    plates = {name: np.zeros((96, 96, 3), np.uint8) for name in names}
    left = Default(count - 1, 20, 0.9, 1.0)
    figure = card(replace(guide, classes=names, marks=marks, plates=plates, default=left))
    boxes = [text.get_window_extent() for text in figure.texts]
    assert len(boxes) > 4 * count
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            wide = min(one.x1, other.x1) - max(one.x0, other.x0)
            tall = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert wide <= 1 or tall <= 3


def test_a_sheet_says_which_classes_and_questions_it_has_no_room_for() -> None:
    guide = small_guide()
    assert guide.key is not None
    plates = {f"class {i:02}": np.zeros((96, 96, 3), np.uint8) for i in range(40)}
    tree = guide.key.tree
    for _ in range(39):
        tree = replace(guide.key.tree, no=tree)
    many = replace(guide, plates=plates, counts={name: i for i, name in enumerate(plates)}, marks=())
    said = [text.get_text() for text in card(replace(many, key=replace(guide.key, tree=tree))).texts]
    assert "The 24 commonest of 40 classes. The others are on the page." in said
    assert [text for text in said if text.startswith("class ")] == [f"class {i}" for i in range(16, 40)]
    assert "The key has 40 questions, too many for a sheet. It is on the page." in said
    assert "The key" in [text.get_text() for text in card(guide).texts]
    assert "The key" not in said


@pytest.mark.no_framework
def test_what_does_not_fit_a_card_is_cut_or_left_out() -> None:
    assert fitting(["Red, at the top"], 40, 5) == ["Red, at the top"]
    assert fitting(["Red", "Blue"], 40, 5) == ["· Red", "· Blue"]
    assert fitting(["Red", LONG, "Blue"], 40, 2) == ["· Red", "· Blue"]
    cut = fitting([LONG], 20, 2)
    assert len(cut) == 2
    assert cut[-1].endswith("…")
    assert max(map(len, cut)) <= 20


def test_commands_of_a_refusal_are_set_as_code(tmp_path: Path) -> None:
    page = small_guide(verdict="no < yes").write_html(tmp_path / "guide.html").read_text()
    assert "<code>fieldmark explain</code>" in page
    assert "no &lt; yes" in page
    assert "`" not in page.split("</style>")[1]


def test_a_class_that_is_what_has_no_mark_is_told_so_on_the_card_and_not_by_marks_without_proof() -> None:
    guide = small_guide()
    vague = replace(guide.marks[0], classes=("plain",), words="Grey, in the middle", accepted=False)
    with_noise = replace(guide, marks=(*guide.marks, vague))
    said = " ".join(text.get_text() for text in card(replace(with_noise, default=Default(1, 20, 0.9, 1.0))).texts)
    assert "none of the others' marks" in said
    assert "Grey" not in said
    assert "Grey" in " ".join(text.get_text() for text in card(with_noise).texts)
