"""The options that several commands share: each is one type, used as an annotation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MODEL, WHAT, OUTPUT = "The model", "What is explained", "Output"

ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A .keras or .h5 file (or .onnx, .tflite); keras:Xception; demo:lite0; or module:function, your own code.",
        show_default=False,
    ),
]
Images = Annotated[
    list[str],
    typer.Argument(metavar="IMAGES...", help='Image files, folders, or globs ("photos/*.jpg").', show_default=False),
]
ImagesIfAny = Annotated[
    list[str] | None,
    typer.Argument(metavar="[IMAGES...]", help="Image files, folders, or globs: a handful of different ones."),
]
Preprocess = Annotated[
    str | None,
    typer.Option(
        help="What the model eats, made of pixels of 0 to 255: none, 0-1, -1-1, imagenet, caffe, or module:function.",
        rich_help_panel=MODEL,
        show_default="what comes with the model, else none",
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        help="Class names: a text file (one a line), a JSON list or dict, or cat,dog,...",
        rich_help_panel=MODEL,
        show_default="what comes with the model",
    ),
]
TrustModelCode = Annotated[
    bool,
    typer.Option("--trust-model-code", help="Run code that the model file carries.", rich_help_panel=MODEL),
]
BatchSize = Annotated[
    int | None,
    typer.Option(help="Images a pass.", rich_help_panel=MODEL, show_default="16"),
]
Probabilities = Annotated[
    bool,
    typer.Option("--probabilities", help="Explain probabilities instead of logits.", rich_help_panel=WHAT),
]
FitOption = Annotated[
    str,
    typer.Option(
        "--fit",
        help="How a photograph is brought to the model's size: crop (its middle), stretch, or letterbox.",
        rich_help_panel=MODEL,
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        help="224 or 224x160 (height x width), for models that take any size.",
        rich_help_panel=MODEL,
        show_default="what the model says, else 224",
    ),
]
Out = Annotated[Path, typer.Option(help="The folder for the results.", rich_help_panel=OUTPUT)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.", rich_help_panel=OUTPUT)]
OutOrReport = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="The folder for pictures and a page.",
        rich_help_panel=OUTPUT,
        show_default="fieldmark-out, or nothing with --report",
    ),
]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="One page in one file, with all images and maps.", rich_help_panel=OUTPUT),
]
Alpha = Annotated[float, typer.Option(help="Opacity of the strongest evidence, 0 to 1.", rich_help_panel=OUTPUT)]
SaveMaps = Annotated[bool, typer.Option(help="Write the raw maps as .npz files too.", rich_help_panel=OUTPUT)]
Doctor = Annotated[
    bool,
    typer.Option(
        "--doctor",
        help="Examine the model too, as `fieldmark doctor` does; else the page has what costs no extra pass.",
        rich_help_panel=OUTPUT,
    ),
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        help="How it is explained: a name that `fieldmark methods` prints; may be given several times; "
        "all: every method there is.",
        rich_help_panel=WHAT,
        show_default="gradcam",
    ),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        help="What is explained: predicted, top3, tabby or 285 (a class), tabby-vs-tiger_cat, tabby-vs-rest, or "
        "tabby=1,dog=-0.5; may be given several times.",
        rich_help_panel=WHAT,
        show_default="predicted",
    ),
]
Layers = Annotated[
    list[str] | None,
    typer.Option(
        "--layer",
        help="A layer by the name that `fieldmark layers` prints; may be given several times.",
        rich_help_panel=WHAT,
        show_default="the last spatial one",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="A setting of the methods, as steps=32, or of one of them: gradcam.relu=false.",
        rich_help_panel=WHAT,
    ),
]
RUN = "The run"
Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help='A folder, globs ("photos/*.jpg") or files; Parquet files; or a dataset that `datasets` saved.',
        show_default=False,
    ),
]
RunMethods = Annotated[
    list[str] | None,
    typer.Option(
        "--methods",
        "--method",
        help="gradcam,lrp,...: names that `fieldmark methods` prints.",
        rich_help_panel=WHAT,
        show_default="gradcam",
    ),
]
RunOut = Annotated[
    Path, typer.Option(help="The folder for the run; a folder with the same run goes on.", rich_help_panel=OUTPUT)
]
Float16 = Annotated[bool, typer.Option("--float16", help="Write maps as float16: half the size.", rich_help_panel=RUN)]
Summary = Annotated[
    bool, typer.Option("--summary", help="Write summary.html too: what all the maps say.", rich_help_panel=OUTPUT)
]
ShardSize = Annotated[int, typer.Option(help="Images a file: what a kill costs at most.", rich_help_panel=RUN)]
Engine = Annotated[str, typer.Option(help="local, or ray for many machines.", rich_help_panel=RUN)]
Address = Annotated[
    str | None,
    typer.Option(
        help="A Ray cluster: host:port, ray://host:port or auto.",
        rich_help_panel=RUN,
        show_default="RAY_ADDRESS, else this machine",
    ),
]
RayOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--ray",
        metavar="NAME=VALUE",
        help="An option of Ray's map_batches: concurrency=4, concurrency=2-8, num_cpus=1, num_gpus=1.",
        rich_help_panel=RUN,
    ),
]
Work = Annotated[
    Path | None,
    typer.Option(
        help="Keep what is finished in this folder, as a run does: the same command goes on where it stopped. With "
        "--engine ray it must be one that every machine sees.",
        rich_help_panel=RUN,
        show_default=False,
    ),
]
Column = Annotated[
    str | None, typer.Option(help="The column of images, in tables.", rich_help_panel=RUN, show_default="image")
]
Truth = Annotated[
    str | None,
    typer.Option(help="Where the true class stands: a column, or folder (an image's folder).", rich_help_panel=RUN),
]
Split = Annotated[str | None, typer.Option(help="Which split of a saved dataset.", rich_help_panel=RUN)]
TopClasses = Annotated[int, typer.Option("--top", help="Classes an image that are kept.", rich_help_panel=RUN)]
Precision = Annotated[
    str,
    typer.Option(help="float32, mixed_float16 or mixed_bfloat16: its error is measured.", rich_help_panel=MODEL),
]
Device = Annotated[
    str | None, typer.Option(help="cpu, gpu:0, ...", rich_help_panel=MODEL, show_default="the framework's choice")
]
Threads = Annotated[
    int | None, typer.Option(help="Threads that decode images.", rich_help_panel=RUN, show_default="one a core")
]
