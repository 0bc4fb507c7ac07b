"""`fieldmark explain`: pictures and a page of what the model looks at."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier, Predictions
from fieldmark.cli.doctor import typed_options
from fieldmark.cli.methods import make_explainers
from fieldmark.cli.predict import percent
from fieldmark.cli.screen import Screen, printable
from fieldmark.cli.targets import parse_targets
from fieldmark.cli.work import ModelRequest, Pictures, number, ranked, read_pictures
from fieldmark.doctor import as_data, examine
from fieldmark.doctor.next_steps import Typed
from fieldmark.errors import FieldmarkError
from fieldmark.explainers import EXPLAINERS
from fieldmark.explainers.several import INTERRUPTED, explain_all
from fieldmark.figures.scale import check_fraction
from fieldmark.images import find_images
from fieldmark.images.read import Fit
from fieldmark.report.folder import OutputFolder, check_file, output_folder
from fieldmark.report.html import write_report
from fieldmark.report.results import Written, write_results

if TYPE_CHECKING:
    from fieldmark.classifier.layers import LayerInfo

OUT = Path("fieldmark-out")  # where results go when nothing is said
MOST_LISTED = 8  # images whose classes are printed one by one


@dataclass(frozen=True, kw_only=True)
class ExplainRequest:
    """The options of `fieldmark explain` beside the model's."""

    images: Sequence[str]
    methods: Sequence[str]
    targets: Sequence[str]
    layers: Sequence[str]
    settings: Sequence[str]
    out: Path | None
    report: Path | None
    alpha: float
    save_maps: bool
    fit: Fit
    size: tuple[int, int] | None
    doctor: bool = False


@dataclass(frozen=True, eq=False)
class Explained:
    """What came of it."""

    classifier: Classifier
    pictures: Pictures
    predictions: Predictions
    attributions: list[Attribution]
    refused: dict[str, str]
    written: Written | None
    page: Path


def explain(screen: Screen, model: ModelRequest, request: ExplainRequest) -> None:
    """Explain images and write the results. What can be refused is refused before anything is computed."""
    check_fraction("--alpha", request.alpha)
    page = None if request.report is None else check_file(request.report)
    if request.out is None and page is None:
        request = replace(request, out=OUT)
    if request.save_maps and request.out is None:
        raise FieldmarkError("--save-maps: expected a folder for the maps; add --out FOLDER")
    explainers = make_explainers(request.methods, request.layers, request.settings)
    files = find_images(request.images)
    with nullcontext() if request.out is None else output_folder(request.out) as folder, screen.working():
        done = _work(model, request, explainers, files, folder, page)
        if folder is not None:
            folder.publish()
    _report(screen, done, folder)
    if INTERRUPTED in done.refused.values():
        raise KeyboardInterrupt


def _work(
    model: ModelRequest,
    request: ExplainRequest,
    explainers: list[Any],
    files: list[Path],
    folder: OutputFolder | None,
    page: Path | None,
) -> Explained:
    classifier = model.load()
    pictures = read_pictures(classifier, files, request.fit, request.size)
    predictions = classifier.predict(pictures.batch)
    target = parse_targets(request.targets, classifier.labels)
    every = any(name.casefold() == "all" for name in request.methods)
    attributions, refused = explain_all(classifier, pictures.batch, target, explainers, skip=every)
    said: dict[str, Any] = {
        "alpha": request.alpha,
        "summaries": {explainer.__name__: explainer.summary for explainer in EXPLAINERS},
        "layers": layers_of(classifier),
        "command": command_line(["explain", model.model], model, request),
        "doctor": examined(classifier, pictures, predictions, model, request),
    }
    written = None
    if folder is not None:
        save = request.save_maps
        written = write_results(folder, attributions, predictions, pictures.names, save_maps=save, **said)
    if page is not None:
        write_report(page, attributions, predictions, names=pictures.names, **said)
    shown = page or (written.page if written else Path())
    return Explained(classifier, pictures, predictions, attributions, refused, written, shown)


def examined(
    classifier: Classifier, pictures: Pictures, predictions: Predictions, model: ModelRequest, request: ExplainRequest
) -> dict[str, Any]:
    """The doctor's section of the report: without --doctor what costs no pass through the model."""
    typed = Typed(
        model.model,
        tuple(request.images),
        typed_options(preprocess=model.preprocess, labels=model.labels, batch_size=model.batch_size),
    )
    return as_data(
        examine(
            classifier,
            pictures.batch,
            names=pictures.names,
            typed=typed,
            predictions=predictions,
            brief=not request.doctor,
        )
    )


def layers_of(classifier: Classifier) -> list[LayerInfo]:
    """The layers to draw; none of a bare function, which has none."""
    return [] if classifier.subject.opaque else classifier.layers()


def command_line(start: Sequence[str], model: ModelRequest, request: Any) -> str:
    """The command that makes a page, without its layers, to be typed again with another one."""
    options = {"--preprocess": model.preprocess, "--labels": model.labels, "--report": request.report or "page.html"}
    words = ["fieldmark", *start, *request.images]
    for name, values in (("--method", request.methods), ("--target", request.targets), ("--set", request.settings)):
        words += [word for value in values for word in (name, value)]
    words += [str(word) for name, value in options.items() if value is not None for word in (name, value)]
    return shlex.join(words)


def _report(screen: Screen, done: Explained, folder: OutputFolder | None) -> None:
    if folder is not None and folder.others:
        screen.note(f"{folder.path} held {folder.others} file(s) already; those of other names were left as they are")
    for text in notes(done.attributions, done.refused):
        screen.note(text)
    if screen.as_json:
        screen.document(document(done))
    else:
        _describe(screen, done)


def _describe(screen: Screen, done: Explained) -> None:
    classifier, written = done.classifier, done.written
    screen.show(f"Model   {printable(classifier.name)} on {classifier.backend}, {classifier.classes} classes")
    top = done.predictions.top(3)
    for name, best in list(zip(done.pictures.names, top, strict=True))[:MOST_LISTED]:
        said = ", ".join(f"{label} {percent(probability)}" for label, probability in best)
        screen.show(f"Image   {printable(name)}: {printable(said)}")
    if len(top) > MOST_LISTED:
        screen.show(f"        and {len(top) - MOST_LISTED} more")
    for line in chosen_layers(done.attributions):
        screen.show(f"Layer   {printable(line)}")
    screen.show(f"Wrote   {done.page}: open it in a browser")
    if written is None:
        return
    pictures = (sum(map(len, written.panels)), "panel"), (len(written.overlays), "overlay")
    counted = [*pictures, (len(written.maps), "file of maps")]
    beside = "beside it" if written.page == done.page else f"in {written.page.parent}, with a page of its own,"
    screen.show(f"        and {beside} {', '.join(count(number, what) for number, what in counted if number)}")


def count(number: int, what: str) -> str:
    """A number and its noun: 1 panel, 2 panels, 3 files of maps."""
    first, *rest = what.split(" ")
    return " ".join([str(number), first if number == 1 else f"{first}s", *rest])


def chosen_layers(attributions: Sequence[Attribution]) -> list[str]:
    """Each layer that was used, once, with the reason."""
    found = {(att.provenance.get("layer"), att.provenance.get("layer_reason")): None for att in attributions}
    return [f"{layer}: {reason}" for layer, reason in found if layer]


def notes(attributions: Sequence[Attribution], refused: dict[str, str]) -> list[str]:
    """What the user should know: methods that were left out, and warnings of maps, each once with its methods."""
    warned: dict[str, list[str]] = {}
    for att in attributions:
        for text in att.warnings:
            warned.setdefault(text, []).append(str(att.provenance.get("method")))
    left_out = [f"{name} was left out: {reason}" for name, reason in refused.items()]
    return left_out + [f"{', '.join(dict.fromkeys(methods))}: {text}" for text, methods in warned.items()]


def document(done: Explained) -> dict[str, Any]:
    """The JSON of `explain --json`."""
    written = done.written
    overlays = {(o.attribution, o.image, o.target): str(o.path) for o in (written.overlays if written else ())}
    tops = done.predictions.top(5)
    images = []
    for i, file in enumerate(done.pictures.files):
        explained = [
            {
                "method": att.provenance.get("method"),
                "layer": att.provenance.get("layer"),
                "target": target,
                "class": int(att.classes[i, t]) if att.classes[i, t] >= 0 else None,
                "score": number(att.scores[i, t]),
                "probability": number(att.probabilities[i, t]),
                "overlay": overlays.get((a, i, t)),
            }
            for a, att in enumerate(done.attributions)
            for t, target in enumerate(att.targets[i])
        ]
        panels = [str(path) for path in written.panels[i]] if written else []
        images.append({"path": str(file), "top": ranked(tops[i]), "panels": panels, "explanations": explained})
    methods = [{**att.provenance, "signed": att.signed, "warnings": list(att.warnings)} for att in done.attributions]
    return {
        "model": done.classifier.name,
        "backend": done.classifier.backend,
        "report": str(done.page),
        "maps": [str(path) for path in written.maps] if written else [],
        "images": images,
        "methods": methods,
        "left_out": [{"method": name, "reason": reason} for name, reason in done.refused.items()],
    }
