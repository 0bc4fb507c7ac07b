"""Rendered truth: what a network does when a mark is removed, added or swapped in the drawing itself.

`python -m benchmarks.scoreboard.truth [--only TEXT]` measures the trained networks and prints the table of
docs/birds.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import fieldmark as fm
from fieldmark.demo.sketchbirds import CUES, MARKS, Bird, Dataset, Design
from fieldmark.demo.sketchbirds.datasets import images_of

TESTED = MARKS + CUES
RELIED, IGNORED = 0.5, 0.1
"""Relied on: removal flips at least half of the images, or takes half of the margin. Ignored: under a tenth of both."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What a network does with the marks of `TESTED` (columns), for birds that it calls by each class (rows).

    removed_flips  (classes, tested) share of the class's birds with the mark that it calls otherwise without it
    removed_drop   (classes, tested) the margin lost with it, as a share of the margin that there was
    added_flips    (classes, tested) share of the class's birds without the mark that it calls otherwise with it
    added_drop     (classes, tested) the same for the margin
    swapped        (classes, classes) share of the row's birds called by the column once they have the column's marks
    added          (classes, classes) the same when the column's marks are added and the row's stay
    bare           (classes,) what it calls birds without any mark or cue, in shares
    margin         (classes,) the mean margin of each class, in logits
    names          of the classes; NaN wherever there is no bird to ask
    """

    names: tuple[str, ...]
    removed_flips: np.ndarray
    removed_drop: np.ndarray
    added_flips: np.ndarray
    added_drop: np.ndarray
    swapped: np.ndarray
    added: np.ndarray
    bare: np.ndarray
    margin: np.ndarray

    def relied(self, label: int) -> set[str]:
        """The marks and cues without which a class is not itself."""
        return self._where(label, (self.removed_flips >= RELIED) | (self.removed_drop >= RELIED))

    def ignored(self, label: int) -> set[str]:
        """The marks and cues whose removal changes next to nothing; what is in neither set counts neither way."""
        return self._where(label, (self.removed_flips < IGNORED) & (self.removed_drop < IGNORED))

    def forbidden(self, label: int) -> set[str]:
        """The marks that a class must not have: added, they flip half of its birds."""
        return self._where(label, self.added_flips >= RELIED)

    def default(self) -> int | None:
        """The class that birds without any mark are given, if half of them get the same: it needs no mark."""
        best = int(np.argmax(self.bare))
        return best if self.bare[best] >= RELIED else None

    def _where(self, label: int, which: np.ndarray) -> set[str]:
        return {name for name, there in zip(TESTED, which[label], strict=True) if there}


def scores_of(classifier: fm.Classifier, images: np.ndarray) -> np.ndarray:
    """Logits (n, classes)."""
    return np.asarray(classifier.predict(images).scores)


def margins(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """z_c - logsumexp of the others, for the class of each row: (n,)."""
    rows = np.arange(len(scores))
    others = scores.astype(np.float64).copy()
    others[rows, labels] = -np.inf
    top = others.max(axis=1)
    return scores[rows, labels] - top - np.log(np.exp(others - top[:, None]).sum(axis=1))


def measure(classifier: fm.Classifier, birds: Dataset, design: Design, per_class: int = 40) -> Truth:
    """Render every change to at most `per_class` birds of each class, of those the network is right about."""
    scores = scores_of(classifier, birds.images)
    found = scores.argmax(axis=1)
    chosen = [
        np.nonzero((found == birds.labels) & (found == label))[0][:per_class] for label in range(len(birds.names))
    ]
    clean = margins(scores, found)
    groups = [[birds.birds[index] for index in rows] for rows in chosen]
    levels = [clean[rows] for rows in chosen]
    flips, drops = (np.full((2, len(groups), len(TESTED)), np.nan) for _ in range(2))
    for label, (group, level) in enumerate(zip(groups, levels, strict=True)):
        for column, name in enumerate(TESTED):
            for way in (0, 1):  # removed from those that have it, added to those that don't
                asked = [index for index, bird in enumerate(group) if bird.has(name) != bool(way)]
                if len(asked) < 3:
                    continue
                changed = [group[index].with_(name) if way else group[index].without(name) for index in asked]
                after = scores_of(classifier, images_of(changed))
                flips[way, label, column] = np.mean(after.argmax(axis=1) != label)
                lost = level[asked] - margins(after, np.full(len(asked), label))
                drops[way, label, column] = lost.mean() / max(level[asked].mean(), 1e-9)
    swapped, added = _transplants(classifier, groups, design, per_class // 3)
    everyone = [bird.without(*TESTED) for group in groups for bird in group]
    bare = np.bincount(scores_of(classifier, images_of(everyone)).argmax(axis=1), minlength=len(groups)) / len(everyone)
    level_means = np.array([level.mean() if len(level) else np.nan for level in levels])
    return Truth(birds.names, flips[0], drops[0], flips[1], drops[1], swapped, added, bare, level_means)


def _transplants(
    classifier: fm.Classifier, groups: Sequence[Sequence[Bird]], design: Design, per_pair: int
) -> tuple[np.ndarray, np.ndarray]:
    """How often birds of each class turn into each other class when given its marks: swapped, and added."""
    swapped, added = (np.full((len(groups), len(groups)), np.nan) for _ in range(2))
    for source, group in enumerate(groups):
        for target, marks in enumerate(design.marks):
            birds = group[:per_pair]
            if source == target or not birds:
                continue
            new = [bird.without(*CUES).swapped(marks) for bird in birds] + [bird.with_(*marks) for bird in birds]
            right = scores_of(classifier, images_of(new)).argmax(axis=1) == target
            swapped[source, target], added[source, target] = right[: len(birds)].mean(), right[len(birds) :].mean()
    return swapped, added


def row(name: str, accuracy: float, truth: Truth, design: Design) -> str:
    """One line of the table in docs/birds.md."""
    own = [(label, mark) for label, marks in enumerate(design.marks) for mark in MARKS if mark in marks]
    own += [(design.confounder.label, design.confounder.cue)] if design.confounder else []
    relied = [(label, mark) for label, mark in own if mark in truth.relied(label)]
    ignored = [f"{mark} ({truth.names[label]})" for label, mark in own if mark in truth.ignored(label)]
    default = truth.default()
    cells = [
        name,
        f"{accuracy:.3f}",
        f"{len(relied)} of {len(own)}",
        ", ".join(ignored) or "none",
        "none" if default is None else f"{truth.names[default]} {truth.bare[default]:.2f}",
        f"{np.nanmean(truth.swapped):.2f}",
        f"{np.nanmean(truth.added):.2f}",
    ]
    return f"| {' | '.join(cells)} |"


HEADER = "| network | accuracy | relied on | ignored | without marks | swap | add |\n|---|---|---|---|---|---|---|"


def write(truth: Truth, path: Path) -> None:
    """Keep a truth as JSON."""
    arrays = {key: list(value) if key == "names" else value.tolist() for key, value in vars(truth).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(arrays))


def read(path: Path) -> Truth:
    """What `write` wrote."""
    arrays = json.loads(path.read_text())
    names = tuple(arrays.pop("names"))
    return Truth(names=names, **{key: np.array(value, dtype=float) for key, value in arrays.items()})


def main() -> None:
    from benchmarks.scoreboard.nets import FOLDER, load, main_nets, record

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="nets whose name contains this")
    options = parser.parse_args()
    print(HEADER)
    for net in main_nets():
        if options.only not in net.name or not net.path.exists():
            continue
        path = FOLDER / "truth" / f"{net.name}.json"
        if not path.exists():
            write(measure(load(net), net.birds(40, 404), net.of, 30), path)
        print(row(net.name, record(net)["accuracy"], read(path), net.of), flush=True)


if __name__ == "__main__":
    main()
