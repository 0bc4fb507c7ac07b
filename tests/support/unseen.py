"""Drawn things that no bird is like, with what was drawn where: mugs, cells, signs, beetles, bottles, leaves, crowds,
tiles and scenes.

Every family has a class for each of its marks and one without any. Nothing here is known to the guide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

SIZE, SCALE = 64, 4  # pixels; how much larger it is drawn
Colour = tuple[int, int, int]
Family = tuple[Callable[[np.random.Generator, str], "Sheet"], tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Drawn:
    """images uint8 (n, SIZE, SIZE, 3), labels (n,), names of classes, truth (n, SIZE, SIZE) bool: the class's mark.

    objects (n, SIZE, SIZE) bool; empty where the picture has none.
    """

    images: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    truth: np.ndarray
    objects: np.ndarray


class Sheet:
    """A picture to draw on, in shares of its side about a middle, turned by an angle; it notes mark and object."""

    def __init__(
        self, rng: np.random.Generator, ground: Colour, middle: tuple[float, float], unit: float, angle: float
    ):
        side = SIZE * SCALE
        self.rng, self.unit, self.angle, self.middle = rng, unit * side, angle, np.array(middle) * side
        light = np.linspace(-12, 12, side)[:, None, None] * rng.choice([-1, 1])
        self.image = (np.array(ground, np.float32) + light + np.zeros((side, side, 1), np.float32)).astype(np.float32)
        self.ground = self.image.copy()
        self.mark, self.object = np.zeros((side, side), np.uint8), np.zeros((side, side), np.uint8)

    def at(self, points: object) -> np.ndarray:
        """Points (k, 2) of (x, y) in units about the middle, to pixels."""
        turn = np.array([[np.cos(self.angle), np.sin(self.angle)], [-np.sin(self.angle), np.cos(self.angle)]])
        return (np.asarray(points, float) * self.unit @ turn + self.middle).round().astype(np.int32)

    def shape(self, points: object, colour: Colour, *, mark: bool = False, part: bool = True) -> None:
        corners = self.at(points)
        cv2.fillPoly(self.image, [corners], tuple(map(float, colour)))
        for layer, wanted in ((self.mark, mark), (self.object, part)):
            if wanted:
                cv2.fillPoly(layer, [corners], 1)

    def cut(self, points: object) -> None:
        """Take a part of the object away: the ground is seen again."""
        hole = np.zeros_like(self.object)
        cv2.fillPoly(hole, [self.at(points)], 1)
        self.image[hole > 0] = self.ground[hole > 0]
        self.object[hole > 0] = 0

    def oval(self, x: float, y: float, a: float, b: float, colour: Colour, *, mark: bool = False) -> None:
        turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        self.shape(np.stack([x + a * np.cos(turn), y + b * np.sin(turn)], 1), colour, mark=mark)

    def box(
        self, x: float, y: float, a: float, b: float, colour: Colour, *, mark: bool = False, part: bool = True
    ) -> None:
        """A rectangle about (x, y), a and b half its sides."""
        self.shape([(x - a, y - b), (x + a, y - b), (x + a, y + b), (x - a, y + b)], colour, mark=mark, part=part)

    def done(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        small = cv2.resize(self.image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        image = np.clip(small * self.rng.uniform(0.9, 1.08) + self.rng.normal(0, 4, small.shape), 0, 255)
        masks = [
            cv2.resize(each.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_AREA) >= 0.5
            for each in (self.mark, self.object)
        ]
        return image.astype(np.uint8), masks[0], masks[1]


def near(rng: np.random.Generator, colour: Colour, spread: float = 14) -> Colour:
    values = np.clip(np.array(colour) + rng.uniform(-spread, spread) + rng.uniform(-spread / 2, spread / 2, 3), 0, 255)
    return tuple(values.astype(int).tolist())


def one_of(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    return near(rng, colours[rng.integers(len(colours))])


GROUNDS: tuple[Colour, ...] = ((205, 215, 225), (225, 215, 190), (170, 195, 160), (190, 180, 200))
CLAYS: tuple[Colour, ...] = ((120, 95, 80), (90, 105, 120), (110, 110, 105), (135, 100, 70))


def mug(rng: np.random.Generator, name: str) -> Sheet:
    """A mug with its handle at the left or the right."""
    sheet = Sheet(
        rng, one_of(rng, GROUNDS), tuple(rng.uniform(0.44, 0.56, 2)), rng.uniform(0.27, 0.33), rng.normal(0, 0.06)
    )
    body, side = one_of(rng, CLAYS), float(rng.choice([-1, 1]))
    turn = np.linspace(0, 2 * np.pi, 40)
    sheet.oval(0.85 * side, 0.05, 0.42, 0.5, body)
    sheet.cut(np.stack([0.85 * side + 0.24 * np.cos(turn), 0.05 + 0.3 * np.sin(turn)], 1))
    sheet.box(0, 0, 0.75, 0.95, body)
    if name == "blue rim":
        sheet.box(0, -0.85, 0.75, 0.12, near(rng, (35, 70, 200)), mark=True)
    elif name == "white stripe":
        sheet.box(0, 0.1, 0.75, 0.13, near(rng, (245, 245, 240), 6), mark=True)
    elif name == "red foot":
        sheet.box(0, 0.86, 0.75, 0.11, near(rng, (205, 35, 35)), mark=True)
    return sheet


def cell(rng: np.random.Generator, name: str) -> Sheet:
    """A round cell that can be turned any way; a notch is anywhere on its rim."""
    sheet = Sheet(
        rng,
        near(rng, (228, 222, 230), 8),
        tuple(rng.uniform(0.42, 0.58, 2)),
        rng.uniform(0.3, 0.36),
        rng.uniform(0, 6.28),
    )
    body = near(rng, (200, 140, 175), 16)
    turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    radius = 1 + 0.04 * np.sin(2 * turn + rng.uniform(0, 6)) + 0.03 * np.sin(3 * turn + rng.uniform(0, 6))
    sheet.shape(np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1), body)
    if name == "dark ring":
        sheet.shape(np.stack([np.cos(turn), np.sin(turn)], 1), (95, 45, 105), mark=True)
        sheet.oval(0, 0, 0.82, 0.82, body)
        cv2.fillPoly(sheet.mark, [sheet.at(0.82 * np.stack([np.cos(turn), np.sin(turn)], 1))], 0)
    sheet.oval(0.1, 0, 0.42, 0.38, near(rng, (125, 75, 140), 10))
    if name == "bright spot":
        sheet.oval(0.1, 0, 0.17, 0.17, near(rng, (250, 240, 130), 5), mark=True)
    if name == "notch":
        wedge = [(1.2, -0.35), (1.2, 0.35), (0.5, 0)]
        cv2.fillPoly(sheet.mark, [sheet.at(wedge)], 1)
        sheet.cut(wedge)
    return sheet


def sign(rng: np.random.Generator, name: str) -> Sheet:
    """A white disc with a red rim on a post, and a symbol on it."""
    sheet = Sheet(
        rng,
        one_of(rng, ((120, 150, 190), (100, 140, 95), (150, 150, 150))),
        tuple(rng.uniform(0.45, 0.55, 2)),
        rng.uniform(0.3, 0.36),
        rng.normal(0, 0.05),
    )
    sheet.oval(0, 0, 1, 1, near(rng, (200, 35, 40), 10))
    sheet.oval(0, 0, 0.78, 0.78, near(rng, (240, 240, 235), 8))
    ink = near(rng, (30, 30, 35), 8)
    if name == "bar":
        sheet.box(0, 0, 0.6, 0.14, ink, mark=True)
    elif name == "dot left":
        sheet.oval(-0.42, 0, 0.19, 0.19, ink, mark=True)
    elif name == "dot above":
        sheet.oval(0, -0.45, 0.19, 0.19, ink, mark=True)
    return sheet


def beetle(rng: np.random.Generator, name: str) -> Sheet:
    """A beetle from above, alike left and right, turned any way."""
    sheet = Sheet(
        rng, one_of(rng, GROUNDS), tuple(rng.uniform(0.44, 0.56, 2)), rng.uniform(0.26, 0.31), rng.uniform(0, 6.28)
    )
    body = one_of(rng, ((70, 60, 50), (50, 70, 60), (80, 50, 45)))
    for x in (-0.6, 0, 0.6):
        sheet.shape([(x - 0.05, -0.95), (x + 0.05, -0.95), (x + 0.05, 0.95), (x - 0.05, 0.95)], body)
    sheet.oval(0, 0, 1.05, 0.62, body)
    sheet.oval(
        -1.1, 0, 0.32, 0.34, near(rng, (230, 200, 40)) if name == "yellow head" else body, mark=name == "yellow head"
    )
    if name == "white line":
        sheet.box(0.1, 0, 0.85, 0.09, near(rng, (245, 245, 240), 6), mark=True)
    elif name == "red shoulders":
        for y in (-0.34, 0.34):
            sheet.oval(-0.45, y, 0.2, 0.16, near(rng, (220, 40, 30), 8), mark=True)
    return sheet


def bottle(rng: np.random.Generator, name: str) -> Sheet:
    """A bottle that stands, sometimes cut off by the border; something on it is red, white or blue."""
    sheet = Sheet(
        rng,
        one_of(rng, GROUNDS),
        (rng.uniform(0.4, 0.6), rng.uniform(0.5, 0.62)),
        rng.uniform(0.36, 0.42),
        rng.normal(0, 0.03),
    )
    glass = one_of(rng, ((60, 95, 60), (85, 60, 40), (70, 90, 95)))
    sheet.box(0, 0.3, 0.42, 0.85, glass)
    sheet.shape([(-0.42, -0.5), (-0.15, -0.85), (0.15, -0.85), (0.42, -0.5)], glass)
    sheet.box(0, -1.0, 0.15, 0.25, glass)
    if name == "red cap":
        sheet.box(0, -1.18, 0.17, 0.12, near(rng, (205, 35, 35)), mark=True)
    elif name == "white label":
        sheet.box(0, 0.15, 0.42, 0.3, near(rng, (240, 238, 230), 8), mark=True)
    elif name == "blue band":
        sheet.box(0, 0.9, 0.42, 0.12, near(rng, (50, 80, 210)), mark=True)
    return sheet


def leaf(rng: np.random.Generator, name: str) -> Sheet:
    """A leaf with its stalk at one end, turned any way."""
    sheet = Sheet(
        rng,
        near(rng, (225, 222, 215), 8),
        tuple(rng.uniform(0.44, 0.56, 2)),
        rng.uniform(0.3, 0.36),
        rng.uniform(0, 6.28),
    )
    blade, turn = one_of(rng, ((70, 120, 50), (95, 130, 60), (60, 100, 60))), np.linspace(0, 2 * np.pi, 160)
    radius = 1 / np.hypot(np.cos(turn) / 1.15, np.sin(turn) / 0.6)
    radius *= 1 + (0.16 if name == "lobed" else 0) * np.cos(9 * turn)
    sheet.shape(np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1), blade, mark=name == "lobed")
    sheet.box(1.25, 0, 0.2, 0.05, blade)
    if name == "pale veins":
        pale = near(rng, (215, 225, 170), 6)
        sheet.box(0, 0, 1.0, 0.035, pale, mark=True)
        for x in (-0.6, -0.15, 0.3):
            for side in (-0.42, 0.42):
                sheet.shape([(x, 0), (x + 0.06, 0), (x - 0.22, side), (x - 0.28, side)], pale, mark=True)
    elif name == "brown tip":
        sheet.oval(-0.95, 0, 0.24, 0.26, near(rng, (120, 70, 35), 8), mark=True)
    return sheet


def crowd(rng: np.random.Generator, name: str) -> Sheet:
    """Several pale cells on a dark ground, anywhere; what differs is all of them."""
    sheet = Sheet(rng, near(rng, (24, 24, 26), 6), (0.5, 0.5), 0.5, 0.0)
    places: list[np.ndarray] = []
    while len(places) < 6:
        place = rng.uniform(-0.8, 0.8, 2)
        if all(np.hypot(*(place - other)) > 0.48 for other in places):
            places.append(place)
    for x, y in places:
        grey = near(rng, (130, 130, 130), 16)
        if name == "long":
            sheet.oval(x, y, 0.24, 0.1, grey, mark=True)
        else:
            sheet.oval(x, y, 0.18, 0.17, grey)
        if name == "hollow":
            sheet.oval(x, y, 0.09, 0.09, (25, 25, 25), mark=True)
        elif name == "bright middle":
            sheet.oval(x, y, 0.08, 0.08, (245, 245, 240), mark=True)
    return sheet


def tile(rng: np.random.Generator, name: str) -> Sheet:
    """A texture all over: stripes, dots, a grid or nothing; there is no object."""
    sheet = Sheet(rng, one_of(rng, CLAYS), (0.5, 0.5), 0.5, 0.0)
    ink, step = near(rng, (225, 220, 205), 10), rng.uniform(0.26, 0.34)
    places = np.arange(-1 + rng.uniform(0, step), 1, step)
    for u in places:
        if name == "bars":
            sheet.box(0, u, 1.1, 0.05, ink, mark=True, part=False)
        if name == "columns":
            sheet.box(u, 0, 0.05, 1.1, ink, mark=True, part=False)
        for v in places if name == "dots" else ():
            sheet.box(u, v, 0.06, 0.06, ink, mark=True, part=False)
    return sheet


def scene(rng: np.random.Generator, name: str) -> Sheet:
    """The same box in front of a ground that is the class: only what is behind it differs."""
    sheet = Sheet(rng, near(rng, (190, 205, 225), 8), tuple(rng.uniform(0.4, 0.6, 2)), rng.uniform(0.2, 0.26), 0.0)
    below = {"meadow": (90, 150, 70), "sea": (60, 100, 170), "sand": (215, 190, 130), "snow": (240, 242, 245)}[name]
    top = int((0.6 + rng.uniform(-0.05, 0.05)) * len(sheet.image))
    sheet.image[top:] = near(rng, below, 10)
    sheet.mark[top:] = 1
    sheet.box(0, 0, 1, 0.8, one_of(rng, ((70, 60, 60), (110, 60, 90), (60, 60, 80))))
    sheet.mark[sheet.object > 0] = 0
    return sheet


FAMILIES: dict[str, Family] = {
    "mugs": (mug, ("blue rim", "white stripe", "red foot", "plain")),
    "cells": (cell, ("dark ring", "bright spot", "notch", "plain")),
    "signs": (sign, ("bar", "dot left", "dot above", "plain")),
    "beetles": (beetle, ("yellow head", "white line", "red shoulders", "plain")),
    "bottles": (bottle, ("red cap", "white label", "blue band", "plain")),
    "leaves": (leaf, ("lobed", "pale veins", "brown tip", "plain")),
    "crowds": (crowd, ("long", "hollow", "bright middle", "plain")),
    "tiles": (tile, ("bars", "columns", "dots", "plain")),
    "scenes": (scene, ("meadow", "sea", "sand", "snow")),
}


def draw(family: str, per_class: int, seed: int, families: Mapping[str, Family] = FAMILIES) -> Drawn:
    """`per_class` pictures of every class of a family, in random order; the same arguments give the same pixels."""
    artist, names = families[family]
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(names)), per_class))
    found = [artist(rng, names[label]).done() for label in labels]
    return Drawn(
        *(np.stack([each[0] for each in found]), labels, names),
        *(np.stack([each[k] for each in found]) for k in (1, 2)),
    )


def trained(drawn: Drawn, *, filters: tuple[int, ...] = (16, 32, 48), epochs: int = 12, seed: int = 0):
    """A small strided CNN of these pictures, 0 to 255 in; and its accuracy on what it was trained on."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.Rescaling(1 / 255)])
    for width in filters:
        model.add(layers.Conv2D(width, 5 if width == filters[0] else 3, strides=2, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.8))
        model.add(layers.ReLU())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(len(drawn.names)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(4e-3), loss, metrics=["accuracy"])
    model.fit(drawn.images, drawn.labels, batch_size=32, epochs=epochs, verbose=0)
    return model
