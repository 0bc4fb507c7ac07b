"""`fieldmark trust`: which maps to believe on a model, and which not."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from fieldmark.cli import options as opt
from fieldmark.errors import FieldmarkError

TrustMethods = Annotated[
    list[str] | None,
    typer.Option(
        "--methods",
        "--method",
        help="gradcam,lrp,...: names that `fieldmark methods` prints; all: every method there is.",
        rich_help_panel=opt.WHAT,
        show_default="one of each family",
    ),
]
Target = Annotated[
    str,
    typer.Option(help="What is explained: predicted, or one class for all images.", rich_help_panel=opt.WHAT),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Write trust.html, a page to read, and trust.json to this folder.", rich_help_panel=opt.OUTPUT),
]
Save = Annotated[
    Path | None,
    typer.Option(help="Write the result as JSON to this file, for fm.trust.Trust.load.", rich_help_panel=opt.OUTPUT),
]


def trust(
    model: opt.ModelName,
    images: opt.Images,
    methods: TrustMethods = None,
    target: Target = "predicted",
    settings: opt.Settings = None,
    steps: Annotated[int, typer.Option(help="Of insertion and deletion.", rich_help_panel=opt.WHAT)] = 8,
    cells: Annotated[
        int, typer.Option(help="Along each side, of the grid that parts are hidden by.", rich_help_panel=opt.WHAT)
    ] = 14,
    few: Annotated[int, typer.Option(help="Images for which maps are made anew.", rich_help_panel=opt.WHAT)] = 12,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.", rich_help_panel=opt.WHAT)] = 0,
    preprocess: opt.Preprocess = None,
    labels: opt.Labels = None,
    probabilities: opt.Probabilities = False,
    fit: opt.FitOption = "crop",
    size: opt.Size = None,
    batch_size: opt.BatchSize = None,
    trust_model_code: opt.TrustModelCode = False,
    engine: opt.Engine = "local",
    address: opt.Address = None,
    ray: opt.RayOptions = None,
    work: opt.Work = None,
    out: Out = None,
    save: Save = None,
    as_json: opt.Json = False,
) -> None:
    """Say which maps to believe on this model: measured beside three dummies that know nothing of it."""
    from fieldmark.cli.bulk import named_model, parse_engine
    from fieldmark.cli.screen import Screen
    from fieldmark.cli.targets import parse_targets
    from fieldmark.cli.work import ModelRequest, parse_fit, parse_size, read_pictures
    from fieldmark.images import find_images
    from fieldmark.report.folder import output_folder
    from fieldmark.run import Options
    from fieldmark.run.trusting import IMAGES, HidingRun
    from fieldmark.trust import judge
    from fieldmark.trust.study import hide

    request = ModelRequest(
        model=model,
        preprocess=preprocess,
        labels=labels,
        trust_model_code=trust_model_code,
        batch_size=batch_size,
        probabilities=probabilities,
    )
    explainers = chosen(methods, settings)
    how, sides = parse_fit(fit), parse_size(size)
    hidden_by = Options(shard_size=IMAGES, **parse_engine(engine, address, ray))
    if engine == "ray" and work is None:
        raise FieldmarkError("--engine ray: expected --work FOLDER beside it, a folder that every machine sees")
    files = find_images(images)
    screen = Screen(as_json)
    with nullcontext() if out is None else output_folder(out) as folder, screen.working():
        classifier = request.load()
        pictures = read_pictures(classifier, files, how, sides)
        found = judge.trust(
            classifier,
            pictures.batch,
            explainers,
            target=parse_targets([target], classifier.labels),
            steps=steps,
            cells=cells,
            few=few,
            seed=seed,
            names=pictures.names,
            hiding=hide if work is None else HidingRun(work, hidden_by, named_model(request, classifier)),
        )
        written = [] if save is None else [found.save(save)]
        if folder is not None:
            folder.write("trust.html", found.write_html)
            folder.write("trust.json", found.save)
            written += folder.publish()
    for line in str(found).splitlines():
        screen.show("".join(c if c.isprintable() else "\ufffd" for c in line))
    if written:
        screen.show(f"\nWritten: {', '.join(map(str, written))}")
    screen.document(found.to_dict())


def chosen(methods: list[str] | None, settings: list[str] | None) -> list[Any] | None:
    """The explainers of `--methods a,b --set field=value`, or None for one of each family."""
    from fieldmark.cli.methods import make_explainers
    from fieldmark.trust.judge import DEFAULT

    if methods is None:
        return make_explainers([each.__name__ for each in DEFAULT], settings=settings or ()) if settings else None
    names = [name.strip() for text in methods for name in text.split(",") if name.strip()]
    return make_explainers(names, settings=settings or ())
