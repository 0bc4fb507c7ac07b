"""The HTML of objects in notebooks: all of it escaped, no script, no style sheet, the colours of the reader's theme.

Jupyter, VS Code and Colab show what `_repr_html_` returns; some strip scripts, styles or both, so that all of it must
read well as bare tables too.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup, escape

ROWS = 20
"""Rows of a long table that are shown."""

_TABLE = "border-collapse:collapse;margin:.3em 0"
_CELL = "text-align:left;vertical-align:top;padding:.15em 1em .15em 0;overflow-wrap:anywhere;min-width:2em"
_BAR = "display:inline-block;height:.6em;background:currentColor;opacity:.45;margin-right:.5em"


def block(*parts: Any) -> str:
    """The parts one below the other; whatever is not made here is text, and escaped."""
    body = Markup("").join(part if isinstance(part, Markup) else paragraph(part) for part in parts if part)
    return str(Markup('<div style="line-height:1.45;overflow-x:auto">{}</div>').format(body))


def paragraph(text: Any, strong: bool = False) -> Markup:
    """One line of text."""
    shown = Markup("<b>{}</b>").format(text) if strong else escape(text)
    return Markup('<div style="margin:.2em 0">{}</div>').format(shown)


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]], most: int = ROWS) -> Markup:
    """A table with a head; beyond `most` rows it says how many more there are."""
    listed = list(rows)
    top = Markup("").join(Markup('<th style="{}">{}</th>').format(_CELL, each) for each in head)
    body = Markup("").join(Markup("<tr>{}</tr>").format(_cells(row)) for row in listed[:most])
    drawn = Markup('<table style="{}"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>').format(_TABLE, top, body)
    return drawn + (paragraph(f"… {len(listed) - most} more") if len(listed) > most else Markup(""))


def details(summary: Any, rows: Iterable[tuple[Any, Any]]) -> Markup:
    """Names and values folded away below a line to click; no script needed."""
    return Markup("<details><summary>{}</summary>{}</details>").format(summary, table((), rows, most=200))


def bar(share: float, words: Any) -> Markup:
    """A share of 0..1 as a bar of up to 6 em, with its words."""
    width = f"{6 * min(max(share, 0.0), 1.0) if share == share else 0:.2f}em"
    return Markup('<span style="white-space:nowrap"><span style="{};width:{}"></span>{}</span>').format(
        _BAR, width, words
    )


def picture(png: bytes, words: Any) -> Markup:
    """A PNG within the page, with words for readers who cannot see it."""
    data = base64.b64encode(png).decode()
    return Markup('<img style="max-width:100%;height:auto" alt="{}" src="data:image/png;base64,{}">').format(
        words, data
    )


def _cells(row: Sequence[Any]) -> Markup:
    return Markup("").join(Markup('<td style="{}">{}</td>').format(_CELL, each) for each in row)
