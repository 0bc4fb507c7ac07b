"""Which map may be believed: faithfulness, sanity, stability, agreement and cost of methods, beside three dummies.

`fieldmark.trust(classifier, images, explainers)` is this module, called.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from fieldmark.trust.metrics import METRICS, Metric
from fieldmark.trust.result import Judged, Passes, Place, Trust
from fieldmark.trust.statistics import Interval

__all__ = ["METRICS", "Interval", "Judged", "Metric", "Passes", "Place", "Trust", "trust"]


def trust(*arguments: Any, **options: Any) -> Trust:
    """`fieldmark.trust.judge.trust`, which imports the explainers, and so does it when it is called."""
    found: Trust = import_module("fieldmark.trust.judge").trust(*arguments, **options)
    return found


class _Called(ModuleType):
    """The package's function and this module share a name, and importing a module sets it on the package: so the
    module is what `fieldmark.trust` always is, and calling it calls the function."""

    def __call__(self, *arguments: Any, **options: Any) -> Trust:
        return trust(*arguments, **options)


sys.modules[__name__].__class__ = _Called
