"""The data of the trust page: order, axes, numbers, and what is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fieldmark.errors import OutputError
from fieldmark.report.trust_chart import alike, axis_of, chart, kind, number, said
from fieldmark.report.trust_page import content, halves, in_order, soft, strips, table
from fieldmark.trust import Trust
from fieldmark.trust.metrics import METRIC, METRICS
from fieldmark.trust.statistics import Interval
from tests.report.trust_made import DUMMIES, made

pytestmark = pytest.mark.no_framework


def test_rows_are_sorted_in_the_measures_own_direction_and_dummies_come_last() -> None:
    result = made(("Good", "Middle", "Bad"))
    for key in ("gap", "deletion_blur"):
        drawn = chart(result, METRIC[key])
        assert drawn is not None
        assert [row["name"] for row in drawn["rows"]] == ["Good", "Middle", "Bad", *DUMMIES]
    worse = chart(made(("Bad", "Good")), METRIC["deletion_blur"])
    assert worse is not None
    assert worse["direction"] == "lower is better"
    assert worse["arrow"] == "← better"
    assert [row["name"] for row in worse["rows"]][:2] == ["Bad", "Good"], "names mean nothing, values do"


def test_dots_whiskers_and_band_stand_where_their_numbers_are() -> None:
    axis = axis_of([Interval(0.5, 0.4, 0.6, 9), Interval(-0.1, -0.2, 0.0, 9)], METRIC["gap"])
    assert (axis.low, axis.high, axis.log) == (pytest.approx(-0.2), pytest.approx(0.6), False)
    assert axis.at(-0.2) == pytest.approx(2)
    assert axis.at(0.6) == pytest.approx(98)
    assert axis.at(0.2) == pytest.approx(50)
    assert [text for _, text in axis.ticks] == ["\N{MINUS SIGN}0.2", "0.0", "0.2", "0.4", "0.6"]
    result = made()
    drawn = chart(result, METRIC["gap"])
    assert drawn is not None
    first = drawn["rows"][0]
    low, dot, high = (float(first[name].rstrip("%")) for name in ("from", "x", "to"))
    assert low < dot < high
    band = drawn["band"]
    dummies = [row for row in drawn["rows"] if row["kind"] == "dummy"]
    assert float(band["x"].rstrip("%")) == pytest.approx(min(float(row["from"].rstrip("%")) for row in dummies))


def test_costs_that_differ_a_hundredfold_get_a_logarithmic_axis() -> None:
    near, far = Interval(2, 2, 2, 9), Interval(900, 900, 900, 9)
    axis = axis_of([near, far], METRIC["passes"])
    assert (axis.low, axis.high, axis.log) == (1, 1000, True)
    assert axis.at(10) - axis.at(1) == pytest.approx(axis.at(1000) - axis.at(100))
    assert not axis_of([near, Interval(9, 9, 9, 9)], METRIC["passes"]).log
    assert not axis_of([near, far], METRIC["gap"]).log, "a score may be below zero"


def test_numbers_have_as_many_digits_as_their_mean_and_no_minus_zero() -> None:
    assert number(0.604) == "0.60"
    assert number(12.34) == "12.3"
    assert number(12345.6) == "12\u202f346"
    assert number(-0.001) == "0.00"
    assert number(-0.5) == "\N{MINUS SIGN}0.50"
    assert number(0.004, fine=True) == "0.0040"
    assert number(float("nan")) == "-"
    assert said(Interval(101.0, 9.4, 250.0, 5), METRIC["passes"]) == {"mean": "101", "range": "9 to 250"}
    assert said(Interval(0.3, float("nan"), float("nan"), 1), METRIC["gap"]) == {"mean": "0.30", "range": ""}
    assert said(Interval(float("nan"), float("nan"), float("nan"), 0), METRIC["gap"]) == {"mean": "", "range": ""}


def test_what_was_not_measured_is_said_and_drawn_nowhere() -> None:
    result = made(("First", "Second", "Third"))
    drawn = chart(result, METRIC["seeds"])
    assert drawn is not None
    assert drawn["left"] == ["Second", *DUMMIES], "every second one has no seed"
    bare = tuple(replace(each, values={"gap": each.values["gap"]}) for each in result.judged)
    families = {each["name"]: each for each in content(replace(result, judged=bare))["families"]}
    assert [drawn["metric"].key for drawn in families["faithfulness"]["charts"]] == ["gap"]
    assert families["cost"]["charts"] == []
    nothing = tuple(replace(each, values={}) for each in result.judged)
    assert content(replace(result, judged=nothing))["main"] is None


def test_kinds_follow_the_places_and_the_best_of_a_column_is_marked() -> None:
    result = made(("A", "B", "C", "D"))
    assert [kind(result, name) for name in ("A", "B", "C", "D", DUMMIES[0])] == [
        "best",
        "best",
        "good",
        "none",
        "dummy",
    ]
    assert [each.name for each in in_order(result)] == ["A", "B", "C", "D", *DUMMIES]
    made_of = table(result, "faithfulness", in_order(result))
    keys = [metric.key for metric in made_of["columns"]]
    assert keys == [metric.key for metric in METRICS if metric.family == "faithfulness"]
    best = {key: [row["name"] for row in made_of["rows"] if row["cells"][i]["best"]] for i, key in enumerate(keys)}
    for key, names in best.items():
        means = {each.name: each.interval(key).mean for each in result.methods}
        wanted = {"higher": [max(means, key=means.__getitem__)], "lower": [min(means, key=means.__getitem__)], "": []}
        assert names == wanted[METRIC[key].better]


def test_the_most_alike_are_named_and_never_the_method_itself() -> None:
    result = made(("A", "B", "C"))
    agreement = np.full((6, 6), 0.1)
    agreement[0, 2], agreement[0, 0] = 0.9, 1.0
    agreement[0, 1] = np.nan
    assert alike(replace(result, agreement=agreement), result.judged[0]).startswith("C 0.90, ")
    assert alike(replace(result, agreement=np.zeros((0, 0))), result.judged[0]) == ""


def test_strips_show_the_image_by_its_own_name_and_every_map_of_it() -> None:
    result = made()
    shown = strips(result, in_order(result))
    assert [(strip["name"], strip["target"], len(strip["tiles"])) for strip in shown] == [
        ("cat-0.jpg", "tabby", 6),
        ("cat-3.jpg", "tabby", 6),
    ]
    assert shown[0]["tiles"][0]["src"] != shown[1]["tiles"][0]["src"] != shown[1]["photo"]
    assert [strip["name"] for strip in strips(replace(result, names=()), in_order(result))] == ["image 1", "image 4"]
    assert strips(replace(result, shown=()), in_order(result)) == []


def test_names_break_between_their_words_and_are_escaped() -> None:
    assert soft("IntegratedGradients") == "Integrated<wbr>Gradients"
    assert soft("a_b/c") == "a_<wbr>b/<wbr>c"
    assert soft("<b>aB") == "&lt;b&gt;a<wbr>B"


def test_only_what_is_drawn_as_best_is_said_to_be_tied_with_it() -> None:
    result = made(("A", "B", "C"))
    first = replace(result.places[0], ties=("B", "C"))  # C is as good, within the interval, and beats no dummy
    assert content(replace(result, places=(first, *result.places[1:])))["tied"] == ["B"]


def test_the_first_sentence_of_the_verdict_stands_out_whatever_numbers_are_in_it() -> None:
    assert halves("Use LRP: 0.81 (0.7 to 0.9). Avoid CAM. Why") == ("Use LRP: 0.81 (0.7 to 0.9).", " Avoid CAM. Why")
    assert halves("On a.keras nothing") == ("On a.keras nothing", "")


def test_the_page_of_a_result_that_was_saved_has_all_but_the_maps(tmp_path: Path) -> None:
    result = made()
    again = Trust.load(result.save(tmp_path / "trust.json"))
    page, saved = (each.write_html(tmp_path / "page.html").read_text("utf-8") for each in (result, again))
    assert "What was judged" in page
    assert "What was judged" not in saved
    for part in ("Use GradCAM here", "IntegratedGradients", "Pitfall", "edge detector"):
        assert part in saved


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="choose a folder you can write to"):
        made().write_html(tmp_path / "missing" / "page.html")
