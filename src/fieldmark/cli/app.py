"""The commands and their options. Each command's work is in a file of its own, imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fieldmark import __version__
from fieldmark.cli import options as opt
from fieldmark.cli.doctor import doctor
from fieldmark.cli.guide import guide
from fieldmark.cli.trust import trust

EXAMPLES = """
[bold]Examples[/bold]

fieldmark demo

fieldmark doctor model.keras photos/

fieldmark trust model.keras photos/

fieldmark predict keras:Xception photos/

fieldmark explain model.keras cat.jpg --labels labels.txt --preprocess 0-1

fieldmark explain model.keras "photos/*.jpg" --method gradcam --method gradients --target top2

fieldmark explain mymodel:build cat.jpg --target tabby-vs-tiger_cat --layer base/conv5

fieldmark explain model.keras photos/ --report page.html

fieldmark compare before.keras after.keras photos/ --report page.html

fieldmark run model.keras photos/ --methods gradcam --out results/ --summary
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
    model: opt.ModelName,
    images: opt.Images,
    top: Annotated[int, typer.Option(help="Classes an image.", rich_help_panel=opt.OUTPUT)] = 5,
    preprocess: opt.Preprocess = None,
    labels: opt.Labels = None,
    fit: opt.FitOption = "crop",
    size: opt.Size = None,
    batch_size: opt.BatchSize = None,
    trust_model_code: opt.TrustModelCode = False,
    as_json: opt.Json = False,
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
    model: opt.ModelName,
    images: opt.Images,
    method: opt.Methods = None,
    target: opt.Targets = None,
    layer: opt.Layers = None,
    settings: opt.Settings = None,
    probabilities: opt.Probabilities = False,
    preprocess: opt.Preprocess = None,
    labels: opt.Labels = None,
    fit: opt.FitOption = "crop",
    size: opt.Size = None,
    batch_size: opt.BatchSize = None,
    trust_model_code: opt.TrustModelCode = False,
    report: opt.Report = None,
    out: opt.OutOrReport = None,
    alpha: opt.Alpha = 0.8,
    save_maps: opt.SaveMaps = False,
    doctor: opt.Doctor = False,
    as_json: opt.Json = False,
) -> None:
    """Write pictures and a page of what the model looks at; with --report one page in one file."""
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
        report=report,
        alpha=alpha,
        save_maps=save_maps,
        doctor=doctor,
        fit=parse_fit(fit),
        size=parse_size(size),
    )
    job.explain(Screen(as_json), request, wanted)


@app.command()
def compare(
    before: Annotated[
        str,
        typer.Argument(
            metavar="BEFORE",
            help="A model, as of `fieldmark explain`; or maps: an .npz file, or a folder of them.",
            show_default=False,
        ),
    ],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The other one, of the same sort.", show_default=False)],
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGES...]", help="For two models: image files, folders, or globs.", show_default=False
        ),
    ] = None,
    method: opt.Methods = None,
    target: opt.Targets = None,
    layer: opt.Layers = None,
    settings: opt.Settings = None,
    probabilities: opt.Probabilities = False,
    preprocess: opt.Preprocess = None,
    labels: opt.Labels = None,
    fit: opt.FitOption = "crop",
    size: opt.Size = None,
    batch_size: opt.BatchSize = None,
    trust_model_code: opt.TrustModelCode = False,
    report: Annotated[Path, typer.Option("--report", help="The page to write.", rich_help_panel=opt.OUTPUT)] = Path(
        "comparison.html"
    ),
    alpha: opt.Alpha = 0.8,
    as_json: opt.Json = False,
) -> None:
    """Compare two models on the same images, or two sets of maps, on one page: what changed, and where."""
    from fieldmark.cli import compare as job
    from fieldmark.cli.screen import Screen
    from fieldmark.cli.work import ModelRequest, parse_fit, parse_size

    def model(name: str) -> ModelRequest:
        return ModelRequest(
            model=name,
            preprocess=preprocess,
            labels=labels,
            trust_model_code=trust_model_code,
            batch_size=batch_size,
            probabilities=probabilities,
        )

    wanted = job.CompareRequest(
        images=images or [],
        methods=method or ["gradcam"],
        targets=target or [],
        layers=layer or [],
        settings=settings or [],
        report=report,
        alpha=alpha,
        fit=parse_fit(fit),
        size=parse_size(size),
    )
    job.compare(Screen(as_json), model(before), model(after), wanted)


app.command()(doctor)
app.command()(guide)
app.command()(trust)


@app.command()
def layers(
    model: opt.ModelName,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Draw the network to this file.", rich_help_panel=opt.OUTPUT)
    ] = None,
    size: opt.Size = None,
    trust_model_code: opt.TrustModelCode = False,
    as_json: opt.Json = False,
) -> None:
    """Print the model's layers, and which one is explained by default."""
    from fieldmark.cli import layers as job
    from fieldmark.cli.screen import Screen
    from fieldmark.cli.work import ModelRequest, parse_size

    job.layers(Screen(as_json), ModelRequest(model=model, trust_model_code=trust_model_code), parse_size(size), svg)


@app.command()
def methods(as_json: opt.Json = False) -> None:
    """Print the methods that --method takes, and the settings of each."""
    from fieldmark.cli import methods as job
    from fieldmark.cli.screen import Screen

    job.show_methods(Screen(as_json))


@app.command()
def run(
    model: opt.ModelName,
    source: opt.Sources,
    methods: opt.RunMethods = None,
    target: opt.Targets = None,
    layer: opt.Layers = None,
    settings: opt.Settings = None,
    probabilities: opt.Probabilities = False,
    preprocess: opt.Preprocess = None,
    labels: opt.Labels = None,
    fit: opt.FitOption = "crop",
    size: opt.Size = None,
    batch_size: opt.BatchSize = None,
    trust_model_code: opt.TrustModelCode = False,
    precision: opt.Precision = "float32",
    device: opt.Device = None,
    out: opt.RunOut = Path("fieldmark-run"),
    summary: opt.Summary = False,
    engine: opt.Engine = "local",
    address: opt.Address = None,
    ray: opt.RayOptions = None,
    float16: opt.Float16 = False,
    shard_size: opt.ShardSize = 1024,
    top: opt.TopClasses = 5,
    column: opt.Column = None,
    truth: opt.Truth = None,
    split: opt.Split = None,
    threads: opt.Threads = None,
    as_json: opt.Json = False,
) -> None:
    """Explain any number of images into Parquet files; stopped or killed, the same command goes on."""
    from fieldmark.cli import bulk as job
    from fieldmark.cli.screen import Screen

    job.run(Screen(as_json), **job.requests(locals()))


@app.command()
def demo(
    out: opt.Out = Path("fieldmark-demo"),
    guide: Annotated[bool, typer.Option("--guide", help="Make a field guide to drawn birds instead.")] = False,
) -> None:
    """Explain a photograph of a cat with every method, to see what fieldmark does."""
    from fieldmark.cli import demo as job
    from fieldmark.cli.screen import Screen

    (job.demo_guide if guide else job.demo)(Screen(), out)
