"""What the pages show in Python runs as it stands, in the order it is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

import fieldmark as fm

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(page: str) -> list[str]:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the pages name, made small."""
    keras.utils.set_random_seed(0)
    names = ["cat", "dog", "bird", "fish"]
    stack = [layers.Conv2D(6, 3, activation="relu"), layers.MaxPooling2D(16), layers.GlobalAveragePooling2D()]
    model = keras.Sequential([layers.Input((224, 224, 3)), *stack, layers.Dense(len(names), activation="softmax")])
    model.save(tmp_path / "model.keras")
    (tmp_path / "labels.txt").write_text("\n".join(names))
    (tmp_path / "photos").mkdir()
    for index in range(2):
        pixels = np.random.default_rng(index).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{index}.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def given() -> dict[str, Any]:
    """What the pages speak of without making it: a small model, its data, its labels."""
    keras.utils.set_random_seed(0)
    stack = [layers.Conv2D(4, 3, activation="relu", name="block4c_add"), layers.GlobalAveragePooling2D()]
    model = keras.Sequential([layers.Input((16, 16, 3)), *stack, layers.Dense(4, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    x, y = rng.random((8, 16, 16, 3), dtype=np.float32), rng.integers(0, 4, 8)
    labels = ["cat", "dog", "bird", "fish"]
    clf = fm.Classifier(model, labels=labels)
    both = {"clf_before": clf, "clf_after": clf}
    return {**both, "fm": fm, "model": model, "x": x, "y": y, "images": x[:2], "labels": labels, "clf": clf}


@pytest.mark.parametrize("page", ["index", "start"])
def test_the_first_lines_run(page: str, here: Path) -> None:
    names: dict[str, Any] = {}
    for code in blocks(page):
        exec(compile(code, f"{page}.md", "exec"), names)
    assert names["att"].maps.shape[:2] == (2, 2)
    assert (here / "where.png").stat().st_size > 1000


@pytest.mark.parametrize("page", ["concepts/layers", "concepts/notebooks", "concepts/report"])
def test_the_lines_of_a_concept_run(page: str) -> None:
    names = given()
    assert blocks(page)
    for code in blocks(page):
        exec(compile(code, f"{page}.md", "exec"), names)


def test_the_callbacks_make_what_the_page_says(here: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra `tensorboard`")
    names = given()
    for code in blocks("concepts/training"):
        exec(compile(code, "training.md", "exec"), names)
    for folder in ("maps", "own-loop"):
        assert {"epoch-0000.png", "film.gif"} <= {path.name for path in (here / folder).iterdir()}
    assert list((here / "logs").rglob("events.out.*"))
