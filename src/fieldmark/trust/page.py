"""A result for people who read a terminal: the verdict, two tables, what it rests on."""

from __future__ import annotations

import textwrap

from fieldmark.trust.metrics import FAITHFULNESS, METRIC, METRICS
from fieldmark.trust.result import GROUPS, Judged, Trust
from fieldmark.trust.statistics import rounded

WIDTH = 100
HEADS = {
    "gap": ("faithful", ""),
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
    "seeds": ("other", "seed"),
    "agreement": ("other", "methods"),
    "passes": ("cost", "passes"),
    "seconds": ("sec.", "a map"),
}
MARK = {"higher": "+", "lower": "-", "": ""}
LEGEND = "+ more is better, - less is better; behind faithful the 95 % interval over the images; . not measured."


def text(result: Trust, width: int = WIDTH) -> str:
    """The whole page; tables are as wide as their columns."""
    faith = [metric.key for metric in METRICS if metric.family == FAITHFULNESS]
    others = [metric.key for metric in METRICS if metric.family != FAITHFULNESS]
    lines = [*textwrap.wrap(result.verdict, width), "", *table(result, faith), "", *table(result, others), ""]
    said = [LEGEND]
    said += [f"{each.name}: {note}." for each in result.judged for note in each.notes]
    said += [f"{name} gave no map: {why}" for name, why in result.failed.items()]
    said += [f"{note[:1].upper()}{note[1:]}." for note in result.notes]
    said += [sharing(result)]
    lines += [line for each in said for line in textwrap.wrap(each, width)]
    return "\n".join(lines)


def sharing(result: Trust) -> str:
    """How many forward passes over masked images were computed, and how many were spared."""
    used, apart = result.passes.used, result.passes.apart
    return (
        f"{used} forward passes over masked images, each picture once; metric by metric they would be {apart} "
        f"({apart / max(1, used):.1f} times as many). The maps cost {result.passes.maps:.0f} more. "
        f"{result.seconds:.0f} seconds in all."
    )


def table(result: Trust, keys: list[str]) -> list[str]:
    """Means of these metrics: methods best first under the name of their group, then the dummies."""
    shown = [key for key in keys if any(each.interval(key).n for each in result.judged)]
    rows: list[list[str]] = [["", *(HEADS[key][line] for key in shown)] for line in (0, 1)]
    rows.append(["", *(MARK[METRIC[key].better] for key in shown)])
    for heading, members in _groups(result):
        rows.append([f"{heading}:"])
        rows += [[f"  {each.name}", *(_cell(each, key) for key in shown)] for each in members]
    widths = [max(len(row[column]) for row in rows if len(row) > 1) for column in range(len(shown) + 1)]
    return ["  ".join(_aligned(row, widths)).rstrip() for row in rows]


def _groups(result: Trust) -> list[tuple[str, list[Judged]]]:
    found = [(name, [result[place.name] for place in result.places if place.group == name]) for name in GROUPS]
    ranked = {place.name for place in result.places}
    found.append(("not ranked", [each for each in result.methods if each.name not in ranked]))
    found.append(("dummies", list(result.dummies)))
    return [(name, members) for name, members in found if members]


def _aligned(row: list[str], widths: list[int]) -> list[str]:
    first, *rest = row
    return [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=False))]


def _cell(judged: Judged, key: str) -> str:
    found = judged.interval(key)
    if not found.n:
        return "."
    if key in ("passes", "seconds"):
        return f"{found.mean:.2g}" if found.mean < 100 else f"{found.mean:.0f}"
    return str(found) if key == "gap" else rounded(found.mean)
