"""A guide from end to end, on objects without head, side or pose, and networks whose marks are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.errors import FieldmarkError, ImageError
from tests.guide.drawn import NAMES, boxes, colour_network

pytest.importorskip("cv2", reason="opencv (extra `guide`) finds the objects")


@pytest.fixture(scope="module")
def classifier() -> fm.Classifier:
    return fm.Classifier(colour_network(), labels=NAMES)


@pytest.fixture(scope="module")
def guide(classifier: fm.Classifier) -> fm.FieldGuide:
    return fm.FieldGuide.from_images(classifier, boxes()[0])


def test_a_network_that_goes_by_patches_comes_down_to_them(guide: fm.FieldGuide) -> None:
    assert guide.verdict == "reducible"
    assert guide.warnings == ()
    accepted = {mark.classes[0]: mark for mark in guide.marks if mark.accepted}
    assert set(accepted) == {"red", "blue", "yellow"}  # "plain" is known by the absence of the others
    for name, mark in accepted.items():
        assert mark.words.casefold().startswith(name)
        assert "upper part" in mark.words
        assert mark.effect > 2 * mark.control + 0.5
        assert mark.proof.flips > 0.8
        assert mark.proof.control_flips < 0.1
        assert mark.proof.swapped > 0.8
        assert mark.proof.swap_control < 0.2


def test_the_outlined_examples_are_the_patches(guide: fm.FieldGuide) -> None:
    images, _ = boxes()
    for mark in guide.marks:
        for example in mark.examples:
            assert example.mask.shape == (64, 64)
            patch = np.ptp(images[example.image].astype(int), axis=-1) > 130  # no ground is as colourful
            assert patch[example.mask].sum() > 0.9 * patch.sum()
            assert example.mask.sum() < 4 * patch.sum()


def test_what_the_words_are_worth_beside_random_places(guide: fm.FieldGuide) -> None:
    said = guide.fidelity.described
    assert said.low <= said.value <= said.high
    assert said.value > 0.95
    assert said.value - said.control > 0.3
    assert guide.fidelity.confirmed.value > 0.95


def test_the_key_names_pictures_it_never_saw_by_the_words_alone(guide: fm.FieldGuide, monkeypatch) -> None:
    images, labels = boxes(per_class=15, seed=9)
    monkeypatch.setattr(fm.Classifier, "predict", None)  # the network is never asked
    assert (guide.key.classify(images) == labels).mean() > 0.95
    assert guide.key.text().startswith("1  Is it ")


def test_the_key_is_not_for_pictures_of_another_size(guide: fm.FieldGuide) -> None:
    with pytest.raises(ImageError, match=r"made with images of shape \(64, 64, 3\), received \(32, 64, 3\)"):
        guide.key.classify(np.zeros((2, 32, 64, 3), np.uint8))


def test_saved_and_read_again_it_is_the_same(guide: fm.FieldGuide, tmp_path: Path) -> None:
    back = fm.FieldGuide.load(guide.save(tmp_path / "guide.json"))
    assert str(back) == str(guide)
    images, _ = boxes(per_class=5, seed=11)
    np.testing.assert_array_equal(back.key.classify(images), guide.key.classify(images))
    np.testing.assert_array_equal(back.marks[0].examples[0].mask, guide.marks[0].examples[0].mask)
    assert back.pictures.keys() == guide.pictures.keys()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no json", "received no JSON"),
        ("[1, 2]", "received something else"),
        ('{"fieldmark guide": 99}', "received format 99"),
        ('{"fieldmark guide": 1, "classes": 3}', "damaged"),
        ("[" * 100_000, "received no JSON"),
    ],
)
def test_a_file_that_is_no_guide_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "guide.json"
    path.write_text(text)
    with pytest.raises(FieldmarkError, match=said) as caught:
        fm.FieldGuide.load(path)
    assert "\n" not in str(caught.value)


def test_an_array_that_claims_to_be_huge_is_refused(guide: fm.FieldGuide, tmp_path: Path) -> None:
    path = guide.save(tmp_path / "guide.json")
    content = json.loads(path.read_text())
    content["key"]["outline"]["shape"] = [10**6, 10**6]
    path.write_text(json.dumps(content))
    with pytest.raises(FieldmarkError, match="damaged"):
        fm.FieldGuide.load(path)


@pytest.mark.parametrize(("name", "number"), [("term", 10_000), ("term", -1), ("place", -3)])
def test_a_word_that_there_is_not_is_refused(guide: fm.FieldGuide, tmp_path: Path, name: str, number: int) -> None:
    path = guide.save(tmp_path / "guide.json")
    content = json.loads(path.read_text())
    content["key"]["words"][0][name] = number
    path.write_text(json.dumps(content))
    with pytest.raises(FieldmarkError, match="damaged"):
        fm.FieldGuide.load(path)


def test_the_page_the_card_and_practice_are_written_and_name_every_class(guide: fm.FieldGuide, tmp_path: Path) -> None:
    page = guide.write_html(tmp_path / "guide.html").read_text()
    quiz = guide.write_quiz(tmp_path / "quiz.html").read_text()
    assert all(name in page and name in quiz for name in NAMES)
    assert "http" not in page.replace("http-equiv", "")
    assert guide.write_pdf(tmp_path / "guide.pdf").read_bytes().startswith(b"%PDF")


def test_markup_in_a_class_name_is_only_text(classifier: fm.Classifier, tmp_path: Path) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    named = fm.Classifier(classifier.model, labels=[nasty, "</script>", "$x^2$", "plain"])
    made = fm.FieldGuide.from_images(named, boxes(per_class=14, seed=2)[0])
    for path in (made.write_html(tmp_path / "g.html"), made.write_quiz(tmp_path / "q.html")):
        assert nasty not in path.read_text()
    made.write_pdf(tmp_path / "g.pdf")


def test_one_class_is_refused_in_words(classifier: fm.Classifier) -> None:
    images, labels = boxes()
    made = fm.FieldGuide.from_images(classifier, images[labels == 0])
    assert not made.reducible
    assert "expected 2 classes or more" in made.verdict
    assert made.marks == ()
    assert made.key is None
    assert "the network calls no image blue or yellow or plain" in made.warnings[0]


def test_three_images_a_class_are_refused_in_words(classifier: fm.Classifier) -> None:
    images, labels = boxes()
    few = np.concatenate([images[labels == cls][:3] for cls in range(4)])
    made = fm.FieldGuide.from_images(classifier, few)
    assert "12 images that the network calls so" in made.verdict
    assert "red (3)" in made.warnings[0]


def test_thirteen_channels_are_refused() -> None:
    import keras

    model = keras.Sequential([keras.Input((32, 32, 13)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(ImageError, match="1, 3 or 4 channels, received 13"):
        fm.FieldGuide.from_images(fm.Classifier(model), np.zeros((30, 32, 32, 13), np.uint8))


def test_the_command_reads_folders_of_classes_and_writes_everything(
    classifier: fm.Classifier, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    from fieldmark.cli import run

    images, labels = boxes(per_class=14, seed=5)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = tmp_path / "photos" / NAMES[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    classifier.model.save(tmp_path / "model.keras")
    asked = ["guide", str(tmp_path / "model.keras"), str(tmp_path / "photos"), "--labels", ",".join(NAMES), "--quiz"]
    assert run([*asked, "--json", "--out", str(tmp_path / "out")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "guide.html",
        "guide.pdf",
        "guide.json",
        "quiz.html",
    }
    assert {mark["classes"][0] for mark in said["marks"]} == {"red", "blue", "yellow"}  # too few pictures to prove
    assert run([*asked, "--ends", "head"]) == 2
    assert capsys.readouterr().err == "fieldmark: --ends 'head': expected two names, as head,tail\n"
    made = fm.FieldGuide.from_images(classifier, [tmp_path / "photos" / "red"])  # one class: refused at once
    assert "expected 2 classes or more" in made.verdict
