"""`render`: from a bird's parameters to pixels, part numbers and mask, drawn at four times the size and reduced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from fieldmark.demo.sketchbirds.background import background
from fieldmark.demo.sketchbirds.birds import Bird, Colour
from fieldmark.demo.sketchbirds.marks import MARKS, PARTS
from fieldmark.demo.sketchbirds.shapes import pieces

SCALE = 4
BORDER: Colour = (196, 58, 120)
TWIG: Colour = (84, 66, 48)


@dataclass(frozen=True, eq=False)
class Picture:
    """One rendered bird.

    image  uint8 (size, size, 3)
    parts  uint8 (size, size): numbers of `PARTS`; a mark that has any share of a pixel has the pixel, so that
           removing a mark changes no pixel outside its part (and outside the plain part that takes its place)
    mask   bool (size, size): pixels at least half of which are bird; what stands before the bird is not bird
    """

    image: np.ndarray
    parts: np.ndarray
    mask: np.ndarray

    def part(self, name: str) -> np.ndarray:
        """bool (size, size): where a part of `PARTS` is."""
        return self.parts == PARTS[name]


def render(bird: Bird) -> Picture:
    """Draw the bird: the same parameters give the same pixels, and a mark more or less changes nothing else."""
    drawn, palette, part_of = _paint(bird)
    coloured = drawn.copy()
    coloured.putpalette(palette)
    colours = np.asarray(coloured.convert("RGB").reduce(SCALE), dtype=np.float32)
    cover = np.asarray(drawn.point([0] + [255] * 255, "L").reduce(SCALE), dtype=np.float32)[..., None] / 255
    numbers = np.asarray(drawn.point(part_of, "L"))
    inside = np.asarray(drawn.point([255 if part else 0 for part in part_of], "L").reduce(SCALE)) >= 128
    image = colours * _shade(bird)[..., None] + background(bird) * (1 - cover)
    return Picture(_finish(bird, image), _most(numbers), inside)


def _most(numbers: np.ndarray) -> np.ndarray:
    """The highest number in every block of SCALE x SCALE; marks have the highest."""
    rows = np.maximum.reduce([numbers[step::SCALE] for step in range(SCALE)])
    return np.maximum.reduce([rows[:, step::SCALE] for step in range(SCALE)])


def _paint(bird: Bird) -> tuple[Image.Image, list[int], list[int]]:
    """The canvas of colour indices, the palette, and the part of every index."""
    size = bird.size * SCALE
    canvas = Image.new("P", (size, size), 0)
    draw = ImageDraw.Draw(canvas)
    found = pieces(bird)
    colours = _colours(bird)
    points = _to_canvas(bird, np.concatenate([piece.points for piece in found])).ravel().tolist()
    index: dict[tuple[str, str], int] = {}
    start = 0
    for piece in found:
        number = index.setdefault((piece.part, piece.colour), len(index) + 1)
        stop = start + 2 * len(piece.points)
        draw.polygon(points[start:stop], fill=number)
        start = stop
    twig = len(index) + 1
    if bird.scene.occluder >= 0:
        _twig(draw, bird, twig)
    palette = [0, 0, 0]
    for _, colour in index:
        palette += colours[colour]
    palette += TWIG
    part_of = [0] + [PARTS[part] for part, _ in index] + [0] * (255 - len(index))
    return canvas, palette, part_of


def _to_canvas(bird: Bird, points: np.ndarray) -> np.ndarray:
    """Body frame to pixels of the large canvas."""
    pose, size = bird.pose, bird.size * SCALE
    c, s = np.cos(np.radians(pose.angle)), np.sin(np.radians(pose.angle))
    turned = points @ np.array([[c, -s], [s, c]])
    if pose.flip:
        turned = turned * (-1, 1)
    return turned * (pose.unit * size) + (pose.x * size, pose.y * size)


def _colours(bird: Bird) -> dict[str, Colour]:
    """The colour of every piece; those of marks have their own tint."""
    body = np.array(bird.body, dtype=float)
    wing = body * bird.wing
    plain = {
        "body": body,
        "belly": body + (255 - body) * 0.32,
        "wing": wing,
        "feather": wing * 0.72,
        "tail": wing * 0.92,
        "leg": np.array([78.0, 62, 56]),
        "bill": np.array([72.0, 68, 66]),
        "eye": np.array([18.0, 16, 18]),
        "glint": np.array([250.0, 250, 250]),
    }
    marks = {
        "crest": body * 0.9,
        "wing bar": np.array([245.0, 245, 238]),
        "eye ring": np.array([250.0, 214, 70]),
        "breast spots": np.array([60.0, 38, 28]),
        "red bill": np.array([206.0, 42, 36]),
        "belly patch": np.array([232.0, 138, 40]),
        "black cap": np.array([26.0, 24, 28]),
    }
    tints = dict(zip(MARKS, (jitter.tint for jitter in bird.jitter), strict=True))
    found = plain | {name: colour + tints[name] for name, colour in marks.items()}
    found["gape"] = found["red bill" if "red bill" in bird.marks else "bill"] * 0.7
    rounded = np.clip(np.round(list(found.values())), 0, 255).astype(int).tolist()
    return {name: (red, green, blue) for name, (red, green, blue) in zip(found, rounded, strict=True)}


def _shade(bird: Bird) -> np.ndarray:
    """Light from above on a round body: (size, size), 1 in the middle, a little more on the back."""
    axis = (np.arange(bird.size, dtype=np.float32) + 0.5) / bird.size
    down = (axis - bird.pose.y) / bird.pose.unit
    return np.broadcast_to(np.clip(1.02 - 0.22 * down, 0.8, 1.2)[:, None], (bird.size, bird.size))


def _twig(draw: ImageDraw.ImageDraw, bird: Bird, index: int) -> None:
    """A twig before the bird, from edge to edge."""
    size, rng = bird.size * SCALE, np.random.default_rng((bird.scene.seed, 2))
    at, lean = bird.scene.occluder * size, rng.uniform(-0.35, 0.35) * size
    width = round(size * rng.uniform(0.018, 0.035))
    ends = [(at - lean, 0), (at + lean, size)] if rng.random() < 0.5 else [(0, at - lean), (size, at + lean)]
    draw.line(ends, fill=index, width=width)
    for share in rng.uniform(0.1, 0.9, 3):
        x, y = np.array(ends[0]) * (1 - share) + np.array(ends[1]) * share
        w, h = size * rng.uniform(0.02, 0.045, 2)
        draw.ellipse((x - w, y - h, x + w, y + h), fill=index)


def _finish(bird: Bird, image: np.ndarray) -> np.ndarray:
    """Light and warmth, the cues that lie on the whole picture, and noise."""
    scene, size = bird.scene, bird.size
    across = np.linspace(-0.5, 0.5, size, dtype=np.float32)[None, :, None] * scene.gradient
    warm = np.array([1 + scene.warmth, 1, 1 - scene.warmth], dtype=np.float32)
    image = image * ((scene.light + across) * warm)
    if "blur" in bird.cues:
        soft = Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))
        image = np.asarray(soft.filter(ImageFilter.GaussianBlur(size / 42)), dtype=np.float32)
    if "watermark" in bird.cues:
        image = image + (245 - image) * _watermark(size)[..., None]
    if "border" in bird.cues:
        width = max(2, size // 24)
        image[:width], image[-width:], image[:, :width], image[:, -width:] = (BORDER,) * 4
    noise = np.random.default_rng((scene.seed, 3)).standard_normal(image.shape, dtype=np.float32) * scene.noise
    return np.clip(image + noise + 0.5, 0, 255).astype(np.uint8)


def _watermark(size: int) -> np.ndarray:
    """How much of the writing covers each pixel, at the lower right: (size, size), 0 to .85."""
    large = Image.new("L", (size * SCALE, size * SCALE))
    font = ImageFont.load_default(size * SCALE * 0.13)
    ImageDraw.Draw(large).text((size * SCALE * 0.97, size * SCALE * 0.97), "©fotos", 255, font, anchor="rs")
    return np.asarray(large.reduce(SCALE), dtype=np.float32) * (0.85 / 255)
