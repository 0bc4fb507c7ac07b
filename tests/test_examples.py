"""The tutorials run as they stand, are short, leave pictures that show something, and say what their pages say."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES, KEPT = ROOT / "examples", ROOT / "docs" / "tutorials"
MOST_LINES = 60


def run(name: str, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")


def differences(kept: Any, found: Any, relative: float, absolute: float, path: str = "") -> list[str]:
    """Where what a page says isn't what its script found."""
    if isinstance(kept, dict) and isinstance(found, dict):
        missing = [f"{path}: keys {sorted(kept)}, found {sorted(found)}"] if set(kept) != set(found) else []
        pairs = [(kept[key], found[key], f"{path}.{key}") for key in kept if key in found]
    elif isinstance(kept, list) and isinstance(found, list):
        missing = [f"{path}: {len(kept)} items, found {len(found)}"] if len(kept) != len(found) else []
        pairs = [(a, b, f"{path}.{i}") for i, (a, b) in enumerate(zip(kept, found, strict=False))]
    elif isinstance(kept, int | float) and isinstance(found, int | float):
        return [] if abs(kept - found) <= absolute + relative * abs(kept) else [f"{path}: {kept}, found {found}"]
    else:
        return [] if kept == found else [f"{path}: {kept!r}, found {found!r}"]
    return missing + [line for a, b, at in pairs for line in differences(a, b, relative, absolute, at)]


def check(name: str, folder: Path, pictures: int, relative: float = 0.02, absolute: float = 0.01) -> None:
    """The pictures show something, and the page's numbers are those found."""
    made = sorted(folder.glob("*.png"))
    assert len(made) == pictures
    for path in made:
        with Image.open(path) as picture:
            assert min(picture.size) >= 200
            assert np.asarray(picture.convert("L")).std() > 20
        assert (ROOT / "docs" / "img" / "tutorials" / name / f"{path.stem}.webp").exists()
    kept, found = (json.loads(path.read_text()) for path in (KEPT / f"{name}.json", folder / "results.json"))
    assert differences(kept, found, relative, absolute) == [], f"run: python docs/tutorials.py {name}"


@pytest.mark.parametrize(
    ("name", "pictures"), [("grad_cam", 2), ("expected_gradients", 1), ("tour", 4), ("any_class", 1)]
)
def test_a_tutorial_on_the_cat(name: str, pictures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(name, monkeypatch, tmp_path)
    check(name, tmp_path, pictures)


def test_fashion_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_data: Path) -> None:
    run("fashion_mnist", monkeypatch, tmp_path, shared_data / "fashion_mnist_900.npz")
    # trained on 720 images: another machine's rounding grows to another network
    check("fashion_mnist", tmp_path, 1, relative=0.25, absolute=0.05)


def test_flowers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_data: Path) -> None:
    run("flowers", monkeypatch, shared_data / "flowers", tmp_path)
    check("flowers", tmp_path, 2, relative=0, absolute=0.05)
    assert json.loads((tmp_path / "results.json").read_text())["accuracy"] >= 0.7


def test_a_guide_to_flowers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_data: Path) -> None:
    options = ["--out", tmp_path, "--epochs", 1, "--photographs", 30]
    run("guides/flowers", monkeypatch, shared_data / "flowers", *options)
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["held"] == 30
    assert found["verdict"] == json.loads((tmp_path / "guide.json").read_text())["verdict"] != "reducible"
    assert (tmp_path / "guide.html").stat().st_size > 10_000 < (tmp_path / "card.pdf").stat().st_size


def test_flowers_without_flowers_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, folder in (("flowers", []), ("guides/flowers", [tmp_path / "none"])):
        with pytest.raises(SystemExit, match="skipped: give a folder"):
            run(name, monkeypatch, *folder)


@pytest.mark.native_torch
def test_torch_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("efficientnet_lite_pytorch", reason="the torch package of the tutorial is in the extra `dev`")
    run("torch_model", monkeypatch, tmp_path)
    check("torch_model", tmp_path, 1)


@pytest.mark.no_framework
def test_every_tutorial_is_short_and_has_a_page() -> None:
    scripts = {path.stem: path.read_text().count("\n") for path in EXAMPLES.glob("*.py")}
    assert {name: lines for name, lines in scripts.items() if lines > MOST_LINES} == {}
    assert (
        set(scripts) == {path.stem for path in KEPT.glob("*.md")} - {"index"} == {p.stem for p in KEPT.glob("*.json")}
    )


@pytest.mark.no_framework
def test_a_number_that_changed_is_seen() -> None:
    kept = {"a": [1.0, {"b": 0.5}], "c": "cat"}
    assert differences(kept, {"a": [1.001, {"b": 0.5}], "c": "cat"}, 0.01, 0) == []
    assert len(differences(kept, {"a": [1.1, {"b": 0.4}], "c": "dog"}, 0.01, 0)) == 3
    assert len(differences(kept, {"a": [1.0], "d": 1}, 0.01, 0)) == 2
