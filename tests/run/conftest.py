"""A folder with a small model, photographs of three colours, and the command line in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import command, model_file
from tests.support.command import COLOURS, modules_forgotten, photo

__all__ = ["command", "here", "model_file"]

PHOTOS = 30


@pytest.fixture
def here(tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder: model.keras, labels.txt, and photos/ with 30 PNGs, number i of colour i % 3."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.keras").write_bytes(model_file.read_bytes())
    (tmp_path / "labels.txt").write_text("\n".join(COLOURS))
    rng = np.random.default_rng(0)
    for number in range(PHOTOS):
        pixels = photo(number % 3)
        pixels[12:] = rng.integers(0, 60, (12, 32, 1))
        path = tmp_path / "photos" / COLOURS[number % 3] / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    with modules_forgotten():
        yield tmp_path
