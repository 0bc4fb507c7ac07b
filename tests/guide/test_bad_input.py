"""What a user may bring by mistake: each ends in a guide that is worth something, or in one clear line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.errors import ImageError
from fieldmark.guide import duration
from fieldmark.progress import reporting
from tests.guide.drawn import NAMES, boxes, colour_network, untrained_network

pytest.importorskip("cv2", reason="opencv (extra `guide`) finds the objects")


@pytest.fixture(scope="module")
def classifier() -> fm.Classifier:
    return fm.Classifier(colour_network(), labels=NAMES)


@pytest.fixture(scope="module")
def model_file(classifier: fm.Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.keras"
    classifier.model.save(path)
    return path


def save_all(folder: Path, images: np.ndarray, sizes: tuple[int, ...] = (64,)) -> None:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        side = sizes[number % len(sizes)]
        Image.fromarray(image).resize((side, side + number % 2 * (side // 8))).save(folder / f"{number:03}.png")


def command(model: Path, folder: Path, out: Path) -> list[str]:
    return ["guide", str(model), str(folder), "--labels", ",".join(NAMES), "--json", "--out", str(out)]


def refused(guide: fm.FieldGuide) -> str:
    """The verdict, after what holds for every refusal: it is one line, and it can be shown."""
    assert not guide.reducible
    assert "\n" not in guide.verdict
    assert guide.verdict.partition("\n")[0] in str(guide)
    return guide.verdict


def test_classes_that_are_never_predicted_are_named_and_the_others_get_their_guide(classifier: fm.Classifier) -> None:
    images, labels = boxes(per_class=16)
    guide = fm.FieldGuide.from_images(classifier, images[labels != 1])
    assert "the network calls no image blue" in guide.warnings
    assert {mark.classes[0] for mark in guide.marks} == {"red", "yellow"}
    assert set(guide.counts) == {"red", "yellow", "plain"}


def test_a_class_of_three_images_is_left_out_in_words(classifier: fm.Classifier) -> None:
    images, labels = boxes(per_class=16)
    few = np.concatenate([np.nonzero(labels != 1)[0], np.nonzero(labels == 1)[0][:3]])
    guide = fm.FieldGuide.from_images(classifier, images[few])
    assert any("12 images that the network calls so are needed: blue (3)" in text for text in guide.warnings)
    assert guide.key is not None


def test_one_image_over_and_over_is_refused(classifier: fm.Classifier) -> None:
    said = refused(fm.FieldGuide.from_images(classifier, np.repeat(boxes()[0][:1], 40, axis=0)))
    assert "expected 2 classes or more" in said
    assert "of 40 images 40 are called" in said


def test_copies_have_no_part(classifier: fm.Classifier) -> None:
    images, labels = boxes()
    one_each = np.concatenate([np.repeat(images[labels == cls][:1], 14, axis=0) for cls in range(4)])
    guide = fm.FieldGuide.from_images(classifier, one_each)
    assert "12 images that the network calls so" in refused(guide)
    assert "52 of the 56 images are copies of others and have no part in this" in guide.warnings
    twice = np.concatenate([boxes(per_class=16)[0]] * 2)
    guide = fm.FieldGuide.from_images(classifier, twice)
    assert guide.key is not None
    assert guide.fidelity.described.n <= 4 * 5  # of 16 a class, not of 32


def test_a_model_at_chance_is_refused_with_reasons() -> None:
    guide = fm.FieldGuide.from_images(fm.Classifier(untrained_network(), labels=NAMES), boxes(per_class=14)[0])
    assert any(word in refused(guide) for word in ("agrees with the network", "spread out", "evidence"))


def test_grey_images_of_one_channel_get_words_without_hues() -> None:
    import keras

    images, labels = boxes(per_class=16)
    bright = images[labels == 2][..., :1].copy()  # the patch of "yellow" is the brightest thing
    plain = images[labels == 3][..., :1]
    inputs = keras.Input((64, 64, 1))
    patch = keras.layers.Conv2D(1, 3, name="patch")
    pooled = keras.layers.GlobalMaxPooling2D()(patch(inputs))
    last = keras.layers.Dense(2)
    model = keras.Model(inputs, last(pooled))
    patch.set_weights([np.full((3, 3, 1, 1), 1 / 9, np.float32), np.zeros(1, np.float32)])
    last.set_weights([np.array([[0.4, 0.0]], np.float32), np.array([-0.4 * 205, 0.0], np.float32)])
    classifier = fm.Classifier(model, labels=["bright", "plain"])
    guide = fm.FieldGuide.from_images(classifier, np.concatenate([bright, plain]))
    assert [mark.classes for mark in guide.marks][:1] == [("bright",)]
    hues = {"red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "tan", "olive", "cyan"}
    assert not {term for mark in guide.marks for term in mark.terms} & hues


def test_arrays_of_different_sizes_are_one_line(classifier: fm.Classifier) -> None:
    images, _ = boxes()
    with pytest.raises(ImageError) as caught:
        fm.FieldGuide.from_images(classifier, [images[0], images[1][:40]])
    assert "\n" not in str(caught.value)
    assert "must have the same shape" in str(caught.value)


def test_a_flat_folder_of_files_of_all_sizes_is_as_good_as_folders_of_classes(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from fieldmark.cli import run

    save_all(tmp_path / "flat", boxes(per_class=14, seed=5)[0], sizes=(64, 80, 96))
    assert run(command(model_file, tmp_path / "flat", tmp_path / "out")) == 0
    said = json.loads(capsys.readouterr().out)
    assert {mark["classes"][0] for mark in said["marks"]} >= {"red", "blue", "yellow"}


def test_a_broken_file_is_named_before_anything_is_computed(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from fieldmark.cli import run

    save_all(tmp_path / "flat", boxes(per_class=2)[0])
    (tmp_path / "flat" / "003.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    assert run(command(model_file, tmp_path / "flat", tmp_path / "out")) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "003.png" in said
    assert not (tmp_path / "out").exists()


def test_long_work_is_announced_and_goes_on(classifier: fm.Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import contextmanager

    class Listener:
        def __init__(self) -> None:
            self.heard: list[str] = []

        def tell(self, text: str) -> None:
            self.heard.append(text)

        @contextmanager
        def task(self, label: str, total: int | None):
            yield lambda steps=1: None

    listener = Listener()
    images = boxes(per_class=14)[0]
    monkeypatch.setattr(duration, "FROM", 1.0)
    with reporting(listener):
        guide = fm.FieldGuide.from_images(classifier, images)
    assert len(listener.heard) == 1
    assert listener.heard[0].startswith("4 classes, 56 pictures: this takes about ")
    assert guide.key is not None
    monkeypatch.undo()
    assert duration.announcement(1000, 8, 64 * 64, 0.001) == ""
    assert "hours" in duration.announcement(8000, 200, 128 * 128, 0.05)
