"""Everything a run leaves behind: overlays, a panel an image, one page, and the maps themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fieldmark.attribution import Attribution
from fieldmark.classifier import Predictions
from fieldmark.figures import panel
from fieldmark.figures.overlay import ALPHA, show
from fieldmark.figures.words import describe_place, describe_score
from fieldmark.progress import track
from fieldmark.report.build import TITLE
from fieldmark.report.folder import OutputFolder, safe_part
from fieldmark.report.html import write_report
from fieldmark.report.network import Layer

PAGE = "report.html"
DPI = 120


@dataclass(frozen=True)
class Overlay:
    """One picture of one map: which attribution, image and target it shows, and where it is."""

    attribution: int
    image: int
    target: int
    path: Path


@dataclass(frozen=True)
class Written:
    """The files of a run; `panels` has a list an image."""

    page: Path
    panels: list[list[Path]]
    overlays: list[Overlay]
    maps: list[Path]


def write_results(
    folder: OutputFolder,
    attributions: Sequence[Attribution],
    predictions: Predictions,
    names: Sequence[str],
    *,
    alpha: float = ALPHA,
    save_maps: bool = False,
    title: str = TITLE,
    summaries: Mapping[str, str] | None = None,
    layers: Sequence[Layer] = (),
    command: str = "",
    doctor: Mapping[str, Any] | None = None,
) -> Written:
    """Write PNG overlays, a PNG panel an image and `report.html` to the folder; with `save_maps` an `.npz` a method.

    names  one an image: file names follow from them, and the files of maps carry them in their provenance.
           Each overlay carries its provenance as PNG text, key "fieldmark".
    """
    stems = [safe_part(name.replace("/", "_").rsplit(".", 1)[0]) for name in names]
    methods = method_names(attributions)
    overlays = list(_overlays(folder, attributions, stems, methods, alpha))
    panels = [
        _panels(folder, i, stem, attributions, names, alpha)
        for i, stem in enumerate(track(stems, label="Drawing panels"))
    ]
    saved = []
    if save_maps:
        saved = [
            folder.write(f"{method}.npz", _named(attribution, names).save)
            for method, attribution in zip(methods, attributions, strict=True)
        ]
    said: dict[str, Any] = {"title": title, "summaries": summaries, "layers": layers, "command": command}
    said["doctor"] = doctor
    page = folder.write(
        PAGE, lambda path: write_report(path, attributions, predictions, names=names, alpha=alpha, **said)
    )
    return Written(page, panels, overlays, saved)


def _named(att: Attribution, names: Sequence[str]) -> Attribution:
    return replace(att, provenance={**att.provenance, "files": list(names)})


def method_names(attributions: Sequence[Attribution]) -> list[str]:
    """A file-name part for each attribution: the method, with the layer where one method has several."""
    plain = [safe_part(str(att.provenance.get("method", "map"))) for att in attributions]
    return [
        f"{name}_{safe_part(str(att.provenance.get('layer') or 'input'))}" if plain.count(name) > 1 else name
        for name, att in zip(plain, attributions, strict=True)
    ]


def _overlays(
    folder: OutputFolder, group: Sequence[Attribution], stems: Sequence[str], methods: Sequence[str], alpha: float
) -> Iterator[Overlay]:
    for number, (att, method) in enumerate(zip(group, track(methods, label="Drawing overlays"), strict=True)):
        assert att.images is not None
        for i, stem in enumerate(stems):
            for t, target in enumerate(att.targets[i]):
                picture = show(att, i, t, alpha)
                name = f"{stem}_{method}_{safe_part(target)}.png"
                text = _provenance(att, i, t)
                yield Overlay(number, i, t, folder.write(name, partial(_save, picture=picture, provenance=text)))


def _panels(
    folder: OutputFolder, image: int, stem: str, group: Sequence[Attribution], names: Sequence[str], alpha: float
) -> list[Path]:
    """One panel of what explains the same targets; a method with its own, such as channels for classes, has its own."""
    by_targets: dict[tuple[str, ...], list[Attribution]] = {}
    for att in group:
        by_targets.setdefault(att.targets[image], []).append(att)
    paths: list[Path] = []
    for same in by_targets.values():
        figure = panel(same, images=[image], names=list(names), alpha=alpha)
        name = f"{stem}_{method_names(same)[0]}_panel.png" if paths else f"{stem}_panel.png"
        paths.append(folder.write(name, partial(figure.savefig, dpi=DPI)))
    return paths


def _save(path: Path, picture: np.ndarray, provenance: str) -> None:
    info = PngInfo()
    info.add_itxt("fieldmark", provenance)
    Image.fromarray(picture).save(path, pnginfo=info)


def _provenance(att: Attribution, image: int, target: int) -> str:
    said: dict[str, Any] = {
        **att.provenance,
        "shown": f"{describe_place(att)}: {att.targets[image][target]}, {describe_score(att, image, target)}",
    }
    return json.dumps(said, default=str)
