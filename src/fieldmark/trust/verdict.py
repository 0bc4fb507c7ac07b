"""Who stands where, and one paragraph that says so: what to use, what to avoid, how sure, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fieldmark.trust.result import BEST, DUMMY, GOOD, Judged, Place, Trust
from fieldmark.trust.statistics import LEAST, Interval, difference, rounded
from fieldmark.trust.study import FAIR

UNCHANGED = 0.75  # mean rank correlation over the cascade: more, and a map outlives what it should explain
ALIKE = 0.5  # rank correlation of the orders of two fills: less, and they disagree
SAME_CLASS = 0.95  # rank correlation of the maps of two classes


def places_of(judged: Sequence[Judged]) -> tuple[Place, ...]:
    """Methods best first by the mean gap; a method is above the dummies only if it beats each of them for sure."""
    methods = [each for each in judged if not each.dummy and np.isfinite(each.interval("gap").mean)]
    dummies = [each for each in judged if each.dummy]
    ordered = sorted(methods, key=lambda each: -each.interval("gap").mean)
    unbeaten = {each.name: tuple(d.name for d in dummies if not _beats(each, d)) for each in ordered}
    first = next((each for each in ordered if not unbeaten[each.name]), None)
    found = []
    for each in ordered:
        ties = tuple(other.name for other in ordered if other is not each and _tied(each, other))
        if unbeaten[each.name]:
            group = DUMMY
        elif first is not None and (each is first or _tied(each, first)):
            group = BEST
        else:
            group = GOOD
        found.append(Place(each.name, group, each.interval("gap"), ties, unbeaten[each.name]))
    return tuple(sorted(found, key=lambda place: place.group == DUMMY))


def _apart(a: Judged, b: Judged) -> Interval:
    return difference(a.values["gap"], b.values["gap"])


def _beats(a: Judged, b: Judged) -> bool:
    """Whether a is better beyond doubt; of one image, whether it is better."""
    found = _apart(a, b)
    return bool(found.low > 0 if found.n >= LEAST else found.mean > 0)


def _tied(a: Judged, b: Judged) -> bool:
    found = _apart(a, b)
    return bool(found.low <= 0 <= found.high) if found.n >= LEAST else False


def outlives(judged: Judged) -> bool:
    """Whether the map stays much as it is while the weights are shuffled."""
    return bool(judged.interval("randomisation").mean > UNCHANGED)


def verdict(result: Trust) -> str:
    """One paragraph."""
    sentences = [_use(result), *_avoid(result), *_sure(result)]
    return " ".join(sentence for sentence in sentences if sentence)


def _use(result: Trust) -> str:
    good = [place for place in result.places if place.group != DUMMY]
    sound = [place for place in good if not outlives(result[place.name])]
    if not good:
        return (
            f"On {result.model} use none of these methods: none beats all three dummies for sure, so none of their "
            "maps should be believed here."
        )
    if not sound:
        names = _listed([place.name for place in good])
        return (
            f"On {result.model} no method can be recommended: {names} beat{'s' * (len(good) == 1)} the dummies, but "
            f"keep{'s' * (len(good) == 1)} the map when the weights are shuffled."
        )
    best = sound[0]
    text = f"On {result.model} use {best.name}: its faithfulness is {best.gap}, better than every dummy"
    dummy = max(result.dummies, key=lambda each: each.interval("gap").mean)
    text += f" (the best of them, the {dummy.name}, has {dummy.interval('gap').mean:.2f})"
    randomised = result[best.name].interval("randomisation")
    if randomised.n:
        text += f", and its map changes when the weights are shuffled (rank correlation {randomised.mean:.2f})"
    text += "."
    ties = [name for name in best.ties if name in {place.name for place in sound}]
    if ties:
        text += (
            f" {_listed(ties)} {'is' if len(ties) == 1 else 'are'} tied with it{_cheapest(result, [best.name, *ties])}."
        )
    return text


def _cheapest(result: Trust, names: list[str]) -> str:
    """Which of the tied costs least, where that is worth saying."""
    costs = {name: result[name].interval("passes").mean for name in names}
    known = {name: cost for name, cost in costs.items() if np.isfinite(cost)}
    if len(known) < 2:
        return ""
    least = min(known, key=lambda name: known[name])
    cost = f"{known[least]:.3g}"
    return f"; of these {least} costs least, {cost} forward pass{'es' * (cost != '1')} a map"


def _avoid(result: Trust) -> list[str]:
    below = [f"{place.name} ({_unbeaten(result, place)})" for place in result.places if place.not_beaten]
    kept = [
        f"{place.name} ({result[place.name].interval('randomisation').mean:.2f})"
        for place in result.places
        if outlives(result[place.name])
    ]
    others = {place.name: result[place.name].interval("class_sensitivity").mean for place in result.places}
    same = [f"{name} ({value:.2f})" for name, value in others.items() if value > SAME_CLASS]
    found = []
    if below:
        found.append(f"No better than a dummy: {_listed(below)}.")
    if kept:
        found.append(
            f"Avoid {_listed(kept)}: so much of the map stays (rank correlation) when the weights are shuffled, and it "
            "does not show what was learned."
        )
    if same and result.settings.get("classes", 3) > 2:
        found.append(f"Nearly the same map for another class (rank correlation): {_listed(same)}.")
    if result.failed:
        found.append(f"{_listed(list(result.failed))} gave no map here.")
    return found


def _unbeaten(result: Trust, place: Place) -> str:
    """The dummies that it does not beat, and the difference to the strongest of them."""
    ordered = sorted(place.not_beaten, key=lambda name: result.difference(place.name, name).mean)
    apart = result.difference(place.name, ordered[0])
    number = rounded(apart.mean) + (f", {rounded(apart.low)} to {rounded(apart.high)}" if apart.n >= LEAST else "")
    if len(ordered) == 1:
        return f"against the {ordered[0]} {number}"
    which = "any" if len(ordered) == len(result.dummies) else _listed(ordered)
    return f"{which}; against the {ordered[0]} {number}"


def _sure(result: Trust) -> list[str]:
    n = len(result)
    found = [
        f"How sure: {n} images, intervals of 95 % by drawing images anew."
        if n >= FAIR
        else f"How sure: not very, with {n} image{'s' * (n > 1)}; {FAIR} or more would tell."
    ]
    known = {pair: value for pair, value in result.fills.items() if np.isfinite(value)}
    if known:
        pair, least = min(known.items(), key=lambda item: item[1])
        names = " and ".join(pair.split(", "))
        if least < ALIKE:
            found.append(
                f"The fills {names} disagree about the order (rank correlation {least:.2f}), so it is doubtful."
            )
        else:
            found.append(f"The three ways of hiding agree about the order (rank correlation {least:.2f} or more).")
    best = next((place for place in result.places if place.group == BEST), None)
    by_sets = {place.name: result[place.name].interval("mufidelity").mean for place in result.places}
    other = max(by_sets, key=lambda name: -np.inf if np.isnan(by_sets[name]) else by_sets[name])
    if best is not None and other != best.name and other not in best.ties:
        found.append(f"MuFidelity would choose {other} ({by_sets[other]:.2f}; {best.name} {by_sets[best.name]:.2f}).")
    smooth = [place.name for place in result.places if _smoothness(result, place.name) and place.group != DUMMY]
    if smooth:
        found.append(f"ROAD likes smooth maps: blurred, {_listed(smooth)} would do better still.")
    return found


def _smoothness(result: Trust, name: str) -> bool:
    values = result[name].values
    if "road_blurred" not in values:
        return False
    found = difference(values["road_blurred"], values["road"])
    return bool(found.n >= LEAST and found.low > 0)


def _listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
