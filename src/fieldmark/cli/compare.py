"""`fieldmark compare`: two models on the same images, or two sets of maps, on one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier, Predictions
from fieldmark.cli.explain import MOST_LISTED, command_line, layers_of
from fieldmark.cli.methods import make_explainers
from fieldmark.cli.screen import Screen, printable
from fieldmark.cli.targets import parse_targets
from fieldmark.cli.work import ModelRequest, Pictures, read_pictures
from fieldmark.errors import FieldmarkError
from fieldmark.explainers import EXPLAINERS
from fieldmark.explainers.several import explain_all
from fieldmark.figures.scale import check_fraction
from fieldmark.images import find_images
from fieldmark.images.read import Fit
from fieldmark.report.compare import Pair, build_comparison
from fieldmark.report.folder import check_file
from fieldmark.report.html import render, write_atomically
from fieldmark.targets import Resolved, Rule


@dataclass(frozen=True, kw_only=True)
class CompareRequest:
    """The options of `fieldmark compare` beside the models'."""

    images: Sequence[str]
    methods: Sequence[str]
    targets: Sequence[str]
    layers: Sequence[str]
    settings: Sequence[str]
    report: Path
    alpha: float
    fit: Fit
    size: tuple[int, int] | None


def compare(screen: Screen, before: ModelRequest, after: ModelRequest, request: CompareRequest) -> None:
    """Write the page and print which predictions changed. What can be refused is refused before any work."""
    check_fraction("--alpha", request.alpha)
    page = check_file(request.report)
    sides = (before.model, after.model)
    with screen.working():
        if all(_is_maps(side) for side in sides):
            data = _compare_maps(sides, request)
        elif any(_is_maps(side) for side in sides):
            raise FieldmarkError("compare: expected two models or two sets of maps, received one of each")
        else:
            data = _compare_models(before, after, request)
        write_atomically(page, render(data, request.alpha))
    _describe(screen, data, page)


def _describe(screen: Screen, data: dict[str, Any], page: Path) -> None:
    found = data["comparison"]
    screen.show(f"{found['heading']}")
    for change in found["changes"][:MOST_LISTED]:
        name = data["images"][change["image"]]["name"]
        screen.show(f"Image   {printable(name)}: {printable(change['before'])}, now {printable(change['after'])}")
    if len(found["changes"]) > MOST_LISTED:
        screen.show(f"        and {len(found['changes']) - MOST_LISTED} more")
    for line in found["lines"]:
        screen.show(printable(line))
    screen.show(f"Wrote   {page}: open it in a browser")
    names = [image["name"] for image in data["images"]]
    changes = [{**change, "image": names[change["image"]]} for change in found["changes"]]
    screen.document({"report": str(page), "images": names, "changes": changes, "said": found["lines"]})


# Two models


def _compare_models(before: ModelRequest, after: ModelRequest, request: CompareRequest) -> dict[str, Any]:
    if not request.images:
        raise FieldmarkError("compare: expected images for the two models, received none; name files or a folder")
    files = find_images(request.images)
    models = [each.load() for each in (before, after)]
    pictures = [read_pictures(model, files, request.fit, request.size) for model in models]
    predictions = [model.predict(each.batch) for model, each in zip(models, pictures, strict=True)]
    pairs, notes = [], []
    same = models[0].labels == models[1].labels
    if not same and not request.targets:
        notes.append("The models have different classes: each map explains its own model's prediction.")
    for numbers, target in _targets(models, predictions, request, same):
        pairs += _explained(models, pictures, numbers, target, request)
    return build_comparison(
        pairs,
        (predictions[0], predictions[1]),
        names=pictures[0].names,
        sides=(before.model, after.model),
        notes=notes,
        summaries={explainer.__name__: explainer.summary for explainer in EXPLAINERS},
        layers=layers_of(models[1]),
        command=command_line(["compare", before.model, after.model], before, request),
    )


def _targets(
    models: list[Classifier], predictions: list[Predictions], request: CompareRequest, same: bool
) -> list[tuple[list[int] | None, list[Any]]]:
    """(images, what is explained by each model): as asked; else what was predicted before, and where that changed
    also what is predicted now, so that maps of one class stand beside each other."""
    if request.targets or not same:
        texts = request.targets or ["predicted"]
        return [(None, [parse_targets(texts, model.labels) for model in models])]
    best = [batch.probabilities.argmax(axis=1) for batch in predictions]
    changed = [int(i) for i in np.flatnonzero(best[0] != best[1])]
    found: list[tuple[list[int] | None, list[Any]]] = [(None, [EachClass(best[0], "predicted before")] * 2)]
    if changed:
        found.append((changed, [EachClass(best[1][changed], "predicted after")] * 2))
    return found


@dataclass(frozen=True, eq=False)
class EachClass:
    """One class for each image, by index (n,)."""

    indices: np.ndarray
    words: str

    def __repr__(self) -> str:
        return self.words

    def resolve(self, scores: Any, n: int, classes: int, labels: Sequence[str]) -> Resolved:
        return Resolved(Rule("given"), np.eye(classes, dtype=np.float32)[self.indices][:, None])


def _explained(
    models: list[Classifier], pictures: list[Pictures], numbers: list[int] | None, target: list[Any], request: Any
) -> list[Pair]:
    made: list[list[Attribution]] = []
    for model, each, wanted in zip(models, pictures, target, strict=True):
        batch = each.batch if numbers is None else each.batch[numbers]
        explainers = make_explainers(request.methods, request.layers, request.settings)
        made.append(explain_all(model, batch, wanted, explainers)[0])
    return [Pair(before=one, after=two, images=numbers) for one, two in zip(*made, strict=True)]


# Two sets of maps


def _is_maps(name: str) -> bool:
    return name.endswith(".npz") or Path(name).expanduser().is_dir()


def _compare_maps(sides: tuple[str, str], request: CompareRequest) -> dict[str, Any]:
    if request.images:
        raise FieldmarkError("compare: files of maps carry their images; leave the images out")
    found = [_load(side) for side in sides]
    if all(len(each) == 1 for each in found):  # one file each: the method at two layers may be compared, too
        found[1] = dict(zip(found[0], found[1].values(), strict=True))
    shared = [name for name in found[0] if name in found[1]]
    if not shared:
        raise FieldmarkError(
            f"compare: expected the same methods in both, received {', '.join(found[0])} and {', '.join(found[1])}"
        )
    left = sorted({name for each in found for name in each} - set(shared))
    pairs = [Pair(before=found[0][name], after=found[1][name]) for name in shared]
    names = pairs[0].before.provenance.get("files")
    return build_comparison(
        pairs,
        names=names if isinstance(names, list) and len(names) == len(pairs[0].before) else None,
        sides=sides,
        notes=[f"Only one side has maps of {', '.join(left)}: left out."] if left else [],
        summaries={explainer.__name__: explainer.summary for explainer in EXPLAINERS},
    )


def _load(name: str) -> dict[str, Attribution]:
    """Attributions by method and layer, of one file or of a folder that `explain --save-maps` wrote."""
    path = Path(name).expanduser()
    files = sorted(path.glob("*.npz")) if path.is_dir() else [path]
    if not files:
        raise FieldmarkError(f"compare: {name} holds no .npz files; make them with fieldmark explain … --save-maps")
    found: dict[str, Attribution] = {}
    for file in files:
        att = Attribution.load(file)
        found[f"{att.provenance.get('method')} at {att.provenance.get('layer') or 'the input'}"] = att
    return found
