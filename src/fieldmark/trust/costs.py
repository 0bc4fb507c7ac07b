"""What one map costs, in forward passes of one image: counted by the doctor's rehearsal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fieldmark.doctor.cost import Speed, price
from fieldmark.doctor.rehearsal import counted
from fieldmark.errors import FieldmarkError

if TYPE_CHECKING:
    from fieldmark.classifier import Classifier
    from fieldmark.trust.study import Study


def passes_of(classifier: Classifier, explainer: Any, study: Study, speed: Speed | None = None) -> float:
    """Forward-pass equivalents of one map; NaN where the explainer cannot be rehearsed."""
    try:
        count, tail = counted(classifier, explainer, study.images[0], {})
    except FieldmarkError:
        return float("nan")
    name = type(explainer).__name__
    passes = price(name, getattr(explainer, "summary", ""), count, tail, speed, False).passes
    return float("nan") if passes is None else passes
