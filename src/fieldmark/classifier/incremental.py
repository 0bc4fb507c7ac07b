"""Scores of images with one patch covered, computing in each layer only what the patch can reach.

The rest is taken from the maps of the uncovered image. Each layer runs on rectangles of one size, one for each patch,
cut from the unchanged map and the rectangles before it by one `take`; from where they fill most of the map, or a layer
may look anywhere, whole maps are run. Compared with the model on noise before it is relied on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from fieldmark.classifier.dataflow import INPUT, Dataflow, Node, read_dataflow
from fieldmark.classifier.head import select
from fieldmark.classifier.reach import Crop, Pair, Sight, joined, sight, table
from fieldmark.classifier.rows import PatchMasks, row_chunks
from fieldmark.classifier.subject import record
from fieldmark.classifier.taps import patched
from fieldmark.progress import track

if TYPE_CHECKING:
    from fieldmark.classifier.engine import Engine

WHOLE_ABOVE = 0.75  # of the map: larger rectangles cost more to cut out than they save
WORTH_BELOW = 0.8  # of the work of the plain way
KEPT = 16  # plans
AT_ONCE = 4  # times the batch size: patches in one pass, most of whose maps are small
WITHIN = 1e-4  # of the scores' range: what rounding may differ by


@dataclass(frozen=True, eq=False)
class Cut:
    """Windows (height, width) at `starts` (m, 2) of a node's map, cut anew because its rectangles don't fit."""

    node: int
    crop: Crop
    starts: np.ndarray
    window: Pair


@dataclass(frozen=True, eq=False)
class Step:
    """A layer call: what is cut for it first, what it sees (None: whole maps), the rectangles that it makes."""

    node: Node
    cuts: tuple[Cut, ...]
    sight: Sight | None
    crop: Crop | None
    done: tuple[int, ...]  # nodes that nobody needs after it


@dataclass(frozen=True, eq=False)
class Plan:
    """What to do for the patches of one size in images of one size; `cost` is its part of the plain way's work."""

    steps: tuple[Step, ...]
    start: Crop
    output: int
    cost: float

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for plans that are the same computation with other tables."""
        return (self.start.size, *((step.node.number, step.crop and step.crop.size) for step in self.steps))

    def tables(self, rows: np.ndarray) -> list[np.ndarray]:
        """The places of all cuts for the patches `rows`, in the order of the pass."""
        cuts = [cut for step in self.steps for cut in step.cuts]
        return [self.start.pixels(rows), *(table(cut.crop, cut.starts, cut.window, rows) for cut in cuts)]


class Incremental:
    """The plans of one engine, each made and checked once; None where the plain way is the one to take."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._flows: dict[tuple[int, ...], Dataflow | None] = {}
        self._plans: dict[Any, Plan | None] = {}

    def scores(self, x: np.ndarray, masks: PatchMasks, fill: np.ndarray) -> np.ndarray | None:
        """(n, m, classes) as `masked_scores` gives them; None where there is nothing to gain, or it isn't certain."""
        plan = self._plan(x, masks)
        if plan is None:
            return None
        out = np.empty((len(x), masks.shape[0], self.engine.head.classes), np.float32)
        chunks = row_chunks(masks.shape[0], AT_ONCE * self.engine.passes.batch_size)
        turns = iter(track(range(len(chunks) * len(x)), len(chunks) * len(x), "Covered patches"))
        for start, stop in chunks:
            tables = self._tables(plan, np.arange(start, stop))
            for image in range(len(x)):
                next(turns)
                out[image, start:stop] = self._run(plan, x[image], fill[image], tables)[: stop - start]
        next(turns, None)
        return out

    def _tables(self, plan: Plan, rows: np.ndarray) -> list[np.ndarray]:
        return [self.engine.passes.padded(each) for each in plan.tables(rows)]

    def share(self, x: np.ndarray, masks: Any) -> float:
        """The part of the plain way's work that these masks are planned to take; 1 where they are blended."""
        plan = self._planned(x.shape[1:], masks) if isinstance(masks, PatchMasks) else None
        return plan.cost if plan else 1.0

    def _plan(self, x: np.ndarray, masks: PatchMasks) -> Plan | None:
        key = (x.shape[1:], masks.patch, masks.corners.tobytes())
        if key not in self._plans:
            if len(self._plans) >= KEPT:
                self._plans.clear()
            plan = self._planned(x.shape[1:], masks)
            self._plans[key] = plan if plan and self._right(plan, x[0], masks) else None
        return self._plans[key]

    def _planned(self, shape: tuple[int, ...], masks: PatchMasks) -> Plan | None:
        """The plan that is worth it, before it is compared with the model."""
        engine = self.engine
        if engine.subject.opaque or engine.subject.channels_first:
            return None
        if shape not in self._flows:
            seen = record(engine.subject, shape)
            self._flows[shape] = read_dataflow(seen, select(seen.output, engine.head.selected))
        flow = self._flows[shape]
        plan = None if flow is None else make_plan(flow, shape, masks.corners, masks.patch)
        return plan if plan and plan.cost < WORTH_BELOW else None

    def _right(self, plan: Plan, image: np.ndarray, masks: PatchMasks) -> bool:
        """Whether noise, covered with other noise at the first, the middle and the last patch, gives the same."""
        engine, m = self.engine, masks.shape[0]
        scale, rng = float(image.std()) or 1.0, np.random.default_rng(0)
        under, over = (image + scale * rng.normal(size=image.shape).astype(np.float32) for _ in range(2))
        few = np.array([0, m // 2, m - 1])
        mask = masks[few][..., None]
        plain = engine.scores(mask * under + (1 - mask) * over)
        rows = np.resize(few, min(m, AT_ONCE * engine.passes.batch_size))  # as many as a later pass has
        try:
            fast = self._run(plan, under, over, self._tables(plan, rows))[: min(3, len(rows))]
        except Exception:  # whatever a layer says to a rectangle: the plain way is still there
            return False
        return np.allclose(fast, plain[: len(fast)], rtol=0, atol=WITHIN * max(1.0, float(np.ptp(plain))))

    def _run(self, plan: Plan, image: np.ndarray, fill: np.ndarray, tables: Sequence[np.ndarray]) -> np.ndarray:
        engine = self.engine

        def traced(image: Any, fill: Any, *tables: Any) -> tuple[Any, ...]:
            with engine.running(engine.pairs):
                raw = run_plan(plan, engine.subject.method, image, fill, tables)
                return (engine.read(replace(engine.head, selected=None), raw),)

        arrays = [image[None], fill[None], *tables]
        return engine.passes.call(("incremental", plan.key), traced, arrays, rows=range(2, len(arrays)))[0]


def run_plan(plan: Plan, method: str, image: Any, fill: Any, tables: Sequence[Any]) -> Any:
    """The output's node for every patch, from an image and its fill (1, h, w, c)."""
    waiting = iter(tables)
    maps: dict[int, Any] = {INPUT: image}  # of the image as it is, as far as rectangles are cut
    filled = ops.reshape(fill, (-1, int(fill.shape[-1])))
    changed: dict[int, Any] = {INPUT: _taken(filled, next(waiting), plan.start.size)}
    for step in plan.steps:
        beyond = step.sight.beyond if step.sight else 0.0
        values = {number: changed[number] for number in step.node.sources}
        for cut in step.cuts:
            values[cut.node] = _cut(cut, maps[cut.node], changed[cut.node], beyond, next(waiting))
        changed[step.node.number] = _cropped(step, method, values)
        if step.crop is not None:
            maps[step.node.number] = step.node.run(method, maps)
        for number in step.done:
            changed.pop(number, None)
            maps.pop(number, None)
    return changed[plan.output]


def _cropped(step: Step, method: str, values: Mapping[int, Any]) -> Any:
    """The layer on rectangles that already hold what stands beyond the border."""
    if step.sight is not None and not step.sight.works:
        return values[step.node.sources[0]]
    if step.sight is None or not hasattr(step.node.layer, "padding"):
        return step.node.run(method, values)
    with patched(step.node.layer, "padding", "valid"):
        return step.node.run(method, values)


def _cut(cut: Cut, whole: Any, changed: Any, beyond: float, places: Any) -> Any:
    """Windows of a map (1, h, w, c) in which rectangles (k, ...) are changed, at `places` (k, pixels of a window)."""
    channels = int(whole.shape[-1])
    shared = cut.crop.side[0] * cut.crop.side[1] + 1
    parts = [ops.reshape(part, (-1, channels)) for part in (whole, changed)]
    pixels = ops.concatenate([parts[0], ops.full((1, channels), beyond), parts[1]])
    before = ops.arange(ops.shape(places)[0], dtype="int32") * (cut.crop.size[0] * cut.crop.size[1])
    return _taken(pixels, places + ops.where(places < shared, 0, ops.expand_dims(before, 1)), cut.window)


def _taken(pixels: Any, places: Any, window: Pair) -> Any:
    """(k, height, width, channels) of pixels (all, channels), taken at `places` (k, height * width)."""
    return ops.reshape(ops.take(pixels, places, axis=0), (-1, *window, int(pixels.shape[-1])))


def make_plan(flow: Dataflow, shape: Sequence[int], corners: np.ndarray, patch: Pair) -> Plan:
    """Rectangles for every layer, as long as they are small; then whole maps."""
    side = (int(shape[0]), int(shape[1]))
    start = Crop(corners, corners + np.array(patch), side)
    crops: dict[int, Crop | None] = {INPUT: start}
    sides: dict[int, Pair] = {INPUT: side}
    last = {source: node.number for node in flow.nodes for source in node.sources}
    steps, work, spared = [], 0.0, 0.0
    for node in flow.nodes:
        seen, crop, cuts = _step(node, crops, sides)
        crops[node.number] = crop
        if len(node.shape) == 3:
            sides[node.number] = (node.shape[0], node.shape[1])
        done = tuple(source for source in node.sources if last[source] == node.number)
        steps.append(Step(node, cuts, seen, crop, done))
        effort = _effort(node)
        work += effort
        spared += effort * (1 - crop.share - 1 / len(corners)) if crop else 0.0
    return Plan(tuple(steps), start, flow.output, 1 - spared / work)


def _step(
    node: Node, crops: Mapping[int, Crop | None], sides: Mapping[int, Pair]
) -> tuple[Sight | None, Crop | None, tuple[Cut, ...]]:
    """What a layer sees, the rectangles it makes (None: whole maps), and what is cut for it."""
    sources = [(source, crops[source]) for source in node.sources]
    entering = [crop for _, crop in sources if crop is not None]
    if len(entering) == len(sources) and len({sides[source] for source, _ in sources}) == 1:
        before = joined(entering)
        seen = sight(node, before.side)
        crop = before.through(seen, (node.shape[0], node.shape[1])) if seen else None
        if seen and crop and crop.share <= WHOLE_ABOVE:
            return seen, crop, _cuts(sources, seen, crop)
    whole = tuple(Cut(source, crop, np.zeros_like(crop.low), crop.side) for source, crop in sources if crop is not None)
    return None, None, whole


def _cuts(sources: Sequence[tuple[int, Crop | None]], seen: Sight, crop: Crop) -> tuple[Cut, ...]:
    """The windows for rectangles `crop`, of those sources whose own rectangles are others."""
    windows = (seen.down, seen.across)
    starts = np.stack([crop.origins[:, axis] * each.stride - each.before for axis, each in enumerate(windows)], axis=1)
    window = (seen.down.needed(crop.size[0]), seen.across.needed(crop.size[1]))
    return tuple(
        Cut(source, own, starts, window)
        for source, own in sources
        if own is not None and not (own.size == window and np.array_equal(own.origins, starts))
    )


def _effort(node: Node) -> float:
    """Multiplications, roughly: every parameter once for each pixel, and every number made."""
    pixels = float(np.prod(node.shape[:2])) if len(node.shape) == 3 else 1.0
    parameters = sum(float(np.prod(weight.shape)) for weight in getattr(node.layer, "weights", ()))
    return pixels * parameters + float(np.prod(node.shape))
