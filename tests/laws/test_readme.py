"""What the README shows works as it stands."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from fieldmark.explainers import EXPLAINERS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of a language ("" for none)."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [text for tongue, text in fenced if tongue == language]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the README names, made small."""
    keras.utils.set_random_seed(0)
    pooled = [layers.Conv2D(6, 3, activation="relu"), layers.MaxPooling2D(16), layers.GlobalAveragePooling2D()]
    model = keras.Sequential([layers.Input((224, 224, 3)), *pooled, layers.Dense(3, activation="softmax")])
    model.save(tmp_path / "model.keras")
    (tmp_path / "labels.txt").write_text("cat\ndog\nbird\n")
    (tmp_path / "photos").mkdir()
    for index in range(2):
        pixels = np.random.default_rng(index).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{index}.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_of_the_readme_runs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("python")
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    attribution = names["att"]
    assert attribution.maps.shape[:2] == (2, 2)  # type: ignore[attr-defined]
    printed = capsys.readouterr().out
    assert sum(printed.count(f"'{label}'") for label in ("cat", "dog", "bird")) == 4  # two images, two classes each
    with Image.open(here / "where.png") as picture:
        assert picture.width > 300


def test_every_command_of_the_readme_exists() -> None:
    from fieldmark.cli.app import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    shown = set(re.findall(r"^fieldmark (\w+)", "\n".join(blocks("")), re.MULTILINE))
    assert shown
    assert shown <= known
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = set(re.findall(r"make (\w+)", README)) - {"and", "them"}
    assert commands <= targets


def test_the_extras_that_the_readme_names_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = set(re.findall(r"'\.\[(\w+)\]'", README))
    assert named
    assert named <= set(project["optional-dependencies"])


def test_every_method_cites_a_paper_that_is_in_the_references() -> None:
    references = (ROOT / "docs" / "references.bib").read_text(encoding="utf-8")
    keys = set(re.findall(r"^@\w+\{(\w+),", references, re.MULTILINE))
    cited = {method.__name__: set(re.findall(r"\[([a-z]+\d{4}\w*)\]", method.__doc__ or "")) for method in EXPLAINERS}
    assert {name: wanted - keys for name, wanted in cited.items() if wanted - keys} == {}
    # ActivationMaps only shows what is there: no paper's method.
    assert {name for name, wanted in cited.items() if not wanted} <= {"ActivationMaps"}
