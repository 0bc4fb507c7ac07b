"""What erasing and putting in proves, on boxes and a network whose rule is written down here."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from tests.guide.drawn import NAMES, boxes

pytest.importorskip("cv2", reason="opencv (extra `guide`) finds the objects")

from fieldmark.guide.absence import lacks, put_in
from fieldmark.guide.areas import Areas, moved
from fieldmark.guide.bench import Bench, choose_tested
from fieldmark.guide.causes import accepted, effect_of, put_on_others, transplanted, turned
from fieldmark.guide.edits import Studio
from fieldmark.guide.evidence import Said, _against_others
from fieldmark.guide.making import Seen
from fieldmark.guide.marks import Candidate, find_marks
from fieldmark.guide.pose import whole_picture
from fieldmark.guide.proving import prove
from fieldmark.guide.regions import Region
from fieldmark.guide.second import new_ones, second_look
from fieldmark.guide.together import default_of, erase_together

pytestmark = pytest.mark.no_framework
RED, BLUE, YELLOW, PLAIN = range(4)
COLOURS = np.array([[1, -1, -0.5], [-1, -0.3, 1], [0.5, 0.5, -1]])  # what each patch is in red, green and blue


@dataclass(frozen=True)
class Scores:
    scores: np.ndarray


class ByColour:
    """Calls a picture by the patch that it shows anywhere, and plain where there is none; no framework is needed."""

    labels = NAMES

    def predict(self, images: np.ndarray) -> Scores:
        soft = uniform_filter(images.astype(np.float32) / 255, (0, 3, 3, 0))
        seen = np.maximum(soft @ COLOURS.T - (0.1, 0.1, 0.25), 0).max(axis=(1, 2))
        return Scores(np.column_stack([32 * seen, np.full(len(images), 4.0)]))


def patch_of(studio: Studio, index: int) -> np.ndarray:
    colour = np.linalg.norm(studio.pictures.lab[index][..., 1:] - studio.bodies[index][1:], axis=-1)
    return (colour > 35) & studio.placed.objects.masks[index]


@pytest.fixture(scope="module")
def bench() -> Bench:
    """Marks at the patches of half of the pictures, ready to be tested on the other half."""
    network = ByColour()
    images = boxes(per_class=24)[0]
    said = Said.by(network, images)
    half = np.arange(len(images)) < len(images) // 2
    discover, hold_out = np.nonzero(half)[0], np.nonzero(~half)[0]
    seen = Seen.of(images, discover)
    bodies = np.stack(
        [np.median(lab[mask], axis=0) for lab, mask in zip(seen.pictures.lab, seen.placed.objects.masks, strict=True)]
    )
    studio = Studio(images, seen.pictures, seen.placed, bodies)
    patches = {int(i): patch_of(studio, i) for i in discover if said.predicted[i] != PLAIN}
    regions = [Region(i, mask, 0.9, np.median(studio.pictures.lab[i][mask], axis=0)) for i, mask in patches.items()]
    marks = find_marks(regions, said.predicted, seen.placed.poses, bodies)
    tested = choose_tested(hold_out, said, 0)
    return Bench(network, Areas(studio), said, tuple(marks), tested, np.random.default_rng(0))


def best(bench: Bench, cls: int) -> Candidate:
    return bench.of(cls)[0]


def test_a_patch_is_erased_whole(bench: Bench) -> None:
    for cls in (RED, BLUE, YELLOW):
        for i in bench.tested[cls]:
            area, patch = bench.areas.of(best(bench, cls), int(i)), patch_of(bench.studio, i)
            assert (patch & area).sum() > 0.95 * patch.sum()
            assert area.sum() < 2 * patch.sum()


def test_what_decides_is_accepted_and_what_does_not_is_not(bench: Bench) -> None:
    mark = best(bench, RED)
    found = effect_of(bench, mark, (1.0, 0.0))
    assert found.flips - found.control_flips > 0.8
    assert found.gain > 5
    elsewhere = replace(mark, plate=np.roll(mark.plate, 30, axis=1), regions=(), colour=mark.colour * 0)
    nothing = effect_of(bench, elsewhere, (0.0, 0.0))
    assert abs(nothing.lost) < 0.1
    assert accepted([found, nothing]).tolist() == [True, False]


def test_a_small_loss_counts_only_with_a_gain_elsewhere(bench: Bench) -> None:
    strong = effect_of(bench, best(bench, BLUE), (1.0, 0.0))
    half = replace(strong, flips=0.1, control_flips=0.0, lost=0.4)
    weak = replace(half, lost=0.1)
    assert accepted([half, replace(half, gain=0.0), weak]).tolist() == [True, False, False]


def test_a_picture_is_turned_where_two_ways_of_erasing_turn_it() -> None:
    none, one, two, every = [0] * 5, [0, 0, 0, 3, 0], [0, 1, 0, 3, 0], [1] * 5
    assert turned(np.array([none, one, two, every]).T, 0).tolist() == [False, False, True, True]
    assert turned(np.zeros((5, 0), int), 0).tolist() == []


def test_donors_of_a_fill_do_not_show_the_mark(bench: Bench) -> None:
    mark = best(bench, YELLOW)
    for i in bench.tested[YELLOW]:
        donors = bench._donors(int(i), YELLOW, [mark])
        assert len(set(donors)) == 3
        for donor in donors:
            assert bench.said.predicted[donor] != YELLOW
            assert bench.shows(mark, donor) < 0.2 < bench.shows(mark, int(i))


def test_marks_put_on_others_make_them_the_class(bench: Bench) -> None:
    swapped, control = transplanted(bench, BLUE)
    assert swapped > 0.9
    assert control < 0.1
    added, add_control, gain = put_on_others(bench, best(bench, BLUE))
    assert added > add_control + 0.3
    assert gain > 5


def test_the_class_without_a_patch_is_the_default(bench: Bench) -> None:
    together = erase_together(bench, [best(bench, cls) for cls in (RED, BLUE, YELLOW)])
    assert all(each.flips > 0.8 and each.lost > 0.8 for each in together.values())
    default = default_of(together)
    assert default is not None
    assert default.cls == PLAIN
    assert default.share > 0.8
    assert default_of({RED: together[RED]}) is None  # one class is not enough to say so


def test_a_class_must_not_have_the_marks_of_others(bench: Bench) -> None:
    red = best(bench, RED)
    assert lacks(bench, PLAIN, red)
    assert not lacks(bench, RED, red)
    found = put_in(bench, PLAIN, red)
    assert found.flips > 0.8
    assert found.control_flips < 0.1
    assert accepted([found]).tolist() == [True]


def test_a_second_look_sees_what_the_first_mark_hid_and_not_what_was_erased(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evidence that is where a picture is red, and a tenth as strong at a corner of it that no mark lies on."""
    studio, mark = bench.studio, best(bench, RED)
    rows = np.array([int(i) for i in mark.images])

    def evidence(classifier: object, images: np.ndarray, said: Said, shape: tuple[int, int]) -> np.ndarray:
        assert len(images) == len(said.predicted) == len(rows)
        red = np.clip(images[..., 0].astype(np.float32) - images[..., 1] - 40, 0, None) / 100
        red[:, 2:10, 2:10] += 0.1
        return red

    monkeypatch.setattr("fieldmark.guide.second.evidence_left", evidence)
    found = second_look(bench.classifier, studio, bench.said, [mark], rows)
    assert {region.image for region in found} == set(rows.tolist())
    assert all(region.mask[2:10, 2:10].mean() > 0.5 for region in found)
    more = find_marks(found, bench.said.predicted, studio.placed.poses, studio.bodies)
    assert len(new_ones([mark], [mark, *more])) == len(more) == 1
    assert new_ones([mark], more)[0].after == (mark,)


def test_what_an_edit_makes_of_a_picture_is_no_rival_to_what_is_left() -> None:
    """Of three other classes the one that takes the picture over is left out; in the second picture none does."""
    weights = _against_others(0, np.array([[0.0, 9.0, 2.0, 2.0], [5.0, 1.0, 1.0, 1.0]]))
    np.testing.assert_allclose(weights[:, 0], [[1, 0, -0.5, -0.5], [1, -1 / 3, -1 / 3, -1 / 3]])
    assert _against_others(1, np.array([[3.0, 1.0]])).tolist() == [[[-1.0, 1.0]]]  # the only rival stays


def test_what_is_seen_after_a_mark_does_not_take_the_credit_for_it(bench: Bench) -> None:
    mark = best(bench, RED)
    again = replace(mark, after=(mark,))
    assert not any(bench.areas.of(again, int(i)).any() for i in bench.tested[RED])
    assert effect_of(bench, again, (0.0, 0.0)).flips == 0


def test_a_control_leaves_the_marks_of_the_class_alone(bench: Bench) -> None:
    """As much as a patch, anywhere but on it: where there is room, no control of that erases the patch."""
    rows, mark = bench.tested[RED], best(bench, RED)
    masks = bench.studio.placed.objects.masks
    areas = [bench.areas.of(mark, int(i)) for i in rows]
    beside = [moved(area, masks[i], 1, bench.rng)[0] for i, area in zip(rows, areas, strict=True)]
    assert bench.controls(rows, beside, RED)[0].mean() < 0.05
    assert replace(bench, marks=()).controls(rows, beside, RED)[0].mean() > 0.2  # where no mark is known


def test_what_only_a_second_look_saw_has_to_decide(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bar that no mark reaches, first marks stay accepted and later ones are proved for nothing else either."""
    monkeypatch.setattr(
        "fieldmark.guide.second.evidence", lambda classifier, images, said, shape: np.zeros((len(images), *shape))
    )
    hold_out = bench.everyone
    marks = [replace(mark, regions=mark.regions) for mark in bench.marks]
    corner = np.zeros_like(marks[0].plate)
    corner[0, 0] = 1
    nowhere = replace(marks[0], plate=corner, regions=())
    asked, told = (bench.classifier, bench.studio, bench.said), np.ones(len(marks), bool)
    later = [replace(mark, after=(nowhere,)) for mark in marks]
    assert prove(*asked, later, told, hold_out, 0).accepted.any()
    monkeypatch.setattr("fieldmark.guide.proving.DECIDES", 2.0)
    assert prove(*asked, marks, told, hold_out, 0).accepted.any()
    for proof in (prove(*asked, later, told, hold_out, 0), prove(*asked, marks, ~told, hold_out, 0)):
        assert not proof.accepted.any()
        assert proof.absences == ()
        assert all(each.flips == 0 for each in proof.together.values())


def test_an_object_that_is_a_mark_leaves_its_parts_to_other_marks(bench: Bench) -> None:
    part, rows = best(bench, RED), bench.tested[RED]
    body = replace(part, plate=np.ones_like(part.plate), whole=True)
    both = replace(bench, areas=Areas(bench.studio, marks=(body, part)), marks=(body, part))
    assert all((both.areas.of(part, int(i)) == bench.areas.of(part, int(i))).all() for i in rows)
    after = replace(part, after=(body,))
    assert Areas(bench.studio, marks=(body, after)).of(after, int(rows[0])).any()
    together, alone = erase_together(both, [body, part])[RED], erase_together(both, [part])[RED]
    assert (together.flips, together.called) == (alone.flips, alone.called)
    assert sum(alone.called) > 0.5
    assert sum(erase_together(both, [body])[RED].called) == 0  # dyed: what lends its colour is not what is left


def test_nothing_is_most_of_an_object_where_pictures_have_none(bench: Bench) -> None:
    shape, n = bench.studio.pictures.shape, 8
    everywhere = [Region(i, np.ones(shape, bool), 0.9, np.zeros(3)) for i in range(n)]
    poses, bodies = bench.studio.placed.poses.select(slice(0, n)), np.zeros((n, 3))
    assert find_marks(everywhere, np.zeros(n, int), poses, bodies)[0].whole
    assert not find_marks(everywhere, np.zeros(n, int), whole_picture(n, shape), bodies)[0].whole


def test_pixels_that_two_marks_of_a_class_claim_are_the_stronger_ones(bench: Bench) -> None:
    strong, other = best(bench, RED), best(bench, BLUE)
    wide = replace(strong, plate=np.maximum(strong.plate, np.roll(strong.plate, 12, axis=1)), colour=strong.colour * 0)
    shared = Bench(
        bench.classifier,
        Areas(bench.studio, marks=(strong, wide, other)),
        bench.said,
        (strong, wide, other),
        bench.tested,
        np.random.default_rng(0),
    )
    rows = bench.tested[RED]
    for i in map(int, rows):
        assert not (shared.areas.of(strong, i) & shared.areas.of(wide, i)).any()
        assert (shared.areas.of(strong, i) == bench.areas.of(strong, i)).all()
        assert (shared.areas.of(other, i) == bench.areas.of(other, i)).all()
    assert shared.areas.left(wide, rows) < 0.9 < shared.areas.left(strong, rows)
    assert accepted([effect_of(bench, wide, (0.0, 0.0)), effect_of(shared, wide, (0.0, 0.0))]).tolist() == [True, False]
