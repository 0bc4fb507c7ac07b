"""`fieldmark guide`: what a person should look for, as a page, a card to print, and a file for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fieldmark.cli import options as opt

EVIDENCE_SHARD = 64  # images a file, and at a time for a machine of many


def guide(
    model: opt.ModelName,
    images: opt.Images,
    out: opt.Out = Path("fieldmark-guide"),
    quiz: Annotated[
        bool, typer.Option("--quiz", help="Write a page to practise on, too.", rich_help_panel=opt.OUTPUT)
    ] = False,
    ends: Annotated[
        str | None,
        typer.Option(
            help="What the two ends of the objects are called, left one on the plates first: head,tail.",
            rich_help_panel=opt.WHAT,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the draws.", rich_help_panel=opt.WHAT)] = 0,
    preprocess: opt.Preprocess = None,
    labels: opt.Labels = None,
    fit: opt.FitOption = "crop",
    size: opt.Size = None,
    batch_size: opt.BatchSize = None,
    trust_model_code: opt.TrustModelCode = False,
    engine: opt.Engine = "local",
    address: opt.Address = None,
    ray: opt.RayOptions = None,
    work: opt.Work = None,
    as_json: opt.Json = False,
) -> None:
    """Write a field guide: the few marks the model goes by, in words and pictures, proved, with a key."""
    from fieldmark.cli.bulk import named_model, parse_engine
    from fieldmark.cli.screen import Screen
    from fieldmark.cli.work import ModelRequest, parse_fit, parse_size, read_pictures
    from fieldmark.guide import FieldGuide
    from fieldmark.images import find_images
    from fieldmark.report.folder import output_folder
    from fieldmark.report.guide_files import write_files
    from fieldmark.run import Options
    from fieldmark.run.evidence import EvidenceRun

    request = ModelRequest(
        model=model, preprocess=preprocess, labels=labels, trust_model_code=trust_model_code, batch_size=batch_size
    )
    how, sides, named = parse_fit(fit), parse_size(size), parse_ends(ends)
    found_by = Options(shard_size=EVIDENCE_SHARD, **parse_engine(engine, address, ray))
    kept = work or (out / "evidence" if engine == "ray" else None)
    files = find_images(images)
    screen = Screen(as_json)
    with output_folder(out) as folder:
        with screen.working():
            classifier = request.load()
            pictures = read_pictures(classifier, files, how, sides)
            more: dict[str, Any] = {}
            if kept is not None:
                more["evidence"] = EvidenceRun(kept, found_by, named_model(request, classifier))
            made = FieldGuide.from_images(classifier, pictures.batch, ends=named, seed=seed, **more)
        written = write_files(folder, made, quiz)
    screen.show(str(made))
    screen.show(f"\nWritten: {', '.join(str(path) for path in written)}")
    screen.document({**summary(made), "written": [str(path) for path in written]})


def parse_ends(text: str | None) -> tuple[str, str] | None:
    """("head", "tail") of "head,tail"."""
    from fieldmark.errors import FieldmarkError

    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(parts):
        raise FieldmarkError(f"--ends {text!r}: expected two names, as head,tail")
    return parts[0], parts[1]


def summary(made: Any) -> dict[str, Any]:
    """The guide for programs, without its pictures: those are in guide.json."""
    fidelity = made.fidelity
    return {
        "verdict": made.verdict,
        "reducible": made.reducible,
        "warnings": list(made.warnings),
        "fidelity": None
        if fidelity is None
        else {
            name: {"value": each.value, "low": each.low, "high": each.high, "control": each.control, "images": each.n}
            for name, each in (("described", fidelity.described), ("confirmed", fidelity.confirmed))
        },
        "marks": [
            {
                "classes": list(mark.classes),
                "words": mark.words,
                "accepted": mark.accepted,
                "effect": mark.effect,
                "control": mark.control,
                "coverage": mark.coverage,
            }
            for mark in made.marks
        ],
        "key": None if made.key is None else made.key.text().splitlines(),
    }
