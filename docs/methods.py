"""The table of methods, made from `EXPLAINERS`: `.venv/bin/python docs/methods.py` writes docs/methods.md anew."""

from __future__ import annotations

import re
from pathlib import Path

from fieldmark.explainers import EXPLAINERS
from fieldmark.explainers.contract import parameters

PAGE = Path(__file__).resolve().parent / "methods.md"
TOP = """# Methods

Every method is called the same way, `fm.NAME(...)(classifier, images, target=...)`, and on the command line as
`fieldmark explain MODEL IMAGES --method NAME --set field=value`. Sources are keys of the [references](references.md).
Pictures of all are in the [gallery](gallery.md), and [choosing](concepts/choosing.md) says which to begin with.
This page is made by `docs/methods.py` from the list in the code.

| method | what it shows | settings and their defaults | source |
|---|---|---|---|
"""
BOTTOM = """
```{toctree}
:hidden:
:glob:

methods/*
```
"""


def table() -> str:
    """The page as it should be."""
    rows = []
    for explainer in EXPLAINERS:
        settings = ", ".join(f"`{name}={value!r}`" for name, value in parameters(explainer()).items())
        sources = dict.fromkeys(re.findall(r"\[([a-z]+\d{4}[a-z]*)\]", explainer.__doc__ or ""))
        name = explainer.__name__
        rows.append(f"| [`{name}`](methods/{name}.md) | {explainer.summary} | {settings} | {', '.join(sources)} |")
    return TOP + "\n".join(rows) + "\n" + BOTTOM


if __name__ == "__main__":
    PAGE.write_text(table(), encoding="utf-8")
