"""From the data of a report to one HTML file that opens from disk with no network."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

import fieldmark
from fieldmark.attribution import Attribution
from fieldmark.errors import OutputError
from fieldmark.figures.overlay import ALPHA, FADE
from fieldmark.figures.scale import check_fraction
from fieldmark.report.build import TITLE, Ranked, build
from fieldmark.report.network import Layer

STYLES = ("report.css", "controls.css", "print.css")
SCRIPTS = ("draw.js", "pane.js", "card.js", "page.js", "keys.js")
"""The parts of the page's style and script, in order."""


def write_report(
    path: str | os.PathLike[str],
    attributions: Sequence[Attribution],
    predictions: Ranked | Sequence[Ranked] | None = None,
    *,
    names: Sequence[str] | None = None,
    title: str = TITLE,
    notes: str | Sequence[str] = (),
    summaries: Mapping[str, str] | None = None,
    shared_scale: bool = False,
    layers: Sequence[Layer] = (),
    command: str = "",
    doctor: Mapping[str, Any] | None = None,
    alpha: float = ALPHA,
) -> Path:
    """Write one self-contained HTML page of attributions, with the arguments of `build`; returns its path.

    alpha  0..1, the opacity of the maps when the page opens

    The page loads nothing and sends nothing. An existing file is replaced only when all is written. Raises OutputError
    where the place cannot be written.
    """
    data = build(
        attributions,
        predictions,
        names=names,
        title=title,
        notes=notes,
        summaries=summaries,
        shared_scale=shared_scale,
        layers=layers,
        command=command,
        doctor=doctor,
    )
    return write_atomically(Path(path), render(data, alpha))


def render(data: Mapping[str, Any], alpha: float = ALPHA) -> str:
    """The page of what `build` returned. The same data give the same bytes."""
    environment = templates()
    style = Markup("").join(_asset(environment, name) for name in STYLES)
    script = Markup('\n"use strict";\n(() => {{{}}})();\n').format(
        Markup("").join(_asset(environment, name) for name in SCRIPTS)
    )
    return environment.get_template("report.html").render(
        **data,
        style=style,
        script=script,
        policy=(
            f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}; "
            "base-uri 'none'; form-action 'none'"
        ),
        as_json=as_json,
        alpha=round(100 * check_fraction("alpha", alpha)),
        fade=FADE,
        version=fieldmark.__version__,
    )


def templates() -> Environment:
    """Where the templates are; whatever is put into them is escaped."""
    environment = Environment(
        loader=PackageLoader("fieldmark.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = breakable
    return environment


def as_json(value: Any) -> Markup:
    """JSON that cannot end the <script> element it stands in: no <, > or & but as escapes."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def breakable(text: str) -> Markup:
    """Escaped text that may be broken after _ and /, as long class and file names need on a narrow screen."""
    return Markup(str(escape(text)).replace("_", "_<wbr>").replace("/", "/<wbr>"))


def write_atomically(path: Path, content: str | bytes) -> Path:
    """Write bytes, or text as UTF-8, beside `path`, then put it there in one step; raises OutputError."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(content.encode("utf-8", "replace") if isinstance(content, str) else content)
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose a folder you can write to") from None
    finally:
        partial.unlink(missing_ok=True)
    return path


def _asset(environment: Environment, name: str) -> Markup:
    """A file of ours, put in as it is."""
    assert environment.loader is not None
    return Markup("\n" + environment.loader.get_source(environment, name)[0].strip() + "\n")


def _digest(text: str) -> str:
    """The source expression that lets a browser run exactly this inline text and nothing else."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
