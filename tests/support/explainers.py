"""Every explainer, set so that it is cheap on a small model: the tests of the common contract run them all."""

from __future__ import annotations

import dataclasses
from typing import Any

from fieldmark.explainers import EXPLAINERS

_FEW: dict[str, Any] = {"samples": 8, "segments": 6, "steps": 4}


def quick(explainer: type[Any]) -> Any:
    """An instance with few samples, segments and steps; everything else as it comes."""
    fields = {field.name for field in dataclasses.fields(explainer)}
    return explainer(**{name: value for name, value in _FEW.items() if name in fields})


ALL = [quick(explainer) for explainer in EXPLAINERS]
NAMES = [explainer.__name__ for explainer in EXPLAINERS]
