"""Who stands where, and one paragraph that says so: what to use, what to avoid, how sure, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fieldmark.trust.result import BEST, DUMMY, GOOD, Judged, Place, Trust
from fieldmark.trust.statistics import LEAST, Interval, difference
from fieldmark.trust.study import FAIR

UNCHANGED = 0.5  # mean rank correlation over the cascade: more, and a map outlives what it should explain
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
            f"On {result.model} no method that was tried beats all three dummies, so none of these maps should be "
            "believed here."
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
    return f"; of these {least} costs least, {known[least]:.3g} forward passes a map"


def _avoid(result: Trust) -> list[str]:
    found = []
    for place in result.places:
        why = _faults(result, place)
        if why:
            found.append(f"{place.name} {'; it '.join(why)}.")
    if result.failed:
        found.append(f"{_listed(list(result.failed))} gave no map here.")
    return ["Avoid: " + found[0], *found[1:]] if found else []


def _faults(result: Trust, place: Place) -> list[str]:
    judged, why = result[place.name], []
    if place.not_beaten:
        nearest = max(place.not_beaten, key=lambda name: -result.difference(place.name, name).mean)
        apart = result.difference(place.name, nearest)
        others = [name for name in place.not_beaten if name != nearest]
        more = f", nor than the {_listed(others)}" if others else ""
        why.append(f"is no better than the {nearest} (difference in faithfulness {apart}){more}")
    if outlives(judged):
        alike = judged.interval("randomisation").mean
        why.append(
            f"keeps its map when the weights are shuffled (rank correlation {alike:.2f}), so it does not show what "
            "was learned"
        )
    other = judged.interval("class_sensitivity")
    if other.mean > SAME_CLASS and result.settings.get("classes", 3) > 2:
        why.append(f"shows nearly the same for another class (rank correlation {other.mean:.2f})")
    return why


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
