"""`fieldmark run` and `fm.run`: the maps of a run are those of the explainer, and everybody can read them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import fieldmark as fm
from fieldmark.run import jobs
from fieldmark.run.results import Results
from fieldmark.run.summary import border_mask, summarise
from fieldmark.run.summary_page import border_limit
from fieldmark.run.writer import read_story
from tests.support.command import COLOURS, Command

BASE = ("run", "model.keras", "photos", "--labels", "labels.txt")


def loaded() -> Any:
    return fm.load("model.keras", labels="labels.txt")


def column(out: Path, name: str) -> np.ndarray:
    return np.concatenate([batch[name] for batch in Results(out).batches([name])])


def test_the_command_explains_a_folder_and_goes_on(here: Path, command: Command) -> None:
    (here / "photos" / "bad.jpg").write_bytes(b"none")
    done = command(*BASE, "--methods", "gradcam,gradients", "--out", "out", "--shard-size", "12")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "Model   colours on tensorflow, 3 classes"
    assert lines[1].startswith("Images  31 by GradCAM, Gradients in ")
    assert lines[2] == "        1 could not be read: out/rejected.parquet says why"
    assert lines[3].startswith("Wrote   out/shards: 30 images, 3 files, ")
    again = command(*BASE, "--methods", "gradcam,gradients", "--out", "out", "--shard-size", "12", "--json")
    assert (again.json["new"], again.json["images"], again.json["rejected"]) == (0, 30, 1)
    other = command(*BASE, "--methods", "gradcam,gradients", "--target", "top2", "--out", "out", "--shard-size", "12")
    assert other.line == (
        "out holds a run with other settings: job.target was Predicted(), now Top(k=2); "
        "go on with those, or choose another folder"
    )


def test_the_maps_are_those_of_the_explainers_themselves(here: Path) -> None:
    classifier = loaded()
    methods = [fm.GradCAM(relu=False), fm.Gradients(), fm.ActivationMaps(channels=2)]
    fm.run(classifier, "photos", methods, out="out", target=fm.Top(2), shard_size=7)
    files = [row for batch in Results("out").batches(["source"]) for row in batch["source"]]
    images = fm.read_images(files)
    for explainer, name in zip(methods, ("gradcam", "gradients", "activationmaps"), strict=True):
        direct = explainer(classifier, images, fm.Top(2))
        np.testing.assert_allclose(column(here / "out", name), direct.maps, atol=1e-6)
        prefix = "activationmaps_" if name == "activationmaps" else ""
        np.testing.assert_allclose(column(here / "out", f"{prefix}scores"), direct.scores, atol=1e-5)
        one = Results("out").attribution(11, name)
        assert one.targets == direct.targets[11:12]
        np.testing.assert_allclose(one.maps, direct.maps[11:12], atol=1e-6)
        assert one.signed == direct.signed
        assert one.provenance["parameters"] == direct.provenance["parameters"]
    predictions = classifier.predict(images)
    np.testing.assert_allclose(
        column(here / "out", "top_probabilities"), -np.sort(-predictions.probabilities), atol=1e-6
    )
    assert [row for b in Results("out").batches(["predicted"]) for row in b["predicted"]] == [
        top[0][0] for top in predictions.top(1)
    ]


def test_a_prediction_beside_a_map_costs_no_pass_of_its_own(here: Path) -> None:
    classifier = loaded()
    opened = jobs.Explain(model=jobs.HeldModel(classifier), explainers=(fm.GradCAM(), fm.Gradients())).open()
    images = fm.read_images("photos")
    opened(images[:8])
    keys = {key[0][0] if isinstance(key[0], tuple) else key[0] for key in classifier.engine.passes._compiled}
    assert keys - {"scores"} == {"gradients"}
    calls: list[Any] = []
    real = classifier.engine.passes.call
    classifier.engine.passes.call = lambda key, *rest, **more: (calls.append(key[0]), real(key, *rest, **more))[1]
    opened(images[:8])
    assert calls == ["gradients", "gradients"]


@pytest.fixture
def finished(here: Path) -> np.ndarray:
    """A run in the folder "out"; its maps."""
    fm.run(loaded(), "photos", [fm.GradCAM()], out="out", shard_size=12)
    return column(here / "out", "gradcam")


def test_pandas_reads_it(finished: np.ndarray) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.read_parquet("out/shards")
    assert frame["predicted"].value_counts().to_dict() == dict.fromkeys(COLOURS, 10)
    np.testing.assert_array_equal(np.stack(frame["gradcam"].to_numpy()).reshape(finished.shape), finished)


def test_polars_reads_it(finished: np.ndarray) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    held = polars.read_parquet("out/shards/*.parquet")
    assert sorted(held["index"].to_list()) == list(range(30))
    np.testing.assert_array_equal(held.sort("index")["gradcam"].to_numpy().reshape(finished.shape), finished)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_datasets_reads_it(finished: np.ndarray) -> None:
    pytest.importorskip("datasets", reason="the package datasets is not installed")
    data = Results("out").dataset().with_format("numpy")
    np.testing.assert_array_equal(np.stack(list(data["gradcam"])).reshape(finished.shape), finished)
    assert list(data["index"]) == list(range(30))
    assert set(data["predicted"]) == set(COLOURS)


def test_a_shard_says_how_it_was_made(here: Path) -> None:
    fm.run("model.keras", "photos", fm.GradCAM(), out="out", target=fm.Class(1))
    schema = pq.read_schema("out/shards/00000000.parquet")
    story = json.loads(schema.metadata[b"fieldmark"])
    assert story["provenance"]["columns"]["gradcam"]["layer"] == "conv"
    assert story["provenance"]["columns"]["gradcam"]["target"] == "Class(cls=1)"
    assert story["settings"]["job"]["methods"][0]["method"] == "GradCAM"
    assert str(schema.field("gradcam").type) == "extension<arrow.fixed_shape_tensor[value_type=float, shape=[1,24,32]]>"
    manifest = json.loads(Path("out/manifest.json").read_text())
    assert manifest["complete"]
    assert manifest["totals"]["images"] == 30
    assert manifest["provenance"] == story["provenance"]


def test_float16_halves_the_maps_and_says_what_it_cost(here: Path) -> None:
    fm.run(loaded(), "photos", fm.GradCAM(), out="whole")
    fm.run(loaded(), "photos", fm.GradCAM(), out="half", float16=True)
    whole, half = column(here / "whole", "gradcam"), column(here / "half", "gradcam")
    assert half.dtype == np.float16
    story = read_story(Path("half/shards/00000000.parquet"))
    largest = np.abs(whole).reshape(30, -1).max(axis=1)
    error = (np.abs(half.astype(np.float32) - whole).reshape(30, -1).max(axis=1) / largest).max()
    assert story["float16_error"]["gradcam"] == pytest.approx(error)
    assert 0 < error < 1e-3


def test_maps_too_large_for_float16_are_refused(here: Path) -> None:
    from fieldmark.run import Options, PerBatch, Shape, run_job

    def large(images: np.ndarray) -> dict[str, Any]:
        return {"map": np.full((len(images), 1, 2, 2), 1e6, np.float32)}

    with pytest.raises(
        fm.FieldmarkError, match=r"^map: float16 holds at most 65504, received 1e\+06; leave float16 out$"
    ):
        run_job(PerBatch(function=large, shape=Shape(4, 4, 3)), "photos", out="out", options=Options(float16=True))


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_is_measured_against_float32_and_the_model_left_as_it_was(here: Path, precision: str) -> None:
    classifier = loaded()
    before = [layer.dtype_policy.name for layer in classifier.model.layers]
    fm.run(classifier, "photos", fm.GradCAM(), out="exact")
    fm.run(classifier, "photos", fm.GradCAM(), out="half", precision=precision)
    assert [layer.dtype_policy.name for layer in classifier.model.layers] == before
    exact, half = column(here / "exact", "gradcam"), column(here / "half", "gradcam")
    said = Results("half").manifest["provenance"]["precision"]
    first = slice(0, said["images"])
    largest = np.abs(exact[first]).reshape(said["images"], -1).max(axis=1)
    error = (np.abs(half[first] - exact[first]).reshape(said["images"], -1).max(axis=1) / largest).max()
    assert said["error_against_float32"]["gradcam"] == pytest.approx(error, rel=1e-3)
    assert 1e-5 < error < 0.05
    assert said["error_against_float32"]["predicted_class_agrees"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "spark"], "unknown engine 'spark': Valid: local, ray"),
        (["--precision", "half"], "unknown precision 'half': Valid: float32, mixed_float16, mixed_bfloat16"),
        (["--shard-size", "0"], "shard_size=0: expected a whole number of 1 or more"),
        (["--ray", "concurrency=2"], "--ray and --address: expected --engine ray beside them"),
        (
            ["--engine", "ray", "--ray", "many"],
            "--ray 'many': expected name=number, for example concurrency=4 or num_gpus=1",
        ),
        (["--column", "x"], "--column x: photos is no Parquet file and no saved dataset; leave it out"),
        (["--truth", "label"], "--truth label: image files have no columns; expected folder, or leave it out"),
    ],
)
def test_bad_options_are_refused_in_one_line(here: Path, command: Command, arguments: list[str], said: str) -> None:
    assert command(*BASE, "--out", "out", *arguments).line == said


def test_the_summary_counts_and_finds_what_is_odd(here: Path, command: Command) -> None:
    odd = here / "photos" / "red" / "odd.png"
    pixels = np.full((24, 32, 3), 20, np.uint8)
    pixels[:, 0, 0] = 255  # all the red is at the left edge
    from PIL import Image

    Image.fromarray(pixels).save(odd)
    wrong = here / "photos" / "green" / "wrong.png"
    wrong.write_bytes((here / "photos" / "blue" / "002.png").read_bytes())
    done = command(*BASE, "--out", "out", "--shard-size", "8", "--truth", "folder", "--summary", "--json")
    assert done.json["summary"] == "out/summary.html"
    said = json.loads(Path("out/summary.json").read_text())
    assert said["counts"] == {"blue": 11, "green": 10, "red": 11}
    assert said["confused"] == [{"class": "green", "with": "blue", "images": 1}]
    assert said["accuracy"] == pytest.approx(31 / 32)
    assert said["outliers"][0]["source"] == str(odd)
    red = next(each for each in said["classes"] if each["name"] == "red")
    assert red["untypical"][0]["source"] == str(odd)
    assert red["typical"][0]["source"] != str(odd)
    maps = column(here / "out", "gradcam")[:, 0]
    of_red = np.array([row == "red" for b in Results("out").batches(["predicted"]) for row in b["predicted"]])
    scaled = maps[of_red] / np.abs(maps[of_red]).max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(red["mean_map"], scaled.mean(axis=0), atol=1e-4)
    page = Path("out/summary.html").read_text("utf-8")
    assert "odd.png" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_true_class_that_the_model_does_not_have_is_neither_right_nor_wrong(here: Path, command: Command) -> None:
    (here / "photos" / "green").rename(here / "photos" / "olive")
    command(*BASE, "--out", "out", "--truth", "folder", "--summary")
    said = json.loads(Path("out/summary.json").read_text())
    assert (said["judged"], said["accuracy"], said["unknown_to_the_model"]) == (20, 1, {"olive": 10})
    assert said["confused"] == [{"class": "olive", "with": "green", "images": 10}]
    page = Path("out/summary.html").read_text("utf-8")
    assert "10 images have a true class that the model does not have" in page
    assert "olive (10)" in page


def test_maps_at_the_border_are_shown_however_few_cells_a_map_has(here: Path) -> None:
    assert border_limit(border_mask((7, 7)).mean()) < 0.75
    assert border_limit(border_mask((224, 224)).mean()) < 0.75


def test_a_border_is_an_eighth_on_each_side_and_one_at_least() -> None:
    assert border_mask((16, 16)).sum() == 16 * 16 - 12 * 12
    assert border_mask((7, 7)).sum() == 24


def test_confusions_without_truth_are_close_seconds(here: Path) -> None:
    from PIL import Image

    for number in range(3):  # red and green the same: a tie
        pixels = np.full((24, 32, 3), 20, np.uint8)
        pixels[:6, :, :2] = 200
        Image.fromarray(pixels).save(here / "photos" / f"tie{number}.png")
    fm.run(loaded(), "photos", fm.GradCAM(), out="out")
    summary = summarise(Results("out"))
    assert [(sorted((a, b)), n) for a, b, n in summary.pairs] == [(["green", "red"], 3)]
    assert summary.accuracy is None


def test_a_folder_without_a_run_says_so(here: Path) -> None:
    with pytest.raises(fm.FieldmarkError, match="photos: no run here; expected a folder that `fieldmark run` wrote"):
        Results("photos")


def test_fm_run_is_the_function_whatever_was_imported_before() -> None:
    for first in ("import fieldmark.run", "import fieldmark.run.bulk", "pass"):
        code = f"{first}; import fieldmark as fm; assert callable(fm.run); print(fm.run.Report.__name__)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "Report\n"
