"""`fieldmark trust` as users type it, on a model that looks at colours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import fieldmark as fm
from tests.cli.conftest import command, here, model_file
from tests.support.command import Command

__all__ = ["command", "here", "model_file"]
MODEL = ("trust", "model.keras", "a.png", "b.png", "more", "--labels", "labels.txt")
FAST = ("--methods", "gradcam,gradients", "--cells", "6", "--few", "2")


def test_the_verdict_the_table_and_what_it_rests_on_are_printed(command: Command, here: Path) -> None:
    told = command(*MODEL, *FAST, "--save", "kept.json")
    assert told.code == 0, told.err
    page = " ".join(told.out.split())
    assert "How sure: not very, with 3 images; 20 or more would tell." in page
    for name in ("GradCAM", "Gradients", "random map", "edge detector", "centred Gaussian"):
        assert name in page
    assert "forward passes over masked images, each picture once; metric by metric they would be" in page
    assert max(map(len, told.out.splitlines())) <= 200
    kept = fm.trust.Trust.load(here / "kept.json")
    assert [each.name for each in kept.methods] == ["GradCAM", "Gradients"]
    assert kept.names == ("a.png", "b.png", "c.png")


def test_json_is_the_whole_result_and_settings_reach_the_methods(command: Command, here: Path) -> None:
    options = ("--methods", "occlusion", "--set", "occlusion.patch=8", "--target", "red", "--few", "1", "--cells", "4")
    told = command(*MODEL, *options, "--json")
    assert told.code == 0, told.err
    found = told.json
    assert found["targets"] == ["red"] * 3
    assert found["judged"][0]["parameters"]["patch"] == 8
    assert found["judged"][0]["means"]["gap"]["n"] == 3
    assert found["passes"]["used"] < found["passes"]["apart"]
    assert {metric["key"] for metric in found["metrics"]} >= set(found["judged"][0]["values"])
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--methods", "gradcan"), "unknown method 'gradcan': did you mean 'gradcam'"),
        (("--methods", "gradcam", "--target", "top2"), "target: expected Predicted() or one class"),
        (("--methods", "gradcam", "--target", "redd"), "unknown class 'redd': did you mean 'red'"),
        (("--methods", "gradcam", "--steps", "0"), "steps=0: expected a whole number of 2 or more"),
        (
            (
                "--methods",
                "activationmaps",
            ),
            "no method gave a map: ActivationMaps: it does not give one map",
        ),
    ],
)
def test_bad_input_is_one_line(command: Command, here: Path, options: tuple[str, ...], line: str) -> None:
    assert command(*MODEL, *options).line.casefold().startswith(line.casefold())


def test_a_method_that_refuses_is_left_out_and_said(command: Command, here: Path) -> None:
    told = command(*MODEL, "--methods", "gradcam,activationmaps", "--few", "1", "--cells", "4", "--json")
    assert told.code == 0, told.err
    assert list(told.json["failed"]) == ["ActivationMaps"]
    assert "ActivationMaps gave no map here." in told.json["verdict"]
