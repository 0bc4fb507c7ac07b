"""Which map may be believed, as one HTML page: the verdict first, charts and tables, the maps, and every formula.

`write_trust(result, path)` writes it; `Trust.write_html` calls it. The page runs no script: what folds is <details>.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from PIL import Image

import fieldmark
from fieldmark.figures.overlay import overlay
from fieldmark.figures.scale import to_rgb
from fieldmark.report.html import _asset, _digest, templates, write_atomically
from fieldmark.report.maps import data_uri
from fieldmark.report.trust_chart import alike, charts, kind, number, said
from fieldmark.trust import METRICS, Judged, Trust
from fieldmark.trust.metrics import AGREEMENT, FAMILIES
from fieldmark.trust.result import BEST, DUMMY
from fieldmark.trust.verdict import outlives

STYLES = ("guide.css", "trust.css")
MAIN = "gap"  # the measure of the ranking
TILE = 168  # pixels, the longest side of a map on the page
QUESTIONS = {
    "faithfulness": "Does the network need what the map shows? Parts of the image are hidden in the map's order.",
    "sanity": "Does the map depend on what the network learned, and on the class it was asked for?",
    "stability": "Does the map stay the same where nothing changes, without being the same everywhere?",
    "agreement": "Would another seed, or another method, show the same?",
    "cost": "What does one map cost?",
}


def write_trust(result: Trust, path: Path) -> Path:
    """Write the page; returns its path. Raises OutputError where the place cannot be written."""
    environment = templates()
    style = Markup("").join(_asset(environment, name) for name in STYLES)
    page = environment.get_template("trust.html").render(
        **content(result),
        style=style,
        policy=f"default-src 'none'; img-src data:; style-src {_digest(style)}; base-uri 'none'; form-action 'none'",
        version=fieldmark.__version__,
    )
    return write_atomically(path, page)


def content(result: Trust) -> dict[str, Any]:
    """All that the page says, for its template."""
    drawn = charts(result)
    ordered = in_order(result)
    return {
        "result": result,
        "verdict": halves(result.verdict),
        "number": number,
        "soft": soft,
        "good": any(place.group != DUMMY for place in result.places),
        "main": drawn.get(MAIN),
        "families": [
            {
                "name": family,
                "question": QUESTIONS[family],
                "charts": [drawn[metric.key] for metric in METRICS if metric.family == family and metric.key in drawn],
                "table": table(result, family, ordered),
            }
            for family in FAMILIES
        ],
        "tied": [place.name for place in result.places[1:] if place.group == BEST],
        "outliving": {each.name for each in result.methods if outlives(each)},
        "cascade": [each for each in ordered if each.cascade],
        "strips": strips(result, ordered),
    }


def halves(verdict: str) -> tuple[str, str]:
    """The first sentence, which says what to use, and the rest."""
    end = re.search(r"\.(?= [A-Z])", verdict)
    return (verdict, "") if end is None else (verdict[: end.end()], verdict[end.end() :])


def in_order(result: Trust) -> list[Judged]:
    """Methods best first, those that could not be placed, then the dummies."""
    placed = [place.name for place in result.places]
    rest = [each.name for each in result.methods if each.name not in placed]
    return [result[name] for name in (*placed, *rest, *(each.name for each in result.dummies))]


def table(result: Trust, family: str, ordered: list[Judged]) -> dict[str, Any]:
    """The means of one family with their intervals: a column a measure, a row a method."""
    columns = [m for m in METRICS if m.family == family and any(each.interval(m.key).n for each in ordered)]
    best = {metric.key: _best(result, metric.key, metric.better) for metric in columns}
    rows = []
    for each in ordered:
        cells = [
            {**said(each.interval(metric.key), metric), "best": each.name == best[metric.key]} for metric in columns
        ]
        rows.append(
            {
                "name": each.name,
                "kind": kind(result, each.name),
                "cells": cells,
                "alike": alike(result, each) if family == AGREEMENT else "",
                "notes": each.notes,
            }
        )
    return {"columns": columns, "rows": rows, "alike": any(row["alike"] for row in rows)}


def strips(result: Trust, ordered: list[Judged]) -> list[dict[str, Any]]:
    """The images that are shown: for each its picture and one tile a method, the map over it."""
    return [
        {
            "name": result.names[each.image] if each.image < len(result.names) else f"image {each.image + 1}",
            "target": result.targets[each.image],
            "photo": tile(to_rgb(each.picture[None])[0]),
            "tiles": [
                {
                    "name": one.name,
                    "kind": kind(result, one.name),
                    "src": tile(overlay(each.picture, each.maps[one.name])),
                }
                for one in ordered
                if one.name in each.maps
            ],
        }
        for each in result.shown
    ]


def soft(name: str) -> Markup:
    """Escaped text that may be broken where a word of a class name begins, and after _ and /."""
    return Markup(re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[_/])", "<wbr>", str(escape(name))))


def tile(rgb: np.ndarray) -> str:
    picture = Image.fromarray(rgb)
    picture.thumbnail((TILE, TILE))
    return data_uri(picture, quality=84)


def _best(result: Trust, key: str, better: str) -> str:
    """The method with the best mean, "" where no direction is better."""
    found = [(each.interval(key).mean, each.name) for each in result.methods if each.interval(key).n]
    if not found or not better:
        return ""
    return (max if better == "higher" else min)(found)[1]
