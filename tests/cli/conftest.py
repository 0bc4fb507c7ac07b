"""A folder with a model and images, and the command to run there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import COLOURS, Command, colour_model, modules_forgotten, save_photo


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "colours.keras"
    colour_model().save(path)
    return path


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def here(tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder: model.keras, labels.txt, a.png (red), b.png (green), more/c.png (blue)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.keras").write_bytes(model_file.read_bytes())
    (tmp_path / "labels.txt").write_text("\n".join(COLOURS))
    for colour, name in enumerate(["a.png", "b.png", "more/c.png"]):
        save_photo(tmp_path / name, colour)
    with modules_forgotten():
        yield tmp_path
