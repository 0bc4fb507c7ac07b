"""A result for people who read a terminal: the verdict, a table, what it rests on."""

from __future__ import annotations

import textwrap

import numpy as np

from fieldmark.trust.metrics import METRIC
from fieldmark.trust.result import Judged, Trust

COLUMNS = (
    "gap",
    "deletion_blur",
    "insertion_blur",
    "deletion_mean",
    "insertion_mean",
    "road",
    "road_blurred",
    "mufidelity",
    "randomisation",
    "emprt",
    "class_sensitivity",
    "max_sensitivity",
    "gini",
    "seeds",
    "agreement",
    "passes",
    "seconds",
)
HEADS = {
    "gap": ("faithful", "higher"),
    "deletion_blur": ("del.", "blur"),
    "insertion_blur": ("ins.", "blur"),
    "deletion_mean": ("del.", "mean"),
    "insertion_mean": ("ins.", "mean"),
    "road": ("ROAD", ""),
    "road_blurred": ("(map", "blurred)"),
    "mufidelity": ("MuFid", ""),
    "randomisation": ("shuffled", "weights"),
    "emprt": ("entropy", "rise"),
    "class_sensitivity": ("other", "class"),
    "max_sensitivity": ("max-", "sens."),
    "gini": ("Gini", ""),
    "seeds": ("seeds", ""),
    "agreement": ("agree", ""),
    "passes": ("cost", "passes"),
    "seconds": ("sec.", "a map"),
}
MARK = {"higher": "+", "lower": "-", "": ""}


def text(result: Trust, width: int = 100) -> str:
    """The whole page; the table is as wide as its columns."""
    lines = textwrap.wrap(result.verdict, width)
    lines += ["", *table(result), ""]
    lines += _wrapped("+ more is better, - less is better; under faithful its 95 % interval.", width=width)
    for each in result.judged:
        lines += _wrapped(*(f"{each.name}: {note}." for note in each.notes), width=width)
    lines += _wrapped(*(f"{name} gave no map: {why}" for name, why in result.failed.items()), width=width)
    lines += _wrapped(*(f"{note[:1].upper()}{note[1:]}." for note in result.notes), width=width)
    lines += _wrapped(sharing(result), width=width)
    return "\n".join(lines)


def sharing(result: Trust) -> str:
    """How many forward passes over masked images were computed, and how many were spared."""
    used, apart = result.passes.used, result.passes.apart
    return (
        f"{used} forward passes over masked images, each picture once; metric by metric they would be {apart} "
        f"({apart / max(1, used):.1f} times as many). The maps cost {result.passes.maps:.0f} more. "
        f"{result.seconds:.0f} seconds in all."
    )


def table(result: Trust) -> list[str]:
    """Means by method, best first, then the dummies; columns where nothing was measured are left out."""
    order = [result[place.name] for place in result.places]
    order += [each for each in result.judged if each not in order]
    keys = [key for key in COLUMNS if any(each.interval(key).n for each in result.judged)]
    rows = [["", *(HEADS[key][0] for key in keys)]]
    rows += [["", *(HEADS[key][1] if key != "gap" else "" for key in keys)]]
    rows += [["", *(MARK[METRIC[key].better] for key in keys)]]
    for each in order:
        rows.append([each.name, *(_cell(each, key) for key in keys)])
        rows.append(["", _range(each)])
    widths = [max(len(row[index]) for row in rows if index < len(row)) for index in range(len(keys) + 1)]
    lines = []
    for row in rows:
        first, *rest = row
        cells = [first.ljust(widths[0]), *(cell.rjust(size) for cell, size in zip(rest, widths[1:], strict=False))]
        lines.append("  ".join(cells).rstrip())
    return [line for line in lines if line]


def _cell(judged: Judged, key: str) -> str:
    found = judged.interval(key)
    if not found.n:
        return "."
    if key in ("passes", "seconds"):
        return f"{found.mean:.2g}" if found.mean < 100 else f"{found.mean:.0f}"
    return f"{found.mean:.2f}"


def _range(judged: Judged) -> str:
    found = judged.interval("gap")
    return f"{found.low:.2f}..{found.high:.2f}" if np.isfinite(found.low) else ""


def _wrapped(*texts: str, width: int) -> list[str]:
    return [line for each in texts for line in textwrap.wrap(each, width)]
