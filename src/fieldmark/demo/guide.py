"""What `fieldmark demo --guide` does: drawn birds, the network that comes with them, and the guide to both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fieldmark.classifier.loading import load
from fieldmark.demo import sketchbirds
from fieldmark.guide import FieldGuide
from fieldmark.report.folder import output_folder
from fieldmark.report.guide_files import write_files

BIRDS = 60  # a species
SEED = 2026  # not one that the network was trained on
ENDS = ("head", "tail")


@dataclass(frozen=True, eq=False)
class GuideDemo:
    """The results of `run_guide_demo`: the guide, and its files."""

    guide: FieldGuide
    written: list[Path]


def run_guide_demo(out: str | Path = "fieldmark-demo") -> GuideDemo:
    """Draw birds of eight species, ask `demo:sketchbirds`, and write the guide to what it goes by to `out`.

    Raises FieldmarkError without the extra `guide`, and OutputError where `out` cannot be written.
    """
    with output_folder(Path(out)) as folder:
        birds = sketchbirds.dataset("two", BIRDS, seed=SEED)
        guide = FieldGuide.from_images(load("demo:sketchbirds"), birds.images, ends=ENDS)
        return GuideDemo(guide, write_files(folder, guide, quiz=True))
