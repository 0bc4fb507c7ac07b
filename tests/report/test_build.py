"""The data of a report: what belongs together, names that differ, maps that travel unspoilt."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fieldmark.attribution import Attribution
from fieldmark.errors import FieldmarkError
from fieldmark.figures.colours import colour_table
from fieldmark.figures.scale import scale_of
from fieldmark.report import build
from tests.figures.samples import sample

pytestmark = pytest.mark.no_framework


class Ranking:
    """Predictions of n images, as far as a report asks."""

    def __init__(self, n: int = 1, reading: str = "softmax") -> None:
        self.n, self.reading = n, reading

    def top(self, k: int = 5) -> list[list[tuple[str, float]]]:
        return [[("Egyptian_cat", 0.771), ("tiger_cat", 0.101), ("lynx", 0.0004)][:k]] * self.n


def values_of(entry: dict[str, Any]) -> np.ndarray:
    """The map of a report as the browser reads it, in its own unit."""
    halves = np.frombuffer(base64.b64decode(entry["halves"]), "<f2").reshape(entry["shape"])
    return entry["top"] * halves.astype(np.float64)


@pytest.mark.parametrize("signed", [False, True])
def test_maps_travel_at_their_own_size_with_their_scale(signed: bool) -> None:
    attribution = sample(2, 2, signed=signed)
    data = build([attribution])
    for i, image in enumerate(data["images"]):
        for t, entry in enumerate(image["maps"]):
            scale = scale_of(attribution.maps[i, t], signed)
            assert (entry["shape"], entry["limit"]) == ([7, 9], scale.limit)
            assert (
                np.abs(values_of(entry) - attribution.maps[i, t]).max() <= np.abs(attribution.maps[i, t]).max() / 2000
            )


def test_the_colours_are_those_of_the_figures() -> None:
    colours = build([sample()])["colours"]
    for kind, signed in (("signed", True), ("amount", False)):
        table = np.frombuffer(base64.b64decode(colours[kind]), np.uint8).reshape(255, 4)
        np.testing.assert_allclose(table / 255, colour_table(signed), atol=1 / 255)


def test_methods_on_the_same_images_come_together_and_other_images_are_added() -> None:
    cam, occlusion = sample(2), sample(2, method="Occlusion", layer=None, signed=True)
    other = sample(1, size=(30, 20, 1))
    data = build([cam, occlusion, other], [Ranking(2), Ranking(1)], names=["a.png", "b.png", "c.png"])
    assert [method["name"] for method in data["methods"]] == ["GradCAM", "Occlusion"]
    assert [image["name"] for image in data["images"]] == ["a.png", "b.png", "c.png"]
    assert [len(image["maps"]) for image in data["images"]] == [4, 4, 2]
    assert [image["size"] for image in data["images"]] == [[60, 40], [60, 40], [20, 30]]
    assert [image["targets"] for image in data["images"]] == [["Egyptian_cat", "tiger_cat"]] * 3


def test_grey_images_without_a_channel_axis_are_grey_images() -> None:
    flat = sample(3, size=(40, 60, 1))
    assert flat.images is not None
    bare = dataclasses.replace(flat, images=flat.images[..., 0])
    assert [image["picture"] for image in build([bare])["images"]] == [i["picture"] for i in build([flat])["images"]]


def test_equal_images_of_one_batch_stay_apart_and_find_their_own_maps() -> None:
    twice = sample(2, 1, images=np.zeros((2, 8, 8, 1), np.uint8))
    data = build([twice, sample(2, 1, method="Occlusion", images=np.zeros((2, 8, 8, 1), np.uint8))])
    assert [len(image["maps"]) for image in data["images"]] == [2, 2]
    assert data["images"][0]["maps"][0]["score"] == "logit 11.3, probability 77 %"
    assert data["images"][1]["maps"][0]["score"] == "logit 1, probability 1.0 %"


def test_the_same_method_for_another_class_is_one_method_and_a_repeated_map_is_one_map() -> None:
    first, second = sample(1, 1), sample(1, 1, targets=("lynx",))
    data = build([first, second, first])
    assert len(data["methods"]) == 1
    assert [entry["target"] for entry in data["images"][0]["maps"]] == [0, 1]


def parameters(**changes: Any) -> dict[str, Any]:
    return {**sample().provenance, "parameters": {"layer": "base/top_activation", **changes}}


def test_methods_of_one_name_are_told_apart() -> None:
    def names(*attributions: Any) -> list[tuple[str, str]]:
        return [(method["name"], method["layer"]) for method in build(attributions)["methods"]]

    top = "base/top_activation"
    assert names(sample(layer="early"), sample(layer="late")) == [("GradCAM", "early"), ("GradCAM", "late")]
    steps = [sample(provenance=parameters(steps=count)) for count in (8, 32)]
    assert names(*steps) == [("GradCAM (steps 8)", top), ("GradCAM (steps 32)", top)]
    seeds = [sample(provenance={**parameters(), "seed": seed}) for seed in (0, 1)]
    assert names(*seeds) == [("GradCAM (seed 0)", top), ("GradCAM (seed 1)", top)]
    assert names(sample(), sample(method="Occlusion", layer=None)) == [("GradCAM", top), ("Occlusion", "")]


def test_a_layer_by_its_name_and_by_default_is_one_layer() -> None:
    named = {**sample().provenance, "parameters": {"layer": None}}
    assert len(build([sample(), sample(provenance=named)])["methods"]) == 1


def test_a_blank_map_says_why_and_carries_no_values() -> None:
    entry = build([sample(1, 1, maps=np.zeros((1, 1, 7, 9), np.float32))])["images"][0]["maps"][0]
    assert (entry["note"], entry["limit"], entry["where"]) == ("blank: zero everywhere", 0, "")
    assert "halves" not in entry
    assert "rows" not in entry


def test_values_that_are_no_numbers_stay_so_and_a_map_the_same_everywhere_keeps_its_value() -> None:
    maps = np.ones((1, 2, 2, 2), np.float32)
    maps[0, 0, 0, 0] = np.nan
    holed, flat = build([sample(maps=maps)])["images"][0]["maps"]
    np.testing.assert_array_equal(values_of(holed), maps[0, 0])
    np.testing.assert_array_equal(values_of(flat), maps[0, 1])
    assert flat["note"] == "blank: 1 everywhere"


@pytest.mark.parametrize(
    ("place", "words"),
    [((0, 0), "upper left"), ((0, 4), "upper"), ((3, 4), "centre"), ((3, 8), "right"), ((6, 0), "lower left")],
)
def test_the_strongest_place_in_words(place: tuple[int, int], words: str) -> None:
    maps = np.zeros((1, 1, 7, 9), np.float32)
    maps[(0, 0, *place)] = 1
    assert build([sample(1, 1, maps=maps)])["images"][0]["maps"][0]["where"] == words


def test_predictions_become_a_ranking() -> None:
    ranking = build([sample()], Ranking())["images"][0]["rankings"][0]["rows"]
    assert ranking[0] == {"label": "Egyptian_cat", "share": 77.1, "words": "77 %"}
    assert ranking[2]["words"] == "< 0.1 %"
    values = build([sample()], Ranking(reading="value"))["images"][0]["rankings"][0]["rows"]
    assert values[0] == {"label": "Egyptian_cat", "share": None, "words": "0.771"}


def decoded(image: dict[str, Any]) -> tuple[str, np.ndarray]:
    head, text = image["picture"].split(",")
    return head, np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_small_images_travel_exactly_and_large_ones_as_jpeg_within_the_limit() -> None:
    small, large = sample(), sample(size=(1000, 1500, 3), images=np.full((1, 1000, 1500, 3), 90, np.uint8))
    head, picture = decoded(build([small])["images"][0])
    assert head == "data:image/png;base64"
    np.testing.assert_array_equal(picture, small.images[0])
    image = build([large])["images"][0]
    head, picture = decoded(image)
    assert head == "data:image/jpeg;base64"
    assert picture.shape == (512, 768, 3)
    assert (image["shown"], image["size"]) == ([768, 512], [1500, 1000])


def test_everything_is_json_whatever_the_numbers_are() -> None:
    odd = sample(
        scores=np.array([[np.nan, np.inf]], np.float32),
        probabilities=np.full((1, 2), np.nan, np.float32),
        maps=np.full((1, 2, 3, 3), np.nan, np.float32),
        images=np.full((1, 8, 8, 3), np.nan, np.float32),
    )
    data = build([odd, sample(signed=True, method="Occlusion")], Ranking(2))
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_options_reach_the_data() -> None:
    maps = np.stack([np.eye(5), 4 * np.eye(5)])[None].astype(np.float32)
    own, shared = (build([sample(maps=maps)], shared_scale=choice) for choice in (False, True))
    assert [entry["limit"] for entry in own["images"][0]["maps"]] == [1, 4]
    assert [entry["limit"] for entry in shared["images"][0]["maps"]] == [4, 4]
    assert "One scale" in shared["methods"][0]["legend"]
    data = build([sample(warnings=("saturated",))], title="T", notes="one", summaries={"GradCAM": "Weighs maps."})
    assert (data["title"], data["notes"], data["model"]) == ("T", ["one"], "efficientnet_lite0")
    assert data["methods"][0]["summary"] == "Weighs maps."
    assert data["methods"][0]["warnings"] == ["saturated"]


def no_images() -> Attribution:
    one = sample()
    empty = {name: getattr(one, name)[:0] for name in ("maps", "scores", "probabilities", "classes", "images")}
    return dataclasses.replace(one, targets=(), **empty)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: build([]), "report: expected at least one attribution, received none"),
        (
            lambda: build([sample(images=None)]),
            "report: the attribution of GradCAM at base/top_activation carries no images; explain them again",
        ),
        (
            lambda: build([sample(maps=np.zeros((1, 2, 9), np.float32), images=np.zeros((1, 90, 1), np.float32))]),
            "report: expected maps (n, t, height, width), received (1, 2, 9) of GradCAM at "
            "base/top_activation; signals and volumes are drawn by att.plot()",
        ),
        (lambda: build([no_images()]), "report: expected at least one image, received none"),
        (lambda: build([sample()], names=["a", "b"]), "report: expected a name for each of 1 images, received 2"),
        (lambda: build([sample()], Ranking(3)), "report: expected predictions of 1 images, received 3"),
    ],
)
def test_wrong_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(FieldmarkError) as caught:
        call()
    assert str(caught.value) == message
