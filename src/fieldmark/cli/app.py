"""The commands and their options. Each command's work is in a file of its own, imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fieldmark import __version__
from fieldmark.cli.options import (
    OUTPUT,
    WHAT,
    BatchSize,
    FitOption,
    Images,
    Json,
    Labels,
    ModelName,
    Out,
    Preprocess,
    Probabilities,
    Size,
    TrustModelCode,
)

EXAMPLES = """
[bold]Examples[/bold]

fieldmark demo

fieldmark predict keras:Xception photos/

fieldmark explain model.keras cat.jpg --labels labels.txt --preprocess 0-1

fieldmark explain model.keras "photos/*.jpg" --method gradcam --method gradients --target top2

fieldmark explain mymodel:build cat.jpg --target tabby-vs-tiger_cat --layer base/conv5
"""

app = typer.Typer(
    help="What a trained image classifier looks at: predictions, heatmaps and reports.",
    epilog=EXAMPLES,
    rich_markup_mode="rich",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"fieldmark {__version__}")
        raise typer.Exit()


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and the frameworks' messages; may stand anywhere.")
    ] = False,
) -> None:
    """What a trained image classifier looks at: predictions, heatmaps and reports."""


@app.command()
def predict(
    model: ModelName,
    images: Images,
    top: Annotated[int, typer.Option(help="Classes an image.", rich_help_panel=OUTPUT)] = 5,
    preprocess: Preprocess = None,
    labels: Labels = None,
    fit: FitOption = "crop",
    size: Size = None,
    batch_size: BatchSize = None,
    trust_model_code: TrustModelCode = False,
    as_json: Json = False,
) -> None:
    """Print what the model says about images."""
    from fieldmark.cli import predict as job
    from fieldmark.cli.screen import Screen
    from fieldmark.cli.work import ModelRequest, parse_fit, parse_size

    request = ModelRequest(
        model=model, preprocess=preprocess, labels=labels, trust_model_code=trust_model_code, batch_size=batch_size
    )
    job.predict(Screen(as_json), request, images, top, parse_fit(fit), parse_size(size))


@app.command()
def explain(
    model: ModelName,
    images: Images,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="How it is explained: a name that `fieldmark methods` prints; may be given several times; "
            "all: every method there is.",
            rich_help_panel=WHAT,
            show_default="gradcam",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="What is explained: predicted, top3, tabby or 285 (a class), tabby-vs-tiger_cat, tabby-vs-rest, or "
            "tabby=1,dog=-0.5; may be given several times.",
            rich_help_panel=WHAT,
            show_default="predicted",
        ),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            help="A layer by the name that `fieldmark layers` prints; may be given several times.",
            rich_help_panel=WHAT,
            show_default="the last spatial one",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="A setting of the methods, as steps=32, or of one of them: gradcam.relu=false.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    probabilities: Probabilities = False,
    preprocess: Preprocess = None,
    labels: Labels = None,
    fit: FitOption = "crop",
    size: Size = None,
    batch_size: BatchSize = None,
    trust_model_code: TrustModelCode = False,
    out: Out = Path("fieldmark-out"),
    alpha: Annotated[
        float, typer.Option(help="Opacity of the strongest evidence, 0 to 1.", rich_help_panel=OUTPUT)
    ] = 0.8,
    save_maps: Annotated[
        bool, typer.Option("--save-maps", help="Write the raw maps as .npz files too.", rich_help_panel=OUTPUT)
    ] = False,
    as_json: Json = False,
) -> None:
    """Write pictures and a page of what the model looks at."""
    from fieldmark.cli import explain as job
    from fieldmark.cli.screen import Screen
    from fieldmark.cli.work import ModelRequest, parse_fit, parse_size

    request = ModelRequest(
        model=model,
        preprocess=preprocess,
        labels=labels,
        trust_model_code=trust_model_code,
        batch_size=batch_size,
        probabilities=probabilities,
    )
    wanted = job.ExplainRequest(
        images=images,
        methods=method or ["gradcam"],
        targets=target or ["predicted"],
        layers=layer or [],
        settings=settings or [],
        out=out,
        alpha=alpha,
        save_maps=save_maps,
        fit=parse_fit(fit),
        size=parse_size(size),
    )
    job.explain(Screen(as_json), request, wanted)


@app.command()
def layers(
    model: ModelName,
    size: Size = None,
    trust_model_code: TrustModelCode = False,
    as_json: Json = False,
) -> None:
    """Print the model's layers, and which one is explained by default."""
    from fieldmark.cli import layers as job
    from fieldmark.cli.screen import Screen
    from fieldmark.cli.work import ModelRequest, parse_size

    job.layers(Screen(as_json), ModelRequest(model=model, trust_model_code=trust_model_code), parse_size(size))


@app.command()
def methods(as_json: Json = False) -> None:
    """Print the methods that --method takes, and the settings of each."""
    from fieldmark.cli import methods as job
    from fieldmark.cli.screen import Screen

    job.show_methods(Screen(as_json))


@app.command()
def demo(out: Out = Path("fieldmark-demo")) -> None:
    """Explain a photograph of a cat with every method, to see what fieldmark does."""
    from fieldmark.cli import demo as job
    from fieldmark.cli.screen import Screen

    job.demo(Screen(), out)
