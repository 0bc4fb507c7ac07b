"""A bird as numbers: everything that its picture is made of, so that one thing can be changed and the rest stays."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fieldmark.demo.sketchbirds.marks import CUES, check_mark

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Pose:
    """Where the bird is and how it stands. Angles in degrees; lengths in body units unless said otherwise."""

    x: float = 0.5  # of the centre, in shares of the image's side
    y: float = 0.5
    unit: float = 0.4  # the body unit, in shares of the image's side
    angle: float = 0.0  # head up is positive
    flip: bool = False  # False: looks to the right
    head: tuple[float, float] = (0.0, 0.0)
    tail: float = 0.0
    wing: float = 0.0
    stride: float = 0.0


@dataclass(frozen=True)
class Jitter:
    """How one mark differs from bird to bird: place, size, angle, and the lightness of its colour."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0
    angle: float = 0.0
    tint: int = 0


@dataclass(frozen=True)
class Scene:
    """What is not the bird: background, light, noise, and in the hard tier texture, distractors and an occluder."""

    ground: Colour = (150, 180, 200)
    second: Colour = (120, 150, 120)  # of the blobs, and of the lower end of the gradient
    blobs: int = 4
    texture: float = 0.0  # the standard deviation of the texture, in grey values
    distractors: int = 0
    occluder: float = -1.0  # where the twig crosses the picture, 0 to 1; below 0: no twig
    light: float = 1.0
    gradient: float = 0.0
    warmth: float = 0.0
    noise: float = 4.0  # the standard deviation, in grey values
    seed: int = 0  # of blobs, texture, distractors and noise


@dataclass(frozen=True)
class Bird:
    """All parameters of one picture; `render(bird)` draws it, and the same bird gives the same pixels.

    marks    the marks it has, of `MARKS`
    size     the side of the picture in pixels
    jitter   one `Jitter` for every mark of `MARKS`, whether the bird has it or not
    cues     the cues of `CUES` that are in its picture
    """

    marks: frozenset[str] = frozenset()
    size: int = 64
    pose: Pose = Pose()
    body: Colour = (150, 130, 110)
    wing: float = 0.6  # the wing's lightness as a share of the body's
    jitter: tuple[Jitter, ...] = (Jitter(),) * 8
    scene: Scene = Scene()
    cues: frozenset[str] = frozenset()

    def without(self, *names: str) -> Bird:
        """The same picture without these marks or cues; a name that isn't there changes nothing."""
        gone = {check_mark(name) for name in names}
        return replace(self, marks=self.marks - gone, cues=self.cues - gone)

    def with_(self, *names: str) -> Bird:
        """The same picture with these marks or cues added."""
        new = {check_mark(name) for name in names}
        return replace(self, marks=self.marks | (new - set(CUES)), cues=self.cues | (new & set(CUES)))

    def swapped(self, marks: frozenset[str]) -> Bird:
        """The same picture with exactly these marks."""
        return replace(self, marks=frozenset(check_mark(name) for name in marks))

    def has(self, name: str) -> bool:
        """Whether the mark or cue is there."""
        return check_mark(name) in self.marks | self.cues
