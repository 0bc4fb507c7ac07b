"""One measure of all methods as rows of a chart: dots with whiskers, sorted, and the band that the dummies reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fieldmark.trust import METRICS, Interval, Judged, Metric, Trust
from fieldmark.trust.result import BEST, DUMMY

EDGE = 2.0  # per cent of the width left free on either side
LOG = 30.0  # amounts that differ by more than this factor are drawn on a logarithmic axis
KINDS = {BEST: "best", DUMMY: "none"}
DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "": "neither direction is better"}
ARROWS = {"higher": "better →", "lower": "← better", "": ""}


@dataclass(frozen=True)
class Axis:
    """From values to per cent of the width: `ticks` are (position, text)."""

    low: float
    high: float
    log: bool
    ticks: tuple[tuple[str, str], ...] = ()

    def at(self, value: float) -> float:
        """The position of a value, within the axis."""
        low, high, value = (math.log10(each) if self.log else each for each in (self.low, self.high, self.clip(value)))
        return EDGE + (100 - 2 * EDGE) * (value - low) / (high - low)

    def clip(self, value: float) -> float:
        return min(max(value, self.low), self.high)


def charts(result: Trust) -> dict[str, dict[str, Any]]:
    """The chart of every measure that any method has, by its key."""
    made = {metric.key: chart(result, metric) for metric in METRICS}
    return {key: each for key, each in made.items() if each is not None}


def chart(result: Trust, metric: Metric) -> dict[str, Any] | None:
    """Rows best first, dummies last; None where the measure was not made."""
    found = {each.name: each.interval(metric.key) for each in result.judged}
    measured = {name: one for name, one in found.items() if one.n and math.isfinite(one.mean)}
    if not measured:
        return None
    axis = axis_of(list(measured.values()), metric)
    sign = 1 if metric.better == "lower" else -1
    names = sorted(measured, key=lambda name: (result[name].dummy, sign * measured[name].mean))
    band = [measured[each.name] for each in result.dummies if each.name in measured]
    return {
        "metric": metric,
        "direction": DIRECTIONS[metric.better],
        "arrow": ARROWS[metric.better],
        "ticks": axis.ticks,
        "log": axis.log,
        "band": _band(band, axis),
        "rows": [row(result, name, measured[name], axis, metric) for name in names],
        "left": [name for name in found if name not in measured],
    }


def row(result: Trust, name: str, one: Interval, axis: Axis, metric: Metric) -> dict[str, Any]:
    """One method: its dot, its whisker, and the numbers in words."""
    low, high = ends(one)
    return {
        "name": name,
        "kind": kind(result, name),
        "x": _percent(axis.at(one.mean)),
        "from": _percent(axis.at(low)),
        "to": _percent(axis.at(high)),
        **said(one, metric),
    }


def kind(result: Trust, name: str) -> str:
    """What a method is drawn as: "best", "good", "none" where it is no better than a dummy, or "dummy"."""
    if result[name].dummy:
        return "dummy"
    return next((KINDS.get(place.group, "good") for place in result.places if place.name == name), "good")


def axis_of(intervals: Sequence[Interval], metric: Metric) -> Axis:
    """An axis that holds all whiskers, with zero where it is near; logarithmic for costs and the like."""
    low, high = min(ends(one)[0] for one in intervals), max(ends(one)[1] for one in intervals)
    if metric.low == 0 and metric.high is None and low > 0 and high > LOG * low:
        axis = Axis(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high)), True)
        steps = range(round(math.log10(axis.low)), round(math.log10(axis.high)) + 1)
        return _ticked(axis, [10.0**step for step in steps])
    low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1e-9:
        high = low + 1
    step = next(s for s in _steps(high - low) if (high - low) / s <= 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return _ticked(Axis(first * step, last * step, False), [step * i for i in range(first, last + 1)])


def ends(one: Interval) -> tuple[float, float]:
    """The ends of the whisker; the mean itself where there is no interval."""
    return (one.low, one.high) if math.isfinite(one.low) and math.isfinite(one.high) else (one.mean, one.mean)


def number(value: float, beside: float | None = None, fine: bool = False) -> str:
    """Two digits behind the point, fewer for large numbers, more for small ones if `fine`; as many as `beside` has."""
    if not math.isfinite(value):
        return "-"
    size = abs(value if beside is None or not math.isfinite(beside) else beside)
    digits = 4 if fine and 0 < size < 0.05 else 2 if size < 10 else 1 if size < 100 else 0
    text = f"{value:,.{digits}f}".replace(",", "\u202f")
    return text.lstrip("-") if not text.strip("-0.") else text.replace("-", "\N{MINUS SIGN}")


def said(one: Interval, metric: Metric) -> dict[str, str]:
    """A mean and its interval in words; "" where there is none."""
    fine = metric.low == 0 and metric.high is None  # amounts, such as seconds
    there = math.isfinite(one.low) and one.low < one.high
    ends = [number(end, one.mean, fine) for end in (one.low, one.high)]
    return {"mean": number(one.mean, fine=fine) if one.n else "", "range": " to ".join(ends) if there else ""}


def alike(result: Trust, judged: Judged, most: int = 2) -> str:
    """The methods whose maps are most like this one's, with the rank correlation."""
    if result.agreement.shape != (len(result.judged), len(result.judged)):
        return ""
    place = result.judged.index(judged)
    row = [
        (float(value), other.name)
        for value, other in zip(result.agreement[place], result.judged, strict=True)
        if other is not judged and np.isfinite(value)
    ]
    return ", ".join(f"{name} {number(value)}" for value, name in sorted(row, key=lambda each: -each[0])[:most])


def _band(dummies: Sequence[Interval], axis: Axis) -> dict[str, str] | None:
    if not dummies:
        return None
    low, high = min(ends(one)[0] for one in dummies), max(ends(one)[1] for one in dummies)
    return {"x": _percent(axis.at(low)), "width": _percent(max(axis.at(high) - axis.at(low), 0.4))}


def _ticked(axis: Axis, values: Sequence[float]) -> Axis:
    digits = 0 if axis.log or all(value == int(value) for value in values) else 1
    if digits and any(abs(value * 10 - round(value * 10)) > 1e-6 for value in values):
        digits = 2
    text = [f"{value:g}" if axis.log else f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}") for value in values]
    places = [_percent(axis.at(value)) for value in values]
    return Axis(axis.low, axis.high, axis.log, tuple(zip(places, text, strict=True)))


def _steps(width: float) -> list[float]:
    size = 10.0 ** math.floor(math.log10(width) - 1)
    return [size, 2 * size, 5 * size, 10 * size, 20 * size, 50 * size]


def _percent(value: float) -> str:
    return f"{value:.2f}%"
