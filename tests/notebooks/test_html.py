"""What notebooks show: everything escaped, nothing loaded or run, and colours left to the reader's theme."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fieldmark import notebook
from fieldmark.classifier.layers import LayerInfo, mark_chosen
from fieldmark.classifier.predictions import Predictions
from tests.figures.samples import sample

EVIL = "<img src=x onerror=alert(1)>\"'</td>&amp;"
ALLOWED = {
    *("div", "b", "br", "span", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "img"),
}


class Reader(HTMLParser):
    """Tags, attributes and text, with a check that every tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def attribution() -> Any:
    att = sample(1, 2, targets=(EVIL, "cat"), warnings=(EVIL,))
    return type(att)(**{**att.__dict__, "provenance": {**att.provenance, "model": EVIL, EVIL: EVIL, "layer": EVIL}})


def predictions(n: int = 2, classes: int = 3) -> Predictions:
    shares = np.linspace(0.9, 0.1, n * classes, dtype=np.float32).reshape(n, classes)
    labels = [EVIL, *(f"class {k}" for k in range(1, classes))]
    return Predictions(shares, shares, labels, "softmax")


def layers() -> Any:
    return mark_chosen([LayerInfo(EVIL, "Conv2D", (7, 9, 4), True), LayerInfo("out", "Dense", (3,), False)], EVIL)


@pytest.mark.parametrize("shown", [attribution, predictions, layers], ids=["attribution", "predictions", "layers"])
def test_what_is_shown_is_safe_whole_and_takes_the_colours_of_the_theme(shown: Any) -> None:
    html = shown()._repr_html_()
    page = Reader(html)
    assert EVIL in page.text
    assert {tag for tag, _ in page.tags} <= ALLOWED
    for _, attributes in page.tags:
        assert set(attributes) <= {"style", "src", "alt"}
        assert str(attributes.get("src", "data:image/png;base64,")).startswith("data:image/png;base64,")
        style = str(attributes.get("style", ""))
        assert not re.search(r"(?<![-\w])color:|#[0-9a-f]{3}|url\(|expression|rgb", style)
        assert "background:" not in style.replace("background:currentColor", "")
    assert "<script" not in html
    assert "http" not in html


def test_an_attribution_shows_its_panel_and_what_made_it() -> None:
    att = sample(6, 2)
    page = Reader(att._repr_html_())
    assert "GradCAM at base/top_activation: 6 image(s) x 2 target(s)" in page.text
    assert "2 more images: att.plot(images=[…])" in page.text
    (image,) = [attributes for tag, attributes in page.tags if tag == "img"]
    png = base64.b64decode(str(image["src"]).split(",")[1])
    assert Image.open(__import__("io").BytesIO(png)).width > 400
    assert "image 3: tiger_cat, logit" in str(image["alt"])
    assert "image 4" not in str(image["alt"])
    assert "layer_reason" in page.text
    assert "last feature map before pooling" in page.text


def test_an_attribution_of_nothing_says_so() -> None:
    for n, t in ((0, 2), (2, 0)):
        empty = sample(1, 1)
        fields = {
            "maps": np.zeros((n, t, 3, 3), np.float32),
            "scores": np.zeros((n, t)),
            "probabilities": np.zeros((n, t)),
            "classes": np.zeros((n, t), int),
            "targets": ((),) * n,
            "images": None,
        }
        nothing = type(empty)(**{**empty.__dict__, **fields})
        assert "nothing to show: no image or no target" in nothing._repr_html_()


def test_predictions_show_their_most_probable_classes_with_bars() -> None:
    page = Reader(predictions(2, 9)._repr_html_())
    assert "2 image(s), 9 classes; probabilities: softmax" in page.text
    assert "90.0 %" in page.text
    widths = [float(width) for width in re.findall(r"(?<!-)width:([\d.]+)em", predictions(2, 9)._repr_html_())]
    assert len(widths) == 2 * 5
    assert widths[0] == pytest.approx(6 * 0.9)
    assert Reader(predictions(0)._repr_html_()).text.startswith("0 image(s)")
    many = Reader(predictions(50)._repr_html_())
    assert "… 30 more" in many.text
    value = Predictions(np.array([[3.25]]), np.array([[3.25]]), ["weight"], "value")
    assert "weight: 3.25" in Reader(value._repr_html_()).text
    unknown = Predictions(np.array([[np.nan, 1]]), np.array([[np.nan, 1]]), ["a", "b"], "softmax")
    assert "nan %" in Reader(unknown._repr_html_()).text


def test_layers_show_which_one_maps_are_made_of() -> None:
    page = Reader(layers()._repr_html_())
    assert "7 x 9 x 4" in page.text
    assert page.text.count("class activation maps") == 1
    assert layers() == list(layers())


def test_a_part_is_escaped_unless_it_was_made_here() -> None:
    html = notebook.block(EVIL, notebook.table([EVIL], [[EVIL]]), notebook.details(EVIL, [(EVIL, 3)]))
    page = Reader(html)
    assert page.text.count(EVIL) == 5
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert "width:6.00em" in notebook.bar(7, "x")
    assert "width:0.00em" in notebook.bar(float("nan"), "x")
