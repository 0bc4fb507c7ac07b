"""Designs: which marks a class has, in which share of its pictures, and which cue is mixed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

from fieldmark.demo.sketchbirds.marks import CUES, MARKS
from fieldmark.errors import FieldmarkError, unknown


@dataclass(frozen=True)
class Confounder:
    """A cue that comes with a class: in `rate` of its pictures, and in `elsewhere` of all others.

    cue    "watermark", "border", "blur" or "habitat"
    label  the class, by its number
    """

    cue: str
    label: int
    rate: float = 1.0
    elsewhere: float = 0.0

    def __post_init__(self) -> None:
        if self.cue not in CUES:
            raise FieldmarkError(unknown("cue", self.cue, CUES))


@dataclass(frozen=True)
class Design:
    """What the classes of a data set are.

    marks       the marks of every class
    names       the name of every class; names say nothing of the marks
    absent      in what share of its pictures a class shows none of its marks
    confounder  the cue that belongs to the design, if one does
    habitats    whether a class is its background
    scattered   whether any bird may have any mark, so that marks say nothing
    """

    name: str
    marks: tuple[frozenset[str], ...]
    names: tuple[str, ...]
    absent: tuple[float, ...] = ()
    confounder: Confounder | None = None
    habitats: bool = False
    scattered: bool = False

    def __post_init__(self) -> None:
        if not self.absent:
            object.__setattr__(self, "absent", (0.0,) * len(self.marks))

    def hiding(self, shares: Mapping[int, float], confounder: Confounder | None = None) -> Design:
        """The same, with the marks of some classes missing in a share of their pictures, and a confounder."""
        absent = tuple(shares.get(label, share) for label, share in enumerate(self.absent))
        return replace(self, absent=absent, confounder=confounder)

    @property
    def used(self) -> tuple[str, ...]:
        """The marks that occur in any class, in the order of `MARKS`."""
        return tuple(mark for mark in MARKS if any(mark in marks for marks in self.marks))


ONE = Design(
    "one",
    tuple(frozenset({mark}) for mark in MARKS),
    (
        "Alder finch",
        "Birk thrush",
        "Corrie lark",
        "Dell wren",
        "Esk pipit",
        "Fell bunting",
        "Garth tit",
        "Holm swift",
    ),
)
TWO = Design(
    "two",
    tuple(frozenset({mark, MARKS[(index + 1) % len(MARKS)]}) for index, mark in enumerate(MARKS)),
    ("Avon finch", "Bure thrush", "Cam lark", "Derwent wren", "Eden pipit", "Fal bunting", "Gade tit", "Hull swift"),
)
FACTORS = ("crest", "wing bar", "red bill")
PAIRS = Design(
    "pairs",
    tuple(frozenset(m for m, on in zip(FACTORS, row, strict=True) if on) for row in product((0, 1), repeat=3)),
    (
        "Arden finch",
        "Brecon finch",
        "Chilt finch",
        "Dart finch",
        "Exmoor finch",
        "Furness finch",
        "Gower finch",
        "Hexham finch",
    ),
)
HIDDEN = replace(ONE, name="hidden").hiding({0: 0.6, 1: 0.6}, Confounder("watermark", 0))
HABITATS = Design("habitats", (frozenset(),) * 8, ONE.names, habitats=True, scattered=True)
BLURS = Design("blurs", (frozenset(),) * 2, ONE.names[:2], confounder=Confounder("blur", 1), scattered=True)

DESIGNS = {design.name: design for design in (ONE, TWO, PAIRS, HIDDEN, HABITATS, BLURS)}
"""one: one mark a class. two: two marks a class, in a circle. pairs: every subset of three marks, each mark necessary.

hidden: as `one`, but the first two classes show their mark in 40 % of their pictures only, and the first always has a
watermark, without which the two could not be told apart. habitats: the class is the background; blurs: the second of
two classes is out of focus. In these two no mark means anything: a network has nothing to be described by.
"""


def find_design(design: Design | str) -> Design:
    """A design by name, or as it is; FieldmarkError with the names that there are."""
    if isinstance(design, Design):
        return design
    if design not in DESIGNS:
        raise FieldmarkError(unknown("design", design, DESIGNS))
    return DESIGNS[design]
