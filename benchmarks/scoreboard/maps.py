"""Which maps are right, on birds whose truth is rendered: `python -m benchmarks.scoreboard.maps` writes the page.

Every explainer at its defaults and three dummies explain the same birds of several networks; `map_truth` says what
each map ought to show. What is measured is kept in `.scoreboard/maps/`, so that a second run only writes the page.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import fieldmark as fm
from benchmarks.scoreboard.map_truth import Cases, cases, judged, truth_maps
from benchmarks.scoreboard.nets import FOLDER, Net, load
from fieldmark.attribution import Attribution
from fieldmark.figures.overlay import overlay
from fieldmark.trust import Trust, trust
from fieldmark.trust.dummies import DUMMIES, DUMMY_NAMES, RandomMap

NETS = (Net("two"), Net("two", architecture="pooled"), Net("one"), Net("one", architecture="pooled"))
BIRDS = 40
TRUSTED = 2  # networks, the first ones, whose birds go through `fieldmark.trust`, too
FEW = 6  # birds whose maps it makes anew for sanity and stability
DRAWS = 20  # random maps, of which the mean is taken: the zero of the scale
TRUTH = "the rendered truth"


@dataclass(frozen=True, eq=False)
class Board:
    """What was measured on one network.

    values    by method or dummy: (birds, measures), see `map_truth.judged`; TRUTH is the best there can be
    seconds   a map, by method, on whatever machine it was
    facts     how many birds and parts; parts relied on and ignored, means over birds; `area` is the share of the
              picture's pixels that lies on parts relied on
    tiles     one bird and its maps, uint8 (s, s, 3)
    """

    net: Net
    values: dict[str, np.ndarray]
    seconds: dict[str, float]
    facts: dict[str, float]
    tiles: dict[str, np.ndarray]

    @property
    def methods(self) -> list[str]:
        return [name for name in self.values if name != TRUTH and name not in DUMMY_NAMES.values()]

    @property
    def dummies(self) -> list[str]:
        return [name for name in self.values if name in DUMMY_NAMES.values()]

    def skill(self, name: str) -> np.ndarray:
        """(birds,) where each measure stands between the random map (0) and the truth (1), their mean."""
        low, high = (self.values[each].mean(axis=0) for each in (DUMMY_NAMES["RandomMap"], TRUTH))
        return ((self.values[name] - low) / (high - low)).mean(axis=1)

    def order(self) -> list[str]:
        """Methods, best first."""
        return sorted(self.methods, key=lambda name: -self.skill(name).mean())


def board(net: Net, birds: int = BIRDS) -> Board:
    """Measure every method on one network; some minutes."""
    asked, classifier = cases(net, birds), load(net)
    shown = int(np.argmax((asked.relied.sum(axis=1) == 2) & (asked.ignored.sum(axis=1) >= 2)))
    draws = [judged(asked, one_map(RandomMap(seed=seed)(classifier, asked.images))) for seed in range(DRAWS)]
    values, seconds = {TRUTH: judged(asked, truth_maps(asked))}, {}
    tiles = {"the bird": asked.images[shown], TRUTH: over(asked.images[shown], truth_maps(asked)[shown])}
    for explainer in (*fm.EXPLAINERS, *DUMMIES):
        began = time.perf_counter()
        maps = one_map(explainer()(classifier, asked.images))
        name = DUMMY_NAMES.get(explainer.__name__, explainer.__name__)
        seconds[name] = (time.perf_counter() - began) / len(asked)
        values[name] = np.mean(draws, axis=0) if explainer is RandomMap else judged(asked, maps)
        tiles[name] = over(asked.images[shown], maps[shown])
        print(f"{net.name}: {name} {np.array2string(values[name].mean(axis=0), precision=2)}", flush=True)
    return Board(net, values, seconds, facts(asked), tiles)


def over(image: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """A map over its bird, uint8 (s, s, 3)."""
    return overlay(image, heatmap, signed=bool((heatmap < 0).any()))


def one_map(found: Attribution) -> np.ndarray:
    """(n, s, s) at the image's size; the mean over targets where a method has several, as channels."""
    return found.resized().mean(axis=1)


def facts(asked: Cases) -> dict[str, float]:
    area = [masks[relied].any(axis=0).mean() for masks, relied in zip(asked.masks, asked.relied, strict=True)]
    return {
        "birds": float(len(asked)),
        "parts": float(asked.masks.shape[1]),
        "relied": float(asked.relied.sum(axis=1).mean()),
        "ignored": float(asked.ignored.sum(axis=1).mean()),
        "area": float(np.mean(area)),
    }


def kept(net: Net, birds: int = BIRDS) -> Board:
    """The board of a network from its files, measured first where there are none."""
    path = FOLDER / "maps" / f"{net.name}-{birds}.json"
    if not path.exists():
        made = board(net, birds)
        path.parent.mkdir(parents=True, exist_ok=True)
        tiles: dict[str, Any] = dict(made.tiles)
        np.savez_compressed(path.with_suffix(".npz"), **tiles)
        values = {name: each.round(6).tolist() for name, each in made.values.items()}
        path.write_text(json.dumps({"values": values, "seconds": made.seconds, "facts": made.facts}))
    found: dict[str, Any] = json.loads(path.read_text())
    with np.load(path.with_suffix(".npz")) as file:
        shown = {name: file[name] for name in file.files}
    values = {name: np.array(each) for name, each in found["values"].items()}
    return Board(net, values, found["seconds"], found["facts"], shown)


def trusted(net: Net, birds: int = BIRDS) -> Trust:
    """What `fieldmark.trust` says of these birds, from its file, or found out first."""
    path = FOLDER / "maps" / f"{net.name}-{birds}-trust.json"
    if not path.exists():
        result = trust(load(net), cases(net, birds).images, [explainer() for explainer in fm.EXPLAINERS], few=FEW)
        path.parent.mkdir(parents=True, exist_ok=True)
        result.save(path)
        print(f"{net.name}: {result.verdict}", flush=True)
    return Trust.load(path)


def main(arguments: list[str] | None = None) -> None:
    """Measure what is not there yet and write docs/birds-maps.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="measure nets whose name contains this, and write no page")
    parser.add_argument("--birds", type=int, default=BIRDS, help="of each network")
    options = parser.parse_args(arguments)
    chosen = [net for net in NETS if options.only in net.name]
    boards = [kept(net, options.birds) for net in chosen]
    if not options.only:
        from benchmarks.scoreboard.map_page import PAGE, page

        trusts = [trusted(net, options.birds) for net in chosen[:TRUSTED]]
        PAGE.write_text(page(boards, trusts), encoding="utf-8")
        print(PAGE)


if __name__ == "__main__":
    main()
