"""The page that compares, in a real browser."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from fieldmark.report import render
from fieldmark.report.compare import Pair, build_comparison
from tests.browser.pages import EVIL
from tests.figures.samples import sample
from tests.report.test_compare import Says

pytestmark = pytest.mark.no_framework


def page_text(before: str = "cat", after: str = "dog") -> str:
    one = sample(3, 1)
    two = dataclasses.replace(one, maps=one.maps[..., ::-1].copy())
    predictions = (Says(before, before, before), Says(before, before, after))
    return render(build_comparison([Pair(before=one, after=two)], predictions, sides=(before, after)))


def test_before_after_and_difference_stand_side_by_side(open_page: Callable[..., Any]) -> None:
    page = open_page(page_text())
    panes = page.locator("#image-1 .pane")
    assert panes.locator(".place").all_inner_texts() == ["Before", "After", "Difference"]
    boxes = [panes.nth(k).bounding_box() for k in range(3)]
    assert len({round(box["y"]) for box in boxes}) == 1
    assert (
        panes.locator(".high").all_inner_texts()[0].split(" ")[0]
        == panes.locator(".high").all_inner_texts()[1].split(" ")[0]
    )
    panes.first.locator(".stage").hover()
    read = [text for text in panes.locator(".value").all_inner_texts() if "Value here" in text]
    assert len(read) == 3
    number = [
        float(text.removeprefix("Value here: ").split(" ")[0].replace("−", "-").replace("+", "")) for text in read
    ]
    assert number[2] == pytest.approx(number[1] - number[0], abs=2e-3)
    page.keyboard.press("s")
    assert panes.count() == 3


def test_what_changed_leads_to_its_image(open_page: Callable[..., Any]) -> None:
    page = open_page(page_text())
    assert page.locator(".comparison h2").inner_text() == "1 of 3 predictions changed"
    page.locator(".changes a").click()
    assert page.url.endswith("#image-3")
    assert page.locator("#image-3 .change").inner_text() == "The prediction changed: cat, now dog."
    assert page.locator("#image-3").bounding_box()["y"] < 900


def test_it_is_narrow_and_harmless_too(open_page: Callable[..., Any]) -> None:
    page = open_page(page_text(EVIL, EVIL + "2"), width=380)
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("#image-1 .pane").count() == 3


def test_sides_that_explain_classes_of_their_own_are_both_shown(open_page: Callable[..., Any]) -> None:
    one, two = sample(1, 1), sample(1, 1, targets=("lynx",))
    page = open_page(render(build_comparison([Pair(before=one, after=two)])))
    assert page.locator(".pane .place").all_inner_texts() == ["Before", "After, for lynx"]
    assert page.locator(".classes label:visible").count() == 2
    page.locator(".classes label").nth(1).click()
    assert page.locator(".pane .place").all_inner_texts() == ["Before, for Egyptian_cat", "After"]
    assert page.locator(".pane canvas.map:visible").count() == 2
