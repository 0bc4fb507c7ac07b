"""Sketch birds: drawings whose every mark can be added, taken away or swapped in the same picture.

The ground truth of the field guide: what a network does when a mark is gone is not guessed from a map, it is rendered.

    from fieldmark.demo import sketchbirds
    birds = sketchbirds.dataset("two", n_per_class=130, seed=1)      # images, labels, names, birds
    bird = birds.birds[0]
    sketchbirds.render(bird.without("crest")).image                  # the same picture, without the crest
    classifier = sketchbirds.classifier()                            # a small network that knows the design "two"
"""

from __future__ import annotations

from fieldmark.demo.sketchbirds.birds import Bird, Jitter, Pose, Scene
from fieldmark.demo.sketchbirds.datasets import Dataset, dataset, images_of
from fieldmark.demo.sketchbirds.designs import DESIGNS, Confounder, Design, find_design
from fieldmark.demo.sketchbirds.drawing import Picture, render
from fieldmark.demo.sketchbirds.marks import CUES, MARKS, PARTS
from fieldmark.demo.sketchbirds.network import classifier
from fieldmark.demo.sketchbirds.sampling import TIERS, sample

__all__ = [
    "CUES",
    "DESIGNS",
    "MARKS",
    "PARTS",
    "TIERS",
    "Bird",
    "Confounder",
    "Dataset",
    "Design",
    "Jitter",
    "Picture",
    "Pose",
    "Scene",
    "classifier",
    "dataset",
    "find_design",
    "images_of",
    "render",
    "sample",
]
