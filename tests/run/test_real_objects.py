"""What people hold in Python, as it is: tf.data, a torch DataLoader, datasets; and what reads a run back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.errors import FieldmarkError
from fieldmark.run import SourceOptions
from fieldmark.run.results import Results
from tests.run.support import corner, encoded, go, numbers, picture, table
from tests.support.command import COLOURS

COUNT = 25
TRUTH = [str(number % 3) for number in range(COUNT)]


class Stops:
    """The usual job, which is killed after some batches."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def __call__(self, images: np.ndarray) -> dict[str, Any]:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return corner(images)


def went_on(source: Any, out: Path) -> None:
    """A run over it is stopped, goes on, and has every image once, with its class."""
    with pytest.raises(KeyboardInterrupt):
        go(source, out, Stops(6))
    report = go(source, out)
    assert 0 < report.new < COUNT
    assert numbers(out) == list(range(COUNT))
    assert table(out)["truth"].to_pylist() == TRUTH


def test_a_tf_data_dataset(tmp_path: Path) -> None:
    import tensorflow as tf

    def image(number: Any) -> tuple[Any, Any]:
        colour = tf.stack([number % 256, number // 256, 7])
        return tf.cast(tf.ones((8, 8, 1), number.dtype) * colour, tf.uint8), number % 3

    single = tf.data.Dataset.range(COUNT).map(image)
    for name, data in (("one by one", single), ("batched", single.batch(6).prefetch(2))):
        went_on(data, tmp_path / name)


@pytest.mark.native_torch
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_torch_data_loader(tmp_path: Path, workers: int) -> None:
    import torch

    data = [(torch.from_numpy(picture(number).transpose(2, 0, 1).copy()), number % 3) for number in range(COUNT)]
    went_on(torch.utils.data.DataLoader(data, batch_size=6, num_workers=workers), tmp_path / "out")


@pytest.mark.native_torch
def test_a_data_loader_that_shuffles_is_refused_when_it_goes_on(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(1)
    data = [torch.from_numpy(picture(number).transpose(2, 0, 1).copy()) for number in range(COUNT)]
    shuffled = torch.utils.data.DataLoader(data, batch_size=6, shuffle=True)
    with pytest.raises(KeyboardInterrupt):
        go(shuffled, tmp_path / "out", Stops(6))
    with pytest.raises(FieldmarkError, match="is not what it was when this run began; give the same images"):
        go(shuffled, tmp_path / "out")


@pytest.mark.native_torch
def test_a_module_and_its_loader_give_the_maps_of_the_explainer(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 3),
    )
    classifier = fm.Classifier(module, labels=COLOURS)
    images = torch.rand(10, 3, 16, 20)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, torch.arange(10) % 3), batch_size=4)
    fm.run(classifier, loader, fm.GradCAM(relu=False), out=tmp_path / "out", shard_size=7)
    direct = fm.GradCAM(relu=False)(classifier, images.numpy().transpose(0, 2, 3, 1))
    maps = np.concatenate([batch["gradcam"] for batch in Results(tmp_path / "out").batches(["gradcam"])])
    np.testing.assert_allclose(maps, direct.maps, atol=1e-6)


@pytest.mark.no_framework
def test_a_dataset_of_hugging_face_in_memory(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    features = datasets.Features({"picture": datasets.Image(), "label": datasets.ClassLabel(names=["0", "1", "2"])})
    rows = {
        "picture": [{"bytes": encoded(number), "path": None} for number in range(COUNT)],
        "label": [number % 3 for number in range(COUNT)],
    }
    data = datasets.Dataset.from_dict(rows, features=features)
    with pytest.raises(KeyboardInterrupt):
        go(data, tmp_path / "out", Stops(6), source=SourceOptions(truth="label"))
    report = go(data, tmp_path / "out", source=SourceOptions(truth="label"))
    assert 0 < report.new < COUNT
    assert numbers(tmp_path / "out") == list(range(COUNT))
    assert table(tmp_path / "out")["truth"].to_pylist() == TRUTH
    with pytest.raises(FieldmarkError, match=r"with other settings: source\.fingerprint was"):
        go(data.select(range(COUNT - 1, -1, -1)), tmp_path / "out", source=SourceOptions(truth="label"))


@pytest.mark.no_framework
def test_a_dataset_of_arrays(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    features = datasets.Features({"pixels": datasets.Array3D((8, 8, 3), "uint8")})
    data = datasets.Dataset.from_dict({"pixels": [picture(number) for number in range(COUNT)]}, features=features)
    go(data, tmp_path / "out")
    assert numbers(tmp_path / "out") == list(range(COUNT))
