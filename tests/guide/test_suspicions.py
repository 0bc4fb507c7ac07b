"""What a guide must warn of: networks made by hand that read a corner, the rim, the background or the focus."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.guide.edits import Studio
from fieldmark.guide.evidence import Said, evidence
from fieldmark.guide.making import Seen
from fieldmark.guide.marks import Candidate
from fieldmark.guide.objects import Objects
from fieldmark.guide.pictures import Pictures
from fieldmark.guide.placing import Placed
from fieldmark.guide.pose import centred, whole_picture
from fieldmark.guide.regions import Region, find_regions
from fieldmark.guide.sharpness import blurred, blurred_to, sharpness
from fieldmark.guide.split import split_by_prediction
from fieldmark.guide.surroundings import Surroundings
from fieldmark.guide.suspicions import Search, Suspects, astray
from tests.guide.drawn import CUES, NAMES, colour_network, cue_network, cued
from tests.guide.made import small_guide

pytest.importorskip("cv2", reason="opencv (extra `guide`) finds the objects")


def studio_of(images: np.ndarray, masks: np.ndarray | None) -> Studio:
    """The boxes are known, or there is no object."""
    pictures = Pictures.of(images)
    if masks is None:
        objects = Objects(np.ones((len(images), 64, 64), bool), np.zeros(len(images)))
        poses = whole_picture(len(images), (64, 64))
    else:
        objects = Objects(masks, np.zeros(len(images)))
        poses = centred(objects)
    bodies = np.stack([np.median(lab[mask], axis=0) for lab, mask in zip(pictures.lab, objects.masks, strict=True)])
    return Studio(images, pictures, Placed(objects, poses), bodies)


def search(model, images: np.ndarray, masks: np.ndarray | None) -> tuple[Search, Suspects]:
    classifier = fm.Classifier(model, labels=NAMES)
    studio, said = studio_of(images, masks), Said.by(classifier, images)
    split, _ = split_by_prediction(said.predicted, NAMES, 0)
    groups = {c: split.discover[said.predicted[split.discover] == c] for c in np.unique(said.predicted)}

    def regions(at: Studio, rows: np.ndarray) -> list[Region]:
        rows = np.asarray(rows, int)
        some = Said(said.scores[rows], said.predicted[rows], said.margins[rows])
        maps = evidence(classifier, images[rows], some, (64, 64))
        return [
            region
            for values, i in zip(maps, rows, strict=True)
            for region in find_regions(int(i), values, at.pictures.lab[i], at.bodies[i], 27.0)
        ]

    looked = Search(classifier, studio, said, split, groups, 0, regions)
    return looked, looked.suspects(regions(studio, split.discover))


@pytest.fixture(scope="module")
def found() -> dict[str, Suspects]:
    return {cue: search(cue_network(cue), cued(cue)[0], cued(cue)[2])[1] for cue in CUES}


def test_a_square_in_the_corner_is_a_mark_beside_the_object_and_is_said(found: dict[str, Suspects]) -> None:
    (mark,) = found["corner"].marks
    assert mark.classes == ("plain",)
    assert mark.accepted
    assert mark.inside < 0.1
    assert mark.where == "at the lower right of the picture"
    assert mark.proof.flips > 0.9
    assert mark.proof.control_flips < 0.1
    assert mark.ground is not None
    images = cued("corner")[0]
    for example in mark.examples:
        square = np.zeros((64, 64), bool)
        square[54:62, 54:62] = True
        assert (example.mask & square).sum() > 0.9 * 64
        assert example.mask.sum() < 4 * 64
        assert images[example.image][56:60, 56:60].min() > 230
    (sentence,) = found["corner"].sentences
    assert sentence.startswith("for plain the network reads something white at the lower right of the picture, always")
    assert found["corner"].elsewhere == 0


def test_the_rim_is_said_with_its_colour_and_an_interval(found: dict[str, Suspects]) -> None:
    (sentence,) = found["rim"].sentences
    assert sentence.startswith("for plain the network reads the purple rim of the picture: with the rim of other")
    assert "95 % interval" in sentence


def test_a_background_is_said_and_that_its_colour_does_it(found: dict[str, Suspects]) -> None:
    said = [each for each in found["ground"].sentences if "for plain the network goes by the background" in each]
    assert len(said) == 1
    assert "its colour alone does it" in said[0]
    assert not any("rim" in each for each in found["ground"].sentences)
    assert found["ground"].marks == ()
    assert found["ground"].elsewhere >= 0.25


def test_focus_is_said(found: dict[str, Suspects]) -> None:
    assert any(
        each.startswith("for plain the network goes by pictures being blurred") for each in found["focus"].sentences
    )
    assert found["focus"].marks == ()


@pytest.mark.parametrize("cue", CUES)
def test_what_is_there_but_not_gone_by_is_no_suspicion(cue: str) -> None:
    images, _, masks = cued(cue)
    _, honest = search(colour_network(), images, masks)
    assert (honest.marks, honest.sentences, honest.elsewhere) == ((), (), 0.0)


def test_pictures_without_an_object_have_nothing_beside_it() -> None:
    images = cued("ground")[0]
    looked, suspects = search(cue_network("ground"), images, None)
    assert Surroundings.of(looked.studio) is None
    assert suspects.marks == ()
    assert not any("background" in each or "beside" in each for each in suspects.sentences)


def test_what_lies_beside_the_object_is_said_where_it_changes_the_networks_mind() -> None:
    images = cued()[0][:6]
    seen = Seen.of(images, np.arange(6))
    studio = Studio(images, seen.pictures, seen.placed, np.zeros((6, 3), np.float32))
    corner = np.zeros((64, 64), bool)
    corner[60:, 60:] = True
    candidate = Candidate(0, np.ones((96, 96)), (Region(0, corner, 0.5, np.zeros(3)),), 1.0, 0.5, np.zeros(3))
    mark = small_guide().marks[0]
    assert len(astray([mark], [candidate], studio)) == 1
    idle = replace(mark, proof=replace(mark.proof, flips=0.05, control_flips=0.02))
    assert astray([idle], [candidate], studio) == ()


def test_sharpness_falls_with_blur_and_not_with_contrast() -> None:
    image, whole = cued()[0][0], np.ones((64, 64), bool)
    soft = [sharpness(blurred(image, sigma), whole) for sigma in (0.5, 1.0, 2.0)]
    assert sharpness(image, whole) > soft[0] > soft[1] > soft[2] >= 1
    faint = image.astype(np.float32) * 0.4
    assert sharpness(faint, whole) == pytest.approx(sharpness(image, whole), rel=1e-3)


def test_blurring_to_an_aim_reaches_it() -> None:
    images = cued()[0][:6]
    where = np.ones((6, 64, 64), bool)
    aim = float(np.median([sharpness(blurred(image, 1.4), part) for image, part in zip(images, where, strict=True)]))
    assert blurred_to(images, where, aim) == pytest.approx(1.4, abs=0.2)
