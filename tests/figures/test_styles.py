"""Everything a figure can be asked for: styles, contours, scales between models, signals and volumes, vector files."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from fieldmark.errors import FieldmarkError, OutputError
from fieldmark.figures import panel
from fieldmark.figures.scale import to_rgb
from tests.figures.samples import blob, sample

pytestmark = pytest.mark.no_framework


def written(figure: Figure) -> str:
    return " ".join(" ".join(text.get_text() for text in figure.texts).split())


def pictures(figure: Figure) -> list[np.ndarray]:
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes]


def model(name: str, factor: float = 1.0, **changes: Any) -> Any:
    """An attribution of a network of that name, whose maps are `factor` as strong."""
    att = sample(1, 2, **changes)
    return dataclasses.replace(att, maps=factor * att.maps, provenance={**att.provenance, "model": name})


def test_the_scale_and_the_seed_are_said() -> None:
    words = written(panel(sample(1, 1, signed=True, maps=np.full((1, 1, 7, 9), 0.25) * np.eye(7, 9))))
    assert "full colour at ±0.25, seed 0" in words
    unseeded = sample(1, 1)
    unseeded = dataclasses.replace(unseeded, provenance={**unseeded.provenance, "seed": None})
    assert "seed" not in written(panel(unseeded))


def test_before_and_after_share_a_scale_when_asked_and_say_which_is_which() -> None:
    before, after = model("net"), model("net", 0.25)
    own = pictures(panel([before, after], original=False))
    np.testing.assert_array_equal(own[0], own[2])
    shared = panel([before, after], captions=["before", "after"], shared_scale=True, original=False)
    drawn = pictures(shared)
    assert np.abs(drawn[2].astype(int) - drawn[0]).max() > 50
    limits = set(re.findall(r"full colour at ([\d.]+)", written(shared)))
    assert len(limits) == 1
    assert {"before", "after"} <= set(written(shared).split())


def test_models_that_differ_are_named_in_every_cell() -> None:
    words = written(panel([model("old_net"), model("new_net")]))
    assert words.count("old_net") == words.count("new_net") == 2
    assert written(panel([model("net"), model("net")])).count("net") == 1 + 0  # the title


def test_scales_are_not_shared_between_methods_layers_or_units() -> None:
    small = model("net", 0.01)
    for other in (
        model("net", method="HiResCAM"),
        model("net", layer="base/block3"),
        dataclasses.replace(model("net"), provenance={**model("net").provenance, "scores": "probabilities"}),
    ):
        both = panel([small, other], shared_scale=True, original=False)
        alone = panel(small, shared_scale=True, original=False)
        np.testing.assert_array_equal(pictures(both)[0], pictures(alone)[0])


def test_a_given_limit_is_the_value_at_full_colour() -> None:
    att = sample(1, 1)
    words = written(panel(att, limit=4))
    assert "full colour at 4" in words
    assert "strengths compare" in words
    weak, strong = pictures(panel(att, limit=40, original=False))[0], pictures(panel(att, limit=1, original=False))[0]
    assert np.ptp(weak.astype(int), axis=-1).max() < np.ptp(strong.astype(int), axis=-1).max()
    assert "full colour at 2" in written(panel([att, att], limit=[4, 2]))


def test_the_shap_style_is_pale_grey_and_on_one_scale() -> None:
    att = sample(1, 2, signed=True)
    figure = panel(att, style="shap")
    picture = pictures(figure)[1]
    rim = picture[-20:, :40]  # where this map is zero
    assert rim.min() > 190
    assert np.ptp(rim, axis=-1).max() <= 2
    assert "strengths compare" in written(figure)
    darker = pictures(panel(att, style="shap", pale=0.2))[1][-20:, :40]
    assert darker.mean() < rim.mean() - 20
    assert "own scale" in written(panel(att, style="shap", shared_scale=False))


@pytest.mark.parametrize("signed", [False, True])
def test_contours_are_lines_at_their_share_of_full_colour(signed: bool) -> None:
    att = sample(1, 1, signed=signed, size=(200, 300, 3), images=np.full((1, 200, 300, 3), 120, np.uint8))
    figure = panel(att, contours=1, original=False)
    axes, bar = figure.axes[0], figure.axes[1]
    assert len(axes.lines) == (2 if signed else 1)
    values = att.resized((200, 300))[0, 0]
    for line in axes.lines:
        x, y = line.get_xdata(), line.get_ydata()
        at = np.abs(values[np.rint(y).astype(int), np.rint(x).astype(int)])
        np.testing.assert_allclose(at, 0.5 * np.abs(att.maps).max(), atol=0.05 * np.abs(att.maps).max())
    assert len(bar.lines) == len(axes.lines)
    assert "Lines: 50 % of full colour." in written(figure)
    assert "Lines: 25, 50 and 75 % of full colour." in written(panel(att, contours=3))


def test_blank_maps_and_single_pixels_have_no_contours() -> None:
    for maps in (np.zeros((1, 1, 7, 9), np.float32), np.full((1, 1, 7, 9), np.nan, np.float32)):
        assert not panel(sample(1, 1, maps=maps), contours=3, original=False).axes[0].lines
    one = sample(1, 1, maps=np.ones((1, 1, 1, 1), np.float32), size=(1, 1, 3))
    figure = panel(one, contours=3)
    assert "blank: 1 everywhere" in written(figure)
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_many_small_rows_stand_beside_each_other() -> None:
    figure = panel(sample(8, 1), names=[f"n{k}" for k in range(8)])
    width, height = figure.get_size_inches()
    assert width > height
    assert len(figure.axes) == 8 * 2 + 1
    tops = [round(axes.get_position().y1, 6) for axes in figure.axes[:-1]]
    assert [tops.count(top) for top in sorted(set(tops), reverse=True)] == [6, 6, 4]


def signals(n: int = 1, length: int = 300, channels: int = 2) -> Any:
    values = np.cumsum(np.random.default_rng(0).normal(size=(n, length, channels)), axis=1).astype(np.float32)
    maps = np.stack([np.stack([blob(1, 20, 0.5, 0.25)[0], -blob(1, 20, 0.5, 0.75)[0]])] * n)
    return sample(n, 2, signed=True, maps=maps, images=values)


def test_a_signal_is_a_curve_over_a_strip_of_its_evidence() -> None:
    att = signals()
    figure = panel(att)
    original, walking, running = figure.axes[:3]
    assert [len(axes.lines) for axes in (original, walking, running)] == [2, 2, 2]
    assert "signal, 300 samples" in written(figure)
    for picture, place in zip(pictures(figure)[1:3], (0.25, 0.75), strict=True):
        assert picture.shape[1] == 300  # a strip as long as the signal
        colour = np.abs(picture[0].astype(int) - 250).max(axis=-1)
        assert abs(int((colour * np.arange(300)).sum() / colour.sum()) - place * 300) < 5
    assert pictures(figure)[1][0, 75, 0] > pictures(figure)[1][0, 75, 2]  # for: orange
    assert pictures(figure)[2][0, 225, 2] > pictures(figure)[2][0, 225, 0]  # against: blue
    x = original.lines[0].get_xdata()
    assert x[0] == 0
    assert x[-1] == 299
    assert len(panel(signals(channels=9)).axes[0].lines) == 1
    assert len(panel(dataclasses.replace(att, images=None)).axes) == 2 + 1
    assert att.resized().shape == (1, 2, 300)


def test_a_volume_is_its_slices() -> None:
    depth = np.array([0, 0, 1, 0, 0, 0], np.float32)
    maps = (depth[:, None, None] * blob(5, 5, 0.5, 0.5))[None, None]
    volume = np.random.default_rng(0).random((1, 6, 30, 40, 1)).astype(np.float32)
    att = sample(1, 1, maps=maps, images=volume)
    figure = panel(att)
    assert "volume, 6 slices of 40 x 30; shown: 1, 2, 3, 4, 5, 6" in written(figure)
    drawn = pictures(figure)[1].astype(int)
    colour = np.ptp(drawn, axis=-1)
    assert (
        colour.argmax() % colour.shape[1] > 2 / 3 * colour.shape[1]
    )  # the third slice is at the right of the first row
    assert colour.argmax() // colour.shape[1] < colour.shape[0] / 2
    assert att.resized().shape == (1, 1, 6, 30, 40)
    assert "6 x 5 x 5" in repr(att)


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_vector_files_keep_text_as_text_and_each_picture_once(kind: str, tmp_path: Path) -> None:
    name = "a_$x^2$ & <b>"
    att = sample(1, 2, size=(224, 224, 3), targets=(name, "cat"))
    path = tmp_path / f"panel.{kind}"
    figure = panel(att, contours=2)
    before = [axes.images[0].get_interpolation() for axes in figure.axes]
    figure.savefig(path)
    assert [axes.images[0].get_interpolation() for axes in figure.axes] == before
    data = path.read_bytes()
    raw = 4 * sum(picture.nbytes for picture in pictures(figure)) / 3
    assert len(data) < 1.4 * raw + 60_000
    again = tmp_path / f"again.{kind}"
    figure.savefig(again, metadata={"Date": None} if kind == "svg" else {"CreationDate": None})
    if kind == "pdf":
        assert data.count(b"/Subtype /Image") == len(figure.axes)
        assert b"/FontFile2" in data  # a TrueType font, not outlines
        return
    text = data.decode()
    assert re.search(r"<text[^>]*>a_\$x\^2\$ &amp; &lt;b&gt;</text>", text)
    embedded = re.findall(r"data:image/png;base64,\s*([^\"]+)\"", text)
    assert len(embedded) == len(figure.axes)
    first = Image.open(io.BytesIO(base64.b64decode("".join(embedded[0].split()))))
    assert first.size == (224, 224)  # its own pixels, not those of a screen


def test_a_figure_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        panel(sample()).savefig(tmp_path / "missing" / "x.png")
    assert str(caught.value) == (
        f"cannot write {tmp_path / 'missing' / 'x.png'}: no such file or directory; choose a folder you can write to"
    )


def test_a_float_image_just_above_one_is_not_black() -> None:
    image = np.random.default_rng(0).random((1, 8, 8, 1)).astype(np.float32) * 1.2
    assert to_rgb(image).mean() > 80
    assert to_rgb(np.full((2, 2, 1), 200.0)).mean() == 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"style": "shapp"}, "unknown style 'shapp': did you mean 'shap'? Valid: overlay, shap"),
        ({"contours": 10}, "contours: expected 0 to 9 lines, received 10"),
        ({"captions": ["a", "b"]}, "captions: expected one for each of 1 attributions, received 2"),
        ({"pale": 2}, "pale: expected a number from 0 to 1, received 2"),
        ({"limit": 0.0}, "limit: expected a number above 0, or one for each of 1 attributions, received 0.0"),
        ({"limit": [1, 2]}, "limit: expected a number above 0, or one for each of 1 attributions, received [1, 2]"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldmarkError) as caught:
        panel(sample(), **options)
    assert str(caught.value) == message
