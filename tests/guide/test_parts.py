"""The parts of a guide, each against what is known of a small case."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2", reason="opencv (extra `guide`) finds the objects")

from fieldmark.guide import key as keys
from fieldmark.guide.areas import moved
from fieldmark.guide.chance import benjamini_hochberg, sign_flip
from fieldmark.guide.edits import between, blurred_into
from fieldmark.guide.evidence import margins
from fieldmark.guide.marks import CANVAS
from fieldmark.guide.objects import LOOKS, Objects, find_objects
from fieldmark.guide.observer import balanced_accuracy, tells, wilson
from fieldmark.guide.pictures import DIM, Pictures, to_lab
from fieldmark.guide.places import Table, tabulate
from fieldmark.guide.placing import best_placed
from fieldmark.guide.pose import Poses, congeal, fit, overlap, to_canvas, whole_picture
from fieldmark.guide.regions import two_things
from fieldmark.guide.vocabulary import COLOURS, TERMS, colour_names, look
from fieldmark.guide.words import Word
from tests.guide.drawn import boxes

pytestmark = pytest.mark.no_framework


def wedge(side: int, size: float, angle: float, sign: int, middle: np.ndarray) -> np.ndarray:
    """A mask (side, side): thick at one end and thin at the other, turned, mirrored or not."""
    import cv2

    shape = np.array([[-18, -8], [2, -9], [20, -2], [20, 2], [2, 9], [-18, 8]], float) * (sign, 1) * size
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [(shape @ turn + middle).round().astype(np.int32)], 1)
    return mask.astype(bool)


def arrows(n: int = 30, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(images, masks): dark wedges anywhere, turned and mirrored."""
    rng = np.random.default_rng(seed)
    images, masks = [], []
    for _ in range(n):
        angle, sign, size = rng.uniform(-0.5, 0.5), rng.choice([-1, 1]), rng.uniform(0.8, 1.1)
        mask = wedge(64, size, angle, sign, rng.uniform(28, 36, 2))
        image = np.where(mask[..., None], 60, 190) + rng.normal(0, 4, (64, 64, 3))
        images.append(np.clip(image, 0, 255).astype(np.uint8))
        masks.append(mask)
    return np.stack(images), np.stack(masks)


def of_sizes(sizes: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """(images, masks) of 96 x 96 pixels: dark wedges of these sizes on a blotchy ground."""
    import cv2

    rng = np.random.default_rng(0)
    images, masks = [], []
    for size in sizes:
        mask = wedge(96, size, rng.uniform(-0.5, 0.5), rng.choice([-1, 1]), rng.uniform(44, 52, 2))
        ground = cv2.resize(blurred_noise(rng), (96, 96)) * noise + rng.normal(0, 4, (96, 96))
        image = np.where(mask, 60, 190) + ground
        images.append(np.clip(np.stack([image] * 3, axis=-1), 0, 255).astype(np.uint8))
        masks.append(mask)
    return np.stack(images), np.stack(masks)


def alike(found: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """(n,) intersection over union."""
    return (found & masks).sum(axis=(1, 2)) / (found | masks).sum(axis=(1, 2))


def test_objects_are_found_whatever_their_shape() -> None:
    images, masks = arrows()
    assert np.median(alike(find_objects(Pictures.of(images)).masks, masks)) > 0.9


def test_what_is_known_of_pictures_goes_along_in_a_selection() -> None:
    images, _ = arrows()
    rows, pictures = np.array([7, 3, 11]), Pictures.of(images)
    for look_at in LOOKS:
        find_objects(pictures, look=look_at)
    few, alone = pictures.select(rows), Pictures.of(images[rows])
    np.testing.assert_array_equal(few.lab, alone.lab)
    for look_at in LOOKS:
        known, anew = find_objects(few, look=look_at), find_objects(alone, look=look_at)
        np.testing.assert_array_equal(known.masks, anew.masks)
        np.testing.assert_array_equal(known.contrast, anew.contrast)
    spare = pictures.aside()
    spare.once("more", lambda: rows)
    assert pictures.once("more", lambda: images) is images


def test_turned_and_mirrored_objects_come_into_one_frame() -> None:
    images, _ = arrows()
    pictures = Pictures.of(images)
    objects = find_objects(pictures)
    poses = fit(pictures, objects, congeal(pictures, objects))
    assert overlap(objects, poses) > 0.85
    still = Poses(poses.y, poses.x, poses.unit, poses.angle * 0, poses.mirrored & False)
    assert overlap(objects, poses) > overlap(objects, still) + 0.1


def blurred_noise(rng: np.random.Generator) -> np.ndarray:
    """(64, 64) blotches, of a standard deviation of 1."""
    import cv2

    noise = cv2.GaussianBlur(rng.normal(size=(64, 64)), (0, 0), 6)
    return noise / noise.std()


def test_an_object_of_the_grounds_colour_is_found_whole_by_its_likeness_to_the_others() -> None:
    images, masks = arrows()
    faint, rng = np.arange(30) % 3 == 0, np.random.default_rng(1)
    rows, columns = np.indices((64, 64))
    for index, mask in enumerate(masks):
        blotches = blurred_noise(rng) * 8 * ~mask
        middle = np.argwhere(mask).mean(axis=0)
        body = mask & (np.hypot(rows - middle[0], columns - middle[1]) >= 5) & faint[index]
        images[index] = np.clip(images[index] + (blotches + 112 * body)[..., None], 0, 255)
    pictures = Pictures.of(images)
    template = congeal(pictures, find_objects(pictures, refine=False))
    once = alike(find_objects(pictures).masks, masks)[faint].mean()
    best = alike(best_placed(pictures, template, any_way=False).objects.masks, masks)[faint].mean()
    assert best > 0.9 > once + 0.1


@pytest.mark.parametrize(
    ("few", "most", "noise"),
    [(1.9, 1.15, 16), (1.15, 1.9, 16), (1.0, 0.7, 8)],
    ids=["some large", "some small", "all tiny"],
)
def test_objects_of_two_sizes_are_found_whole(few: float, most: float, noise: float) -> None:
    odd = np.arange(60) % 10 == 0
    images, masks = of_sizes(np.where(odd, few, most), noise)
    pictures = Pictures.of(images)
    placed = best_placed(pictures, congeal(pictures, find_objects(pictures, refine=False)), any_way=False)
    found = alike(placed.objects.masks, masks)
    assert found[odd].mean() > 0.9
    assert found[~odd].mean() > 0.95


@pytest.mark.parametrize(("any_way", "least", "mean"), [(False, 0.4, 0.6), (True, 0.2, 0.4)])
def test_an_object_beside_something_bolder_is_sought_where_the_others_lie(
    any_way: bool, least: float, mean: float
) -> None:
    import cv2

    images, masks = arrows()
    beside, rng, radius = np.arange(30) % 6 == 0, np.random.default_rng(1), 11
    rows, columns = np.indices((64, 64))
    for index, mask in enumerate(masks):
        image = images[index] + (blurred_noise(rng) * 4 * ~mask)[..., None]
        if beside[index]:
            image[mask] += 115  # nearly the ground's
            room = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
            room[np.minimum(np.minimum(rows, 63 - rows), np.minimum(columns, 63 - columns)) < radius + 2] = 0
            y, x = np.unravel_index(room.argmax(), room.shape)
            image[(np.hypot(rows - y, columns - x) <= radius) & ~mask] = (200, 30, 30)
        images[index] = np.clip(image, 0, 255)
    pictures = Pictures.of(images)
    template = congeal(pictures, find_objects(pictures, refine=False), any_way=any_way)
    once = alike(find_objects(pictures).masks, masks)[beside]
    best = alike(best_placed(pictures, template, any_way=any_way).objects.masks, masks)[beside]
    assert once.max() < 0.1
    assert best.min() > least
    assert best.mean() > mean


def test_a_point_goes_through_the_frame_from_one_picture_to_another() -> None:
    poses = Poses(*(np.array(v, float) for v in ([20, 40], [30, 25], [10, 20], [0, 0])), np.array([False, True]))
    matrix = between(poses, 0, 1)
    np.testing.assert_allclose(matrix @ [30, 20, 1], [25, 40], atol=1e-4)  # centre to centre
    np.testing.assert_allclose(matrix @ [35, 20, 1], [15, 40], atol=1e-4)  # half a unit right: mirrored, twice the size


def test_the_canvas_shows_the_object_in_its_middle() -> None:
    image = np.zeros((1, 40, 60), np.float32)
    image[0, 10, 45] = 1
    poses = Poses(np.array([10.0]), np.array([45.0]), np.array([8.0]), np.zeros(1), np.zeros(1, bool))
    y, x = np.unravel_index(to_canvas(image, poses, 65)[0].argmax(), (65, 65))
    assert abs(y - 32) <= 1
    assert abs(x - 32) <= 1


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "black"),
        ((255, 255, 255), "white"),
        ((128, 128, 128), "grey"),
        ((220, 20, 20), "red"),
        ((30, 60, 200), "blue"),
        ((250, 230, 40), "yellow"),
        ((30, 150, 50), "green"),
        ((240, 140, 30), "orange"),
        ((110, 70, 35), "brown"),
        ((120, 50, 160), "purple"),
        ((245, 150, 190), "pink"),
    ],
)
def test_colours_are_called_what_people_call_them(rgb: tuple[int, int, int], name: str) -> None:
    named = colour_names(to_lab(np.full((2, 2, 3), rgb, np.uint8)))
    assert list(COLOURS)[int(named[0, 0].argmax())] == name


def _white_bar(strength: float) -> tuple[np.ndarray, np.ndarray]:
    """A dark thing with a white bar before a light ground, in a light of that strength; and where the bar is."""
    image = np.full((64, 64, 3), 190.0)
    image[16:48, 16:48] = (120, 100, 80)
    bar = np.zeros((64, 64), bool)
    bar[28:34, 20:44] = True
    image[bar] = 245
    return (image * strength).round().astype(np.uint8), bar


@pytest.mark.parametrize("strength", [0.7, 0.85, 1.0])
def test_white_is_white_in_any_light(strength: float) -> None:
    image, bar = _white_bar(strength)
    pictures = Pictures.of(image[None])
    poses = whole_picture(1, pictures.shape)
    everything = Objects(np.ones((1, 64, 64), bool), np.zeros(1))
    table = tabulate(pictures, everything, poses, np.ones((CANVAS, CANVAS)), {0: np.array([0])})
    assert table.whole[0, TERMS.index("white")] == pytest.approx(bar.mean(), abs=0.01)
    assert table.bodies[0] == pytest.approx(np.median(pictures.lab[0].reshape(-1, 3), axis=0))  # as it is


def test_a_picture_is_brightened_as_an_eye_adapts_and_no_more() -> None:
    dark, plain = np.full((64, 64, 3), 40, np.uint8), _white_bar(1.0)[0]
    assert Pictures.of(np.stack([plain, dark])).light == pytest.approx([1.0, DIM])


def test_shapes_are_seen_in_the_outline_alone() -> None:
    mask = np.zeros((64, 64), bool)
    mask[20:44, 16:48] = True
    plain = look(np.full((64, 64, 3), 50, np.float32), mask)[..., TERMS.index("sticks out thinly")]
    assert plain[30, 30] == 0
    mask[8:20, 30:33] = True
    thin = look(np.full((64, 64, 3), 50, np.float32), mask)[..., TERMS.index("sticks out thinly")]
    assert thin[10, 31] == 1
    assert thin[30, 30] == 0


def test_a_region_of_two_colours_in_two_places_is_cut() -> None:
    lab = np.full((20, 30, 3), (60, 0, 0), np.float32)
    lab[5:15, 3:12] = (50, 60, 40)
    lab[5:15, 16:25] = (85, 0, 80)
    mask = np.zeros((20, 30), bool)
    mask[5:15, 3:25] = True
    body = np.array([60, 0, 0], np.float32)
    parts = two_things(mask, lab, body, unit=20)
    assert len(parts) == 2
    assert not (parts[0] & parts[1]).any()
    assert len(two_things(mask[:, :14].copy(), lab[:, :14], body, unit=20)) == 1


def test_margins_are_log_odds() -> None:
    scores = np.array([[2.0, 1.0, -1.0], [0.0, 0.0, 0.0]])
    odds = margins(scores, np.array([0, 1]))
    share = np.exp(2) / np.exp([2, 1, -1]).sum()
    np.testing.assert_allclose(odds, [np.log(share / (1 - share)), np.log(1 / 2)])


def test_balanced_accuracy_is_the_best_over_all_thresholds() -> None:
    rng = np.random.default_rng(0)
    values, positive = rng.integers(0, 5, (40, 6)).astype(float), rng.random(40) < 0.4
    expected = [
        max([0.5] + [((v >= t)[positive].mean() + (v < t)[~positive].mean()) / 2 for t in np.unique(v)])
        for v in values.T
    ]
    np.testing.assert_allclose(balanced_accuracy(values, positive), expected)


def test_wilson_has_its_textbook_values() -> None:
    np.testing.assert_allclose(wilson(0.5, 10), (0.2366, 0.7634), atol=1e-4)
    assert wilson(1.0, 20)[1] == 1.0
    assert wilson(0.0, 0) == (0.0, 1.0)


def test_the_key_asks_few_questions_and_leaves_no_thin_answers() -> None:
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(4), 30)
    numbers = np.eye(4)[classes][:, :3] + rng.normal(0, 0.1, (120, 3))
    tree = keys.grow(numbers, classes, 4)
    assert (keys.answers(tree, numbers) == classes).all()

    def walk(node: keys.Node, positive: int) -> None:
        assert positive <= keys.POSITIVE
        assert node.counts.sum() >= keys.LEAST
        if node.feature >= 0:
            walk(node.yes, positive + 1)
            walk(node.no, positive)

    walk(tree, 0)


def test_the_key_asks_nothing_whose_answer_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    classes = np.repeat([0, 1], [60, 30])
    numbers = rng.normal(0, 1, (90, 4)) + 0.8 * classes[:, None]

    def walk(node: keys.Node) -> None:
        if node.feature >= 0:
            assert node.yes.feature >= 0 or node.no.feature >= 0 or node.yes.answer != node.no.answer
            walk(node.yes)
            walk(node.no)

    for seed in range(5):
        walk(keys.grow(numbers[rng.permutation(90)], np.random.default_rng(seed).permutation(classes), 2))


def test_a_class_that_shows_most_of_something_is_told_by_it_from_those_that_show_some() -> None:
    """A bar shows much in the middle, two dots some: the best first cut parts all three from plain, and loses a dot."""
    rng = np.random.default_rng(0)
    middle, left, above = np.array([[1.0, 0.5, 0.5, 0], [0.6, 1.0, 0, 0], [0.1, 0, 1.0, 0]])
    classes = np.repeat(np.arange(4), 25)
    numbers = np.stack([middle[classes], left[classes], above[classes]], axis=1) + rng.normal(0, 0.05, (100, 3))
    assert keys.thresholds(numbers, classes)[0] == pytest.approx(0.75, abs=0.1)
    assert (keys.answers(keys.grow(numbers, classes, 4), numbers) == classes).mean() > 0.95
    assert (keys.answers(keys._grown(numbers, classes, 4, {}), numbers) == classes).mean() < 0.8


def test_a_key_without_numbers_says_the_commonest_class() -> None:
    tree = keys.grow(np.zeros((20, 0)), np.repeat([1, 2], [14, 6]), 3)
    assert (keys.answers(tree, np.zeros((5, 0))) == 1).all()


def test_false_discoveries_are_held_down() -> None:
    np.testing.assert_array_equal(benjamini_hochberg(np.array([0.001, 0.2, 0.02, 0.9])), [True, False, True, False])
    assert sign_flip(np.full(12, 2.0), 0) < 0.01
    assert sign_flip(np.array([1.0, -1.0] * 6), 0) > 0.3


def test_the_control_lies_on_the_object_and_off_the_mark() -> None:
    region, mask = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    region[5:10, 5:10], mask[3:36, 3:36] = True, True
    for other in moved(region, mask, 20, np.random.default_rng(0)):
        assert (other & region).sum() <= 0.05 * 25
        assert other.sum() >= 0.9 * 25


def test_controls_keep_off_what_they_must_avoid_as_far_as_there_is_room() -> None:
    region, mask, avoided = (np.zeros((40, 40), bool) for _ in range(3))
    region[5:10, 5:10], mask[3:36, 3:36], avoided[15:, :] = True, True, True
    free = moved(region, mask, 20, np.random.default_rng(0), avoided)
    assert len(free) == 20
    assert all((other & avoided).sum() <= 0.05 * 25 for other in free)
    narrow = moved(region, mask & avoided, 20, np.random.default_rng(0), avoided)
    touching = [int((other & avoided).sum()) for other in narrow]
    assert touching == sorted(touching)  # no place is free of it: the least first
    assert touching[0] < touching[-1] == 25


def test_a_thin_region_is_filled_by_what_is_next_to_it() -> None:
    rgb = np.zeros((40, 40, 3), np.uint8)
    rgb[:, 24:] = 200
    region = np.zeros((40, 40), bool)
    region[4:36, 18:20] = True
    assert blurred_into(rgb, region)[region].max() < 20


def test_a_word_that_others_show_as_much_of_tells_nothing() -> None:
    amounts = np.zeros((40, 1, 2), np.float32)
    amounts[:20, 0, 0] = np.linspace(0.2, 1, 20)
    amounts[:, 0, 1] = np.tile(np.linspace(0, 1, 20), 2)
    table = Table(amounts, np.zeros((40, 1)), {}, np.zeros((40, 3)), np.zeros((4, 4)), (), np.ones((1, 2)), np.ones(40))
    predicted = np.repeat([0, 1], 20)
    there = [tells(Word(0, place, 1.0), 0, table, np.arange(40), predicted) for place in (0, 1)]
    assert there == [True, False]
    assert not tells(Word(0, 0, 1.0), 1, table, np.arange(40), predicted)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("scale", [1, 255])
def test_floats_and_bytes_of_any_channels_are_seen_alike(channels: int, scale: int) -> None:
    images = boxes(per_class=1)[0]
    some = np.concatenate([images, images[..., :1]], axis=-1)[..., :channels]
    seen = Pictures.of(some.astype(np.float32) / 255 * scale)
    assert np.abs(seen.rgb.astype(int) - Pictures.of(some).rgb).max() <= 1
