"""`fieldmark compare`, `explain --report` and `layers --svg`: one file, whole or not at all."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import keras
import numpy as np
import pytest

import fieldmark as fm
from tests.support.command import Command, colour_model

BASE = ("model.keras", "--labels", "labels.txt")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def data_of(page: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What a page carries: what all images share, and each image's targets and maps."""
    found = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    *images, shared = [json.loads(text) for text in found]
    return shared, images


def swapped(here: Path) -> None:
    """after.keras: the model that says green where the first says red."""
    model = colour_model("swapped")
    model.get_layer("final").set_weights([10 * np.eye(3, dtype=np.float32)[[1, 0, 2]]])
    model.save(here / "after.keras")


def test_report_is_one_file_and_nothing_else(here: Path, command: Command) -> None:
    before = set(names(here))
    done = command("explain", *BASE, "a.png", "b.png", "--layer", "conv", "--layer", "scaled", "--report", "page.html")
    assert (done.code, done.err) == (0, "")
    assert set(names(here)) - before == {"page.html"}
    assert not (here / "fieldmark-out").exists()
    assert done.out.splitlines()[-1] == "Wrote   page.html: open it in a browser"
    shared, images = data_of(here / "page.html")
    assert [method["layer"] for method in shared["methods"]] == ["conv", "scaled"]
    assert [image["targets"] for image in images] == [["red"], ["green"]]
    page = (here / "page.html").read_text("utf-8")
    assert 'data-layer="pooled"' not in page, "vectors cannot be chosen"
    command_line = "fieldmark explain model.keras a.png b.png --method gradcam --target predicted --labels labels.txt"
    assert f'data-command="{command_line} --report page.html"' in page


def test_report_and_out_are_both_written(here: Path, command: Command) -> None:
    said = command("explain", *BASE, "a.png", "--report", "page.html", "--out", "out", "--json").json
    assert said["report"] == "page.html"
    assert names(here / "out") == ["a_GradCAM_red.png", "a_panel.png", "report.html"]
    only = command("explain", *BASE, "a.png", "--report", "page.html", "--json").json
    assert (only["images"][0]["panels"], only["images"][0]["explanations"][0]["overlay"]) == ([], None)


def test_what_stands_in_the_way_is_said_before_any_work(here: Path, command: Command) -> None:
    (here / "folder").mkdir()
    lines = {
        "folder": "cannot write folder: a folder has this name; give a file, such as folder/report.html",
        "no/page.html": "cannot write no/page.html: there is no folder no; make it first",
    }
    for place, line in lines.items():
        assert command("explain", "no-such-model.keras", "a.png", "--report", place).line == line
        assert command("compare", "no.keras", "no2.keras", "a.png", "--report", place).line == line
        assert command("layers", "no-such-model.keras", "--svg", place).line == line
    line = "--save-maps: expected a folder for the maps; add --out FOLDER"
    assert command("explain", *BASE, "a.png", "--report", "page.html", "--save-maps").line == line


def test_a_failure_leaves_the_old_page(here: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "page.html").write_text("old")

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    done = command("explain", *BASE, "a.png", "--report", "page.html")
    assert done.line == "cannot write page.html: No space left on device; choose a folder you can write to"
    assert (here / "page.html").read_text() == "old"
    assert not list(here.glob("*.partial"))


def test_two_models_are_compared(here: Path, command: Command) -> None:
    swapped(here)
    done = command("compare", "model.keras", "after.keras", "a.png", "more", "--labels", "labels.txt")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:2] == ["1 of 2 predictions changed", "Image   a.png: red, now green"]
    assert lines[-1] == "Wrote   comparison.html: open it in a browser"
    shared, images = data_of(here / "comparison.html")
    assert [(m["side"], m["layer"]) for m in shared["methods"]] == [
        ("before", "conv"),
        ("after", "conv"),
        ("difference", "conv"),
    ]
    assert [image["targets"] for image in images] == [["red", "green"], ["blue"]], "what changed is shown for both"
    assert [len(image["maps"]) for image in images] == [6, 3]
    before, after, difference = images[1]["maps"]
    assert before["limit"] == after["limit"] > 0
    assert difference["note"] == "blank: zero everywhere", "blue is left as it was"


def test_two_models_are_compared_for_a_class_and_with_several_methods(here: Path, command: Command) -> None:
    swapped(here)
    options = ("--method", "gradcam", "--method", "gradients", "--target", "blue", "--report", "c.html", "--json")
    done = command("compare", "model.keras", "after.keras", "a.png", "--labels", "labels.txt", *options)
    assert done.json["changes"] == [{"image": "a.png", "before": "red", "after": "green"}]
    shared, images = data_of(here / "c.html")
    assert [m["name"] for m in shared["methods"]] == ["GradCAM"] * 3 + ["Gradients"] * 3
    assert images[0]["targets"] == ["blue"]


def test_models_with_different_classes_each_explain_their_own(here: Path, command: Command) -> None:
    swapped(here)
    (here / "own.py").write_text(
        "import keras\n"
        "def before(): return keras.saving.load_model('model.keras'), None, ['red', 'green', 'blue']\n"
        "def after(): return keras.saving.load_model('after.keras'), None, ['rose', 'leaf', 'sky']\n"
    )
    done = command("compare", "own:before", "own:after", "a.png", "--report", "c.html", "--json")
    assert done.json["changes"] == [{"image": "a.png", "before": "red", "after": "leaf"}]
    shared, _ = data_of(here / "c.html")
    assert [m["side"] for m in shared["methods"]] == ["before", "after"]
    assert "each map explains its own model" in (here / "c.html").read_text("utf-8")


def test_two_runs_and_two_files_are_compared(here: Path, command: Command) -> None:
    for out, relu in (("one", "true"), ("two", "false")):
        options = ("--save-maps", "--out", out, "--method", "gradcam", "--method", "gradients")
        assert command("explain", *BASE, "a.png", "b.png", *options, "--set", f"gradcam.relu={relu}").code == 0
    done = command("compare", "one", "two", "--json")
    assert done.json["images"] == ["a.png", "b.png"], "the files' names travel with the maps"
    shared, _ = data_of(here / "comparison.html")
    assert len(shared["methods"]) == 6
    assert command("compare", "one/GradCAM.npz", "two/GradCAM.npz", "--report", "c.html").code == 0
    assert command("compare", "one", "two/Gradients.npz", "--report", "d.html").code == 0
    assert "Only one side has maps of GradCAM at conv: left out." in (here / "d.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ("model.keras", "model.keras"),
            "compare: expected images for the two models, received none; name files or a folder",
        ),
        (("a.npz", "model.keras"), "compare: expected two models or two sets of maps, received one of each"),
        (("a.npz", "a.npz", "a.png"), "compare: files of maps carry their images; leave the images out"),
        (("more", "more"), "compare: more holds no .npz files; make them with fieldmark explain … --save-maps"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    here: Path, command: Command, arguments: tuple[str, ...], line: str
) -> None:
    assert command("compare", *arguments).line == line
    assert not (here / "comparison.html").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"not a zip file"])
def test_a_damaged_file_of_maps_is_one_line(here: Path, command: Command, content: bytes) -> None:
    (here / "a.npz").write_bytes(content)
    line = command("compare", "a.npz", "a.npz").line
    assert line.startswith("a.npz: ")
    assert "Traceback" not in line


def test_maps_of_another_version_are_one_line(here: Path, command: Command) -> None:
    att = fm.GradCAM()(fm.load("model.keras"), np.zeros((1, 24, 32, 3), np.uint8))
    att.save(here / "a.npz")
    with np.load(here / "a.npz") as file:
        arrays = dict(file)
    header = json.loads(str(arrays["header"]))
    header["format"] = 99
    np.savez(here / "a.npz", **{**arrays, "header": np.array(json.dumps(header))})
    assert "99" in command("compare", "a.npz", "a.npz").line


def test_the_network_is_drawn_to_a_file(here: Path, command: Command) -> None:
    done = command("layers", "model.keras", "--svg", "net.svg")
    assert done.code == 0
    assert done.out.splitlines()[-1] == "Wrote   net.svg"
    words = [each.text for each in ElementTree.parse(here / "net.svg").iter("{http://www.w3.org/2000/svg}title")]
    assert words == [
        "scaled: Rescaling 24 × 32 × 3",
        "conv: Conv2D 24 × 32 × 3",
        "pooled: GlobalAveragePooling2D 3",
        "final: Dense 3",
    ]


def test_a_network_of_networks_folds(here: Path, command: Command) -> None:
    inner = keras.Sequential([keras.Input((24, 32, 3)), *(keras.layers.Conv2D(2, 1) for _ in range(15))], name="base")
    outer = keras.Sequential([inner, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)], name="outer")
    outer.save(here / "nested.keras")
    assert command("layers", "nested.keras", "--svg", "net.svg").code == 0
    assert "▸" in (here / "net.svg").read_text("utf-8")
