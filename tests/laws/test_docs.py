"""The pages that are made from the code are those of this code."""

from __future__ import annotations

import importlib.util
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
