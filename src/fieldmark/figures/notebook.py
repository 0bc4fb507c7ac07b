"""An attribution in a notebook: its panel as one picture, and what made it folded away below."""

from __future__ import annotations

import io
import json
from typing import Any

from fieldmark import notebook
from fieldmark.attribution import Attribution
from fieldmark.figures.panels import panel
from fieldmark.figures.words import describe_place, describe_score

IMAGES = 4
"""Images of a larger attribution that are shown."""

_DPI = 90


def notebook_html(att: Attribution) -> str:
    """HTML of the first images of an attribution; everything in it is escaped, nothing is loaded from elsewhere."""
    n, t = att.maps.shape[:2]
    head = notebook.paragraph(f"{describe_place(att)}: {n} image(s) x {t} target(s)", strong=True)
    if not n or not t:
        return notebook.block(head, "nothing to show: no image or no target")
    shown = list(range(min(n, IMAGES)))
    file = io.BytesIO()
    panel(att, images=shown).savefig(file, format="png", dpi=_DPI)
    words = [f"image {i}: {att.targets[i][k]}, {describe_score(att, i, k)}" for i in shown for k in range(t)]
    return notebook.block(
        head,
        notebook.picture(file.getvalue(), "; ".join(words)),
        f"… {n - IMAGES} more images: att.plot(images=[…])" if n > IMAGES else "",
        notebook.details("how it was made", [(key, _words(value)) for key, value in att.provenance.items()]),
    )


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
