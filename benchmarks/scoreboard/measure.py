"""All that the scoreboard measures of one network: its guide, beside rendered truth, baselines and controls."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np

import fieldmark as fm
from benchmarks.scoreboard import store, truth
from benchmarks.scoreboard.baselines import Region, nmf_regions, random_regions
from benchmarks.scoreboard.cues import random_net, reliance
from benchmarks.scoreboard.matching import compare, match, part_masks
from benchmarks.scoreboard.nets import FOLDER, Net, load, record
from benchmarks.scoreboard.truth import RELIED, TESTED, Truth
from benchmarks.scoreboard.words import Drawn, guide_regions, place_right, right_word
from fieldmark.demo.sketchbirds import Dataset
from fieldmark.guide.evidence import Said
from fieldmark.guide.making import Making, Seen
from fieldmark.guide.mark import Mark
from fieldmark.guide.observer import Split
from fieldmark.guide.split import split_by_prediction

DISCOVER, CALIBRATE, HOLD_OUT = 40, 40, 50  # birds a class
CUE_BIRDS, OTHER_BIRDS = 30, 60  # a class, of the nets of the spurious-cue row, and of those to be refused
TRUTH_SEED = 404  # of the birds that truth is rendered on
AGREES = 0.8  # of the rendered flips: so much must our erasing flip more than its control


def main_net(net: Net, image_seed: int) -> dict[str, Any]:
    """Every row of one network that reduces to marks."""
    began = time.process_time()
    classifier = load(net)
    birds = net.birds(DISCOVER + CALIBRATE + HOLD_OUT, image_seed)
    split = by_place(birds.labels)
    seen = store.seen(birds.images, split.discover)
    said = Said.by(classifier, birds.images)
    guide = Making(classifier, birds.images, said, split, (), None, 0, seen).guide(fm.FieldGuide)
    rendered = truth_of(net, classifier)
    marks = [_mark(mark, guide, birds, said, seen) for mark in guide.marks]
    return {
        **_head(net, guide, len(birds.images)),
        "accuracy": record(net)["accuracy"],
        "marks": marks,
        **_places(guide, birds, said, rendered),
        "erase": _erase(marks, rendered),
        "swap": _swap(marks, rendered),
        **_absent(guide, marks, rendered),
        "baselines": store.kept(
            FOLDER / "baselines" / f"{net.name}-{image_seed}.json",
            lambda: _baselines(classifier, birds, rendered),
        ),
        "cpu_seconds": round(time.process_time() - began, 1),
    }


def cue_net(net: Net, image_seed: int) -> dict[str, Any]:
    """Whether the guide warns of the cue, and whether the network relies on it."""
    began = time.process_time()
    known = store.kept(FOLDER / "cues" / f"{net.name}.json", lambda: reliance(net))
    guide, left_out, n = _plain_guide(load(net), net.birds(CUE_BIRDS, image_seed).images)
    alarms = [warning for warning in guide.warnings if warning not in left_out]
    name = net.of.names[known["label"]]
    return {
        **_head(net, guide, n),
        **{key: known[key] for key in ("cue", "label", "accuracy", "flips", "relies")},
        "alarms": alarms,
        "found": any(name in alarm for alarm in alarms),
        "cpu_seconds": round(time.process_time() - began, 1),
    }


def other_net(net: Net, image_seed: int) -> dict[str, Any]:
    """The guide to a network that has no marks: its classes are backgrounds, or focus."""
    began = time.process_time()
    per_class = OTHER_BIRDS * 8 // len(net.of.names) // (1 if len(net.of.names) > 2 else 2)
    guide, _, n = _plain_guide(load(net), net.birds(per_class, image_seed).images)
    return {**_head(net, guide, n), "cpu_seconds": round(time.process_time() - began, 1)}


def untrained_net(seed: int, architecture: str, image_seed: int) -> dict[str, Any]:
    """The guide to random weights."""
    began = time.process_time()
    net = Net("one", "easy", architecture, seed)
    guide, _, n = _plain_guide(random_net(seed, "easy", architecture), net.birds(OTHER_BIRDS, image_seed).images)
    seconds = round(time.process_time() - began, 1)
    return {**_head(net, guide, n), "net": f"random-{architecture}-{seed}", "design": "random", "cpu_seconds": seconds}


def by_place(labels: np.ndarray) -> Split:
    """The first birds of every class discover, the next calibrate, the rest judge, whatever a network says of them.

    So the networks of one design and tier share their objects and the frame, which see no label and no network.
    """
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for label in np.unique(labels):
        rows = np.nonzero(labels == label)[0]
        ends = (0, DISCOVER, DISCOVER + CALIBRATE, len(rows))
        for part, low, high in zip(parts, ends[:-1], ends[1:], strict=True):
            part += rows[low:high].tolist()
    return Split(*(np.sort(np.array(part, int)) for part in parts))


def truth_of(net: Net, classifier: fm.Classifier | None = None) -> Truth:
    """Rendered truth, measured once."""
    path = FOLDER / "truth" / f"{net.name}.json"
    with store.locked(path):
        if not path.exists():
            truth.write(truth.measure(classifier or load(net), net.birds(40, TRUTH_SEED), net.of, 30), path)
    return truth.read(path)


def _plain_guide(classifier: fm.Classifier, images: np.ndarray) -> tuple[fm.FieldGuide, tuple[str, ...], int]:
    """As `FieldGuide.from_images`, objects from where they are kept; and what the guide says it left out."""
    said = Said.by(classifier, images)
    split, left_out = split_by_prediction(said.predicted, classifier.labels, 0)
    if isinstance(split, str):
        return fm.FieldGuide(tuple(classifier.labels), split, left_out), left_out, len(images)
    making = Making(classifier, images, said, split, left_out, None, 0, store.seen(images, split.discover))
    return making.guide(fm.FieldGuide), left_out, len(images)


def _head(net: Net, guide: fm.FieldGuide, n: int) -> dict[str, Any]:
    return {
        "net": net.name,
        "design": net.design,
        "tier": net.tier,
        "architecture": net.architecture,
        "seed": net.seed,
        "images": n,
        "verdict": guide.verdict,
        "reducible": guide.reducible,
        "warnings": list(guide.warnings),
        "fidelity": None if guide.fidelity is None else asdict(guide.fidelity),
        "findings": None if guide.findings is None else asdict(guide.findings) | {"margin": guide.findings.margin},
        "key": None if guide.key is None else guide.key.text(),
    }


def _mark(mark: Mark, guide: fm.FieldGuide, birds: Dataset, said: Said, seen: Seen) -> dict[str, Any]:
    """What the guide says of a mark, which drawn one it is, and whether its words fit."""
    label = guide.classes.index(mark.classes[0])
    name = None
    for region in guide_regions([mark], guide.classes, said.predicted, birds.images.shape[1:3])[:1]:
        rows = np.nonzero(region.masks.any(axis=(1, 2)))[0]
        places = {each: part_masks(birds, each, rows) for each in TESTED}
        name = match(Region(region.mark, region.label, region.masks[rows]), places)
    place = None
    if name is not None and guide.key is not None and mark.ground is None:
        rows = np.nonzero((birds.labels == label) & [bird.has(name) for bird in birds.birds])[0]
        if len(rows):
            drawn = Drawn(part_masks(birds, name, rows), seen.placed.poses.select(rows), guide.key.outline)
            place = place_right(mark.plate, drawn)
    return {
        "class": mark.classes[0],
        "label": label,
        "words": mark.words,
        "terms": list(mark.terms),
        "accepted": mark.accepted,
        "drawn": name,
        "word": None if name is None else right_word(name, mark.terms),
        "place": place,
        "coverage": round(mark.coverage, 3),
        "inside": round(mark.inside, 3),
        **asdict(mark.proof),
    }


def _places(guide: fm.FieldGuide, birds: Dataset, said: Said, rendered: Truth) -> dict[str, Any]:
    """Precision and recall of the accepted marks against what the network relies on."""
    accepted = [mark for mark in guide.marks if mark.accepted]
    regions = guide_regions(accepted, guide.classes, said.predicted, birds.images.shape[1:3])
    found = compare(regions, rendered, birds)
    return {
        "precision": found.precision,
        "recall": found.recall,
        "found": [list(pair) for pair in found.found],
        "missed": [list(pair) for pair in found.missed],
    }


def _erase(marks: list[dict[str, Any]], rendered: Truth) -> list[dict[str, Any]]:
    """For every mark whose rendered removal flips half of the birds: what our erasing of it does."""
    found = []
    for label, column in np.argwhere(rendered.removed_flips >= RELIED):
        name, flips = TESTED[column], float(rendered.removed_flips[label, column])
        own = [mark for mark in marks if mark["label"] == label and mark["drawn"] == name]
        best = max(own, key=lambda mark: mark["flips"] - mark["control_flips"], default=None)
        ours, control = (0.0, 0.0) if best is None else (best["flips"], best["control_flips"])
        found.append(
            {
                "label": int(label),
                "mark": name,
                "rendered": flips,
                "there": best is not None,
                "ours": ours,
                "control": control,
                "agrees": ours - control >= AGREES * flips,
            }
        )
    return found


def _swap(marks: list[dict[str, Any]], rendered: Truth) -> list[dict[str, Any]]:
    """For every class with a proved mark: how often a swap makes it, beside the same in the drawing."""
    found = []
    for label in range(len(rendered.names)):
        own = [mark for mark in marks if mark["label"] == label and mark["accepted"]]
        if own:
            found.append(
                {
                    "label": label,
                    "ours": max(mark["swapped"] for mark in own),
                    "control": float(np.mean([mark["swap_control"] for mark in own])),
                    "ceiling": float(np.nanmean(rendered.swapped[:, label])),
                }
            )
    return found


def _absent(guide: fm.FieldGuide, marks: list[dict[str, Any]], rendered: Truth) -> dict[str, Any]:
    """The class that needs no mark, and the marks that a class must not have, beside the same in the drawing."""
    drawn = {(mark["class"], mark["words"]): mark["drawn"] for mark in marks}
    lacking = []
    for name, lacks in guide.lacking.items():
        label = guide.classes.index(name)
        for lack in lacks:
            mark = drawn.get((lack.of, lack.words))
            lacking.append({"label": label, "mark": mark, "right": mark in rendered.forbidden(label)})
    ours = None if guide.default is None else guide.default.cls
    return {"default": {"ours": ours, "rendered": rendered.default()}, "lacking": lacking}


def _baselines(classifier: fm.Classifier, birds: Dataset, rendered: Truth) -> dict[str, Any]:
    """Precision and recall of NMF concepts and of discs at random places, on 40 birds a class."""
    rows = by_place(birds.labels).discover
    some = Dataset(
        birds.images[rows],
        birds.labels[rows],
        tuple(birds.birds[i] for i in rows),
        birds.names,
        birds.parts[rows],
        birds.masks[rows],
    )
    ways = {
        "concepts": nmf_regions(classifier, some.images),
        "random": random_regions(classifier, some.images, some.masks),
    }
    compared = {name: compare(regions, rendered, some) for name, regions in ways.items()}
    return {name: {"precision": each.precision, "recall": each.recall} for name, each in compared.items()}
