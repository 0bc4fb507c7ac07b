"""From a classifier and images to a field guide: what a person should look for, and how far that carries."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.classifier.sizes import check_file_channels, image_shape
from fieldmark.guide.duration import announcement
from fieldmark.guide.evidence import EvidenceBy, Said, evidence
from fieldmark.guide.making import Making
from fieldmark.guide.mark import Fidelity, Key, Lack, Mark, Picture
from fieldmark.guide.pictures import require_visible, working_size
from fieldmark.guide.split import copies, split_by_prediction
from fieldmark.guide.together import Default, Together
from fieldmark.guide.verdict import REDUCIBLE, Findings, remains
from fieldmark.images import check_images, find_images, read_images
from fieldmark.progress import tell


@dataclass(frozen=True, eq=False)
class FieldGuide:
    """The few marks a network keys on, in words and pictures, with what they are worth; made by `from_images`.

    verdict    "reducible", or the reasons why the network does not come down to marks
    warnings   what is suspicious, in words; said first
    fidelity   `described` and `confirmed`: value, 95 % interval and control; None where there are no marks
    marks      in the order of classes, the strongest effect first
    key        classifies by the words alone; `key.text()` are its couplets; None where there are no marks
    frame      how places are named: on the aligned object, its centre, or the picture; and why
    plates     class name to its mean picture (CANVAS, CANVAS, 3) uint8 in that frame
    pictures   hold-out images by index: all of `parted`, where key and network disagree, and some of every class
    findings   the numbers that the verdict rests on; None where there are no marks
    together   class name to what erasing all its proved marks at once does
    default    the class that most pictures of the others become without their marks, if one does: known by having none
    lacking    class name to the marks of others whose absence the network looks for in it
    confusions how often the key calls what the network calls one class another: network -> key -> pictures
    """

    classes: tuple[str, ...]
    verdict: str
    warnings: tuple[str, ...] = ()
    fidelity: Fidelity | None = None
    marks: tuple[Mark, ...] = ()
    key: Key | None = None
    frame: str = ""
    plates: dict[str, np.ndarray] = field(default_factory=dict)
    pictures: dict[int, Picture] = field(default_factory=dict)
    parted: tuple[int, ...] = ()
    confusions: dict[str, dict[str, int]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    together: dict[str, Together] = field(default_factory=dict)
    default: Default | None = None
    lacking: dict[str, tuple[Lack, ...]] = field(default_factory=dict)
    findings: Findings | None = None

    @property
    def reducible(self) -> bool:
        return self.verdict == REDUCIBLE

    @property
    def remains(self) -> str:
        """What a user still has where the network does not come down to marks, in a sentence; else nothing."""
        proved = list(dict.fromkeys(name for mark in self.marks if mark.accepted for name in mark.classes))
        return "" if self.reducible else remains(proved, len(self.classes), len(self.plates))

    @classmethod
    def from_images(
        cls,
        classifier: Classifier,
        images: Any,
        *,
        ends: tuple[str, str] | None = None,
        seed: int = 0,
        evidence: EvidenceBy = evidence,
    ) -> FieldGuide:
        """The guide to what a classifier sees in images (n, h, w, c), or in files and folders of images.

        The network's own predictions decide what class an image is; true labels are not asked for. Per class 40 % of
        the images (40 at most) discover marks, 30 % calibrate the key, and the rest judges it.

        ends      what to call the two ends of the objects, left one on the plates first: ("head", "tail")
        evidence  how evidence is found: `fieldmark.run.evidence.EvidenceRun` keeps it, and spreads it over machines
        Raises ImageError for images that can't be read or have other than 1, 3 or 4 channels.
        """
        given = _read(classifier, images)
        require_visible(given)
        start = perf_counter()
        said = Said.by(classifier, given)
        took = (perf_counter() - start) / len(given)
        split, left_out = split_by_prediction(said.predicted, classifier.labels, seed, copies(given))
        if isinstance(split, str):
            return cls(tuple(classifier.labels), split, left_out)
        height, width = working_size(*given.shape[1:3])
        found = len(np.unique(said.predicted[split.discover]))
        tell(announcement(len(given), found, height * width, took))
        return Making(classifier, given, said, split, left_out, ends, seed, evidence_by=evidence).guide(cls)

    def save(self, path: str | Path) -> Path:
        """Write the guide as one JSON file."""
        from fieldmark.guide.saving import save

        return save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> FieldGuide:
        """Read a guide that `save` wrote. Raises FieldmarkError for any other file."""
        from fieldmark.guide.saving import load

        return load(Path(path))

    def write_html(self, path: str | Path) -> Path:
        """Write the guide as one page that opens from disk with no network."""
        from fieldmark.report.guide_page import write_guide

        return write_guide(self, Path(path))

    def write_pdf(self, path: str | Path) -> Path:
        """Write one printable sheet, a card to carry: the classes, their marks, and the key."""
        from fieldmark.report.guide_card import write_card

        return write_card(self, Path(path))

    def write_quiz(self, path: str | Path) -> Path:
        """Write a page on which a person practises with the key, and learns how well that goes."""
        from fieldmark.report.guide_quiz import write_quiz

        return write_quiz(self, Path(path))

    def __str__(self) -> str:
        from fieldmark.guide.text import page

        return page(self)


def _read(classifier: Classifier, images: Any) -> np.ndarray:
    if isinstance(images, (str, Path)) or (
        isinstance(images, (list, tuple)) and images and isinstance(images[0], (str, Path))
    ):
        height, width, channels = image_shape(classifier, None)
        check_file_channels(classifier, channels)
        return read_images(find_images(images), (height, width), channels)
    return check_images(images, classifier.input_shape if classifier.preprocess is None else None)
