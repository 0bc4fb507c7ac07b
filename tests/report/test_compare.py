"""Two sides on one scale: what changed is said, and the difference is that of the raw maps."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import numpy as np
import pytest

from fieldmark.attribution import Attribution
from fieldmark.errors import FieldmarkError
from fieldmark.report.compare import Pair, build_comparison, likeness
from tests.figures.samples import sample
from tests.report.test_build import Ranking, values_of

pytestmark = pytest.mark.no_framework


def changed(factor: float = 2.0, **changes: Any) -> tuple[Attribution, Attribution]:
    one = sample(2, 1)
    return one, dataclasses.replace(sample(2, 1), maps=factor * one.maps, **changes)


def sides(data: dict[str, Any], image: int = 0) -> dict[str, dict[str, Any]]:
    return {data["methods"][each["method"]]["side"]: each for each in data["images"][image]["maps"]}


def test_both_maps_and_their_difference_have_one_scale() -> None:
    one, two = changed(3.0)
    data = build_comparison([Pair(before=one, after=two)])
    found = sides(data)
    assert list(found) == ["before", "after", "difference"]
    assert len({each["limit"] for each in found.values()}) == 1
    assert found["before"]["limit"] == pytest.approx(3 * one.maps[0].max())
    np.testing.assert_allclose(values_of(found["difference"]), 2 * one.maps[0, 0], atol=2e-3)
    assert [method["kind"] for method in data["methods"]] == ["amount", "amount", "signed"]
    assert {method["name"] for method in data["methods"]} == {"GradCAM"}


def test_maps_of_two_resolutions_are_compared_at_the_finer_one() -> None:
    one = sample(1, 1)
    two = sample(1, 1, maps=np.ones((1, 1, 14, 3), np.float32), layer="late")
    data = build_comparison([Pair(before=one, after=two)])
    assert sides(data)["difference"]["shape"] == [14, 9]
    assert {method["layer"] for method in data["methods"]} == {"base/top_activation → late"}


def test_maps_of_different_classes_have_no_difference() -> None:
    one, two = sample(1, 1), sample(1, 1, targets=("lynx",))
    found = sides(build_comparison([Pair(before=one, after=two)]))
    assert list(found) == ["before", "after"]
    assert np.isnan(likeness(one, two)).all()


class Says(Ranking):
    def __init__(self, *labels: str) -> None:
        super().__init__(len(labels))
        self.labels = labels

    def top(self, k: int = 5) -> list[list[tuple[str, float]]]:
        return [[(label, 0.9), ("other", 0.1)][:k] for label in self.labels]


def test_predictions_that_changed_are_listed_and_said_at_the_image() -> None:
    one, two = changed()
    data = build_comparison(
        [Pair(before=one, after=two)], (Says("cat", "dog"), Says("cat", "fox")), sides=("a.keras", "b.keras")
    )
    assert data["comparison"]["heading"] == "1 of 2 predictions changed"
    assert data["comparison"]["changes"] == [{"image": 1, "before": "dog", "after": "fox"}]
    assert [image["change"] for image in data["images"]] == ["", "The prediction changed: dog, now fox."]
    assert [ranking["side"] for ranking in data["images"][0]["rankings"]] == ["before", "after"]
    assert data["comparison"]["lines"][0] == "Before: a.keras. After: b.keras."
    assert "correlate 1.00" in data["comparison"]["lines"][1]


def test_a_second_class_of_some_images_comes_to_those_images() -> None:
    one, two = changed()
    extra = sample(1, 1, targets=("lynx",), images=one.images[1:] if one.images is not None else None)
    data = build_comparison([Pair(before=one, after=two), Pair(before=extra, after=extra, images=[1])])
    assert [image["targets"] for image in data["images"]] == [["Egyptian_cat"], ["Egyptian_cat", "lynx"]]
    assert len(data["methods"]) == 3


def test_without_predictions_the_explained_classes_tell() -> None:
    provenance = {**sample().provenance, "target": "Predicted()"}
    one = sample(1, 1, provenance=provenance)
    two = sample(1, 1, provenance=provenance, targets=("lynx",))
    changes = build_comparison([Pair(before=one, after=two)])["comparison"]["changes"]
    assert changes == [{"image": 0, "before": "Egyptian_cat", "after": "lynx"}]


def test_likeness_is_the_correlation() -> None:
    one = sample(1, 1)
    assert likeness(one, dataclasses.replace(one, maps=-3 * one.maps + 1)) == pytest.approx([-1])
    assert np.isnan(likeness(one, dataclasses.replace(one, maps=0 * one.maps))).all()


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "compare: expected at least one method, received none"),
        (
            [Pair(before=sample(1), after=sample(2))],
            "compare: expected maps of the same images, received 1 and 2 of GradCAM at base/top_activation",
        ),
        (
            [Pair(before=sample(1, images=None), after=sample(1))],
            "report: the attribution of GradCAM at base/top_activation carries no images; explain them again",
        ),
        (
            [Pair(before=sample(1), after=sample(1, size=(60, 40, 3)))],
            "compare: GradCAM at base/top_activation saw images of 40 x 60 pixels before and 60 x 40 after, which show "
            "different parts of a photograph; make both with --fit stretch",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(pairs: list[Pair], message: str) -> None:
    with pytest.raises(FieldmarkError) as caught:
        build_comparison(pairs)
    assert str(caught.value) == message


def test_a_page_of_many_large_maps_is_averaged_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from fieldmark.report import build, maps

    monkeypatch.setattr(maps, "FINE_CHARACTERS", 1000)
    monkeypatch.setattr(maps, "MOST_CHARACTERS", 30_000)
    wave = np.linspace(-1, 1, 200, dtype=np.float32)
    data = build([sample(1, 1, maps=np.broadcast_to(wave, (1, 1, 200, 200)).copy(), signed=True)])
    entry = data["images"][0]["maps"][0]
    side = entry["shape"][0]
    assert side <= 150
    assert data["notes"] == [
        f"Maps of more than {side} pixels a side were averaged to {side}, so that this page stays small."
    ]
    codes = np.frombuffer(base64.b64decode(entry["rows"]), np.uint8).reshape(side, side)
    assert np.abs(np.diff(codes[0].astype(int))).max() <= 3
    assert (codes[0, 0], codes[0, -1]) == (0, 254)
