"""Practice: a page that shows hold-out pictures, takes a person's answers with the key in hand, and counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

import fieldmark
from fieldmark.errors import FieldmarkError
from fieldmark.guide import FieldGuide
from fieldmark.report.guide_page import data, outline
from fieldmark.report.html import _asset, _digest, as_json, templates, write_atomically


def write_quiz(guide: FieldGuide, path: Path) -> Path:
    """Write the page; returns its path. Raises FieldmarkError for a guide without a key, OutputError for the place."""
    if guide.key is None or not guide.pictures:
        raise FieldmarkError(f"no practice without a key: {guide.verdict}")
    environment = templates()
    style = Markup("").join(_asset(environment, name) for name in ("guide.css", "guide_quiz.css"))
    script = Markup('\n"use strict";\n(() => {{{}}})();\n').format(_asset(environment, "guide_quiz.js"))
    page = environment.get_template("guide_quiz.html").render(
        guide=guide,
        steps=guide.key.couplets(),
        data=as_json(questions(guide)),
        style=style,
        script=script,
        policy=(
            f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}; "
            "base-uri 'none'; form-action 'none'"
        ),
        version=fieldmark.__version__,
    )
    return write_atomically(path, page)


def questions(guide: FieldGuide, seed: int = 0) -> dict[str, Any]:
    """What the page's script reads: the classes, and the pictures in an order that gives nothing away."""
    marks: dict[int, list[dict[str, str]]] = {}
    for mark in guide.marks:
        for each in mark.examples:
            marks.setdefault(each.image, []).append({"words": mark.words, **outline(each.mask)})
    order = np.random.default_rng(seed).permutation(sorted(guide.pictures))
    words = {name: [m.words for m in guide.marks if name in m.classes and m.accepted] for name in guide.plates}
    return {
        "classes": list(guide.plates),
        "words": words,
        "pictures": [
            {
                "image": int(i),
                "src": data("jpeg", guide.pictures[int(i)].jpeg),
                "network": guide.pictures[int(i)].network,
                "key": guide.pictures[int(i)].key,
                "marks": marks.get(int(i), []),
            }
            for i in order
        ],
    }
