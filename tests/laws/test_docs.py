"""The pages that are made from the code are those of this code."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

from fieldmark.explainers import EXPLAINERS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def methods() -> ModuleType:
    spec = importlib.util.spec_from_file_location("methods", DOCS / "methods.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_methods_is_up_to_date() -> None:
    assert (DOCS / "methods.md").read_text(encoding="utf-8") == methods().table(), "run: python docs/methods.py"


def test_every_source_that_a_docstring_cites_is_in_the_references() -> None:
    known = set(re.findall(r"^@\w+\{([^,]+),", (DOCS / "references.bib").read_text(encoding="utf-8"), re.MULTILINE))
    for explainer in EXPLAINERS:
        cited = re.findall(r"\[([a-z]+\d{4}[a-z]*)\]", explainer.__doc__ or "")
        assert cited, explainer.__name__
        assert set(cited) <= known, explainer.__name__


HEADINGS = ["## Formula", "## When to use it", "## When not", "## In full"]


def test_every_method_has_a_page_written_by_hand_and_a_picture() -> None:
    names = [explainer.__name__ for explainer in EXPLAINERS]
    assert {path.stem for path in (DOCS / "methods").glob("*.md")} == set(names)
    record = json.loads((DOCS / "img" / "methods" / "gallery.json").read_text(encoding="utf-8"))
    assert list(record) == names, "run: python docs/gallery.py"
    for name in names:
        page = (DOCS / "methods" / f"{name}.md").read_text(encoding="utf-8")
        assert re.findall(r"^## .*", page, re.MULTILINE) == HEADINGS, name
        assert re.search(r"^\$\$\n.+?\n\$\$$", page, re.MULTILINE | re.DOTALL), name
        for heading in HEADINGS[1:3]:
            part = page.split(heading)[1].split("\n## ")[0]
            assert len(re.findall(r"^- [A-Z“].{20,}", part, re.MULTILINE)) >= 1, (name, heading)
        for picture in (f"{name}.webp", f"{name}-small.webp"):
            assert 1_000 < (DOCS / "img" / "methods" / picture).stat().st_size < 80_000, picture
