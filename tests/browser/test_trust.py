"""The trust page in a real browser: verdict first, charts that say what their tables say, one click to each formula."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fieldmark.trust.metrics import METRICS
from tests.browser.pages import EVIL
from tests.browser.test_surroundings import LUMINANCE
from tests.report.trust_made import DUMMIES, made

pytestmark = pytest.mark.no_framework
Open = Callable[..., Any]
MANY = tuple(f"Method{chr(65 + i)}" for i in range(26))


def test_the_verdict_comes_first_then_ranking_maps_and_measures(open_page: Open, tmp_path: Path) -> None:
    page = open_page(made().write_html(tmp_path / "trust.html"))
    text = page.locator("body").inner_text()
    parts = ("Use GradCAM here", "12 images are few", "The ranking", "What was judged", "Faithfulness", "Cost")
    order = [text.index(part) for part in parts]
    assert order == sorted(order)
    assert page.locator(".banner.no").count() == 0
    names = page.locator("[aria-labelledby=ranking] .chart .name").all_inner_texts()
    assert [name.split("\n")[0] for name in names[1:]] == ["GradCAM", "IntegratedGradients", "GuidedBackprop", *DUMMIES]
    assert "tied with IntegratedGradients" in names[1]
    assert "no better than the edge detector" in names[3]
    assert ["stays when the weights are shuffled" in name for name in names] == [
        False,
        False,
        False,
        True,
        *[False] * 3,
    ]


def test_where_nothing_beats_a_dummy_the_banner_warns(open_page: Open, tmp_path: Path) -> None:
    page = open_page(made(("GradCAM",)).write_html(tmp_path / "trust.html"))
    assert page.locator(".banner.no").count() == 1


def test_dots_lie_in_the_order_of_their_values_and_dummies_in_the_band(open_page: Open, tmp_path: Path) -> None:
    page = open_page(made(MANY).write_html(tmp_path / "trust.html"))
    spots = page.evaluate("""[...document.querySelectorAll('[aria-labelledby=ranking] li:not(.axis)')].map((row) => {
      const middle = (box) => box.x + box.width / 2;
      const band = row.querySelector('.band').getBoundingClientRect();
      return {dot: middle(row.querySelector('.dot').getBoundingClientRect()), from: band.left, to: band.right,
              dummy: row.classList.contains('dummy'),
              value: Number(row.querySelector('.value').textContent.trim().split(' ')[0].replace('\\u2212', '-'))};
    })""")
    assert len(spots) == 26 + 3
    for a in spots:
        for b in spots:
            assert (a["dot"] - b["dot"]) * (a["value"] - b["value"]) >= -0.01
    assert all(each["from"] <= each["dot"] <= each["to"] for each in spots if each["dummy"])


@pytest.mark.parametrize("script", [True, False])
def test_every_formula_is_one_click_away_with_or_without_script(open_page: Open, tmp_path: Path, script: bool) -> None:
    page = open_page(made().write_html(tmp_path / "trust.html"), java_script_enabled=script)
    for metric in METRICS:
        box = page.locator(f"details:has(#what-{metric.key})")
        assert not box.locator("dl").first.is_visible()
        if metric.key in ("road", "passes"):  # once by the table's heading, else by its own line
            page.locator(f"thead a[href='#what-{metric.key}']").click()
        else:
            box.locator("summary").click()
        said = box.locator("dl.what").first.inner_text()
        for part in ("Formula", metric.formula, "Pitfall", metric.pitfall):
            assert re.sub(r"\s+", " ", part) in re.sub(r"\s+", " ", said)
        assert {"higher": "higher is better", "lower": "lower is better"}.get(
            metric.better, "neither"
        ) in box.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("methods", [("GradCAM", "LRP", "RISE"), MANY])
def test_it_fits_a_narrow_screen_and_every_word_has_contrast(
    open_page: Open, tmp_path: Path, scheme: str, methods: tuple[str, ...]
) -> None:
    page = open_page(made(methods).write_html(tmp_path / "trust.html"), width=380, color_scheme=scheme)
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    assert page.evaluate(LUMINANCE) == []


def test_paper_has_every_formula_and_the_whole_table(open_page: Open, tmp_path: Path) -> None:
    page = open_page(made().write_html(tmp_path / "trust.html"))
    page.emulate_media(media="print")
    assert page.locator("#what-road dl").is_visible()
    assert page.locator("#what-road .chart").is_hidden()
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 less its margins
    assert page.evaluate("document.documentElement.scrollWidth") <= 718
    assert len(page.pdf(format="A4")) > 20_000


def test_markup_in_names_and_notes_stays_text(open_page: Open, tmp_path: Path) -> None:
    result = made(
        (EVIL, "x" * 200, "LRP"),
        model=EVIL,
        verdict=EVIL,
        notes=(EVIL,),
        failed={EVIL: EVIL},
        names=(EVIL,) * 12,
        targets=(EVIL,) * 12,
        settings={EVIL: EVIL},
        stages=(EVIL,) * 3,
    )
    page = open_page(result.write_html(tmp_path / "trust.html"), width=380)
    assert page.locator(".banner").inner_text() == EVIL
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    assert page.locator("img[src=x], script").count() == 0


def test_a_screen_reader_gets_tables_and_named_maps(open_page: Open, tmp_path: Path) -> None:
    page = open_page(made().write_html(tmp_path / "trust.html"))
    tree = page.locator("body").aria_snapshot()
    for line in (
        'heading "Which map may I believe?"',
        'img "cat-0.jpg"',
        'img "map of GradCAM"',
        'rowheader "IntegratedGradients"',
        'list "faithfulness, higher is better"',
        'region "Table of sanity"',
    ):
        assert line in tree, f"{line} is not in\n{tree}"
