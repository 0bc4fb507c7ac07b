"""The hiding of `trust`, done by a run: the same result to the last digit, kept, and never done twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.run import Options
from fieldmark.run.trusting import HidingRun, Measuring
from fieldmark.trust import Trust
from fieldmark.trust.judge import trust
from tests.guide.drawn import NAMES, boxes, colour_network

METHODS = {"Grad-CAM": fm.GradCAM(relu=False), "gradients": fm.Gradients()}
FEWER = {"steps": 3, "cells": 4, "few": 2}


@pytest.fixture(scope="module")
def classifier() -> fm.Classifier:
    return fm.Classifier(colour_network(), labels=NAMES, batch_size=32)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return boxes(per_class=3)[0][:9]


def numbers_of(result: Trust) -> dict[str, Any]:
    """All of it but the seconds."""
    found = {key: value for key, value in result.to_dict().items() if key not in ("seconds", "judged")}
    for each in result.judged:
        found[each.name] = {key: values for key, values in each.values.items() if key != "seconds"} | each.curves
    return found


def test_a_run_gives_the_result_of_one_go_and_goes_on(
    classifier: fm.Classifier, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trust(classifier, images, METHODS, **FEWER)
    seen: list[list[int]] = []
    real = Measuring.__call__

    def counted(self: Measuring, numbers: np.ndarray) -> Any:
        seen.append(numbers.reshape(-1).tolist())
        if len(seen) == 3:
            raise KeyboardInterrupt
        return real(self, numbers)

    monkeypatch.setattr(Measuring, "__call__", counted)
    run = HidingRun(tmp_path / "kept")
    with pytest.raises(KeyboardInterrupt):
        trust(classifier, images, METHODS, **FEWER, hiding=run)
    split = trust(classifier, images, METHODS, **FEWER, hiding=run)
    assert seen[:3] == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
    assert sum(map(len, seen[3:])) < len(images)  # what was finished is not done again
    np.testing.assert_equal(numbers_of(split), numbers_of(whole))


def test_maps_of_other_settings_are_not_taken(classifier: fm.Classifier, images: np.ndarray, tmp_path: Path) -> None:
    run = HidingRun(tmp_path / "kept", Options(shard_size=3))
    trust(classifier, images[:3], METHODS, **FEWER, hiding=run)
    with pytest.raises(fm.FieldmarkError, match=r"kept holds a run with other settings: job\.maps was"):
        trust(classifier, images[:3], METHODS | {"gradients": fm.GradientTimesInput()}, **FEWER, hiding=run)


def test_the_command_keeps_its_work(
    classifier: fm.Classifier, images: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    from fieldmark.cli import run

    (tmp_path / "photos").mkdir()
    for number, image in enumerate(images[:4]):
        Image.fromarray(image).save(tmp_path / "photos" / f"{number}.png")
    classifier.model.save(tmp_path / "model.keras")
    asked = ["trust", str(tmp_path / "model.keras"), str(tmp_path / "photos"), "--methods", "gradcam,gradients"]
    asked += ["--labels", ",".join(NAMES), "--steps", "3", "--cells", "4", "--few", "2", "--json"]
    said = []
    for more in ([], ["--work", str(tmp_path / "kept")], ["--work", str(tmp_path / "kept")]):
        assert run([*asked, *more]) == 0
        found = json.loads(capsys.readouterr().out)
        said.append({name: found[name] for name in ("verdict", "settings", "fills")})
    assert said[0] == said[1] == said[2]
    assert len(list((tmp_path / "kept" / "shards").glob("*.parquet"))) == 1
    assert run([*asked, "--engine", "ray", "--address", "local"]) == 2
    assert capsys.readouterr().err.startswith("fieldmark: --engine ray: expected --work FOLDER beside it")
