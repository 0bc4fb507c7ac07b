"""From what was measured of every network to the rows of the scoreboard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.scoreboard.words import SHAPE_WORDS
from fieldmark.demo.sketchbirds import CUES, MARKS, find_design

Found = dict[str, Any]  # what `measure` says of one network

SETTINGS: dict[str, Callable[[Found], bool]] = {
    "one mark": lambda found: (found["design"], found["tier"]) == ("one", "easy"),
    "two marks": lambda found: (found["design"], found["tier"]) == ("two", "easy"),
    "hard tier": lambda found: found["tier"] == "hard",
    "hidden marks": lambda found: found["design"] == "hidden",
    "minimal pairs": lambda found: found["design"] == "pairs",
}
GOALS: dict[str, tuple[float | None, ...]] = {  # of each setting
    "described": (0.96, 0.95, 0.92, None, None),
    "gain": (0.55, 0.35, 0.55, None, None),
    "precision": (0.95, 0.95, 0.95, None, None),
    "recall": (0.95, 0.95, 0.95, None, None),
    "erase": (0.95, 0.95, 0.90, None, None),
    "swap": (0.95, 0.95, 0.95, None, None),
}
PROTOTYPES: dict[str, tuple[str, ...]] = {
    "described": (".94", ".91-.94", ".83-.85", "", ""),
    "gain": (".58-.61", ".27-.30", ".52-.55", "", ""),
    "precision": ("1", "", "1", "", ""),
    "recall": ("1", "", "1", "", ""),
    "erase": ("23 of 24", "", "17 of 21", "", ""),
    "swap": (".91-.95", ".85-.88", ".86-.91", "", ""),
}
LOOKED_AT = 0  # the seed of the networks that development looked at


@dataclass(frozen=True)
class Spread:
    """A number of several independently trained networks; NaN where a network has nothing to count."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        return cls(tuple(float(value) for value in values if not np.isnan(value)))

    @property
    def median(self) -> float:
        return float(np.median(self.values)) if self.values else float("nan")

    def __str__(self) -> str:
        if not self.values:
            return "-"
        if len(self.values) == 1:
            return short(self.values[0])
        return f"{short(self.median)} [{short(min(self.values))}, {short(max(self.values))}]"


@dataclass(frozen=True)
class Row:
    """One line: what, of which networks, the prototype's, the goal, all networks, and those held out.

    counted  of the marks of the networks held out, how many are right, and how many there are: where a row is a share
             of marks, this share is what the goal is held against. A network has seven or so, of which .95 can't be.
    """

    what: str
    setting: str
    prototype: str
    goal: float | None
    everyone: Spread
    fresh: Spread
    note: str = ""
    counted: tuple[int, int] | None = None

    @property
    def held_out(self) -> str:
        """The spread over the networks that were held out, and the marks counted."""
        return str(self.fresh) + ("" if self.counted is None else f"; {self.counted[0]} of {self.counted[1]} marks")

    @property
    def reached(self) -> str:
        """Whether the networks that were held out meet the goal, and how many of them do.

        Their median does, or the share of their marks that are right.
        """
        values = self.fresh.values
        if self.goal is None or not values:
            return ""
        rounded = [round(value, 3) for value in values]
        met = sum(value >= self.goal for value in rounded)
        value = self.fresh.median if self.counted is None else self.counted[0] / self.counted[1]
        return f"{'yes' if round(value, 3) >= self.goal else 'no'}, {met} of {len(values)}"


def short(value: float) -> str:
    """As .95, 1.00, -.10."""
    text = f"{value:.2f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def rows_of(found: Sequence[Found]) -> list[Row]:
    """The rows of the networks that reduce to marks, in the order of the research note."""
    main = [each for each in found if each["kind"] == "main"]
    notes: dict[str, Callable[[Sequence[Found]], str]] = {
        "gain": lambda some: f"random region {Spread.of(each['fidelity']['described']['control'] for each in some)}",
        "confirmed": lambda some: f"its control {Spread.of(each['fidelity']['confirmed']['control'] for each in some)}",
        "precision": lambda some: _rivals(some, "precision"),
        "recall": lambda some: _rivals(some, "recall"),
        "swap": lambda some: f"control {Spread.of(_mean(e['control'] for e in each['swap']) for each in some)}",
    }
    rows = []
    for key, what in WHAT.items():
        for number, (setting, belongs) in enumerate(SETTINGS.items()):
            own = [each for each in main if belongs(each) and each["fidelity"] is not None]
            if not own:
                continue
            goal = {"colour": 0.95, "shape": 0.80, "stability": 0.85}.get(key, GOALS.get(key, (None,) * 5)[number])
            fresh = [each for each in own if each["seed"] != LOOKED_AT]
            prototype = PROTOTYPES.get(key, ("",) * 5)[number]
            everyone, unseen = (Spread.of(VALUES[key](each) for each in some) for some in (own, fresh))
            note, counted = notes.get(key, lambda _: "")(own), None
            if key in COUNTED:
                every, counted = (_count(some, COUNTED[key]) for some in (own, fresh))
                note = "" if every is None else f"all {every[0]} of {every[1]} marks"
            rows.append(Row(what, setting, prototype, goal, everyone, unseen, note, counted))
    return rows


def _erased(found: Found) -> list[bool]:
    """Of every mark whose rendered removal flips half of the birds, whether our erasing flips as well."""
    return [bool(each["agrees"]) for each in found["erase"]]


def swapped(found: Found) -> float:
    """What swapping reaches, as a share of what it reaches in the drawing."""
    return _mean(e["ours"] for e in found["swap"]) / _mean(e["ceiling"] for e in found["swap"])


def _words(found: Found, *, shape: bool) -> list[bool]:
    """Of every accepted mark that is a drawn one, whether it has a right word in a right place."""
    own = [mark for mark in found["marks"] if mark["accepted"] and mark["word"] is not None]
    return [bool(mark["word"] and mark["place"]) for mark in own if (mark["drawn"] in SHAPE_WORDS) == shape]


WHAT = {
    "described": "described words",
    "gain": "... minus random region",
    "confirmed": "confirmed words",
    "precision": "marks: precision",
    "recall": "marks: recall",
    "erase": "erase",
    "swap": "swap",
    "colour": "right words: colour",
    "shape": "right words: shape",
    "stability": "stability",
}
COUNTED: dict[str, Callable[[Found], list[bool]]] = {  # rows that are shares of marks
    "erase": _erased,
    "colour": lambda found: _words(found, shape=False),
    "shape": lambda found: _words(found, shape=True),
}
VALUES: dict[str, Callable[[Found], float]] = {
    "described": lambda found: found["fidelity"]["described"]["value"],
    "gain": lambda found: found["fidelity"]["described"]["value"] - found["fidelity"]["described"]["control"],
    "confirmed": lambda found: found["fidelity"]["confirmed"]["value"],
    "precision": lambda found: found["precision"],
    "recall": lambda found: found["recall"],
    "erase": lambda found: _mean(COUNTED["erase"](found)),
    "swap": swapped,
    "colour": lambda found: _mean(COUNTED["colour"](found)),
    "shape": lambda found: _mean(COUNTED["shape"](found)),
    "stability": lambda found: found["findings"]["stability"],
}


def cues_of(found: Sequence[Found]) -> dict[str, tuple[int, int]]:
    """Of the networks that rely on a cue, those for whose class the guide says so; of the others, those it warns of.

    Not relying: nets that ignore a cue they saw, and all that never saw one. Between the two: not counted.
    """
    cues = [each for each in found if each["kind"] == "cue"]
    clean = [each for each in found if each["kind"] == "main" and each["design"] != "hidden"]
    relying = [each for each in cues if each["relies"] is True]
    hidden = [each for each in found if each["kind"] == "main" and any(e["mark"] in CUES for e in each["erase"])]
    ignoring = [each for each in cues if each["relies"] is False]
    return {
        "found where relied on": (sum(each["found"] for each in relying), len(relying)),
        "found where relied on, in the networks with hidden marks": (
            sum(any(find_design(each["design"]).names[0] in line for line in each["warnings"]) for each in hidden),
            len(hidden),
        ),
        "false alarms where it was seen and is ignored": (
            sum(bool(each["alarms"]) for each in ignoring),
            len(ignoring),
        ),
        "false alarms where there was none": (sum(bool(each["warnings"]) for each in clean), len(clean)),
    }


def slack(found: Found) -> float:
    """How far the weakest of the verdict's numbers is above what it must be; -1 where there is no mark at all."""
    return -1.0 if found["findings"] is None else float(found["findings"]["margin"])


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The probability that a positive is above a negative, ties half."""
    if not positive or not negative:
        return float("nan")
    ours, theirs = np.array(positive)[:, None], np.array(negative)[None]
    return float(np.mean((ours > theirs) + 0.5 * (ours == theirs)))


def absent(found: Sequence[Found]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Networks about which the guide says rightly which class needs no mark; marks rightly said to be forbidden."""
    main = [each for each in found if each["kind"] == "main"]
    right = sum(each["default"]["ours"] == each["default"]["rendered"] for each in main)
    lacking = [lack["right"] for each in main for lack in each["lacking"]]
    return (right, len(main)), (sum(lacking), len(lacking))


def refusal(found: Sequence[Found]) -> tuple[float, tuple[int, int], tuple[int, int]]:
    """AUROC of the slack; guides given among reducible networks, and refused among the rest, each of how many."""
    main = [each for each in found if each["kind"] == "main"]
    rest = [each for each in found if each["kind"] in ("global", "random")]
    area = auroc([slack(each) for each in main], [slack(each) for each in rest])
    given = sum(each["reducible"] for each in main)
    return area, (given, len(main)), (sum(not each["reducible"] for each in rest), len(rest))


def by_mark(found: Sequence[Found]) -> list[tuple[str, int, int, int, int, int]]:
    """For every drawn mark: times accepted or missed; missed, erasing failed, the wrong word, the wrong place."""
    table = []
    for name in MARKS:
        own = [mark for each in found for mark in each["marks"] if mark["accepted"] and mark["drawn"] == name]
        missed = sum(mark == name for each in found for _, mark in each["missed"])
        erasing = [e for each in found for e in each["erase"] if e["mark"] == name and e["there"] and not e["agrees"]]
        words, places = (sum(mark[key] is False for mark in own) for key in ("word", "place"))
        table.append((name, len(own) + missed, missed, len(erasing), words, places))
    return table


def failings(found: Found) -> list[str]:
    """All that is not right about one network's guide, in a line each."""
    names = dict(enumerate(find_design(found["design"]).names))
    lines = [] if found["reducible"] else [f"refused: {found['verdict']}"]
    lines += [f"warns: {warning}" for warning in found["warnings"]]
    lines += [f"missed: {mark} ({names[label]})" for label, mark in found["missed"]]
    for mark in found["marks"]:
        about = f"{mark['drawn'] or 'no drawn mark'} ({mark['class']})"
        if mark["accepted"] and [mark["label"], mark["drawn"]] in found["found"] and mark["drawn"] is None:
            lines.append(f"no mark: {mark['words']!r} ({mark['class']})")
        if mark["accepted"] and mark["word"] is False:
            lines.append(f"word: {about} is called {mark['words']!r}")
        if mark["accepted"] and mark["place"] is False:
            lines.append(f"place: {about} is put {mark['words']!r}")
    for each in found["erase"]:
        if not each["agrees"] and each["there"]:
            about = f"{each['mark']} ({names[each['label']]})"
            flips = [short(each[key]) for key in ("ours", "control", "rendered")]
            lines.append(f"erase: {about} flips {flips[0]}, control {flips[1]}, rendered {flips[2]}")
    for each in found["swap"]:
        if each["ours"] < 0.9 * each["ceiling"]:
            about = names[each["label"]]
            lines.append(f"swap: to {about} {short(each['ours'])}, control {short(each['control'])}")
    return lines


def _mean(values: Iterable[float]) -> float:
    given = list(values)
    return float(np.mean(given)) if given else float("nan")


def _rivals(some: Sequence[Found], key: str) -> str:
    spreads = {name: Spread.of(each["baselines"][name][key] for each in some) for name in ("concepts", "random")}
    return f"NMF concepts {spreads['concepts']}; random {spreads['random']}"


def _count(some: Sequence[Found], of: Callable[[Found], list[bool]]) -> tuple[int, int] | None:
    right = [each for found in some for each in of(found)]
    return (sum(right), len(right)) if right else None
