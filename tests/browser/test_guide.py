"""The guide's page and its practice, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cv2", reason="opencv (extra `guide`) draws the outlines")

from tests.browser.pages import EVIL
from tests.guide.made import small_guide

pytestmark = pytest.mark.no_framework


def test_verdict_and_warnings_come_first_then_key_and_plates(open_page: Callable[..., Any], tmp_path: Path) -> None:
    page = open_page(small_guide().write_html(tmp_path / "guide.html"))
    text = page.locator("body").inner_text()
    order = [text.index(part) for part in ("comes down to marks", "lower right", "The key", "The plates", "part\n")]
    assert order == sorted(order)
    assert page.locator(".plate h3").all_inner_texts() == ["redcap", "plain"]
    assert "No mark of its own" in page.locator(".plate").nth(1).inner_text()
    assert page.locator(".gallery figure").count() == 1


def test_a_refusal_says_not_to_rely_on_it(open_page: Callable[..., Any], tmp_path: Path) -> None:
    page = open_page(small_guide(verdict="the evidence is spread out").write_html(tmp_path / "guide.html"))
    assert "Don't rely on these marks" in page.locator(".banner.no").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_narrow_screen(open_page: Callable[..., Any], tmp_path: Path, scheme: str) -> None:
    for writer in (small_guide().write_html, small_guide().write_quiz):
        page = open_page(writer(tmp_path / "page.html"), width=380, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 380


def test_practice_takes_answers_shows_the_marks_and_counts(open_page: Callable[..., Any], tmp_path: Path) -> None:
    page = open_page(small_guide().write_quiz(tmp_path / "quiz.html"))
    pictures = json.loads(page.locator("#data").inner_text())["pictures"]
    for k, picture in enumerate(pictures):
        assert page.locator("#number").inner_text() == f"{k + 1} of 4"
        wrong = picture["image"] == 3
        name = {"redcap": "plain", "plain": "redcap"}[picture["network"]] if wrong else picture["network"]
        page.get_by_role("button", name=name, exact=True).click()
        assert ("Right" in page.locator("#said").inner_text()) != wrong
        assert page.locator("#stage path").count() == 2 * len(picture["marks"])
        assert page.locator("#answers button:enabled").count() == 0
        if k < 3:
            page.locator("#next").click()
    assert page.locator("#score").inner_text() == "3 of 4 right: 75 % (95 % interval 30 to 95 %)"
    assert page.locator("#confusions td").all_inner_texts() == ["redcap", "plain", "1"]
    with page.expect_download() as waiting:
        page.locator("#save").click()
    saved = json.loads(Path(waiting.value.path()).read_text())
    assert saved["answered"] == 4
    assert saved["right"] == 3
    assert {each["image"] for each in saved["answers"]} == {0, 1, 2, 3}


def test_practice_goes_by_the_keyboard(open_page: Callable[..., Any], tmp_path: Path) -> None:
    page = open_page(small_guide().write_quiz(tmp_path / "quiz.html"))
    page.locator("#answers button").first.focus()
    for _ in range(3):
        page.keyboard.press("Enter")  # answers; the button for the next picture has the focus
        page.keyboard.press("Enter")
    assert page.locator("#number").inner_text() == "4 of 4"


def test_markup_in_names_stays_text(open_page: Callable[..., Any], tmp_path: Path) -> None:
    guide = small_guide(first=EVIL, second="</script><b>x")
    page = open_page(guide.write_html(tmp_path / "guide.html"))
    assert page.locator(".plate h3").first.inner_text() == EVIL
    page = open_page(guide.write_quiz(tmp_path / "quiz.html"))
    assert EVIL in page.locator("#answers button").all_inner_texts()


def test_without_script_practice_still_shows_the_key(open_page: Callable[..., Any], tmp_path: Path) -> None:
    page = open_page(small_guide().write_quiz(tmp_path / "quiz.html"), java_script_enabled=False)
    assert "Is it red" in page.locator(".key").inner_text()
    assert "switched off" in page.locator("noscript").inner_text()
