"""A mark with its words and its proof, and the key made of marks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fieldmark.errors import ImageError
from fieldmark.guide.causes import Effect
from fieldmark.guide.frame import Frame
from fieldmark.guide.key import Node, answers
from fieldmark.guide.naming import what
from fieldmark.guide.observer import Agreement, numbers
from fieldmark.guide.pictures import Pictures
from fieldmark.guide.places import Table, tabulate
from fieldmark.guide.words import Word
from fieldmark.images import check_images


@dataclass(frozen=True, eq=False)
class Example:
    """Where a mark is in one of the images: the image's index, and its mask (H, W) bool at the image's size."""

    image: int
    mask: np.ndarray


@dataclass(frozen=True, eq=False)
class Picture:
    """One image of the hold-out that the guide keeps: a JPEG, and what network and key call it (class names)."""

    image: int
    jpeg: bytes
    network: str
    key: str


@dataclass(frozen=True, eq=False)
class Mark:
    """One thing to look for.

    classes   the names of the classes whose pictures show it to the network
    words     a sentence: what, how large, where
    effect    fall of the class's log-odds, in logits, when it is erased; `control`: when the same shape elsewhere is
    proof     all that was measured by erasing and transplanting
    accepted  the effect is larger than the control's, by test and by size
    coverage  share of the class's pictures that show it; `share`: of the positive evidence that lies in it
    inside    share of it that lies on the object or close to it
    plate     (CANVAS, CANVAS) 0 to 1: where it is in the frame
    ground    the mean picture (CANVAS, CANVAS, 3) uint8 of the frame of the plate; None: the class's plate
    whole     it is most of the object: then not erased but dyed, and not put on others but lent as a colour
    outline   it is the object's outline: then other outlines are lent to it, and it to others
    """

    classes: tuple[str, ...]
    words: str
    terms: tuple[str, ...]
    where: str
    effect: float
    control: float
    proof: Effect
    accepted: bool
    coverage: float
    share: float
    inside: float
    plate: np.ndarray
    examples: tuple[Example, ...]
    ground: np.ndarray | None = None
    whole: bool = False
    outline: bool = False

    @property
    def taken(self) -> tuple[str, str]:
        """What was done to be without it, and to the control, in words."""
        if self.outline:
            return "given outlines of other classes", "of its own"
        return ("dyed as other classes are", "as its own") if self.whole else ("erased", "elsewhere")

    @property
    def given(self) -> str:
        """What was done to others to give it to them, in words."""
        if self.outline:
            return "others given its outline"
        return "others dyed so" if self.whole else "put on others"

    @property
    def controls(self) -> tuple[str, str]:
        """What the controls of the two were, in words."""
        if self.outline:
            return "outlines of its own class", "another class's outline"
        if self.whole:
            return "as its own class is", "in another class's colour"
        return "the same shape elsewhere", "another class's part there"


@dataclass(frozen=True)
class Lack:
    """A mark of another class that a class must not have: in words, whose it is, and what putting it in does."""

    words: str
    of: str
    proof: Effect


@dataclass(frozen=True)
class Fidelity:
    """How often somebody with words agrees with the network on new pictures.

    described  words chosen from the network's evidence, without any label
    confirmed  words searched with the network's labels; beside it the same search at random places
    """

    described: Agreement
    confirmed: Agreement


@dataclass(frozen=True)
class Couplet:
    """A question of the key, and where its two answers lead: a class, or "go to 3"."""

    number: int
    ask: str
    yes: str
    no: str


@dataclass(frozen=True, eq=False)
class Key:
    """Numbered questions that lead to a class by the words alone; the network is never asked.

    words are what the tree's features mean, `asked` each of them as a question.
    """

    classes: tuple[str, ...]
    tree: Node
    words: tuple[Word, ...]
    asked: tuple[str, ...]
    frame: Frame
    outline: np.ndarray
    shape: tuple[int, ...]

    def classify(self, images: Any) -> np.ndarray:
        """(n,) class indices of images (n, h, w, c) of the size that the key was made with. Raises ImageError."""
        checked = check_images(images, None)
        if checked.shape[1:] != self.shape:
            raise ImageError(
                f"the key was made with images of shape {self.shape}, received {checked.shape[1:]}: "
                "read them with read_images(files, size)"
            )
        table = self.table(Pictures.of(checked))
        return answers(self.tree, numbers(self.words, table))

    def table(self, pictures: Pictures) -> Table:
        placed = self.frame.place(pictures)
        return tabulate(pictures, placed.objects, placed.poses, self.outline, {})

    def text(self) -> str:
        """The numbered couplets: each asks one thing, and says the class or where to go on."""
        if self.tree.feature < 0:
            return f"every picture: {self.classes[self.tree.answer]}"
        return "\n".join(f"{c.number}  {c.ask}\n     yes: {c.yes}\n     no:  {c.no}" for c in self.couplets())

    def couplets(self) -> list[Couplet]:
        """The questions in the order in which they are asked, "no" first, numbered from 1."""
        questions: list[Node] = []

        def collect(node: Node | None) -> None:
            if node is not None and node.feature >= 0:
                questions.append(node)
                collect(node.no)
                collect(node.yes)

        collect(self.tree)
        number = {id(node): i for i, node in enumerate(questions, 1)}

        def goes(node: Node | None) -> str:
            assert node is not None
            return f"go to {number[id(node)]}" if node.feature >= 0 else self.classes[node.answer]

        return [Couplet(number[id(q)], self.asked[q.feature], goes(q.yes), goes(q.no)) for q in questions]


def question(word: Word, where: str) -> str:
    """As "Is it red at the thick end?"."""
    noun = what(word.name)
    if noun.startswith("a ") or noun.endswith("spots"):
        verb = "Are there" if noun.endswith("spots") else "Is there"
        return f"{verb} {noun}{',' if 'most' in noun else ''} {where}?"  # not "most have none left of the middle"
    return f"Is it {noun} {where}?"
