"""Panels: everything is said, nothing overlaps or is cut off, and pyplot is left alone."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from fieldmark.errors import FieldmarkError
from fieldmark.figures import overlay_figure, panel
from fieldmark.figures.text import percent, width_of, wrap
from tests.figures.samples import sample

pytestmark = pytest.mark.no_framework

LONG = (
    "American_Staffordshire_terrier_bull_dogs",
    "Supercalifragilisticexpialidociousnesses",
    "forty characters with spaces & $x^2$ too",
    "cat",
)


def boxes(figure: Figure) -> list[tuple[str, Any]]:
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    found = [(f"text {text.get_text()!r}", text.get_window_extent(renderer)) for text in figure.texts]
    for number, axes in enumerate(figure.axes):
        axes.apply_aspect()
        found.append((f"picture {number}", axes.get_window_extent(renderer)))
    return found


def written(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.texts)


@pytest.mark.parametrize(
    ("cells", "size", "original"),
    [
        (1, (40, 60, 3), False),
        (1, (40, 60, 3), True),
        (2, (90, 20, 1), True),
        (5, (28, 28, 1), True),
        (7, (20, 90, 3), True),
        (12, (40, 60, 3), True),
    ],
)
def test_nothing_overlaps_or_is_cut_off(cells: int, size: tuple[int, int, int], original: bool) -> None:
    warning = "the last layer is 1 x 1, so that a class activation map cannot say where; choose an earlier layer"
    group = [
        sample(1, cells, targets=LONG, size=size, warnings=(warning,)),
        sample(1, cells, targets=LONG, size=size, method="IntegratedGradients", layer=None, signed=True),
    ]
    figure = panel(group[:1] if cells == 1 else group, columns=cells, original=original)
    found = boxes(figure)
    width, height = figure.canvas.get_width_height()  # type: ignore[attr-defined]
    for name, box in found:
        assert min(box.x0, box.y0, width - box.x1, height - box.y1) >= 0, f"{name} is cut off"
    for (name, box), (other, second) in itertools.combinations(found, 2):
        across = min(box.x1, second.x1) - max(box.x0, second.x0)
        along = min(box.y1, second.y1) - max(box.y0, second.y0)
        # Boxes of lines of one paragraph touch by their leading; letters do not.
        assert across <= 1 or along <= 0.25 * min(box.height, second.height), f"{name} overlaps {other}"


@pytest.mark.parametrize("name", LONG)
def test_long_class_names_are_broken_and_not_shortened(name: str) -> None:
    words = written(panel(sample(1, 1, targets=(name,)))).replace(" ", "")
    assert name.replace(" ", "") in words


def test_every_cell_says_method_layer_target_score_and_probability() -> None:
    words = written(panel(sample(1, 2)))
    assert words.count("GradCAM at base/top_activation") == 2
    assert "Egyptian_cat" in words
    assert "logit 11.3, probability 77 %" in words
    assert "logit 1, probability 1.0 %" in words
    assert "Gradients at the input" in written(panel(sample(method="Gradients", layer=None)))


def test_what_is_not_one_class_has_a_score_and_no_probability() -> None:
    contrast = sample(
        1, 1, probabilities=np.full((1, 1), np.nan), classes=np.full((1, 1), -1), targets=("a against b",)
    )
    assert "score 11.3" in written(panel(contrast))
    assert "probability" not in written(panel(contrast))


def test_the_legend_tells_the_sign_and_the_scale() -> None:
    signed, amount = written(panel(sample(signed=True))), written(panel(sample()))
    assert "against" in signed
    assert "weak" in amount
    assert "strong" in amount
    assert "against" not in amount
    both = written(panel([sample(), sample(method="Occlusion", signed=True)]))
    assert "Occlusion: evidence for and against" in both
    assert "GradCAM: how much" in both
    assert "own scale" in amount
    assert "One scale for all maps of a method" in written(panel(sample(), shared_scale=True))


def test_warnings_and_blank_maps_are_said() -> None:
    figure = panel(sample(1, 1, maps=np.zeros((1, 1, 7, 9), np.float32), warnings=("the model's output is saturated",)))
    assert "Warning (GradCAM at base/top_activation): the model's output is saturated" in written(figure)
    assert "blank: zero everywhere" in written(figure)
    assert "Warning" not in written(panel(sample()))


def pictures(figure: Figure) -> list[np.ndarray]:
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes]


def test_the_photograph_stands_at_the_left_of_its_maps() -> None:
    attribution = sample(2, 2)
    shown = pictures(panel(attribution))
    assert len(shown) == 2 * 3 + 1
    for i, picture in enumerate((shown[0], shown[3])):
        np.testing.assert_array_equal(
            picture[:: picture.shape[0] // 40, :: picture.shape[1] // 60], attribution.images[i]
        )
    assert len(pictures(panel(attribution, original=False))) == 2 * 2 + 1
    assert len(pictures(panel(sample(2, 2, images=None)))) == 2 * 2 + 1


@pytest.mark.parametrize("option", [{"alpha": 0.3}, {"fade": 0.1}, {"colours": "jet"}, {"shared_scale": True}])
def test_every_option_of_the_look_reaches_the_picture(option: dict) -> None:
    plain, changed = pictures(panel(sample()))[1], pictures(panel(sample(), **option))[1]
    assert not np.array_equal(plain, changed)


def test_rows_and_columns() -> None:
    def rows(*args: Any, **options: Any) -> list[int]:
        places = [round(axes.get_position().y1, 6) for axes in panel(*args, original=False, **options).axes[:-1]]
        return [len(list(group)) for _, group in itertools.groupby(places)]

    assert rows(sample(1, 4)) == [4]
    assert rows(sample(2, 3)) == [3, 3]
    assert rows(sample(1, 8)) == [4, 4]
    assert rows(sample(1, 8), columns=3) == [3, 3, 2]
    assert rows([sample(1, 1)] * 3) == [3]
    assert rows([sample(1, 3)] * 2) == [3, 3]
    assert rows([sample(1, 2)] * 3) == [3, 3]
    assert rows([sample(1, 2), sample(1, 1)]) == [2, 1]


def test_images_and_names() -> None:
    figure = panel(sample(3, 1), images=[2], names=["a.png", "b.png", "c.png"])
    assert "c.png" in written(figure)
    assert "a.png" not in written(figure)
    assert len(figure.axes) == 3


def test_one_map_as_a_figure() -> None:
    figure = overlay_figure(sample(2, 2), image=1, target=1)
    assert "tiger_cat" in written(figure)
    assert "Egyptian_cat" not in written(figure)
    assert len(figure.axes) == 2
    assert len(overlay_figure(sample(), original=True).axes) == 3


def test_figures_are_saved_as_png_svg_and_pdf(tmp_path: Path) -> None:
    figure = panel(sample(1, 1, targets=(r"$\no{maths}$ & <b>",)))
    for kind, start in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        figure.savefig(tmp_path / f"panel.{kind}")
        assert (tmp_path / f"panel.{kind}").read_bytes().startswith(start)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert np.asarray(Image.open(tmp_path / "panel.png")).std() > 10


def test_neither_pyplot_nor_the_users_settings_are_touched() -> None:
    code = (
        "import sys, matplotlib; matplotlib.rcParams['figure.autolayout'] = True; "
        "matplotlib.rcParams['figure.facecolor'] = 'black'; before = dict(matplotlib.rcParams); "
        "from tests.figures.samples import sample; figure = sample().plot(); figure._repr_png_(); "
        "assert dict(matplotlib.rcParams) == before; assert figure.get_facecolor() == (1, 1, 1, 1); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    root = Path(__file__).parents[2]
    strict = ["-W", "error", "-W", "ignore::DeprecationWarning"]  # old matplotlib meets new pyparsing
    result = subprocess.run(
        [sys.executable, *strict, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: panel([]), "panel: expected at least one attribution, received none"),
        (
            lambda: panel([sample(1), sample(2)]),
            "panel: expected attributions of the same images, received [1, 2] images",
        ),
        (lambda: panel(sample(), columns=13), "columns: expected 1 to 12, received 13"),
        (lambda: panel(sample(2), names=["a"]), "names: expected one for each of 2 images, received 1"),
        (lambda: panel(sample(2), images=[2]), "images: unknown image 2: expected 0 to 1"),
        (
            lambda: panel(sample(61, 1, size=(4, 4, 1))),
            "panel: expected 1 to 60 images with a target, received 61; "
            "choose some with images=[...] or write a report",
        ),
        (
            lambda: panel(sample(60, 4, size=(4, 4, 1)), columns=1),
            "panel: expected at most 436 inches a side, received 5 x 763; "
            "choose some images with images=[...] or write a report",
        ),
        (lambda: panel(sample(), alpha=-1), "alpha: expected a number from 0 to 1, received -1"),
        (lambda: overlay_figure(sample(), target=2), "overlay_figure: unknown target 2: expected 0 to 1"),
        (lambda: overlay_figure(sample(), image=-1), "overlay_figure: unknown image -1: expected 0 to 0"),
    ],
)
def test_wrong_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(FieldmarkError) as caught:
        call()
    assert str(caught.value) == message


def test_wrapping_keeps_every_line_within_its_width() -> None:
    for text in (*LONG, "a/very_long-path/with words", "x" * 200):
        lines = wrap(text, 90, 8)
        assert all(width_of(line, 8) <= 90 for line in lines)
        assert len(lines) <= 6
    assert wrap("x" * 400, 90, 8)[-1].endswith("…")
    assert wrap("a\tb\n\x00c\u202ed", 90, 8) == ["a b c d"]
    assert wrap("", 90, 8) == []


def test_percent_never_claims_certainty_it_does_not_have() -> None:
    cases = {
        0.771: "77 %",
        0.0995: "10 %",
        0.051: "5.1 %",
        0.0004: "< 0.1 %",
        0.9996: "> 99.9 %",
        0.99: "99.0 %",
        1: "100 %",
    }
    assert {value: percent(value) for value in cases} == cases
    assert percent(0) == "0 %"
    assert percent(float("nan")) == ""


def test_the_font_of_the_user_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = width_of("iiiiiiii", 8)
    monkeypatch.setitem(matplotlib.rcParams, "font.family", ["DejaVu Sans Mono"])
    assert width_of("iiiiiiii", 8) > 1.5 * plain
