"""The recorder in a loop of one's own: files, TensorBoard, films, and what happens when things go wrong."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fieldmark as fm
from fieldmark.attribution import Attribution
from fieldmark.callbacks import Recorder
from fieldmark.callbacks.film import write_film
from fieldmark.errors import FieldmarkError, OutputError
from tests.figures.samples import blob, sample

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), dtype=np.uint8)


@dataclasses.dataclass
class Drifts:
    """Stands in for an explainer: a blob that moves to the right and grows from call to call."""

    calls: int = 0

    def __call__(self, classifier: Any, images: np.ndarray, target: Any) -> Attribution:
        self.calls += 1
        maps = np.stack([self.calls * blob(7, 9, 0.5, 0.15 * self.calls)[None]] * len(images))
        made = sample(len(images), 1, targets=("ro/se",), maps=maps, images=images)
        return dataclasses.replace(made, scores=np.full((len(images), 1), float(self.calls), np.float32))


def recorder(**options: Any) -> Recorder:
    return Recorder(IMAGES, Drifts(), classifier=object(), names=["a.png", "b.png"], **options)  # type: ignore[arg-type]


def words(figure: Any) -> str:
    return " ".join(text.get_text() for text in figure.texts)


def test_a_loop_of_ones_own(tmp_path: Path) -> None:
    follow = recorder(out=tmp_path / "deep" / "maps", every=2)
    seen = [follow.step(epoch, loss=1 / (epoch + 1), accuracy=0.5) for epoch in range(5)]
    follow.finish()
    assert [each is not None for each in seen] == [True, False, True, False, True]
    assert [epoch.number for epoch in follow.history] == [0, 2, 4]
    assert follow.history[1].title == "epoch 2, loss 0.3333, accuracy 0.5"
    files = sorted(path.name for path in (tmp_path / "deep" / "maps").iterdir())
    assert files == ["epoch-0000.png", "epoch-0002.png", "epoch-0004.png", "film.gif"]
    figure = follow.figure(follow.history[2])
    assert "epoch 4, loss 0.2" in words(figure)
    assert "logit 3, probability" in words(figure)
    assert "a.png" in words(figure)


@pytest.mark.parametrize("kind", [".gif", ".webp", ".png"])
def test_a_film_shows_every_epoch_in_turn(tmp_path: Path, kind: str) -> None:
    follow = recorder()
    for epoch in range(3):
        follow.step(epoch)
    path = follow.film(tmp_path / f"film{kind}", milliseconds=200)
    with Image.open(path) as film:
        assert film.n_frames == 3
        frames, times = [], []
        for k in range(3):
            film.seek(k)
            film.load()
            frames.append(np.asarray(film.convert("RGB")).astype(int))
            times.append(film.info["duration"])
    assert times == [200, 200, 600]
    left = [np.ptp(frame, axis=-1) for frame in frames]  # where the colour is
    centres = [(each * np.arange(each.shape[1])).sum() / each.sum() for each in left]
    assert np.abs(frames[1] - frames[0]).max() > 50
    assert len({frame.shape for frame in frames}) == 1
    assert centres[0] != centres[1]
    assert (frames[0][:5] >= 250).all()  # the ground stays white in a palette too


def test_strengths_of_epochs_compare_on_request(tmp_path: Path) -> None:
    follow = recorder()
    for epoch in range(2):
        follow.step(epoch)
    (limit,) = limits = follow._limits()
    first, last = (float(epoch.attributions[0].maps.max()) for epoch in follow.history)
    assert 1.5 * first < limit <= last
    weak = follow.figure(follow.history[0], limit=limits)
    assert f"full colour at {limits[0]:.3g}" in words(weak)
    own, shared = follow.film(tmp_path / "own.png"), follow.film(tmp_path / "shared.png", shared_scale=True)
    first = []
    for path in (own, shared):
        with Image.open(path) as film:
            first.append(np.asarray(film.convert("RGB")).astype(int))
    assert np.ptp(first[0], axis=-1).sum() > np.ptp(first[1], axis=-1).sum()


def test_frames_of_different_sizes_become_one_size(tmp_path: Path) -> None:
    path = write_film(tmp_path / "f.gif", [np.zeros((4, 6, 3), np.uint8), np.zeros((7, 5, 3), np.uint8)], 100)
    with Image.open(path) as film:
        assert film.size == (6, 7)
        assert np.asarray(film.convert("RGB"))[-1].min() == 255


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard (extra `tensorboard`) is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    follow = recorder(tensorboard=tmp_path / "logs")
    for epoch in (1, 2, 3):
        follow.step(epoch)
    read = EventAccumulator(str(tmp_path / "logs" / "explain"), size_guidance={"images": 0, "tensors": 0})
    read.Reload()
    tags = read.Tags()
    found = set(tags["images"]) | set(tags["tensors"])
    assert {"maps/a.png", "maps/b.png"} <= found
    if "maps/a.png" in tags["images"]:
        events = read.Images("maps/a.png")
        pictures = [event.encoded_image_string for event in events]
    else:
        events = read.Tensors("maps/a.png")
        pictures = [event.tensor_proto.string_val[2] for event in events]
    assert [event.step for event in events] == [1, 2, 3]
    shown = [Image.open(__import__("io").BytesIO(png)) for png in pictures]
    assert all(picture.format == "PNG" and min(picture.size) > 100 for picture in shown)
    assert pictures[0] != pictures[1]
    scores = "score/a.png/ro/se"
    assert scores in set(tags["scalars"]) | found
    if scores in tags["scalars"]:
        assert [(event.step, event.value) for event in read.Scalars(scores)] == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_writing_for_tensorboard_loads_no_framework(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard (extra `tensorboard`) is not installed")
    code = (
        "import sys, pathlib; from fieldmark.callbacks.events import EventFile; "
        f"EventFile(pathlib.Path({str(tmp_path)!r})).write(1, {{}}, {{'x': 2.0}}); "
        "print(*sorted({name.split('.')[0] for name in sys.modules} & {'tensorflow', 'torch', 'jax', 'keras'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    assert len(list(tmp_path.glob("events.out.tfevents.*"))) == 1


def test_a_missing_tensorboard_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    with pytest.raises(FieldmarkError) as caught:
        recorder(tensorboard=tmp_path)
    assert str(caught.value) == (
        "tensorboard=...: expected the package tensorboard; pip install 'fieldmark[tensorboard]'"
    )


def test_a_place_that_cannot_be_written_is_said_before_any_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for options in (
        {"out": tmp_path / "file"},
        {"tensorboard": tmp_path / "file"},
        {"film": tmp_path / "file" / "f.gif"},
    ):
        with pytest.raises(OutputError, match=r"cannot write to .*: a file is in the way; choose another folder"):
            recorder(**options)
    with pytest.raises(OutputError, match=r"unknown kind of film 'f.mp4': .*Valid: .gif, .webp, .png"):
        recorder(film=tmp_path / "f.mp4")


def test_a_disk_that_fails_later_is_a_warning_and_training_goes_on(tmp_path: Path) -> None:
    follow = recorder(out=tmp_path / "out")
    follow.step(0)
    for path in (tmp_path / "out").iterdir():
        path.unlink()
    (tmp_path / "out").rmdir()
    (tmp_path / "out").write_text("in the way")
    with pytest.warns(UserWarning, match=r"cannot write .*epoch-0001.png: not a directory; .*; training goes on"):
        follow.step(1)
    with pytest.warns(UserWarning, match=r"cannot write .*film.gif: not a directory; .*; training goes on"):
        follow.finish()
    assert [epoch.number for epoch in follow.history] == [0, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: recorder(every=0), "every=0: expected a whole number of epochs, 1 or more"),
        (
            lambda: Recorder(np.zeros((61, 2, 2, 1))),
            "images: expected 1 to 60 to follow, received 61",
        ),
        (
            lambda: Recorder(np.zeros((0, 2, 2, 1))),
            "images: expected at least one image, received shape (0, 2, 2, 1)",
        ),
        (lambda: Recorder(IMAGES, names=["a"]), "names: expected one for each of 2 images, received 1"),
        (
            lambda: Recorder(IMAGES).step(0),
            "Recorder: expected the network: Recorder(images, classifier=fm.Classifier(model))",
        ),
        (lambda: recorder().film("x.gif"), "film: expected at least one epoch, received none; call step(epoch) first"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises(FieldmarkError) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.native_torch
def test_a_torch_loop_is_left_as_it_was(tmp_path: Path) -> None:
    import torch

    def train(follow: bool) -> tuple[list[Any], Any, Any]:
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3),
            torch.nn.BatchNorm2d(4),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.2),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(4, 2),
        )
        optimizer = torch.optim.Adam(model.parameters())
        x, y = torch.rand(8, 3, 24, 32), torch.arange(8) % 2
        seen = Recorder(IMAGES, [fm.GradCAM(), fm.RISE(samples=4)], classifier=fm.Classifier(model)) if follow else None
        model.train()
        for epoch in range(3):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            if seen is not None:  # between backward and step, the worst of moments
                seen.step(epoch, loss=loss)  # as it is, with its graph
            assert model.training
            assert all(module.training for module in model.modules())
            optimizer.step()
        return [value.clone() for value in model.state_dict().values()], torch.get_rng_state(), seen

    followed, stream, seen = train(True)
    plain, expected, _ = train(False)
    assert all(torch.equal(a, b) for a, b in zip(followed, plain, strict=True))
    assert torch.equal(stream, expected)
    assert len({float(epoch.attributions[0].scores.sum()) for epoch in seen.history}) == 3
    assert "loss 0." in seen.history[0].title
    seen.film(tmp_path / "torch.webp")
