"""The small languages of the command line: targets, methods, settings, file names."""

from __future__ import annotations

from typing import Any

import pytest

import fieldmark as fm
from fieldmark.cli.methods import make_explainers, method_names
from fieldmark.cli.targets import parse_target, parse_targets
from fieldmark.errors import FieldmarkError
from fieldmark.report.folder import safe_part, unique_name

LABELS = ["cat", "dog", "snow leopard", "top2", "a-vs-b", "b", "x=1"]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("predicted", fm.Predicted()),
        ("top3", fm.Top(3)),
        ("cat", fm.Class("cat")),
        (" Snow_Leopard ", fm.Class(2)),
        ("1", fm.Class(1)),
        ("top2", fm.Class("top2")),
        ("x=1", fm.Class("x=1")),
        ("a-vs-b", fm.Class("a-vs-b")),
        ("cat-vs-dog", fm.Contrast("cat", "dog")),
        ("cat-vs-rest", fm.Contrast("cat", "rest")),
        ("a-vs-b-vs-cat", fm.Contrast("a-vs-b", "cat")),
        ("cat=1,dog=-0.5", fm.Weighted({0: 1.0, 1: -0.5})),
        ("x=1=2", fm.Weighted({6: 2.0})),
    ],
)
def test_a_target_in_a_word(text: str, target: Any) -> None:
    assert parse_target(text, LABELS) == target


def test_one_target_is_itself_and_several_are_a_list() -> None:
    assert parse_targets(["cat"], LABELS) == fm.Class("cat")
    assert parse_targets(["cat", "top1"], LABELS) == [fm.Class("cat"), fm.Top(1)]


VALID = "Valid: cat, dog, snow leopard, top2, a-vs-b, b, x=1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dig", f"unknown class 'dig': did you mean 'dog'? {VALID}"),
        ("99", f"unknown class '99': {VALID}"),
        ("top0", "target top0: expected top1 to top7 (the model's classes)"),
        ("top8", "target top8: expected top1 to top7 (the model's classes)"),
        ("cat-vs-dig", f"unknown class 'dig': did you mean 'dog'? {VALID}"),
        ("rest-vs-cat", "target 'rest-vs-cat': expected a class before -vs- and a class or 'rest' after it"),
        ("cat=1,dog", "target 'cat=1,dog': expected class=number,class=number, received 'dog'"),
        ("cat=nan", "target 'cat=nan': expected class=number,class=number, received 'cat=nan'"),
        ("cat=1,cat=2", "target 'cat=1,cat=2': class 'cat' is named twice"),
        (
            "",
            "target: expected predicted, top3, a label or index, tabby-vs-tiger_cat, tabby-vs-rest, "
            "or tabby=1,dog=-0.5, received an empty one",
        ),
    ],
)
def test_targets_that_mean_nothing(text: str, message: str) -> None:
    with pytest.raises(FieldmarkError) as caught:
        parse_target(text, LABELS)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["gradcam++", "GradCAMPlusPlus", "grad-cam++", "gradcam_plus_plus"])
def test_a_method_by_any_spelling(text: str) -> None:
    assert make_explainers([text]) == [fm.GradCAMPlusPlus()]


def test_all_is_every_method_once() -> None:
    assert [type(each).__name__ for each in make_explainers(["gradients", "all"])] == [
        "Gradients",
        *[name for name in method_names() if name != "Gradients"],
    ]


@pytest.mark.parametrize(
    ("methods", "layers", "settings", "expected"),
    [
        (["gradcam"], ["c5"], [], [fm.GradCAM(layer="c5")]),
        (["gradcam"], ["c5", "c4"], [], [fm.GradCAM(layers=("c5", "c4"))]),
        (["gradcam", "gradients"], ["c5"], ["relu=no"], [fm.GradCAM(layer="c5", relu=False), fm.Gradients()]),
        (["rise"], [], ["samples=64", "keep=0.25", "cells=4,6"], [fm.RISE(samples=64, keep=0.25, cells=(4, 6))]),
        (["rise", "lime"], [], ["lime.samples=64"], [fm.RISE(), fm.LIME(samples=64)]),
        (["scorecam"], [], ["channels=none"], [fm.ScoreCAM(channels=None)]),
        (["occlusion"], [], ["fill=blur", "patch=8"], [fm.Occlusion(fill="blur", patch=8)]),
        (["occlusion"], [], ["fill=0.5"], [fm.Occlusion(fill=0.5)]),
    ],
)
def test_settings_become_fields_of_their_type(
    methods: list[str], layers: list[str], settings: list[str], expected: list[Any]
) -> None:
    assert make_explainers(methods, layers, settings) == expected


@pytest.mark.parametrize(
    ("methods", "settings", "message"),
    [
        (["gradients"], ["steps=32"], "unknown setting of Gradients 'steps': Valid: channels"),
        (["gradcam"], ["relu=maybe"], "--set 'relu=maybe': expected true or false"),
        (["rise"], ["samples=many"], "--set 'samples=many': expected a whole number"),
        (["rise"], ["cells=a"], "--set 'cells=a': expected a whole number or numbers with commas"),
        (["rise"], ["samples"], "--set 'samples': expected field=value or method.field=value, for example steps=32"),
        (["rise"], ["lime.samples=2"], "--set 'lime.samples=2': LIME is not among the methods; add --method LIME"),
        (["expectedgradients"], ["background=1"], "--set 'background=1': this one can only be set from Python"),
    ],
)
def test_settings_that_do_not_fit(methods: list[str], settings: list[str], message: str) -> None:
    with pytest.raises(FieldmarkError) as caught:
        make_explainers(methods, [], settings)
    assert str(caught.value) == message


def test_an_explainer_inside_another_by_its_name() -> None:
    (smooth,) = make_explainers(["smoothgrad"], [], ["inner=gradcam", "samples=3"])
    assert (smooth.inner, smooth.samples) == (fm.GradCAM(), 3)


def test_a_layer_for_methods_at_the_input_is_refused() -> None:
    with pytest.raises(
        FieldmarkError, match=r"^--layer: Gradients explains at the input and takes no layer; leave it out$"
    ):
        make_explainers(["gradients"], ["c5"])


def test_names_of_files_are_safe_and_differ() -> None:
    assert safe_part("../a b/ü%:*.png") == "a_b_ü_png"
    assert safe_part("///") == "_"
    assert len(safe_part("x" * 500)) == 60
    assert unique_name("A.png", ["a.png", "A-2.png"]) == "A-3.png"
    assert unique_name("b.png", ["a.png"]) == "b.png"
