"""The page: what is on it, at 80 columns, in JSON, in a notebook, in the report; for every kind of model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fieldmark as fm
from fieldmark.classifier.preprocessing import to_unit
from fieldmark.doctor import Diagnosis, as_data, examine
from fieldmark.report.html import write_report
from tests.doctor.networks import images, network
from tests.support import models

LABELS = ["ant", "bee", "cat", "dog", "eel"]
MODELS = {**models.SOFTMAX_MODELS, "sigmoid": models.sigmoid, "no ReLU": models.smooth}


@pytest.fixture(scope="module")
def found() -> Diagnosis:
    clf = fm.Classifier(network(trained_on=to_unit), preprocess="0-1", labels=LABELS)
    return clf.doctor(images(), names=[f"{i}.png" for i in range(6)])


@pytest.mark.every_backend
def test_every_kind_of_model_has_a_page() -> None:
    for name, make in MODELS.items():
        known = make()
        brief = examine(fm.Classifier(known.model), known.images(3), brief=True)
        assert brief.choices[0].value == known.layer, name
        assert "logit" in brief.choices[1].value + brief.choices[1].reason, name
        # random weights may say nearly the same of noise, which is then true
        assert {finding.code for finding in brief.warnings} <= {"constant"}, name


@pytest.mark.every_backend
def test_one_model_in_full() -> None:
    known = models.around_base()
    full = fm.Classifier(known.model).doctor(known.images(2))
    assert {finding.code for finding in full.warnings} <= {"constant"}
    assert {each.name for each in full.methods} == {each.__name__ for each in fm.EXPLAINERS}
    assert all(each.fits and each.passes and each.seconds is not None for each in full.methods)


@pytest.mark.native_torch
def test_a_torch_module_has_a_page() -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    parts = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)]
    module = nn.Sequential(*parts)
    assert "Give an image" in str(fm.Classifier(module).doctor())
    given = np.random.default_rng(0).random((3, 16, 16, 3)).astype(np.float32)
    module.train()
    with torch.no_grad():
        for _ in range(60):
            module(torch.from_numpy(given.transpose(0, 3, 1, 2)))
    full = fm.Classifier(module).doctor(given * 255)
    assert full.choices[0].value == "2"
    assert "with 0-1 they are near it" in str(full).replace("\n         ", " ")


def test_the_page_says_what_why_and_what_next(found: Diagnosis) -> None:
    text = " ".join(str(found).split())
    for said in (
        "Nothing looks wrong.",
        "24 x 20 x 3 (height, width, channels)",
        "softmax in layer 'final'",
        "conv2: last spatial feature map (24 x 20, 12 channels), before GlobalAveragePooling2D",
        "the numbers before the softmax",
        "0-1: as asked: x / 255: 0 to 1",
        "Judged by 'norm' (BatchNormalization)",
        "GradCAM 1 ",
        "fm.GradCAM()(clf, images",
    ):
        assert said in text, said
    assert all(f"{i}.png" in text for i in range(6))


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_line_is_wider_than_asked(found: Diagnosis, width: int) -> None:
    lines = found.text(width).splitlines()
    code = [line for line in lines if line.startswith("    fm.")]
    assert max(len(line) for line in lines if line not in code) <= width


def test_json_holds_everything(found: Diagnosis) -> None:
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["verdict"] == found.verdict
    assert [each["name"] for each in document["images"]] == [f"{i}.png" for i in range(6)]
    assert {each["name"] for each in document["candidates"]} == {"as now", "none", "0-1", "-1-1", "imagenet", "caffe"}
    assert len(document["methods"]) == len(fm.EXPLAINERS)


def test_a_notebook_gets_the_same_words(found: Diagnosis) -> None:
    html = found._repr_html_()
    assert "<script" not in html
    assert all(word in html for word in ("conv2", "softmax", "KernelSHAP", found.verdict))


def test_labels_cannot_put_markup_into_a_notebook() -> None:
    clf = fm.Classifier(network(trained_on=to_unit), preprocess="0-1", labels=["<b>x", *LABELS[1:]])
    html = examine(clf, images(), brief=True)._repr_html_()
    assert "<b>x" not in html
    assert "&lt;b&gt;x" in html


def test_the_report_has_a_section_for_it(found: Diagnosis, tmp_path: Path) -> None:
    clf = fm.Classifier(network(trained_on=to_unit), preprocess="0-1", labels=LABELS)
    att = fm.GradCAM()(clf, images(1))
    page = write_report(tmp_path / "page.html", [att], doctor=as_data(found)).read_text(encoding="utf-8")
    assert 'id="doctor"' in page
    assert "Judged by" in page
    assert "KernelSHAP" in page
    assert 'id="doctor"' not in write_report(tmp_path / "bare.html", [att]).read_text(encoding="utf-8")


def test_without_an_image_it_says_what_it_can() -> None:
    full = fm.Classifier(network(trained_on=to_unit), labels=LABELS).doctor()
    assert full.images == ()
    assert full.candidates == ()
    assert {each.name for each in full.methods if each.bound} == {"ScoreCAM", "AblationCAM"}
    assert full.next_steps[0][1] == "fieldmark doctor MODEL IMAGES"


def test_the_model_is_left_as_it_was() -> None:
    known = models.functional()
    before = [sorted(layer.__dict__) for layer in models._every_layer(known.model)]
    clf = fm.Classifier(known.model)
    passes = len(clf.engine.passes._compiled)
    clf.doctor(known.images(2))
    assert [sorted(layer.__dict__) for layer in models._every_layer(known.model)] == before
    assert not any(key[0][0] == "doctor" for key in clf.engine.passes._compiled if isinstance(key[0], tuple)), passes


def test_the_command_prints_the_page_and_the_next_line(command: Any, here: Path) -> None:
    done = command("doctor", "model.keras", "a.png", "b.png", "more/c.png", "--labels", "labels.txt")
    assert done.code == 0
    assert "fieldmark explain model.keras a.png b.png more/c.png --labels labels.txt" in done.out
    assert "0 becomes 0, 255 becomes 1" in " ".join(done.out.split())
    assert max(map(len, done.out.splitlines())) <= 80
    wrong = command("doctor", "model.keras", "a.png", "--preprocess", "0-1", "--json")
    assert wrong.json["findings"][0]["code"] == "scaled-twice"
    assert wrong.json["next_steps"][0]["command"] == "fieldmark doctor model.keras a.png --preprocess none"


def test_explain_puts_it_into_the_report(command: Any, here: Path) -> None:
    assert command("explain", "model.keras", "a.png", "--out", "out").code == 0
    page = (here / "out" / "report.html").read_text(encoding="utf-8")
    assert 'id="doctor"' in page
    assert "KernelSHAP" not in page
    assert command("explain", "model.keras", "a.png", "--out", "full", "--doctor").code == 0
    assert "KernelSHAP" in (here / "full" / "report.html").read_text(encoding="utf-8")


def test_pictures_of_a_size_that_the_model_does_not_take_are_read_at_it(command: Any, here: Path) -> None:
    Image.fromarray(np.zeros((9, 50, 3), np.uint8)).save(here / "odd.png")
    assert command("doctor", "model.keras", "odd.png").code == 0
    assert command("doctor", "model.keras", "no.png").line.startswith("no.png")
