"""Two models on the same images, or two sets of maps: side by side on one scale, their difference, and what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fieldmark.attribution import Attribution, resize_maps
from fieldmark.errors import FieldmarkError
from fieldmark.figures.scale import Scale, limit_of, scale_of
from fieldmark.figures.text import clean
from fieldmark.figures.words import describe_place
from fieldmark.report.build import Part, Ranked, assemble, image_keys, rank
from fieldmark.report.network import Layer, draw_network

BEFORE, AFTER, DIFFERENCE = "before", "after", "difference"
TITLE = "What changed in what the model looks at"


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """The same method on the same images, before and after.

    images  the numbers of its images among all that are compared, or None for all of them
    """

    before: Attribution
    after: Attribution
    images: Sequence[int] | None = None


def build_comparison(
    pairs: Sequence[Pair],
    predictions: tuple[Ranked, Ranked] | None = None,
    *,
    names: Sequence[str] | None = None,
    sides: tuple[str, str] = (BEFORE, AFTER),
    title: str = TITLE,
    notes: Sequence[str] = (),
    summaries: Mapping[str, str] | None = None,
    layers: Sequence[Layer] = (),
    command: str = "",
) -> dict[str, Any]:
    """The data of a page that compares, for `report.html.render`.

    predictions  of all images, before and after; without them, what each side's maps explain says what changed
    sides        what the two are called, for example the files of the models
    layers, command  as in `build`: the network to draw, and what makes the page

    Both maps of an image and class have one scale, and so has their difference (after minus before). Where one side
    has no map of a class, there is no difference. Raises FieldmarkError for maps that are not of the same images.
    """
    if not pairs:
        raise FieldmarkError("compare: expected at least one method, received none")
    for pair in pairs:
        _check(pair)
    parts = [part for pair in pairs for part in _parts(pair)]
    data = assemble(parts, names, summaries or {}, True)
    for side, batch in zip((BEFORE, AFTER), predictions or (), strict=False):
        rank(data["images"], [batch], side)
    changes = _changes(predictions) if predictions else _targets_changed(pairs)
    for change in changes:
        data["images"][change["image"]]["change"] = (
            f"The prediction changed: {change['before']}, now {change['after']}."
        )
    found = len(data["images"])
    heading = f"{len(changes)} of {found} predictions changed" if changes else f"None of {found} predictions changed"
    data["title"], data["notes"] = clean(title), [clean(note) for note in notes] + data["notes"]
    data["network"] = draw_network(layers, [method["layer"] for method in data["methods"]], command) if layers else None
    data["comparison"] = {
        "heading": heading,
        "lines": [f"Before: {clean(sides[0])}. After: {clean(sides[1])}.", *_likeness(pairs)],
        "before": "Before",
        "after": "After",
        "changes": changes,
    }
    return data


def _check(pair: Pair) -> None:
    place = describe_place(pair.before)
    for att in (pair.before, pair.after):
        image_keys(att)  # refuses what a page cannot show
    if len(pair.before) != len(pair.after):
        raise FieldmarkError(
            f"compare: expected maps of the same images, received {len(pair.before)} and {len(pair.after)} of {place}"
        )
    one, two = (att.images.shape[1:3] for att in (pair.before, pair.after) if att.images is not None)
    if abs(one[0] * two[1] - one[1] * two[0]) > 0.01 * one[0] * two[1]:
        raise FieldmarkError(
            f"compare: {place} saw images of {one[0]} x {one[1]} pixels before and {two[0]} x {two[1]} after, which "
            "show different parts of a photograph; make both with --fit stretch"
        )


def _parts(pair: Pair) -> list[Part]:
    """Before, after and difference, at one scale for each image and class."""
    one, two = pair.before, pair.after
    places = list(dict.fromkeys(str(att.provenance.get("layer") or "") for att in (one, two)))
    layer = " → ".join(place or "the input" for place in places) if len(places) > 1 else places[0]
    keys = [str(number) for number in (range(len(one)) if pair.images is None else pair.images)]
    limits = _limits(one, two)
    sides = [(BEFORE, one), (AFTER, two)]
    if (difference := _difference(one, two)) is not None:
        sides.append((DIFFERENCE, difference))
    return [
        Part(attribution=att, keys=keys, scales=_scales(att, limits), side=side, layer=layer) for side, att in sides
    ]


def _limits(one: Attribution, two: Attribution) -> list[dict[str, float]]:
    """Per image, the value of full strength of each target, over both sides."""
    found: list[dict[str, float]] = [{} for _ in range(len(one))]
    for att in (one, two):
        for i, row in enumerate(att.targets):
            for t, target in enumerate(row):
                limit = limit_of(att.maps[i, t], att.signed)
                found[i][target] = max(found[i].get(target, 0.0), limit)
    return found


def _scales(att: Attribution, limits: list[dict[str, float]]) -> list[list[Scale]]:
    return [
        [scale_of(att.maps[i, t], att.signed, limits[i].get(target) or None) for t, target in enumerate(row)]
        for i, row in enumerate(att.targets)
    ]


def _difference(one: Attribution, two: Attribution) -> Attribution | None:
    """After minus before, raw, at the finer of the two resolutions; None where they explain different classes."""
    if one.targets != two.targets or one.pictures is not None or two.pictures is not None:
        return None
    height, width = (max(one.maps.shape[axis], two.maps.shape[axis]) for axis in (2, 3))
    maps = resize_maps(two.maps, (height, width)) - resize_maps(one.maps, (height, width))
    return replace(
        two,
        maps=maps,
        scores=two.scores - one.scores,
        probabilities=np.full_like(two.probabilities, np.nan),
        classes=np.full_like(two.classes, -1),
        images=one.images,
        variance=None,
        signed=True,
        warnings=(),
    )


def _changes(predictions: tuple[Ranked, Ranked]) -> list[dict[str, Any]]:
    both = zip(*(batch.top(1) for batch in predictions), strict=True)
    return [
        {"image": image, "before": clean(one[0][0]), "after": clean(two[0][0])}
        for image, (one, two) in enumerate(both)
        if one[0][0] != two[0][0]
    ]


def _targets_changed(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Where maps of the predicted class explain another one now: all that two files of maps tell of predictions."""
    pair = pairs[0]
    if any("Predicted" not in str(att.provenance.get("target")) for att in (pair.before, pair.after)):
        return []
    both = enumerate(zip(pair.before.targets, pair.after.targets, strict=True))
    return [
        {"image": image, "before": clean(one[0]), "after": clean(two[0])} for image, (one, two) in both if one != two
    ]


def _likeness(pairs: Sequence[Pair]) -> list[str]:
    """One sentence a method: how alike its maps are before and after, and in which image the least."""
    lines = []
    for pair in pairs:
        if pair.images is not None:
            continue
        values = likeness(pair.before, pair.after)
        if values and np.isfinite(values).any():
            least = int(np.nanargmin(values))
            lines.append(
                f"{clean(describe_place(pair.before))}: the maps before and after correlate {np.nanmedian(values):.2f} "
                f"in the median image (1: the same, 0: nothing in common), least in image {least + 1}: "
                f"{values[least]:.2f}."
            )
    return lines


def likeness(one: Attribution, two: Attribution) -> list[float]:
    """Per image the correlation of the two maps of its first target, NaN where one is blank or of another class."""
    size = (max(one.maps.shape[2], two.maps.shape[2]), max(one.maps.shape[3], two.maps.shape[3]))
    found = []
    for i in range(len(one)):
        a, b = (resize_maps(att.maps[i, :1], size).ravel().astype(np.float64) for att in (one, two))
        same = one.targets[i][:1] == two.targets[i][:1] and np.isfinite(a).all() and np.isfinite(b).all()
        known = same and a.size > 1 and a.std() > 0 and b.std() > 0
        found.append(float(np.corrcoef(a, b)[0, 1]) if known else float("nan"))
    return found
