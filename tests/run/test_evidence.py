"""The evidence of a field guide, found by a run: the same numbers, kept, and never found twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from tests.guide.drawn import NAMES, boxes, colour_network

pytest.importorskip("cv2", reason="opencv (extra `guide`) finds the objects")

from fieldmark.guide.evidence import Said, evidence
from fieldmark.run import Options
from fieldmark.run.evidence import EvidenceRun, Finding

SHAPE = (64, 64)


@pytest.fixture(scope="module")
def classifier() -> fm.Classifier:
    return fm.Classifier(colour_network(), labels=NAMES, batch_size=4)


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each call of the job was given."""
    seen: list[int] = []
    real = Finding.__call__

    def counted(self: Finding, images: np.ndarray) -> Any:
        seen.append(len(images))
        return real(self, images)

    monkeypatch.setattr(Finding, "__call__", counted)
    return seen


def test_a_run_finds_what_is_found_in_one_go_and_finds_it_once(
    classifier: fm.Classifier, tmp_path: Path, worked: list[int]
) -> None:
    images = boxes(per_class=10)[0]
    said = Said.by(classifier, images)
    whole = evidence(classifier, images, said, SHAPE)
    run = EvidenceRun(tmp_path / "kept", Options(shard_size=11))
    np.testing.assert_allclose(run(classifier, images, said, SHAPE), whole, atol=1e-5 * np.abs(whole).max())
    assert worked == [11, 11, 11, 7]  # a batch never crosses a shard
    (tmp_path / "kept" / "shards" / "00000001.parquet").unlink()
    again = run(classifier, images, said, SHAPE)
    assert worked == [11, 11, 11, 7, 11]
    np.testing.assert_allclose(again, whole, atol=1e-5 * np.abs(whole).max())


def test_where_a_machine_names_another_class_the_evidence_is_found_here(
    classifier: fm.Classifier, tmp_path: Path
) -> None:
    images = boxes(per_class=3)[0]
    said = Said.by(classifier, images)
    other = said.predicted.copy()
    other[[2, 7]] = (other[[2, 7]] + 1) % 4
    asked = Said(said.scores, other, said.margins)
    found = EvidenceRun(tmp_path / "kept")(classifier, images, asked, SHAPE)
    whole = evidence(classifier, images, asked, SHAPE)
    np.testing.assert_allclose(found, whole, atol=1e-5 * np.abs(whole).max())


def test_evidence_of_other_images_or_another_network_is_not_taken(classifier: fm.Classifier, tmp_path: Path) -> None:
    images = boxes(per_class=3)[0]
    run = EvidenceRun(tmp_path / "kept")
    run(classifier, images, Said.by(classifier, images), SHAPE)
    for subject, given in ((classifier, images[::-1]), (fm.Classifier(colour_network(4.0), labels=NAMES), images)):
        with pytest.raises(fm.FieldmarkError, match="kept holds a run with other settings"):
            run(subject, given, Said.by(subject, given), SHAPE)


def test_the_command_keeps_the_evidence_and_writes_the_same_guide(
    classifier: fm.Classifier, tmp_path: Path, capsys: pytest.CaptureFixture[str], worked: list[int]
) -> None:
    from PIL import Image

    from fieldmark.cli import run

    images, labels = boxes(per_class=14, seed=5)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = tmp_path / "photos" / NAMES[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    classifier.model.save(tmp_path / "model.keras")
    asked = ["guide", str(tmp_path / "model.keras"), str(tmp_path / "photos"), "--labels", ",".join(NAMES), "--json"]
    said = []
    for name, more in (("plain", []), ("kept", ["--work", str(tmp_path / "kept" / "evidence")])):
        assert run([*asked, "--out", str(tmp_path / name), *more]) == 0
        said.append({key: value for key, value in json.loads(capsys.readouterr().out).items() if key != "written"})
    assert said[0] == said[1]
    assert sum(worked) == 4 * 6  # the pictures that marks are looked for in: 40 % of each class
    assert (tmp_path / "kept" / "evidence" / "manifest.json").exists()
    assert run([*asked, "--engine", "ray", "--address", "127.0.0.1:9"]) == 2
    assert capsys.readouterr().err.startswith("fieldmark: Ray at 127.0.0.1:9: nothing answers")
