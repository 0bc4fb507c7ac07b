"""docs/scoreboard.md from the results: every figure is measured, none is typed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.scoreboard.rows import (
    LOOKED_AT,
    SETTINGS,
    VALUES,
    Found,
    Spread,
    absent,
    by_mark,
    cues_of,
    failings,
    refusal,
    rows_of,
    short,
    slack,
)
from benchmarks.scoreboard.store import ROOT

PAGE = ROOT / "docs" / "scoreboard.md"
GOOD = 0.97  # of fresh birds that a network should be right about
TUNED = """Thresholds of the guide were tuned on networks of seed 0, most of all on those of one and two marks on the
easy tier; those of the hard tier and of minimal pairs were looked at, too."""
SHOWN = {
    "described": "described",
    "gain": "minus random",
    "confirmed": "confirmed",
    "precision": "precision",
    "recall": "recall",
    "erase": "erase",
    "swap": "swap",
    "colour": "colour",
    "shape": "shape",
    "stability": "stable",
}


def read(folder: Path) -> list[Found]:
    """All results in a folder, by name."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def write(folder: Path, expected: Sequence[str] = ()) -> Path:
    """Write the page from the results in a folder; networks that are `expected` and not there are counted on it."""
    PAGE.write_text(text(folder, expected), encoding="utf-8")
    return PAGE


def text(folder: Path, expected: Sequence[str] = ()) -> str:
    """The whole page."""
    found = read(folder)
    main = [each for each in found if each["kind"] == "main"]
    parts = [
        _head(found, folder, expected),
        _rows(main),
        _cues(found),
        _refusal(found),
        _by_mark(main),
        _nets(main),
        _failings(main),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(found: Sequence[Found], folder: Path, expected: Sequence[str]) -> str:
    image_seed, code = folder.name.split("-")
    kinds = {kind: sum(each["kind"] == kind for each in found) for kind in ("main", "cue", "global", "random")}
    main = [each for each in found if each["kind"] == "main"]
    designs = len({(each["design"], each["tier"]) for each in main})
    images = " or ".join(str(n) for n in sorted({each["images"] for each in main}))
    seconds = Spread.of(each["cpu_seconds"] for each in main)
    rows = [row for row in rows_of(main) if row.reached]
    reached = sum(row.reached.startswith("yes") for row in rows)
    weak = [f"{each['net']} ({each['accuracy']:.3f})" for each in sorted(main, key=_order) if each["accuracy"] < GOOD]
    spans = f"{seconds.median:.0f} s, {min(seconds.values, default=0):.0f} to {max(seconds.values, default=0):.0f}"
    return f"""# The scoreboard of the field guide

Made by `make scoreboard` (`benchmarks/scoreboard/`); no figure in its tables is typed by hand.
Code {code}, image seed {image_seed}.
Of {len(rows)} goals of the first table, {reached} are reached by the networks that were held out.

The networks are trained on [drawn birds](birds.md), whose marks can be removed, added and swapped in the drawing, so
that what a network goes by is known: {kinds["main"]} that reduce to marks ({designs} designs and tiers, two
architectures, three seeds), {kinds["cue"]} with a spurious cue, {kinds["global"]} whose classes are backgrounds or
focus, and {kinds["random"]} with random weights. Each starts from a seed of its own; none was warm-started.
Under {short(GOOD)} right on fresh birds: {", ".join(weak) or "none"}.{_missing(found, expected)}

A guide to one of the first is made from {images} images: 40 a class discover, 40 calibrate, 50 judge; those with a cue
have 30 a class, the others 60 or 120. Objects are found once for the networks of one design and tier; no label and no
network is seen for that. Guide, rendering and baselines take a processor {spans}.

{TUNED}
Networks of seed {LOOKED_AT} were looked at in development, on other images. Those of the other seeds are held out:
nothing was chosen on them or on these images, and **the column "held out" decides whether a goal is reached**.
Other networks from the same seeds were measured before, by the guide as it was, and that the hard tier fell short
(described .91, then .92) was read here. The guide was then changed by what networks of seed {LOOKED_AT} showed. Those
networks were not kept; these were trained anew, by the same recipe, and measured twice. The guide before the last
(code 9fcf835fee; 282366fd4c makes the same) reached .71 [.70, .83] in minimal pairs, which was read here, too: its keys
did not ask for marks that show only when others are gone. Now they do where that is clearly better, as the networks of
pairs of seed {LOOKED_AT} showed on other images. Nothing was changed after these figures."""


def _missing(found: Sequence[Found], expected: Sequence[str]) -> str:
    """A line on the networks that are not measured on this code, by design; nothing where all are."""
    known = {each["net"] for each in found}
    left = Counter(name.split("-")[0] for name in expected if name not in known)
    named = ", ".join(f"{count} of {design}" for design, count in left.items())
    return f"\n**Not measured on this code: {sum(left.values())} networks ({named}).**" if left else ""


def _rows(main: Sequence[Found]) -> str:
    if not main:
        return ""
    lines = [
        "## Every row",
        "",
        "Median [lowest, highest] over independently trained networks. Where a row is a share of marks (erase, right",
        "words), as in the prototype's figures, the goal is held against all marks of the networks held out together.",
        "",
        "| | networks | prototype | goal | all | n | held out | reached, networks | beside it |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows_of(main):
        goal = "" if row.goal is None else f"&ge; {short(row.goal)}"
        cells = [row.what, row.setting, row.prototype, goal, str(row.everyone), str(len(row.everyone.values))]
        lines.append(f"| {' | '.join([*cells, row.held_out, row.reached, row.note])} |")
    default, lacking = absent(main)
    lines += [
        "",
        f"Which class is what birds without any mark are called, or that none is: said rightly of {default[0]} of "
        f"{default[1]} networks.",
        f"Marks of other classes that a class must not have: {lacking[0]} of {lacking[1]} that guides name flip half "
        "of its birds in the drawing.",
    ]
    return "\n".join([*lines, "", MEANING])


MEANING = """- *described words*: what somebody with the words alone agrees with the network on, of the hold-out; words
  come from the evidence, with no label. *Random region*: the same words made of random places, ten keys.
- *confirmed words*: the best words that a search with the network's labels finds at the marks, beside the same search
  at random places.
- *marks*: the accepted marks of a class against those that the network relies on in the drawing (removal flips half of
  the birds, or takes half of the margin). A region is a mark if it covers 30 % of it and a quarter of it lies there.
  Beside it: NMF concepts (in the way of CRAFT) and discs at random places, two a class.
- *erase*: of the marks whose removal in the drawing flips half of the class's birds, those that the guide has and
  whose erasing flips, less its control, at least .8 of what the drawing does. A mark that the guide hasn't has failed.
  A bird counts as flipped where two of five ways of erasing flip it; the control is erased in one way.
- *swap*: birds of other classes that become a class when their marks are erased and its marks put in, as a share of
  the same in the drawing; mean over the classes with a mark. Where marks are hidden the share can pass 1, since the
  drawing's swap takes the watermark away as well.
- *right words*: of the accepted marks that are a drawn one, those whose first word fits it
  (`benchmarks/scoreboard/words.py`) and whose place is, give or take one of five, where it is drawn. Shape: crest,
  forked tail, breast spots.
- *stability*: Jaccard of the marks over 20 bootstraps of the discovery images."""


def _cues(found: Sequence[Found]) -> str:
    if not any(each["kind"] == "cue" for each in found):
        return ""
    between = [each for each in found if each["kind"] == "cue" and each["relies"] is None]
    lines = [
        "## Spurious cues",
        "",
        "Whether a network relies on its cue is measured in the drawing: without it, 30 % of the class's birds or more",
        f"are called otherwise, or at most 10 %; {len(between)} between the two are not counted.",
        "Goals: found &ge; .95, alarms &le; .05. A warning does not need a guide: "
        f"{sum(each['kind'] == 'cue' and not each['reducible'] for each in found)} of the networks with a cue are "
        "refused one (30 images a class, and",
        "where the cue decides, marks that are hidden in 60 % of the pictures of two classes).",
        "",
        "| | networks | share |",
        "|---|---|---|",
    ]
    for what, (count, n) in cues_of(found).items():
        lines.append(f"| {what} | {count} of {n} | {short(count / n) if n else '-'} |")
    wrong = [each for each in found if each["kind"] == "cue" and each["relies"] is not None]
    wrong = [each for each in wrong if each["relies"] != bool(each["found"] if each["relies"] else each["alarms"])]
    for each in wrong:
        said = "; ".join(each["alarms"]) or "no warning"
        lines.append(f"\n- {each['net']}: removal of the {each['cue']} flips {short(each['flips'])}; {said}")
    return "\n".join(lines)


def _refusal(found: Sequence[Found]) -> str:
    area, given, refused = refusal(found)
    if not refused[1] or not given[1]:
        return ""
    rest = [each for each in found if each["kind"] in ("global", "random")]
    lines = [
        "## Refusal",
        "",
        "How far the weakest of the verdict's numbers is above what it must be: reducible networks against those with",
        "random weights and those whose classes are backgrounds or focus. Goal: AUROC &ge; .95.",
        "",
        "| AUROC | guides given where there are marks | refused where there are none |",
        "|---|---|---|",
        f"| {short(area)} | {given[0]} of {given[1]} | {refused[0]} of {refused[1]} |",
        "",
        *(f"- {each['net']}: {short(slack(each))}, {each['verdict']}" for each in rest if each["reducible"]),
    ]
    return "\n".join(lines).rstrip()


def _by_mark(main: Sequence[Found]) -> str:
    """What fails, mark by mark, on either tier."""
    lines = ["## Which marks fail", "", WHY]
    for tier in ("easy", "hard"):
        own = [each for each in main if each["tier"] == tier]
        if own:
            lines += ["", f"| {tier} tier, {len(own)} networks | found or missed | missed | erasing | word | place |"]
            lines += ["|---|---|---|---|---|---|"]
            lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in by_mark(own)]
    return "\n".join(lines)


WHY = """As far as was seen, on these networks and on earlier ones: *erasing* fails where it flips too little beside
the drawing. Of the wing bar, on a network of seed 0, nothing was left: erasing takes about all of the
margin there (of the surest bird 10.4 of 10.0), and no more, so that little decides which side a bird falls
to. A mark is missed where no word says it (the crest in minimal pairs, where half of the birds have one;
two crests of the hard tier, where nothing is named for the class), or where erasing it takes less of the
margin than drawing the bird without it (the crest of the class that birds without any mark are called by).
A crest called "a part where most have none" is called what it is; the table of accepted words doesn't have
that one. In minimal pairs every mark is shared by four classes, and a class is as much what it lacks as
what it has, which a key with two "yes" a class can hardly ask; one without a crest is called "wide, as a
whole": given the outlines of others, half of it and more are called something else, but nothing was drawn,
so that it counts as no mark."""


def _nets(main: Sequence[Found]) -> str:
    if not main:
        return ""
    lines = [
        "## Every network",
        "",
        f"| network | accuracy | {' | '.join(SHOWN.values())} | verdict |",
        f"|{'---|' * (len(SHOWN) + 3)}",
    ]
    for each in sorted(main, key=_order):
        given = each["fidelity"] is not None
        values = [str(Spread.of([VALUES[key](each)])) if given else "-" for key in SHOWN]
        verdict = "reducible" if each["reducible"] else "refused"
        lines.append(f"| {each['net']} | {short(each['accuracy'])} | {' | '.join(values)} | {verdict} |")
    return "\n".join(lines)


def _failings(main: Sequence[Found]) -> str:
    lines = ["## What failed, network by network"]
    for each in sorted(main, key=_order):
        wrong = failings(each)
        lines += ["", f"**{each['net']}**", ""] + [f"- {line}" for line in wrong] if wrong else []
    return "\n".join(lines) if len(lines) > 1 else ""


def _order(found: Found) -> tuple[int, str]:
    setting = next((i for i, belongs in enumerate(SETTINGS.values()) if belongs(found)), len(SETTINGS))
    return setting, found["net"]
