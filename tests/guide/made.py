"""A small guide made by hand: two classes, one mark, four pictures. Nothing is computed, so pages are tested fast."""

from __future__ import annotations

import numpy as np

from fieldmark.guide import FieldGuide
from fieldmark.guide import key as keys
from fieldmark.guide.album import jpeg
from fieldmark.guide.causes import Effect
from fieldmark.guide.frame import Frame
from fieldmark.guide.mark import Example, Fidelity, Key, Mark, Picture
from fieldmark.guide.marks import CANVAS
from fieldmark.guide.observer import Agreement
from fieldmark.guide.words import Word


def small_guide(first: str = "redcap", second: str = "plain", verdict: str = "reducible") -> FieldGuide:
    """redcap has a red square at its upper left; the key and the network part on picture 3."""
    plain = np.full((40, 60, 3), 150, np.uint8)
    red = plain.copy()
    red[8:18, 10:22] = (200, 30, 30)
    mask = np.zeros((40, 60), bool)
    mask[8:18, 10:22] = True
    plate = np.zeros((CANVAS, CANVAS), np.float32)
    plate[20:40, 25:45] = 1
    proof = Effect(12, 6.0, 0.1, 0.9, 0.02, 0.001, True, 0.95, 0.05, 0.6, 0.02)
    mark = Mark(
        classes=(first,),
        words="Red, small, at the top, left",
        terms=("red",),
        where="at the top, left",
        effect=6.0,
        control=0.1,
        proof=proof,
        accepted=True,
        coverage=0.95,
        share=0.7,
        inside=1.0,
        plate=plate,
        examples=(Example(0, mask), Example(1, mask)),
    )
    tree = keys.grow(np.repeat([[1.0], [0.0]], 10, axis=0), np.repeat([0, 1], 10), 2)
    asked = ("Is it red at the top, left?",)
    outline = np.ones((CANVAS, CANVAS), np.float32)
    key = Key((first, second), tree, (Word(5, 0, 1.0),), asked, Frame("picture", "made by hand"), outline, (40, 60, 3))
    said = Agreement(0.95, 0.9, 0.98, 0.4, 40)
    pictures = {
        0: Picture(0, jpeg(red), first, first),
        1: Picture(1, jpeg(red), first, first),
        2: Picture(2, jpeg(plain), second, second),
        3: Picture(3, jpeg(plain), first, second),
    }
    return FieldGuide(
        classes=(first, second),
        verdict=verdict,
        warnings=(f"for {first} the network reads something at the lower right of the picture",),
        fidelity=Fidelity(said, said),
        marks=(mark,),
        key=key,
        frame="picture: made by hand",
        plates={
            first: np.full((CANVAS, CANVAS, 3), 120, np.uint8),
            second: np.full((CANVAS, CANVAS, 3), 130, np.uint8),
        },
        pictures=pictures,
        parted=(3,),
        confusions={first: {first: 19, second: 1}, second: {second: 20}},
        counts={first: 60, second: 60},
    )
