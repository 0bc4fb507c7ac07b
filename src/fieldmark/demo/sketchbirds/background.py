"""What is behind the bird: a soft ground with blobs; in the hard tier textures of several scales and distractors."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fieldmark.demo.sketchbirds.birds import Bird, Colour

MARK_COLOURS: tuple[Colour, ...] = (
    (245, 245, 240),
    (250, 215, 70),
    (205, 40, 35),
    (232, 140, 40),
    (28, 26, 28),
    (70, 45, 30),
)
"""The colours that marks have, in no order: the distractors of the hard tier wear them."""
WATER, FOREST = ((120, 170, 205), (70, 120, 165)), ((105, 140, 85), (55, 85, 50))


def background(bird: Bird) -> np.ndarray:
    """(size, size, 3), float32 on the scale of 0 to 255; the same whatever marks the bird has."""
    size, scene = bird.size, bird.scene
    rng = np.random.default_rng((scene.seed, 1))
    ground, second = WATER if "habitat" in bird.cues else (scene.ground, scene.second)
    soft = _gradient(size, ground, second)
    draw = ImageDraw.Draw(soft)
    for _ in range(scene.blobs):
        _blob(draw, rng, size, _between(ground, second, rng.uniform(0.3, 1.3)), rng.uniform(0.08, 0.28))
    picture: np.ndarray = np.asarray(soft.filter(ImageFilter.GaussianBlur(size / 40)), dtype=np.float32)
    if scene.texture:
        picture = picture + _texture(rng, size) * scene.texture
    if scene.distractors:
        picture = _distractors(rng, picture, scene.distractors)
    return picture


def _gradient(size: int, top: Colour, bottom: Colour) -> Image.Image:
    share = np.linspace(0, 0.8, size)[:, None, None]
    rows = (1 - share) * np.array(top) + share * np.array(bottom)
    return Image.fromarray(np.broadcast_to(rows, (size, size, 3)).astype(np.uint8).copy())


def _between(one: Colour, other: Colour, share: float) -> Colour:
    mixed = [round(min(255, max(0, a + (b - a) * share))) for a, b in zip(one, other, strict=True)]
    return mixed[0], mixed[1], mixed[2]


def _blob(draw: ImageDraw.ImageDraw, rng: np.random.Generator, size: int, colour: Colour, radius: float) -> None:
    x, y = rng.uniform(0, size, 2)
    w, h = radius * size * rng.uniform(0.6, 1.4, 2)
    draw.ellipse((x - w, y - h, x + w, y + h), fill=colour)


def _texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """Noise of four scales with unit variance in all, mostly in lightness and a little in colour."""
    total = np.zeros((size, size, 3), np.float32)
    for cells in (5, 11, 24, 48):
        noise = rng.standard_normal((cells, cells)).astype(np.float32)
        tint = rng.standard_normal((cells, cells, 3)).astype(np.float32) * 0.35
        for channel in range(3):
            patch = Image.fromarray(noise + tint[..., channel])
            total[..., channel] += np.asarray(patch.resize((size, size), Image.Resampling.BICUBIC))
    return total / max(float(total.std()), 1e-6)


def _distractors(rng: np.random.Generator, picture: np.ndarray, count: int) -> np.ndarray:
    """Berries, bars and leaves in the colours of the marks, drawn softly on the background."""
    size = len(picture)
    canvas = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).resize((2 * size, 2 * size))
    draw = ImageDraw.Draw(canvas)
    for _ in range(count):
        colour = MARK_COLOURS[rng.integers(len(MARK_COLOURS))]
        x, y = rng.uniform(0, 2 * size, 2)
        length, width = size * rng.uniform(0.05, 0.16), size * rng.uniform(0.03, 0.06)
        angle = rng.uniform(0, np.pi)
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-along[1], along[0]])
        if rng.random() < 0.5:
            draw.ellipse((x - width, y - width, x + width, y + width), fill=colour)
        else:
            corners = [length * along, width * across, -length * along, -width * across]
            draw.polygon([tuple(np.array([x, y]) + corner) for corner in corners], fill=colour)
    return np.asarray(canvas.reduce(2), dtype=np.float32)
