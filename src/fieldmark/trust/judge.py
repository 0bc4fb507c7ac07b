"""`fieldmark.trust`: explainers and three dummies on the same images, measured every way, ranked, and told in words."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.errors import FieldmarkError
from fieldmark.explainers import GradCAM, Gradients, GuidedBackprop, IntegratedGradients, LayerCAM, Occlusion
from fieldmark.explainers.contract import parameters
from fieldmark.explainers.perturbation import check_count
from fieldmark.explainers.several import name_of
from fieldmark.targets import Predicted
from fieldmark.trust.costs import passes_of
from fieldmark.trust.dummies import DUMMY_NAMES, CentreMap, EdgeMap, RandomMap
from fieldmark.trust.hiding import SETS, SHARES, STEPS
from fieldmark.trust.mapping import Made, made_maps
from fieldmark.trust.metrics import FILLS, ROAD
from fieldmark.trust.remaking import DRAWS, RADIUS, Few, Remade, remake
from fieldmark.trust.result import Judged, Passes, Shown, Trust
from fieldmark.trust.shuffling import stages
from fieldmark.trust.statistics import spearman
from fieldmark.trust.study import Hidden, HideBy, Study, hide
from fieldmark.trust.verdict import places_of, verdict

FEW, CELLS = 12, 14
SHOWN = 4  # images whose maps the result keeps, to be looked at
DEFAULT = (GradCAM, LayerCAM, Gradients, GuidedBackprop, IntegratedGradients, Occlusion)
"""A method of each family, none of them slow."""


def trust(
    classifier: Classifier,
    images: Any,
    explainers: Sequence[Any] | Mapping[str, Any] | None = None,
    *,
    target: Any = Predicted(),  # noqa: B008
    steps: int = STEPS,
    cells: int = CELLS,
    few: int = FEW,
    seed: int = 0,
    names: Sequence[str] = (),
    hiding: HideBy = hide,
) -> Trust:
    """Which of these explainers to believe on this model: faithfulness, sanity, stability, agreement and cost.

    images      (n, h, w, c), 20 or more different ones for a verdict that is sure of anything
    explainers  such as [fm.GradCAM(), fm.LRP()], or a dict that names them; None: one of each family
    target      what is explained: the predicted class, or one class for all images
    steps       of insertion and deletion, from nothing to all
    cells       along each side, of the grid by which parts are hidden; at most the pixels there are
    few         images for which maps are made anew (shuffled weights, other class, noise, other seed)
    seed        of all that is drawn
    names       of the images, for the result
    hiding      how parts are hidden, which is most of the work: `fieldmark.run.trusting.HidingRun` keeps what it shows,
                and spreads it over machines

    Beside the explainers three dummies are measured that know nothing of the network. A method that refuses the model
    is left out and its reason kept. The model is shuffled for one of the measures and put back, also after an error.
    Raises FieldmarkError where no method gives a map, and for what is no explainer or target.
    """
    start = time.perf_counter()
    for name, value, least in (("steps", steps, 2), ("cells", cells, 2), ("few", few, 1), ("seed", seed, 0)):
        check_count(name, value, least)
    asked = named(DEFAULT if explainers is None else explainers)
    study = Study.begin(classifier, images, target, cells, steps, few, seed)
    cast = {**asked, **dummies(study)}
    made, failed = made_maps(study, cast)
    if not set(made) - set(dummies(study)):
        raise FieldmarkError("no method gave a map: " + "; ".join(f"{name}: {why}" for name, why in failed.items()))
    cast = {name: cast[name] for name in made}
    hidden = hiding(study, made, set(dummies(study)))
    cascade = stages(classifier)
    taken = Few(
        study.images[study.few], study.labels[study.few], study.least_few(), {n: m.few for n, m in made.items()}
    )
    remade = remake(classifier, cast, taken, cascade, seed)
    costs = {name: passes_of(classifier, explainer, study) for name, explainer in cast.items()}
    judged = tuple(
        _judged(name, cast[name], name not in asked, study, made[name], hidden, remade[name], costs[name])
        for name in cast
    )
    agreement = _agreement(made)
    judged = _with_agreement(judged, made)
    places = places_of(judged)
    work = sum(costs[name] * (len(study) + remade[name].made * len(study.few)) for name in cast)
    result = Trust(
        model=classifier.name,
        backend=classifier.backend,
        verdict="",
        places=places,
        judged=judged,
        agreement=agreement,
        stages=tuple(stage.words for stage in cascade),
        fills=fill_agreement(judged),
        passes=Passes(hidden.used, hidden.asked, float(round(work, 1))),
        seconds=time.perf_counter() - start,
        failed=failed,
        notes=study.notes(cascade),
        settings=_settings(study, seed),
        targets=study.targets,
        names=tuple(map(str, names)),
        shown=tuple(
            Shown(int(i), study.images[i], {name: each.few[k] for name, each in made.items()})
            for k, i in enumerate(study.few[:SHOWN])
        ),
    )
    return dataclasses.replace(result, verdict=verdict(result))


def named(explainers: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """Explainers by name; two of one kind are numbered. Raises FieldmarkError for what cannot be called as one."""
    if isinstance(explainers, Mapping):
        pairs = [(str(name), each) for name, each in explainers.items()]
    else:
        many = explainers if isinstance(explainers, (list, tuple)) else [explainers]
        pairs = [("", each) for each in many]
    if not pairs:
        raise FieldmarkError("explainers: expected at least one, such as fm.GradCAM(); received none")
    found: dict[str, Any] = {}
    for name, given in pairs:
        each = given() if isinstance(given, type) and dataclasses.is_dataclass(given) else given
        if not callable(each):
            raise FieldmarkError(f"explainers: expected such as fm.GradCAM(), received {str(given)[:40]!r}")
        base = name or name_of(each)
        number = sum(known.split(" (")[0] == base for known in found) + 1
        found[base if number == 1 else f"{base} ({number})"] = each
    taken = set(found) & set(DUMMY_NAMES.values())
    if taken:
        raise FieldmarkError(f"explainers: {sorted(taken)[0]!r} is the name of a dummy; give it another")
    return found


def dummies(study: Study) -> dict[str, Any]:
    """The three dummies by name."""
    made = (RandomMap(cells=study.cells, seed=study.seed), EdgeMap(), CentreMap())
    return {DUMMY_NAMES[type(each).__name__]: each for each in made}


def _judged(
    name: str, explainer: Any, dummy: bool, study: Study, made: Made, hidden: Hidden, remade: Remade, cost: float
) -> Judged:
    n = len(study)
    values = {**hidden.values[name], "gini": made.gini}
    for key, few in remade.values.items():
        values[key] = np.full(n, np.nan)
        values[key][study.few] = few
    values["passes"], values["seconds"] = np.full(n, cost), np.full(n, made.seconds / n)
    told = parameters(explainer) if dataclasses.is_dataclass(explainer) else {}
    if made.layer:
        told = {**told, "layer": made.layer}
    return Judged(name, dummy, told, values, hidden.curves[name], remade.cascade, (*made.notes, *remade.notes))


def _agreement(made: Mapping[str, Made]) -> np.ndarray:
    """(m, m): mean rank correlation over the images where both maps are finite."""
    found = np.eye(len(made))
    for i, a in enumerate(made.values()):
        for j, b in enumerate(made.values()):
            if i < j:
                alike = spearman(a.cells, b.cells)
                finite = alike[np.isfinite(alike)]
                found[i, j] = found[j, i] = finite.mean() if len(finite) else np.nan
    return found


def _with_agreement(judged: Sequence[Judged], made: Mapping[str, Made]) -> tuple[Judged, ...]:
    """With each image's mean agreement with the other methods, dummies left out."""
    methods = [each.name for each in judged if not each.dummy]
    found = []
    for each in judged:
        others = [spearman(made[each.name].cells, made[name].cells) for name in methods if name != each.name]
        values = dict(each.values)
        if others:
            stacked = np.stack(others)
            finite = np.isfinite(stacked)
            total, count = np.where(finite, stacked, 0).sum(axis=0), finite.sum(axis=0)
            values["agreement"] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        found.append(dataclasses.replace(each, values=values))
    return tuple(found)


def fill_agreement(judged: Sequence[Judged]) -> dict[str, float]:
    """How alike two fills order methods and dummies: rank correlation of the mean gaps, by pair of fills."""

    def gap(each: Judged, fill: str) -> float:
        if fill == ROAD:
            return each.interval("road").mean
        return each.interval(f"insertion_{fill}").mean - each.interval(f"deletion_{fill}").mean

    fills = (*FILLS, ROAD)
    rows = {fill: np.array([gap(each, fill) for each in judged]) for fill in fills}
    pairs = [(a, b) for index, a in enumerate(fills) for b in fills[index + 1 :]]
    return {f"{a}, {b}": float(spearman(rows[a], rows[b])) for a, b in pairs}


def _settings(study: Study, seed: int) -> dict[str, Any]:
    return {
        "images": len(study),
        "classes": study.classifier.classes,
        "target": study.asked,
        "steps": study.steps,
        "cells": list(study.cells),
        "few": len(study.few),
        "road_shares": list(SHARES),
        "sets": SETS,
        "noise": RADIUS,
        "noise_draws": DRAWS,
        "seed": seed,
    }
