"""The report in a real browser: what is clicked, dragged, pressed and held does what it says, down to the pixels."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fieldmark.attribution import Attribution, resize_maps
from fieldmark.figures import overlay
from fieldmark.figures.colours import colour_table, rows
from fieldmark.figures.scale import scale_of
from fieldmark.report import build, maps, render
from tests.browser.pages import EVIL, evil, plain
from tests.figures.samples import sample

pytestmark = pytest.mark.no_framework
Open = Callable[..., Any]

FIRST = "#image-1"


def pixels(page: Any, selector: str = f"{FIRST} .pane canvas.map") -> np.ndarray:
    """What is on a canvas, uint8 (h, w, 4)."""
    text = page.locator(selector).first.evaluate("(canvas) => canvas.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text.split(",")[1]))).convert("RGBA"))


def weighted(picture: np.ndarray) -> np.ndarray:
    """Colour times opacity, which is what reaches the eye and what browsers store."""
    return picture[..., :3] * (picture[..., 3:] / 255)


def said(page: Any, card: str = FIRST) -> tuple[str, str, str]:
    """What the first pane of a card is of: place, class, score."""
    checked = page.locator(f"{card} .classes input:checked + span").inner_text()
    return page.locator(f"{card} .place").first.inner_text(), checked, page.locator(f"{card} .score").first.inner_text()


def expected(heatmap: np.ndarray, signed: bool, size: tuple[int, int]) -> np.ndarray:
    """Colours and opacities of a map as the figures make them, uint8 (h, w, 4)."""
    values = resize_maps(scale_of(heatmap, signed)(heatmap), size)
    return np.rint(255 * colour_table(signed)[rows(values, signed)]).astype(np.uint8)


def odd_map(height: int, width: int, signed: bool) -> np.ndarray:
    values = np.random.default_rng(height).normal(size=(height, width)).astype(np.float32)
    return 1e-4 * (values if signed else np.abs(values))


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize(("shape", "signed"), [((7, 9), False), ((5, 3), True), ((120, 80), True), ((1, 1), True)])
def test_the_pixels_are_those_of_the_figures(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], signed: bool, coarse: bool
) -> None:
    heatmap = odd_map(*shape, signed)
    heatmap.flat[0] = 1 if coarse else heatmap.flat[0]  # beyond the limit of full strength where there are many values
    if coarse:
        monkeypatch.setattr(maps, "FINE_CHARACTERS", 0)
        monkeypatch.setattr(maps, "SMALL_MAP", 0)
    page = open_page(render(build([sample(1, 1, maps=heatmap[None, None], signed=signed)])))
    if heatmap.size == 1:
        assert "blank" in page.locator(f"{FIRST} .note").inner_text()
        return
    seen = pixels(page)
    wanted = expected(heatmap, signed, seen.shape[:2])
    assert wanted[..., 3].max() > 240
    assert np.abs(seen[..., 3].astype(int) - wanted[..., 3]).max() <= 3
    assert np.abs(weighted(seen) - weighted(wanted)).max() <= (6 if coarse else 4)


def test_the_photograph_with_its_map_looks_as_the_overlay_does(open_page: Open) -> None:
    heatmap = np.zeros((3, 5), np.float32)
    heatmap[0, 4] = 1
    image = np.full((300, 500, 3), (90, 120, 160), np.uint8)
    page = open_page(render(build([sample(1, 1, images=image[None], maps=heatmap[None, None])])))
    shot = page.locator(f"{FIRST} .pane .stage").screenshot()
    screen = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)
    height, width = screen.shape[:2]
    assert abs(width / height - 5 / 3) < 0.02
    wanted = overlay(np.full((height, width, 3), (90, 120, 160), np.uint8), heatmap).astype(int)
    inner = (slice(8, -8), slice(8, -8))  # the page rounds the corners
    assert np.abs(screen[inner] - wanted[inner]).max() <= 14
    assert np.abs(screen[inner] - wanted[inner]).mean() < 2


def test_method_layer_and_class_change_the_map_and_the_words(open_page: Open) -> None:
    page = open_page(plain())
    assert said(page) == ("GradCAM at base/top_activation", "Egyptian_cat", "logit 11.3, probability 77 %")
    at_top = pixels(page)
    page.locator(f"{FIRST} .classes label").nth(1).click()
    assert said(page)[1:] == ("tiger_cat", "logit 9.24, probability 62 %")
    page.locator(".chips button.layer[data-layer='base/conv1']").click()
    assert said(page)[:2] == ("GradCAM at base/conv1", "tiger_cat")
    page.locator(f"{FIRST} .classes label").nth(0).click()
    mirrored = np.abs(pixels(page)[:, ::-1, 3].astype(int) - at_top[..., 3])
    assert mirrored.max() <= 2, "the map of that layer is the mirror image"
    page.locator(f"{FIRST} .classes label").nth(1).click()
    page.locator("#methods label").nth(1).click()
    assert said(page)[:2] == ("Occlusion at the input", "Egyptian_cat"), "Occlusion has no map of the other class"
    assert page.locator(f"{FIRST} .classes label:visible").count() == 1
    page.locator("#methods label").nth(0).click()
    assert said(page)[1] == "tiger_cat", "the class that was chosen comes back"
    assert said(page, "#image-2")[1] == "Egyptian_cat", "a class is chosen for one image"


def test_a_map_is_chosen_from_all_of_them(open_page: Open) -> None:
    page = open_page(plain())
    buttons = page.locator(f"{FIRST} .maps button")
    assert buttons.count() == 5
    page.get_by_role("button", name="GradCAM at base/conv1 for tiger_cat").first.click()
    assert said(page)[:2] == ("GradCAM at base/conv1", "tiger_cat")
    assert page.locator(f"{FIRST} .maps button[aria-pressed=true]").count() == 1


def test_a_layer_without_a_map_says_how_to_get_one(open_page: Open) -> None:
    page = open_page(plain())
    assert page.locator(".network .step").count() == 4, "20 x 30, 10 x 15, 5 x 8 and the head"
    page.locator(".network .step > summary").nth(1).click()
    page.locator(".network button.layer[data-layer='base/block1_conv']").click()
    offer = page.locator(".offer")
    assert "no map at base/block1_conv" in offer.inner_text()
    assert offer.locator("code").inner_text() == "fieldmark explain m.keras a.png --layer base/block1_conv"
    assert said(page)[0] == "GradCAM at base/top_activation"
    page.locator(".network button.stage-input").click()
    assert said(page)[0] == "Occlusion at the input", "the only method that has a map there"
    assert offer.is_hidden()


def test_the_slider_changes_what_is_seen(open_page: Open) -> None:
    page = open_page(plain())
    stage = page.locator(f"{FIRST} .pane .stage")
    before = stage.screenshot()
    slider = page.locator("#opacity")
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"], box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    assert page.locator(".slider output").inner_text() == "0 %"
    bare = stage.screenshot()
    assert bare != before
    canvas = page.locator(f"{FIRST} .pane canvas.map")
    assert canvas.evaluate("(each) => getComputedStyle(each).opacity") == "0"
    slider.press("ArrowRight")
    assert page.locator(".slider output").inner_text() == "1 %"


def test_holding_shows_the_photograph(open_page: Open) -> None:
    page = open_page(plain())
    look = f"""[getComputedStyle(document.querySelector("{FIRST} .pane canvas.map")).visibility,
        getComputedStyle(document.querySelector("{FIRST} .pane img")).filter]"""
    mapped, bare = ["visible", "grayscale(0.85)"], ["hidden", "none"]
    assert page.evaluate(look) == mapped
    stage, hold = page.locator(f"{FIRST} .pane .stage"), page.locator(f"{FIRST} .hold")
    for target in (stage, hold):
        target.hover()
        page.mouse.down()
        assert page.evaluate(look) == bare
        page.mouse.move(1, 1)
        page.mouse.up()
        assert page.evaluate(look) == mapped
    hold.focus()
    for key in ("Space", "o"):
        page.keyboard.down(key)
        assert page.evaluate(look) == bare
        page.keyboard.up(key)
        assert page.evaluate(look) == mapped


@pytest.mark.parametrize("coarse", [False, True])
def test_the_value_under_the_pointer_is_the_maps_own(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, coarse: bool
) -> None:
    heatmap = np.linspace(-0.03, 0.012, 63, dtype=np.float32).reshape(7, 9)
    heatmap[6, 0] = np.nan
    if coarse:
        monkeypatch.setattr(maps, "FINE_CHARACTERS", 0)
        monkeypatch.setattr(maps, "SMALL_MAP", 0)
    page = open_page(render(build([sample(1, 1, maps=heatmap[None, None], signed=True)])))
    box = page.locator(f"{FIRST} .pane .stage").bounding_box()

    def value(row: int, column: int) -> str:
        page.mouse.move(box["x"] + (column + 0.5) / 9 * box["width"], box["y"] + (row + 0.5) / 7 * box["height"])
        return str(page.locator(f"{FIRST} .value").inner_text())

    words = value(2, 7)
    number = float(words.removeprefix("Value here: ").split(" ")[0].replace("−", "-"))
    assert number == pytest.approx(heatmap[2, 7], rel=0.02 if coarse else 1e-3)
    assert words.endswith("at row 3 of 7, column 8 of 9")
    assert value(6, 0).startswith("Value here: not a number")
    assert value(0, 0).startswith("Value here: at least −0.03" if coarse else "Value here: −0.03 ")
    page.mouse.move(1, 1)
    assert page.locator(f"{FIRST} .value").inner_text() == "Point at the map to read its values."


def test_side_by_side(open_page: Open) -> None:
    page = open_page(plain())
    page.select_option("#beside", label="the photograph")
    assert page.locator(f"{FIRST} .pane").count() == 2
    second = page.locator(f"{FIRST} .pane").nth(1)
    assert second.locator("canvas.map").is_hidden()
    assert second.locator("img").evaluate("(each) => getComputedStyle(each).filter") == "none"
    page.select_option("#beside", label="Occlusion")
    assert second.locator(".place").inner_text() == "Occlusion at the input"
    boxes = [page.locator(f"{FIRST} .pane").nth(k).bounding_box() for k in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] < boxes[1]["x"]
    page.locator(f"{FIRST} .stage").first.hover()
    assert page.locator(f"{FIRST} .value", has_text="Value here").count() == 2, "read at the same place in both"


def test_keys(open_page: Open) -> None:
    page = open_page(plain())
    page.keyboard.press("2")
    assert said(page)[1] == "tiger_cat"
    page.keyboard.press("l")
    assert said(page)[0] == "GradCAM at base/conv1"
    page.keyboard.press("m")
    assert said(page)[0] == "Occlusion at the input"
    page.keyboard.press("Shift+M")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "name-2"
    page.keyboard.press("2")
    assert said(page, "#image-2")[1] == "tiger_cat"
    assert page.locator("#status").inner_text().startswith("image 1: GradCAM at base/")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.id") == "name-1"
    for _ in range(9):
        page.keyboard.press("-")
    assert page.locator(".slider output").inner_text() == "0 %"
    page.keyboard.press("s")
    assert page.locator(f"{FIRST} .pane").count() == 2
    page.keyboard.press("?")
    assert page.locator(".keys td", has_text="image before, after").is_visible()
    before = page.evaluate("document.activeElement.id")
    page.locator("#opacity").focus()
    page.keyboard.press("ArrowRight")
    assert before != page.evaluate("document.activeElement.id") == "opacity", "the slider keeps its own arrows"


def test_names_that_are_markup_stay_words(open_page: Open) -> None:
    page = open_page(evil())  # any error, alert or request fails the test
    wanted = EVIL.replace("\u202e", "").strip()
    assert page.title() == wanted
    for row in range(2):
        page.locator(f"{FIRST} .classes label").nth(row).click()
    page.locator(f"{FIRST} .maps button").first.click()
    page.locator("button.layer").first.click()
    assert said(page)[1] == wanted
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("document.querySelectorAll('script').length") == 4


ODD = {
    "1 pixel": sample(1, 1, size=(1, 1, 3)),
    "1 channel": sample(1, 1, size=(28, 28, 1)),
    "13 channels": sample(1, 1, size=(20, 24, 13)),
    "wide": sample(1, 1, size=(8, 200, 3)),
    "high": sample(1, 1, size=(300, 10, 3)),
    "NaN": sample(1, 1, maps=np.full((1, 1, 3, 3), np.nan, np.float32)),
    "zero": sample(1, 1, maps=np.zeros((1, 1, 3, 3), np.float32)),
    "infinite": sample(1, 1, maps=np.array([[[[np.inf, 1], [0, 0.5]]]], np.float32)),
    "tiny numbers": sample(1, 1, maps=np.array([[[[1e-30, 0], [0, 2e-30]]]], np.float32)),
}


@pytest.mark.parametrize("att", ODD.values(), ids=ODD.keys())
def test_odd_images_and_maps_open_and_stay_inside(open_page: Open, att: Attribution) -> None:
    page = open_page(render(build([att])), width=380)
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    stage = page.locator(f"{FIRST} .pane .stage")
    stage.hover()
    assert stage.bounding_box()["width"] > 1
    shown = page.locator(f"{FIRST} .note").inner_text()
    assert shown.startswith("blank") == (not np.isfinite(att.maps).any() or not att.maps.any())
    if not shown:
        assert pixels(page)[..., 3].max() >= 250
