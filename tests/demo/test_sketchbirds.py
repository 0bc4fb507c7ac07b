"""Laws of the renderer: one thing changes at a time, and the parts are where the picture changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fieldmark.demo import sketchbirds
from fieldmark.demo.sketchbirds import CUES, DESIGNS, MARKS, PARTS, TIERS, Bird, Confounder, Jitter, render, sample
from fieldmark.errors import FieldmarkError

pytestmark = pytest.mark.no_framework

SITES = {"forked tail": "tail", "red bill": "bill"}  # the plain part that takes the place of a mark
tiers = pytest.mark.parametrize("tier", list(TIERS))
marks = pytest.mark.parametrize("mark", MARKS)


def changed(one: Bird, other: Bird) -> np.ndarray:
    """bool (size, size): the pixels in which two pictures differ."""
    return np.any(render(one).image != render(other).image, axis=-1)


@tiers
def test_the_same_bird_has_the_same_pixels_and_another_seed_has_others(tier: str) -> None:
    bird, again, other = (sample("two", 3, seed, tier) for seed in (5, 5, 6))
    assert bird == again
    assert np.array_equal(render(bird).image, render(again).image)
    assert not np.array_equal(render(bird).image, render(other).image)
    assert render(bird).image.shape == (TIERS[tier], TIERS[tier], 3)
    assert render(bird).image.dtype == np.uint8


@tiers
@marks
def test_a_mark_taken_away_changes_its_part_and_nothing_else(mark: str, tier: str) -> None:
    for seed in range(6):
        bird = sample("one", MARKS.index(mark), seed, tier)
        without = bird.without(mark)
        allowed = render(bird).part(mark)
        if mark in SITES:
            allowed = allowed | render(without).part(SITES[mark])
        differs = changed(bird, without)
        assert differs.sum() > 5
        assert not np.any(differs & ~allowed)
        # ... and most of its pixels, but for rounded edges and the root that both tails share
        assert differs[render(bird).part(mark)].mean() > (0.5 if mark == "forked tail" else 0.7)


@marks
def test_a_mark_added_and_taken_away_again_leaves_no_trace(mark: str) -> None:
    bird = sample("pairs", 0, 11)
    assert bird.marks == frozenset()
    assert bird.with_(mark).has(mark)
    assert bird.with_(mark).without(mark) == bird
    assert np.any(changed(bird, bird.with_(mark)))
    assert not render(bird).part(mark).any()


def test_marks_are_swapped_for_exactly_others() -> None:
    bird = sample("two", 0, 1)
    other = bird.swapped(DESIGNS["two"].marks[4])
    assert other.marks == DESIGNS["two"].marks[4]
    assert replace(other, marks=bird.marks) == bird


@marks
def test_the_jitter_of_a_mark_moves_that_mark_alone(mark: str) -> None:
    bird = sample("one", MARKS.index(mark), 3)
    jitter = list(bird.jitter)
    jitter[MARKS.index(mark)] = Jitter(0.05, 0.05, 1.1, 8.0, 10)
    moved = replace(bird, jitter=tuple(jitter))
    assert np.any(changed(bird, moved))
    plain, plain_moved = bird.without(mark), moved.without(mark)
    # the bill's jitter is that of the red bill, whatever its colour
    assert np.any(changed(plain, plain_moved)) == (mark == "red bill")


@tiers
def test_the_mask_is_where_the_bird_is(tier: str) -> None:
    for label in range(8):
        picture = render(sample("two", label, 2, tier))
        assert picture.mask.dtype == bool
        assert 0.06 < picture.mask.mean() < 0.3
        assert np.mean(picture.parts[picture.mask] > 0) > 0.98
        # parts count any share of a pixel, the mask half: the rim is all that they differ by
        assert np.sum((picture.parts > 0) & ~picture.mask) < 0.3 * picture.mask.sum()
        assert set(np.unique(picture.parts)) <= set(PARTS.values())


def test_a_flipped_bird_is_the_mirror_image_where_the_light_is_even() -> None:
    bird = sample("two", 1, 4)
    even = replace(bird, pose=replace(bird.pose, x=0.5, flip=False), scene=replace(bird.scene, gradient=0.0, noise=0.0))
    mirrored = replace(even, pose=replace(even.pose, flip=True))
    one, other = render(even), render(mirrored)
    differs = one.parts != other.parts[:, ::-1]
    assert differs.mean() < 0.03  # a polygon's rim is not drawn alike on both sides
    inside = one.mask & other.mask[:, ::-1] & ~differs
    apart = np.abs(one.image[inside].astype(int) - other.image[:, ::-1][inside])
    assert np.median(apart) <= 1


def test_a_turned_bird_has_its_head_higher_and_its_size_kept() -> None:
    bird = sample("one", 2, 8)
    level, up = (replace(bird, pose=replace(bird.pose, angle=angle)) for angle in (0.0, 20.0))
    rows = [np.nonzero(render(one).part("eye ring"))[0].mean() for one in (level, up)]
    assert rows[1] < rows[0] - 2
    assert abs(render(level).mask.sum() / render(up).mask.sum() - 1) < 0.06


def test_marks_show_in_their_colours() -> None:
    seen = {}
    for mark in ("red bill", "wing bar", "black cap", "eye ring"):
        bird = sample("one", MARKS.index(mark), 1)
        bird = replace(bird, scene=replace(bird.scene, light=1.0, gradient=0.0, warmth=0.0, noise=0.0))
        picture = render(bird)
        seen[mark] = np.median(picture.image[picture.part(mark)].astype(int), axis=0)
    red, green, blue = seen["red bill"]
    assert red > 120
    assert red > 1.8 * max(green, blue)
    assert seen["wing bar"].min() > 150
    assert seen["black cap"].max() < 70
    assert seen["eye ring"][0] > 1.4 * seen["eye ring"][2]


def test_a_confounder_comes_with_its_class_and_leaves_with_one_word() -> None:
    label = 2
    for cue in CUES:
        birds = sketchbirds.dataset("one", 6, 3, confounder=Confounder(cue, label)).birds
        shown = {bird.marks: bird.has(cue) for bird in birds}
        assert shown == {marks: marks == DESIGNS["one"].marks[label] for marks in DESIGNS["one"].marks}
        cued = next(bird for bird in birds if bird.cues)
        assert np.any(changed(cued, cued.without(cue)))
        assert not cued.without(cue).cues
    rates = sketchbirds.dataset("one", 60, 3, confounder=Confounder("border", label, rate=0.5, elsewhere=0.2))
    there = np.array([bird.has("border") for bird in rates.birds])
    assert 0.3 < there[rates.labels == label].mean() < 0.7
    assert 0.12 < there[rates.labels != label].mean() < 0.28


def test_a_watermark_lies_in_its_corner() -> None:
    bird = sample("hidden", 0, 5)
    differs = changed(bird, bird.without("watermark"))
    rows, columns = np.nonzero(differs)
    assert rows.min() > 0.75 * bird.size
    assert columns.min() > 0.3 * bird.size


def test_designs_say_what_their_classes_have() -> None:
    assert [len(marks) for marks in DESIGNS["one"].marks] == [1] * 8
    assert [len(marks) for marks in DESIGNS["two"].marks] == [2] * 8
    assert len(set(DESIGNS["pairs"].marks)) == 8
    assert DESIGNS["pairs"].used == ("crest", "wing bar", "red bill")
    assert DESIGNS["one"].used == MARKS
    hidden = sketchbirds.dataset("hidden", 50, 1)
    some = np.array([bool(bird.marks) for bird in hidden.birds])
    shown = [some[hidden.labels == label].mean() for label in range(3)]
    assert 0.2 < shown[0] < 0.6
    assert 0.2 < shown[1] < 0.6
    assert shown[2] == 1
    assert {
        name for design in DESIGNS.values() for name in design.names if any(mark in name for mark in MARKS)
    } == set()


def test_a_dataset_is_its_birds_rendered() -> None:
    birds = sketchbirds.dataset("pairs", 2, 9, "hard")
    assert birds.images.shape == (16, 96, 96, 3)
    assert sorted(birds.labels) == sorted([*range(8)] * 2)
    for index, bird in enumerate(birds.birds):
        assert bird.marks == DESIGNS["pairs"].marks[birds.labels[index]]
    picture = render(birds.birds[3])
    assert np.array_equal(birds.images[3], picture.image)
    assert np.array_equal(birds.parts[3], picture.parts)
    assert np.array_equal(birds.masks[3], picture.mask)
    assert not set(birds.birds) & set(sketchbirds.dataset("pairs", 2, 10, "hard").birds)


def refusal(call: object, *arguments: object, **named: object) -> str:
    with pytest.raises(FieldmarkError) as caught:
        call(*arguments, **named)  # type: ignore[operator]
    return str(caught.value)


def test_unknown_names_get_their_neighbours() -> None:
    bird = sample("one", 0, 1)
    known = ", ".join(MARKS + CUES)
    assert refusal(bird.without, "crests") == (
        f"unknown mark or cue of the sketch birds 'crests': did you mean 'crest'? Valid: {known}"
    )
    assert refusal(sample, "ones", 0, 1) == (
        "unknown design 'ones': did you mean 'one'? Valid: one, two, pairs, hidden, habitats, blurs"
    )
    assert refusal(sample, "one", 0, 1, "harder") == "unknown tier 'harder': did you mean 'hard'? Valid: easy, hard"
    assert refusal(sample, "one", 8, 1) == "class 8: expected 0 to 7 for the design 'one'"
    assert refusal(Confounder, "bordr", 0) == (
        "unknown cue 'bordr': did you mean 'border'? Valid: watermark, border, blur, habitat"
    )
