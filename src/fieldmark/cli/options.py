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
