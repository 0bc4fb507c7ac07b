"""Methods that make a picture instead of a map show the picture, in figures and on the page."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fieldmark.figures import panel
from fieldmark.figures.overlay import show
from fieldmark.report.build import build
from tests.figures.samples import sample

pytestmark = pytest.mark.no_framework


def test_the_picture_is_shown_as_it_is() -> None:
    att = sample(1, 2)
    made = np.random.default_rng(0).random((1, 2, 30, 40, 3)).astype(np.float32)
    att = dataclasses.replace(att, pictures=made)
    np.testing.assert_allclose(show(att, 0, 1), np.rint(made[0, 1] * 255), atol=1)
    data = build([att])
    assert data["methods"][0]["kind"] == "picture"
    assert data["methods"][0]["legend"] == ""
    maps = data["images"][0]["maps"]
    assert all(each["picture"].startswith("data:image/png") and "halves" not in each for each in maps)
    words = [text.get_text() for text in panel(att).findobj(match=lambda artist: hasattr(artist, "get_text"))]
    assert not any("own scale" in word for word in words)
    assert any("a picture made to raise it" in " ".join(word.split()) for word in words)
