"""Which map may be believed: faithfulness, sanity, stability, agreement and cost of methods, beside three dummies."""

from fieldmark.trust.metrics import METRICS, Metric
from fieldmark.trust.result import Judged, Passes, Place, Trust
from fieldmark.trust.statistics import Interval

__all__ = ["METRICS", "Interval", "Judged", "Metric", "Passes", "Place", "Trust"]
