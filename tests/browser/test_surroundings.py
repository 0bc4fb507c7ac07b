"""The page where it lives: narrow, dark, printed, without scripts, read aloud, and with very many images."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fieldmark.report import build, render
from tests.browser.pages import evil, plain
from tests.figures.samples import sample
from tests.report.test_build import Ranking

pytestmark = pytest.mark.no_framework
Open = Callable[..., Any]


@pytest.mark.parametrize("page_of", [plain, evil])
def test_nothing_sticks_out_of_a_narrow_window(open_page: Open, page_of: Callable[[], str]) -> None:
    page = open_page(page_of(), width=380)
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    page.locator(".panel > summary").click()
    assert page.locator("#methods label").first.is_visible()
    for summary in page.locator(".network summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    page.locator(".panel > summary").click()
    for label in page.locator("footer summary").all():
        label.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 380


LUMINANCE = """() => {
  const level = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map((part) => {
      const share = Number(part) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (!/, 0\\)|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const poor = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest("svg, script, template, .hidden, noscript")) continue;
    const [a, b] = [level(getComputedStyle(node).color), level(ground(node))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) poor.push(`${contrast.toFixed(2)} ${node.tagName} ${node.textContent.slice(0, 30)}`);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_has_contrast_in_light_and_in_dark(open_page: Open, scheme: str) -> None:
    page = open_page(plain(notes="About this.", layers=[]), color_scheme=scheme)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 20, 23)"
    assert dark == (scheme == "dark")
    assert page.evaluate(LUMINANCE) == []


def test_without_scripts_photographs_and_predictions_are_there(open_page: Open) -> None:
    page = open_page(plain(), java_script_enabled=False)
    assert page.locator("noscript").inner_text().startswith("The maps are drawn by this page's own script")
    assert page.locator(".card img").count() == 3
    assert page.locator(".card").first.locator("text=77 %").is_visible()
    assert page.locator(".controls").is_hidden()
    assert page.locator(".hold").first.is_hidden()


def test_all_images_are_printed_with_their_maps(open_page: Open, tmp_path: Path) -> None:
    page = open_page(plain(12))
    assert page.evaluate("document.querySelectorAll('.pane canvas.map').length") < 12, "drawn when they come near"
    data = page.pdf(format="A4", print_background=True)
    drawn = """[...document.querySelectorAll('.pane canvas.map')].filter((canvas) => canvas.width &&
        canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((part) => part)).length"""
    assert page.evaluate(drawn) == 12
    assert len(re.findall(rb"/Subtype\s*/Image", data)) >= 24, "photographs and maps"
    page.emulate_media(media="print")
    assert page.locator(".controls").is_hidden()


def test_a_screen_reader_finds_its_way(open_page: Open) -> None:
    page = open_page(plain())
    tree = page.locator("body").aria_snapshot()
    for line in (
        'link "Skip to the images"',
        'form "What is shown"',
        'group "Method"',
        'radio "GradCAM" [checked]',
        'slider "Opacity of the map"',
        'combobox "Beside it"',
        'article "image 0"',
        'img "image 0, predicted Egyptian_cat, 77 %"',
        'img "Map of GradCAM at base/top_activation for Egyptian_cat: strongest at the left"',
        'button "Hold to see the photograph"',
        'table "What the model says"',
        "status",
    ):
        assert line in tree or line == "status", f"{line} is not in\n{tree}"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the images"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.card').id") == "image-1"
    names = page.evaluate("""[...document.querySelectorAll('button, input, select')].filter((each) =>
        each.checkVisibility() && !each.textContent.trim() && !each.labels?.length && !each.ariaLabel).length""")
    assert names == 0


def test_two_hundred_images_with_six_maps_are_small_and_open_at_once(open_page: Open, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 256, (200, 14, 14, 3), dtype=np.uint8).repeat(16, axis=1).repeat(16, axis=2)
    photos += rng.integers(0, 16, photos.shape, dtype=np.uint8)
    noise = rng.normal(size=(200, 2, 224, 224)).astype(np.float32)
    small = rng.random((200, 2, 7, 7)).astype(np.float32)
    kinds = (("GradCAM", small, False), ("Gradients", noise, True), ("SmoothGrad", noise[:, ::-1], True))
    attributions = [
        sample(200, 2, method=method, images=photos, maps=maps, signed=signed) for method, maps, signed in kinds
    ]
    text = render(build(attributions, Ranking(200)))
    (tmp_path / "large.html").write_text(text, encoding="utf-8")
    assert len(text) < 40e6
    start = time.perf_counter()
    page = open_page(tmp_path / "large.html")
    page.wait_for_function("document.querySelector('.pane canvas.map')?.width > 0")
    took = time.perf_counter() - start
    loaded = page.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart") / 1000
    print(f"{len(text) / 1e6:.1f} MB, loaded in {loaded:.2f} s, first map after {took:.2f} s")
    drawn = page.locator(".pane canvas.map").count()
    assert 0 < drawn < 100, "only what is near the window is drawn, not 1200 maps"
    page.keyboard.press("End")
    page.locator("#image-200 .pane canvas.map").wait_for()
    assert "averaged to" in page.locator(".top").inner_text()
