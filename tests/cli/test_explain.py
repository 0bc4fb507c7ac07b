"""`fieldmark explain`: the right maps in the right files, all of them or none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fieldmark as fm
from fieldmark.cli import explain as job
from fieldmark.images import read_images
from tests.support.command import COLOURS, HEIGHT, WIDTH, Command

BASE = ("model.keras", "--labels", "labels.txt")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_writes_overlays_a_panel_and_a_page_and_says_where(here: Path, command: Command) -> None:
    done = command("explain", *BASE, "a.png", "--out", "out")
    assert (done.code, done.err) == (0, "")
    assert names(here / "out") == ["a_GradCAM_red.png", "a_panel.png", "report.html"]
    assert done.out.splitlines() == [
        "Model   colours on tensorflow, 3 classes",
        "Image   a.png: red 83.4 %, green 8.3 %, blue 8.3 %",
        "Layer   conv: last spatial feature map (24 x 32, 3 channels), before GlobalAveragePooling2D",
        "Wrote   out/report.html: open it in a browser",
        "        and beside it 1 panel, 1 overlay",
    ]
    with Image.open(here / "out" / "a_GradCAM_red.png") as overlay:
        assert overlay.size == (WIDTH, HEIGHT)
        provenance = json.loads(overlay.text["fieldmark"])  # type: ignore[attr-defined]
    assert (provenance["method"], provenance["layer"], provenance["parameters"]["relu"]) == ("GradCAM", "conv", True)
    page = (here / "out" / "report.html").read_text("utf-8")
    assert "a.png" in page
    assert "red" in page


def test_json_is_one_document_that_matches_the_files(here: Path, command: Command) -> None:
    done = command("explain", *BASE, "more", "a.png", "--target", "top2", "--json", "--save-maps", "--out", "out")
    assert done.code == 0
    said = done.json
    assert [image["path"] for image in said["images"]] == ["more/c.png", "a.png"]
    first = said["images"][0]["explanations"]
    assert [(each["target"], each["class"]) for each in first] == [("blue", 2), ("red", 0)]
    written = {Path(e["overlay"]) for image in said["images"] for e in image["explanations"]}
    written |= {Path(panel) for image in said["images"] for panel in image["panels"]}
    written |= {Path(said["report"]), *map(Path, said["maps"])}
    assert {path.name for path in written} == set(names(here / "out"))
    saved = fm.Attribution.load(here / "out" / "GradCAM.npz")
    images = read_images(["more/c.png", "a.png"])
    direct = fm.GradCAM()(fm.load("model.keras"), images, fm.Top(2))
    np.testing.assert_allclose(saved.maps, direct.maps, atol=1e-6)
    row, column = np.unravel_index(int(saved.maps[0, 0].argmax()), saved.maps.shape[2:])
    assert row < HEIGHT / 2, "the blue corner is the upper left one"
    assert column < WIDTH / 2
    assert first[0]["score"] == pytest.approx(float(direct.scores[0, 0]), abs=1e-5)


def test_every_target_of_every_method_becomes_an_overlay(here: Path, command: Command) -> None:
    options = ("--method", "gradcam", "--method", "Gradients", "--target", "green", "--target", "red-vs-rest")
    assert command("explain", *BASE, "a.png", *options, "--out", "out").code == 0
    assert [name for name in names(here / "out") if "panel" not in name] == [
        "a_GradCAM_green.png",
        "a_GradCAM_red_against_the_rest.png",
        "a_Gradients_green.png",
        "a_Gradients_red_against_the_rest.png",
        "report.html",
    ]


def explanations(command: Command, *options: object) -> list[dict[str, Any]]:
    done = command("explain", *BASE, "a.png", "--out", "out", "--json", "--save-maps", *options)
    assert done.code == 0, done
    return done.json["images"][0]["explanations"]


def test_options_reach_the_model_and_the_method(here: Path, command: Command) -> None:
    plain = explanations(command, "--target", "red")[0]
    assert explanations(command, "--target", "red", "--layer", "scaled")[0]["layer"] == "scaled"
    assert explanations(command, "--target", "red", "--probabilities")[0]["score"] == plain["probability"]
    halved = explanations(command, "--target", "red", "--preprocess", "0-1")[0]
    assert halved["score"] == pytest.approx(plain["score"] / 255, rel=1e-4)
    command("explain", *BASE, "a.png", "--out", "out", "--set", "relu=false", "--save-maps")
    assert fm.Attribution.load("out/GradCAM.npz").provenance["parameters"]["relu"] is False


def test_several_layers_are_several_attributions(here: Path, command: Command) -> None:
    made = explanations(command, "--layer", "conv", "--layer", "scaled")
    assert [each["layer"] for each in made] == ["conv", "scaled"]
    assert {"GradCAM_conv.npz", "GradCAM_scaled.npz"} <= set(names(here / "out"))


def test_alpha_and_fit_change_the_pictures(here: Path, command: Command) -> None:
    def picture(*options: object) -> np.ndarray:
        command("explain", *BASE, "wide.png", "--out", "out", "--target", "red", *options)
        return np.asarray(Image.open(here / "out" / "wide_GradCAM_red.png"))

    wide = np.full((HEIGHT, 2 * WIDTH, 3), 20, np.uint8)
    wide[:, : WIDTH // 2, 0] = 255
    Image.fromarray(wide).save(here / "wide.png")
    cropped, stretched = picture(), picture("--fit", "stretch")
    assert (cropped != stretched).any()
    assert (picture("--fit", "stretch", "--alpha", "0.1") != stretched).any()


def test_pictures_of_the_same_name_keep_their_own_files(here: Path, command: Command) -> None:
    (here / "more" / "a.png").write_bytes((here / "b.png").read_bytes())
    (here / "a.jpg").write_bytes((here / "b.png").read_bytes())
    done = command("explain", *BASE, "a.png", "a.jpg", "more/a.png", "--json", "--out", "out", "--target", "red")
    overlays = [image["explanations"][0]["overlay"] for image in done.json["images"]]
    assert len(set(overlays)) == 3
    assert all(Path(path).is_file() for path in overlays)


def test_a_folder_that_holds_other_files_keeps_them_and_says_so(here: Path, command: Command) -> None:
    command("explain", *BASE, "a.png", "--out", "out")
    (here / "out" / "notes.txt").write_text("mine")
    page = (here / "out" / "report.html").read_bytes()
    done = command("explain", *BASE, "b.png", "--out", "out")
    assert done.err == "note: out held 4 file(s) already; those of other names were left as they are\n"
    assert (here / "out" / "notes.txt").read_text() == "mine"
    assert (here / "out" / "a_panel.png").exists()
    assert (here / "out" / "report.html").read_bytes() != page


@pytest.mark.parametrize("existed", [False, True])
def test_a_failure_at_the_end_leaves_nothing(
    here: Path, command: Command, monkeypatch: pytest.MonkeyPatch, existed: bool
) -> None:
    if existed:
        (here / "deep" / "out").mkdir(parents=True)
        (here / "deep" / "out" / "report.html").write_text("old")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fieldmark.report.results.write_report", full)
    done = command("explain", *BASE, "a.png", "--out", "deep/out")
    assert done.line == "cannot write to deep/out: no space left on device; choose a folder you can write to"
    if existed:
        assert names(here / "deep" / "out") == ["report.html"]
        assert (here / "deep" / "out" / "report.html").read_text() == "old"
    else:
        assert not (here / "deep").exists()


def test_all_leaves_out_what_the_model_cannot_do_and_says_so(
    here: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fieldmark.errors import LayerError

    def refuses(self: Any, *_: Any, **__: Any) -> None:
        raise LayerError("not here")

    monkeypatch.setattr(fm.GradCAM, "__call__", refuses)
    monkeypatch.setattr("fieldmark.cli.methods.EXPLAINERS", (fm.GradCAM, fm.Gradients))
    done = command("explain", *BASE, "a.png", "--method", "all", "--out", "out", "--json")
    assert done.err.splitlines()[0] == "note: GradCAM was left out: not here"
    assert done.json["left_out"] == [{"method": "GradCAM", "reason": "not here"}]
    named = ("--method", "gradcam", "--method", "gradients")
    assert command("explain", *BASE, "a.png", *named, "--out", "out").line == "not here"


def test_warnings_are_said_once_with_their_methods() -> None:
    def attribution(method: str, *warnings: str) -> fm.Attribution:
        one = np.ones((1, 1), np.float32)
        return fm.Attribution(
            maps=one[..., None, None],
            scores=one,
            probabilities=one,
            classes=one.astype(int),
            targets=(("a",),),
            provenance={"method": method},
            warnings=warnings,
        )

    found = job.notes([attribution("A", "blank"), attribution("B", "blank", "odd"), attribution("C")], {"D": "no"})
    assert found == ["D was left out: no", "A, B: blank", "B: odd"]


def test_labels_are_optional(here: Path, command: Command) -> None:
    done = command("explain", "model.keras", "a.png", "--out", "out", "--json", "--target", "2")
    assert done.json["images"][0]["explanations"][0]["target"] == "class 2"
    assert COLOURS[2] not in done.out
