"""docs/birds-maps.md from what `maps` measured: tables, who is tied with whom, and what `fieldmark.trust` said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.scoreboard.map_text import FAMILIES, TEXT, TRUST
from benchmarks.scoreboard.map_truth import COLUMNS
from benchmarks.scoreboard.maps import TRUTH, Board
from benchmarks.scoreboard.nets import record
from fieldmark.trust import METRICS, Trust
from fieldmark.trust.statistics import Interval, difference, interval, spearman
from fieldmark.trust.verdict import outlives

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "birds-maps.md"
PICTURE = DOCS / "img" / "birds-maps.png"
DRAWS = 1000
WIDE, TILE, GAP, LINE = 8, 128, 6, 18


def page(boards: Sequence[Board], trusts: Sequence[Trust]) -> str:
    """The whole page, and its picture beside it; `trusts` are of the first networks."""
    sheet(boards[0]).save(PICTURE, optimize=True)
    text = TEXT.format(
        setting=setting(boards),
        picture=f"img/{PICTURE.name}",
        ranking=ranking(boards),
        findings=findings(boards),
        remarks="\n".join(remarks(boards)),
        families="\n".join(families(boards)),
        count=len(boards),
        measures=measures(boards),
        methods=len(boards[0].methods),
        stability=stability(boards),
    )
    if not trusts:
        return text
    return text + TRUST.format(
        trusted=words(f"`{title(board)}` ({len(each)})" for board, each in zip(boards, trusts, strict=False)),
        few=trusts[0].settings["few"],
        trusts=verdicts(boards, trusts),
        metrics=metrics(boards, trusts),
        lesson=lesson(boards, trusts),
    )


def setting(boards: Sequence[Board]) -> str:
    facts = [board.facts for board in boards]
    birds = sum(each["birds"] for each in facts)
    mean = {key: np.mean([each[key] for each in facts]) for key in ("relied", "ignored", "area", "parts")}
    nets = "; ".join(
        f"`{title(each)}` (accuracy {record(each.net)['accuracy']:.3f}, {each.facts['birds']:.0f} birds)"
        for each in boards
    )
    return (
        f"The networks: {nets}. Pictures are 64 x 64. Marks of *other* classes are added to each bird, five in all, "
        f"and a watermark, so that a map has something to leave out; birds are kept that are still called by their "
        f"class and have a part that is relied on and one that is ignored: {birds:.0f} in all, which is few, hence the "
        f"intervals. On average, of {mean['parts']:.0f} parts {mean['relied']:.1f} are relied on and "
        f"{mean['ignored']:.1f} ignored; those relied on cover {100 * mean['area']:.0f} % of the picture. Every method "
        f"explains the predicted class at its defaults, none is tuned or shortened; of ActivationMaps, the mean of its "
        f"16 channels is judged."
    )


def title(board: Board) -> str:
    """two, strided: the design and the architecture."""
    return f"{board.net.design}, {board.net.architecture}"


def overall(boards: Sequence[Board], name: str) -> np.ndarray:
    """The skill of all birds of all networks."""
    return np.concatenate([board.skill(name) for board in boards])


def in_order(boards: Sequence[Board]) -> list[str]:
    return sorted(boards[0].methods, key=lambda name: -overall(boards, name).mean())


def ranking(boards: Sequence[Board]) -> str:
    head = ["method", "all birds", *(title(board) for board in boards)]
    rows = []
    for name in [TRUTH, *in_order(boards), *boards[0].dummies]:
        shown = name if name in boards[0].methods else f"*{name}*"
        rows.append([shown, *(str(interval(each)) for each in skills(boards, name))])
    return table(head, rows)


def skills(boards: Sequence[Board], name: str) -> list[np.ndarray]:
    return [overall(boards, name), *(board.skill(name) for board in boards)]


def measures(boards: Sequence[Board]) -> str:
    rows = []
    for name in [TRUTH, *in_order(boards), *boards[0].dummies]:
        values = np.concatenate([board.values[name] for board in boards])
        shown = name if name in boards[0].methods else f"*{name}*"
        rows.append([shown, *(str(interval(values[:, column])) for column in range(len(COLUMNS)))])
    return table(["method", *COLUMNS], rows)


def families(boards: Sequence[Board]) -> list[str]:
    found = []
    for family, names in FAMILIES.items():
        values = np.mean([overall(boards, name) for name in names.split()], axis=0)
        found.append((values.mean(), f"| {family} | {interval(values)} |"))
    return [line for _, line in sorted(found, reverse=True)]


def findings(boards: Sequence[Board]) -> str:
    """Who is best, who is tied with it, and who is no better than the best dummy, by paired differences."""
    order = in_order(boards)
    best = order[0]
    tied = [name for name in order[1:] if difference(overall(boards, best), overall(boards, name)).low <= 0]
    dummy = max(boards[0].dummies, key=lambda name: overall(boards, name).mean())
    low = [name for name in order if difference(overall(boards, name), overall(boards, dummy)).low <= 0]
    return (
        f"Best is **{best}**" + (f", tied with {words(tied)}" if tied else ", tied with none") + ". "
        f"The best dummy is the {dummy}; "
        + (f"**no better than it: {words(low)}**." if low else "every method is better than it.")
        + " (Paired by bird, all networks together.)"
    )


def remarks(boards: Sequence[Board]) -> list[str]:
    """What was expected of the methods, and what came of it: paired differences of the overall scale."""

    def less(a: str, b: str) -> Interval:
        return difference(overall(boards, a), overall(boards, b))

    def energy(name: str) -> float:
        return float(np.concatenate([board.values[name][:, COLUMNS.index("energy")] for board in boards]).mean())

    return [
        f"- Gradients along a path against maps of 8 x 8 cells: ExpectedGradients less GradCAM is "
        f"{less('ExpectedGradients', 'GradCAM')}. Of GradCAM's evidence {energy('GradCAM'):.0%} lies on parts relied "
        f"on, of ExpectedGradients' {energy('ExpectedGradients'):.0%}: enlarged cells cover the bird, not the mark.",
        f"- The baseline: ExpectedGradients (flat backgrounds of several levels) less IntegratedGradients (black) is "
        f"{less('ExpectedGradients', 'IntegratedGradients')}. Against black, a black cap has nothing to gain.",
        f"- GuidedBackprop less Gradients is {less('GuidedBackprop', 'Gradients')}. This page asks *where*, of "
        "networks that learned the marks, and marks have edges. Whether a map depends on what was learned is another "
        "question, which the shuffled weights of `fieldmark.trust` put.",
        f"- What hides superpixels profits from drawings, where a part has one colour: KernelSHAP less RISE, which "
        f"hides by a grid, is {less('KernelSHAP', 'RISE')}.",
    ]


def stability(boards: Sequence[Board]) -> str:
    rows = []
    for i, a in enumerate(boards):
        for b in boards[i + 1 :]:
            value, low, high = agreement(a, b)
            rows.append([title(a), title(b), f"{value:.2f} ({low:.2f} to {high:.2f})"])
    return table(["network", "network", "rank correlation"], rows)


def agreement(a: Board, b: Board) -> tuple[float, float, float]:
    """Spearman between the methods' order on two networks, and its interval over birds."""
    skill = [np.stack([each.skill(name) for name in a.methods]) for each in (a, b)]
    rng = np.random.default_rng(0)
    means = [
        np.stack([one[:, rng.integers(0, one.shape[1], one.shape[1])].mean(axis=1) for _ in range(DRAWS)])
        for one in skill
    ]
    low, high = np.quantile(spearman(means[0], means[1]), [0.025, 0.975])
    return float(spearman(skill[0].mean(axis=1), skill[1].mean(axis=1))), float(low), float(high)


def verdicts(boards: Sequence[Board], trusts: Sequence[Trust]) -> str:
    rows = []
    for board, result in zip(boards, trusts, strict=False):
        truth, first = board.order(), result.places[0].name
        chosen = [place.name for place in result.places if place.group == "best"]
        rows.append(
            [
                title(board),
                ", ".join(f"{name} ({truth.index(name) + 1})" for name in chosen) or "none beats every dummy",
                f"{first} ({truth.index(first) + 1})",
                f"{board.skill(first).mean():.2f}; {board.skill(truth[0]).mean():.2f}",
                against_truth(board, result),
            ]
        )
    head = "network; what trust calls best, ties included (place in truth); first by faithfulness (place in truth)"
    shown = table([*head.split("; "), "its overall; the best there is", "rank correlation"], rows)
    return f"{shown}\n\nIts words on the first:\n\n> {trusts[0].verdict}"


def against_truth(board: Board, result: Trust) -> str:
    """Rank correlation of the methods' order by faithfulness with that by truth; the same birds drawn for both."""
    names = [place.name for place in result.places]
    gaps = np.stack([result[name].values["gap"] for name in names])
    skill = np.stack([board.skill(name) for name in names])
    drawn = np.random.default_rng(0).integers(0, skill.shape[1], (DRAWS, skill.shape[1]))
    values = spearman(np.nanmean(gaps[:, drawn], axis=2).T, skill[:, drawn].mean(axis=2).T)
    low, high = np.quantile(values, [0.025, 0.975])
    return f"{float(spearman(np.nanmean(gaps, axis=1), skill.mean(axis=1))):.2f} ({low:.2f} to {high:.2f})"


def true(board: Board, names: Iterable[str]) -> np.ndarray:
    return np.array([board.skill(name).mean() for name in names])


def by_metric(boards: Sequence[Board], trusts: Sequence[Trust]) -> dict[str, list[float]]:
    """For each measure of trust that has a direction: rank correlation with the truth, network by network."""
    found: dict[str, list[float]] = {}
    for metric in METRICS:
        row = []
        for board, trust in zip(boards, trusts, strict=False):
            means = {each.name: each.interval(metric.key).mean for each in trust.methods}
            names = [name for name in board.methods if np.isfinite(means.get(name, np.nan))]
            sign = -1 if metric.better == "lower" else 1
            values = sign * np.array([means[name] for name in names])
            row.append(float(spearman(values, true(board, names))) if len(names) >= 10 else float("nan"))
        if metric.better and np.isfinite(row).any():
            found[metric.key] = row
    return found


def metrics(boards: Sequence[Board], trusts: Sequence[Trust]) -> str:
    names = {metric.key: f"{metric.name}, {metric.better} is better" for metric in METRICS}
    found = sorted(by_metric(boards, trusts).items(), key=lambda each: -float(np.nanmean(each[1])))
    rows = [[names[key], *(f"{value:.2f}" for value in row)] for key, row in found if key != "seconds"]
    return table(["measure of trust", *(title(board) for board in boards[: len(trusts)])], rows)


def lesson(boards: Sequence[Board], trusts: Sequence[Trust]) -> str:
    """In how many networks trust's first choice is tied with the best in truth, or among the first five."""
    firsts = [trust.places[0].name for trust in trusts]
    five = sum(name in board.order()[:5] for name, board in zip(firsts, boards, strict=False))
    lost = [
        board.skill(board.order()[0]).mean() - board.skill(name).mean()
        for name, board in zip(firsts, boards, strict=False)
    ]
    warned = [
        f"{title(board)}: " + words(f"{name} ({board.order().index(name) + 1})" for name in kept)
        for board, result in zip(boards, trusts, strict=False)
        if (kept := [each.name for each in result.methods if outlives(each)])
    ]
    said = (
        "Of some trust warns because much of the map stays when the weights are shuffled (in brackets the place in "
        f"truth; {'; '.join(warned)}). Maps that are right here, for a network that learned the marks, may say little "
        "of whether it did: the two questions are apart, and so are the answers."
    )
    return (
        f"Trust's first method by faithfulness ({words(dict.fromkeys(firsts))}) is among the first five in truth on "
        f"{five} of {len(trusts)} network{'s' * (len(trusts) > 1)}; following it costs {max(lost):.2f} of the overall "
        f"scale at most, against the method that is best in truth there. {said if warned else ''}"
    ).rstrip()


def words(names: Iterable[str]) -> str:
    listed = list(names)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def sheet(board: Board) -> Image.Image:
    """The bird, the truth, the methods in their order, the dummies: tiles with their names."""
    names = ["the bird", TRUTH, *board.order(), *board.dummies]
    rows = -(-len(names) // WIDE)
    picture = Image.new("RGB", (WIDE * (TILE + GAP) + GAP, rows * (TILE + GAP + LINE) + GAP), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(11)
    for number, name in enumerate(names):
        x, y = GAP + number % WIDE * (TILE + GAP), GAP + number // WIDE * (TILE + GAP + LINE)
        tile = Image.fromarray(board.tiles[name]).resize((TILE, TILE), Image.Resampling.NEAREST)
        picture.paste(tile, (x, y))
        draw.text((x + TILE / 2, y + TILE + 2), name, "black", font, anchor="ma")
    return picture
