"""The bird's parts as polygons in its own frame: x forward, y down, the body unit 1, the origin in the body."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from fieldmark.demo.sketchbirds.birds import Bird, Jitter
from fieldmark.demo.sketchbirds.marks import MARKS

HEAD = np.array([0.46, -0.36])
HEAD_RADIUS = 0.29
EYE = np.array([0.08, -0.05])  # from the centre of the head
SPOTS = np.array(
    [(0.5, -0.04), (0.36, 0.04), (0.53, 0.1), (0.4, 0.17), (0.27, 0.13), (0.3, 0.27), (0.15, 0.24), (0.45, 0.26)]
)


class Piece(NamedTuple):
    """A polygon of the bird: whose part it is, with which colour of the palette, and where."""

    part: str
    colour: str
    points: np.ndarray  # (n, 2), body frame


def curve(points: list[tuple[float, float]], steps: int = 5) -> np.ndarray:
    """A closed Catmull-Rom curve through the points: (len(points) * steps, 2)."""
    p = np.array(points)
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    a, b, c, d = (np.roll(p, shift, axis=0)[:, None, :] for shift in (1, 0, -1, -2))
    bent = 2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    return (bent / 2).reshape(-1, 2)


@cache
def circle(steps: int = 20) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def arc(start: float, stop: float, steps: int = 14) -> np.ndarray:
    """Points of the unit circle from one angle to another, in degrees; y is down, so that -90 is the top."""
    angles = np.radians(np.linspace(start, stop, steps))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def turned(points: np.ndarray, degrees: float, about: tuple[float, float] | np.ndarray = (0.0, 0.0)) -> np.ndarray:
    """Turned about a point; positive raises what lies forward."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about = np.asarray(about)
    return (points - about) @ np.array([[c, -s], [s, c]]) + about


def jittered(points: np.ndarray, jitter: Jitter) -> np.ndarray:
    """Moved, resized and turned about its own middle."""
    middle = points.mean(axis=0)
    return turned(middle + (points - middle) * jitter.scale, jitter.angle, middle) + np.array([jitter.x, jitter.y])


# Curves that do not depend on the bird.
ROUND_TAIL = curve([(-0.5, -0.12), (-0.85, -0.12), (-1.12, -0.08), (-1.15, 0.06), (-0.85, 0.07), (-0.5, 0.1)])
FORKED_TAIL = np.array([(-0.45, -0.13), (-0.8, -0.16), (-1.24, -0.33), (-0.92, 0.0), (-1.24, 0.22), (-0.8, 0.11)])
WING = curve([(0.22, -0.16), (0.02, -0.24), (-0.4, -0.15), (-0.86, 0.03), (-0.5, 0.15), (-0.05, 0.2), (0.2, 0.06)])
WING_BAR = np.array([(0.03, -0.2), (0.15, -0.17), (0.0, 0.185), (-0.13, 0.19)])
BELLY = curve([(0.5, -0.02), (0.58, 0.12), (0.4, 0.32), (0.05, 0.37), (-0.4, 0.22), (-0.1, 0.24), (0.25, 0.12)])
BELLY_PATCH = curve([(0.2, 0.17), (0.3, 0.31), (0.05, 0.385), (-0.22, 0.33), (-0.3, 0.2), (-0.02, 0.2)])
CREST = np.array(
    [(0.14, -0.2), (0.04, -0.34), (-0.2, -0.6), (-0.15, -0.4), (-0.42, -0.46), (-0.28, -0.25), (-0.24, -0.04)]
)
BILL = np.array([(0.21, -0.11), (0.36, -0.06), (0.52, 0.03), (0.36, 0.07), (0.22, 0.09)])
CAP = np.concatenate([arc(-188, -18), np.array([(0.62, -0.28), (0.1, -0.33), (-0.5, -0.16)])]) * HEAD_RADIUS * 1.02


def pieces(bird: Bird) -> list[Piece]:
    """Every polygon of the bird in the order it is painted."""
    head = HEAD + np.array(bird.pose.head)
    return [*_behind(bird), *_trunk(bird, head), *_wing(bird), *_head(bird, head)]


def _jitter(bird: Bird, mark: str) -> Jitter:
    return bird.jitter[MARKS.index(mark)]


def _behind(bird: Bird) -> list[Piece]:
    """Tail and legs."""
    if "forked tail" in bird.marks:
        tail = Piece("forked tail", "tail", jittered(FORKED_TAIL, _jitter(bird, "forked tail")))
    else:
        tail = Piece("tail", "tail", ROUND_TAIL)
    legs = [Piece("leg", "leg", _leg(x, bird.pose.stride * side)) for x, side in ((-0.02, -1), (0.14, 1))]
    return [tail._replace(points=turned(tail.points, bird.pose.tail, (-0.5, 0.0))), *legs]


def _leg(x: float, stride: float) -> np.ndarray:
    """A thin leg with a foot, its toes forward."""
    foot, w = x + stride, 0.025
    outline = [(x - w, 0.25), (x + w, 0.25), (foot + w, 0.56), (foot + 0.14, 0.6), (foot - 0.09, 0.6), (foot - w, 0.55)]
    return np.array(outline)


def _trunk(bird: Bird, head: np.ndarray) -> list[Piece]:
    """Body with the neck, and what is on it."""
    hx, hy = head
    body = curve(
        [
            *[(-0.72, -0.06), (-0.38, -0.25), (0.0, -0.36), (hx - 0.24, hy + 0.0), (hx, hy - 0.1)],
            *[(hx + 0.18, hy + 0.14), (0.6, 0.05), (0.45, 0.3), (0.08, 0.38), (-0.35, 0.26), (-0.68, 0.08)],
        ]
    )
    found = [Piece("body", "body", body), Piece("body", "belly", BELLY)]
    if "belly patch" in bird.marks:
        found.append(Piece("belly patch", "belly patch", jittered(BELLY_PATCH, _jitter(bird, "belly patch"))))
    if "breast spots" in bird.marks:
        jitter = _jitter(bird, "breast spots")
        spots = jittered(SPOTS, jitter)
        found += [Piece("breast spots", "breast spots", at + circle(10) * 0.05 * jitter.scale) for at in spots]
    return found


def _wing(bird: Bird) -> list[Piece]:
    """The folded wing, two feather edges, and the bar across it."""
    found = [Piece("wing", "wing", WING)]
    for dy in (0.0, 0.075):
        edge = [(-0.15, 0.02 + dy), (-0.4, 0.05 + dy), (-0.72, 0.045 + dy / 3), (-0.4, 0.025 + dy)]
        found.append(Piece("wing", "feather", np.array(edge)))
    if "wing bar" in bird.marks:
        found.append(Piece("wing bar", "wing bar", jittered(WING_BAR, _jitter(bird, "wing bar"))))
    return [piece._replace(points=turned(piece.points, bird.pose.wing, (0.2, -0.05))) for piece in found]


def _head(bird: Bird, head: np.ndarray) -> list[Piece]:
    """Crest, head, bill, cap and eye, in the frame of the head."""
    red, ringed = "red bill" in bird.marks, "eye ring" in bird.marks
    bill = jittered(BILL, _jitter(bird, "red bill"))
    found = [Piece("red bill", "red bill", bill) if red else Piece("bill", "bill", bill)]
    found.append(Piece(found[0].part, "gape", np.array([(0.2, -0.01), (0.44, 0.015), (0.2, 0.02)])))
    if "crest" in bird.marks:
        found.append(Piece("crest", "crest", jittered(CREST, _jitter(bird, "crest"))))
    found.append(Piece("head", "body", circle() * HEAD_RADIUS))
    if "black cap" in bird.marks:
        found.append(Piece("black cap", "black cap", turned(CAP, _jitter(bird, "black cap").angle)))
    if ringed:
        jitter = _jitter(bird, "eye ring")
        found.append(Piece("eye ring", "eye ring", EYE + circle() * 0.135 * jitter.scale))
    found.append(Piece("eye", "eye", EYE + circle(14) * 0.07))
    found.append(Piece("eye", "glint", EYE + (0.02, -0.025) + circle(8) * 0.025))
    return [piece._replace(points=piece.points + head) for piece in found]
