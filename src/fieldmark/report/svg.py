"""The network as one SVG drawing: a column a stage, from the input on the left to the scores on the right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fieldmark.figures.text import clean
from fieldmark.report.html import templates, write_atomically
from fieldmark.report.network import Layer, draw_network

COLUMN, LINE, TOP = 196, 17, 132
LETTERS = 27  # of a line in a column


def write_svg(path: Path, layers: Sequence[Layer], model: str = "") -> Path:
    """Draw the layers to a file that opens in a browser or a drawing program; raises OutputError."""
    return write_atomically(path, svg(layers, model))


def svg(layers: Sequence[Layer], model: str = "") -> str:
    """The drawing as text: blocks, shapes, folds and their sizes, and the layer that maps are made of by default."""
    network = draw_network(layers, [layer.name for layer in layers if layer.chosen])
    columns = [
        {"stage": stage, "x": number * COLUMN, "lines": _lines(stage["entries"])}
        for number, stage in enumerate(network["stages"])
    ]
    longest = max((len(column["lines"]) for column in columns), default=0)
    return (
        templates()
        .get_template("network.svg")
        .render(
            columns=columns,
            model=clean(model),
            layers=network["layers"],
            width=max(420, COLUMN * len(columns)) + 40,
            height=TOP + LINE * longest + 60,
            step={"line": LINE, "top": TOP},
        )
    )


def _lines(entries: Sequence[dict[str, Any]], indent: int = 0) -> list[dict[str, Any]]:
    """One line an entry; the fold that holds the default layer is open, the others are closed."""
    lines = []
    for entry in entries:
        fold = "fold" in entry
        said = f"{entry['fold']} ({entry['count']})" if fold else f"{entry['short']} {entry['shape']}"
        full = (
            f"{entry['fold']}: {entry['count']} layers"
            if fold
            else f"{entry['name']}: {entry['kind']} {entry['shape']}"
        )
        hot = entry["chosen"] and not fold
        lines.append(
            {"text": shortened(said, LETTERS - indent), "full": full, "fold": fold, "hot": hot, "indent": indent}
        )
        if fold and entry["chosen"]:
            lines += _lines(entry["entries"], indent + 2)
    return lines


def shortened(text: str, most: int) -> str:
    """At most `most` letters, the middle left out."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2 - 1]}…{text[-(most - most // 2) :]}"
