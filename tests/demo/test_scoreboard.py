"""The scoreboard's arithmetic, on tables made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cv2", reason="opencv (extra `guide`) finds the objects")

from benchmarks.scoreboard import page, store
from benchmarks.scoreboard.measure import by_place
from benchmarks.scoreboard.rows import (
    VALUES,
    Spread,
    absent,
    auroc,
    by_mark,
    cues_of,
    failings,
    refusal,
    rows_of,
    slack,
    swapped,
)


def mark(label: int, drawn: str | None, **other: Any) -> dict[str, Any]:
    made = {"class": f"class {label}", "label": label, "drawn": drawn, "words": "Red, at the top", "accepted": True}
    return {**made, "word": True, "place": True, **other}


def net(name: str, value: float, **other: Any) -> dict[str, Any]:
    """A result as `measure` writes it: eight marks found, all of them well."""
    said = {"value": value, "low": value - 0.02, "high": value + 0.02, "control": 0.4, "n": 400}
    design, tier, architecture, seed = name.split("-")
    return {
        "kind": "main",
        "net": name,
        "design": design,
        "tier": tier,
        "architecture": architecture,
        "seed": int(seed),
        "images": 1040,
        "accuracy": 0.99,
        "cpu_seconds": 40.0,
        "verdict": "reducible",
        "reducible": True,
        "warnings": [],
        "fidelity": {"described": said, "confirmed": said},
        "findings": {"described": said, "top_share": 0.5, "proved": 1.0, "stability": 0.9, "margin": 0.5},
        "marks": [mark(0, "red bill"), mark(1, "crest", word=False)],
        "precision": 1.0,
        "recall": 0.5,
        "found": [[0, "red bill"], [1, "crest"]],
        "missed": [[1, "belly patch"]],
        "erase": [
            {"label": 0, "mark": "red bill", "there": True, "rendered": 1, "ours": 0.9, "control": 0, "agrees": True},
            {"label": 1, "mark": "crest", "there": True, "rendered": 1, "ours": 0.4, "control": 0, "agrees": False},
        ],
        "swap": [
            {"label": 0, "ours": 0.9, "control": 0.1, "ceiling": 1.0},
            {"label": 1, "ours": 0.3, "control": 0.1, "ceiling": 0.6},
        ],
        "default": {"ours": 1, "rendered": 1 if seed == "0" else None},
        "lacking": [{"label": 0, "mark": "crest", "right": True}],
        "baselines": {name: {"precision": 0.1, "recall": 0.2} for name in ("concepts", "random")},
        **other,
    }


MADE = [net("one-easy-strided-0", 0.99), net("one-easy-strided-1", 0.90), net("one-easy-pooled-2", 0.97)]


def test_a_goal_is_reached_by_the_networks_that_nobody_looked_at() -> None:
    rows = {row.what: row for row in rows_of(MADE) if row.setting == "one mark"}
    said = rows["described words"]
    assert said.everyone.median == 0.97
    assert said.fresh.median == pytest.approx(0.935)
    assert said.reached == "no, 1 of 2"  # the median of all three would have met the goal of .96
    assert str(said.fresh) == ".94 [.90, .97]"
    assert rows["... minus random region"].reached == "no, 1 of 2"
    assert rows["right words: colour"].reached == "yes, 2 of 2"
    assert rows["right words: shape"].reached == "no, 0 of 2"
    assert rows["erase"].note == "all 3 of 6 marks"
    assert rows["erase"].held_out == ".50 [.50, .50]; 2 of 4 marks"


def test_a_share_of_marks_is_counted_over_the_marks_of_all_networks_held_out() -> None:
    many = [dict(MADE[0]["erase"][0])] * 20
    some = [MADE[0], net("one-easy-strided-1", 0.9, erase=many), net("one-easy-pooled-2", 0.9, erase=[*many, many[0]])]
    some[1]["erase"] = [*many[1:], MADE[0]["erase"][1]]
    erase = next(row for row in rows_of(some) if row.what == "erase")
    assert (erase.held_out, erase.reached) == (".97 [.95, 1.00]; 40 of 41 marks", "yes, 2 of 2")
    some[1]["erase"] = [MADE[0]["erase"][1]] * 3
    erase = next(row for row in rows_of(some) if row.what == "erase")
    assert (erase.held_out, erase.reached) == (".50 [.00, 1.00]; 21 of 24 marks", "no, 1 of 2")


def test_a_swap_is_a_share_of_what_the_drawing_reaches() -> None:
    assert swapped(MADE[0]) == pytest.approx(1.2 / 1.6)
    assert VALUES["erase"](MADE[0]) == 0.5


def test_what_cannot_be_counted_counts_neither_way() -> None:
    assert Spread.of([0.5, float("nan"), 0.7]).values == (0.5, 0.7)
    assert str(Spread.of([])) == "-"
    assert np.isnan(VALUES["erase"](net("one-easy-strided-0", 0.9, erase=[])))


def test_cues_are_found_or_alarms_are_false() -> None:
    def cue(relies: bool | None, found: bool, alarms: list[str]) -> dict[str, Any]:
        return {"kind": "cue", "relies": relies, "found": found, "alarms": alarms}

    some = [cue(True, True, ["x"]), cue(True, False, ["y"]), cue(False, False, ["z"]), cue(None, False, ["z"])]
    erase = [{"label": 0, "mark": "watermark", "there": True, "rendered": 1, "ours": 1, "control": 0, "agrees": True}]
    warned = [net("hidden-easy-strided-0", 0.9, warnings=[line], erase=erase) for line in ("for Alder finch", "no")]
    assert list(cues_of([*some, *MADE, *warned]).values()) == [(1, 2), (1, 2), (1, 1), (0, 3)]


def test_what_a_class_must_not_have_is_counted_beside_the_drawing() -> None:
    assert absent(MADE) == ((1, 3), (3, 3))


def test_marks_that_fail_are_counted_by_their_drawing() -> None:
    table = {name: counts for name, *counts in by_mark(MADE)}
    assert table["crest"] == [3, 0, 3, 3, 0]
    assert table["belly patch"] == [3, 3, 0, 0, 0]
    assert table["red bill"] == [3, 0, 0, 0, 0]


def test_refusal_ranks_guides_by_the_weakest_of_their_numbers() -> None:
    weak = net("random-easy-strided-0", 0.9, kind="random", reducible=False)
    weak["findings"] = {**weak["findings"], "margin": -0.3}
    none = net("blurs-easy-strided-0", 0.9, kind="global", reducible=False, findings=None)
    assert [slack(each) for each in (MADE[0], weak, none)] == [0.5, -0.3, -1]
    area, given, refused = refusal([*MADE, weak, none])
    assert (area, given, refused) == (1.0, (3, 3), (2, 2))
    assert auroc([1, 2], [1, 0]) == 0.875


def test_every_failing_is_a_line() -> None:
    lines = failings(MADE[0])
    assert [line.split(":")[0] for line in lines] == ["missed", "word", "erase", "swap"]
    assert failings(net("one-easy-strided-0", 0.9, marks=[], missed=[], erase=[], swap=[])) == []


def test_birds_have_their_part_whatever_a_network_says_of_them() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(3), 130))
    split = by_place(labels)
    parts = [split.discover, split.calibrate, split.hold_out]
    assert [np.bincount(labels[part]).tolist() for part in parts] == [[40] * 3, [40] * 3, [50] * 3]
    assert sorted(np.concatenate(parts).tolist()) == list(range(390))


def test_the_page_has_every_row_and_every_network(tmp_path: Path) -> None:
    folder = tmp_path / "707-abc"
    for each in MADE:
        store.write(folder / f"{each['net']}.json", each)
    text = page.text(folder)
    assert "| described words | one mark | .94 | &ge; .96 | .97 [.90, .99] | 3 | .94 [.90, .97] | no, 1 of 2 |" in text
    assert all(f"| {each['net']} |" in text for each in MADE)
    assert "- missed: belly patch (Birk thrush)" in text
    assert "Of 9 goals of the first table, 3 are reached" in text
    assert "Refusal" not in text  # nothing to refuse was measured


def test_a_file_is_made_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> dict[str, int]:
        made.append(1)
        return {"n": len(made)}

    path = tmp_path / "a" / "b.json"
    assert store.kept(path, make) == store.kept(path, make) == {"n": 1}
    assert json.loads(path.read_text()) == {"n": 1}
