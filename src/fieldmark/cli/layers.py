"""`fieldmark layers`: what can be given to --layer, and which one is chosen without it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.table import Table
from rich.text import Text

from fieldmark.classifier.sizes import image_shape
from fieldmark.cli.screen import Screen, printable
from fieldmark.cli.work import ModelRequest
from fieldmark.errors import LayerError
from fieldmark.report.folder import check_file
from fieldmark.report.svg import write_svg


def layers(screen: Screen, request: ModelRequest, size: tuple[int, int] | None, svg: Path | None = None) -> None:
    """Print every layer with its type and output shape, and mark the one that class activation maps are made of.

    svg  a file to draw them to
    """
    drawing = None if svg is None else check_file(svg)
    with screen.working():
        classifier = request.load()
        shape = image_shape(classifier, size)
        if classifier.input_shape is None or size is not None:
            classifier.predict(np.zeros((1, *shape), np.uint8))  # it shows its layers once it has seen an image
        listed = classifier.layers()
        try:
            chosen, reason = classifier.choose_layer()
        except LayerError as error:
            chosen, reason = "", str(error)
    if drawing is not None:
        write_svg(drawing, listed, classifier.name)
    table = Table(box=None, pad_edge=False)
    for heading in ("layer", "kind", "output", ""):
        table.add_column(heading, overflow="fold")
    for layer in listed:
        shown = " x ".join("?" if d < 0 else str(d) for d in layer.shape)
        style = "bold green" if layer.chosen else "" if layer.spatial else "dim"
        mark = "◀ chosen" if layer.chosen else ""
        table.add_row(*(Text(printable(cell), style) for cell in (layer.name, layer.kind, shown)), Text(mark, style))
    screen.table(table)
    screen.show()
    screen.show(f"{printable(chosen)}: {printable(reason)}" if chosen else f"none chosen: {printable(reason)}")
    if drawing is not None:
        screen.show(f"Wrote   {drawing}")
    screen.document(
        {
            "model": classifier.name,
            "backend": classifier.backend,
            "input_shape": list(classifier.input_shape or shape),
            "chosen": chosen or None,
            "reason": reason,
            "layers": [
                {
                    "name": layer.name,
                    "kind": layer.kind,
                    "shape": list(layer.shape),
                    "spatial": layer.spatial,
                    "chosen": layer.chosen,
                }
                for layer in listed
            ],
        }
    )
