"""`python -m benchmarks.scoreboard.sheet`: draws docs/img/birds.jpg, the eight marks and birds of both tiers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from fieldmark.demo.sketchbirds import DESIGNS, MARKS, Bird, Pose, Scene, render, sample

TILE, GAP, TITLE = 144, 6, 22
OUT = Path(__file__).resolve().parents[2] / "docs" / "img" / "birds.jpg"


def rows() -> list[tuple[list[str], list[Bird]]]:
    """Titles and birds of every row."""
    plain = Bird(size=TILE, body=(146, 126, 106), pose=Pose(x=0.56, y=0.55, unit=0.4, angle=8), scene=Scene(noise=1.5))
    one = DESIGNS["one"]
    fresh = [[sample("one", label, 24, tier) for label in range(8)] for tier in ("easy", "hard")]
    return [
        (list(MARKS), [plain.with_(mark) for mark in MARKS]),
        ([f"{name}, easy" for name in one.names], fresh[0]),
        ([f"{name}, hard" for name in one.names], fresh[1]),
        (
            ["plain", "watermark", "border", "blur", "habitat", "turned", "mirrored", "all marks"],
            [
                plain,
                *(plain.with_(cue) for cue in ("watermark", "border", "blur", "habitat")),
                replace(plain, pose=replace(plain.pose, angle=24)),
                replace(plain, pose=replace(plain.pose, flip=True, x=0.44)),
                plain.with_(*MARKS),
            ],
        ),
    ]


def main() -> None:
    table = rows()
    step = TILE + GAP
    sheet = Image.new("RGB", (8 * step + GAP, len(table) * (step + TITLE) + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for down, (titles, birds) in enumerate(table):
        for right, (title, bird) in enumerate(zip(titles, birds, strict=True)):
            x, y = GAP + right * step, GAP + down * (step + TITLE)
            tile = Image.fromarray(render(bird).image).resize((TILE, TILE), Image.Resampling.NEAREST)
            sheet.paste(tile, (x, y))
            draw.text((x + TILE / 2, y + TILE + 3), title, "black", font, anchor="ma")
    sheet.save(OUT, quality=82)
    print(OUT)


if __name__ == "__main__":
    main()
