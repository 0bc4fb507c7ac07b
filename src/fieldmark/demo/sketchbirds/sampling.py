"""From a design to birds: every parameter drawn at random, so that the marks are all that a class has in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fieldmark.demo.sketchbirds.birds import Bird, Colour, Jitter, Pose, Scene
from fieldmark.demo.sketchbirds.designs import Confounder, Design, find_design
from fieldmark.demo.sketchbirds.marks import MARKS
from fieldmark.errors import FieldmarkError, unknown

TIERS = {"easy": 64, "hard": 96}
"""The side of the pictures of each tier, in pixels."""

BODIES: tuple[Colour, ...] = (
    (152, 130, 108),  # fawn
    (120, 125, 142),  # slate
    (132, 134, 88),  # olive
    (166, 120, 92),  # russet
    (112, 110, 108),  # grey
    (186, 166, 130),  # sand
    (96, 116, 134),  # steel
    (144, 106, 84),  # brown
    (140, 122, 140),  # mauve
)
GROUNDS: tuple[tuple[Colour, Colour], ...] = (
    ((176, 204, 226), (214, 226, 232)),  # sky
    ((168, 194, 140), (126, 160, 104)),  # meadow
    ((222, 208, 178), (196, 176, 140)),  # sand
    ((198, 178, 204), (158, 140, 178)),  # dusk
    ((222, 226, 228), (190, 198, 204)),  # snow
    ((132, 186, 190), (92, 148, 160)),  # lake
    ((228, 184, 160), (190, 138, 124)),  # evening
    ((158, 162, 152), (122, 126, 118)),  # rock
)
NEAREST = 44.0  # how far a body's colour is from its background's at least, easy tier, in RGB


def sample(
    design: Design | str,
    label: int,
    seed: int | Sequence[int],
    tier: str = "easy",
    confounder: Confounder | str | None = "own",
) -> Bird:
    """One bird of a class; the same arguments give the same bird.

    confounder  "own": the design's; None: no cue in the picture; or another `Confounder`
    Raises FieldmarkError for an unknown design, tier or class.
    """
    design = find_design(design)
    if tier not in TIERS:
        raise FieldmarkError(unknown("tier", tier, TIERS))
    if not 0 <= label < len(design.marks):
        raise FieldmarkError(f"class {label}: expected 0 to {len(design.marks) - 1} for the design {design.name!r}")
    seeds = [seed] if isinstance(seed, int) else list(seed)
    rng = np.random.default_rng([*seeds, label])
    marks = design.marks[label] if rng.random() >= design.absent[label] else frozenset()
    if design.scattered:
        marks = frozenset(np.array(MARKS)[rng.random(len(MARKS)) < 0.2].tolist())
    cue = design.confounder if isinstance(confounder, str) else confounder
    there = rng.random()
    cues = frozenset({cue.cue} if cue and there < (cue.rate if cue.label == label else cue.elsewhere) else ())
    hard = tier == "hard"
    ground, second = GROUNDS[label if design.habitats else rng.integers(len(GROUNDS))]
    scene = _scene(rng, ground, second, hard)
    body = _body(rng, scene, NEAREST * (0.75 if hard else 1))
    jitter = tuple(_jitter(rng) for _ in MARKS)
    return Bird(marks, TIERS[tier], _pose(rng), body, rng.uniform(0.5, 0.72), jitter, scene, cues)


def _pose(rng: np.random.Generator) -> Pose:
    """Anywhere, at any size, that leaves bill and tail in the picture."""
    unit, flip = rng.uniform(0.335, 0.415), bool(rng.random() < 0.5)
    room = max(0.0, 0.5 - 1.17 * unit) + 0.015
    forward = 0.16 * unit * (-1 if flip else 1)  # the tail is longer than the bill
    return Pose(
        x=0.5 + forward + rng.uniform(-room, room),
        y=0.52 + rng.uniform(-0.1, 0.08),
        unit=unit,
        angle=float(np.clip(rng.normal(4, 9), -18, 24)),
        flip=flip,
        head=(rng.uniform(-0.05, 0.05), rng.uniform(-0.06, 0.06)),
        tail=rng.uniform(-10, 10),
        wing=rng.uniform(-4, 5),
        stride=rng.uniform(-0.02, 0.06),
    )


def _jitter(rng: np.random.Generator) -> Jitter:
    x, y = rng.normal(0, 0.012, 2)
    return Jitter(x, y, float(np.clip(rng.normal(1, 0.07), 0.85, 1.16)), rng.normal(0, 4), int(rng.integers(-12, 13)))


def _scene(rng: np.random.Generator, ground: Colour, second: Colour, hard: bool) -> Scene:
    return Scene(
        ground=_near(rng, ground, 12),
        second=_near(rng, second, 16),
        blobs=int(rng.integers(2, 8)),
        texture=rng.uniform(14, 26) if hard else 0.0,
        distractors=int(rng.integers(3, 9)) if hard else 0,
        occluder=rng.uniform(0.05, 0.95) if hard and rng.random() < 0.5 else -1.0,
        light=rng.uniform(0.72, 1.2) if hard else rng.uniform(0.88, 1.1),
        gradient=rng.uniform(-0.25, 0.25),
        warmth=rng.uniform(-0.05, 0.05),
        noise=rng.uniform(2.5, 6.0),
        seed=int(rng.integers(2**31)),
    )


def _body(rng: np.random.Generator, scene: Scene, nearest: float) -> Colour:
    """A body colour that can be told from the background."""
    ground = (np.array(scene.ground) + np.array(scene.second)) / 2
    for _ in range(20):
        body = _near(rng, BODIES[rng.integers(len(BODIES))], 14)
        if np.linalg.norm(np.array(body) - ground) >= nearest:
            break
    return body


def _near(rng: np.random.Generator, colour: Colour, spread: int) -> Colour:
    """The colour, a little lighter or darker, each channel a little off."""
    moved = np.array(colour) + rng.uniform(-spread, spread) + rng.uniform(-spread / 3, spread / 3, 3)
    red, green, blue = np.clip(moved, 0, 255).astype(int).tolist()
    return red, green, blue
