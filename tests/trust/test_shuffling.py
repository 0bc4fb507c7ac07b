"""A network's weights are shuffled layer after layer, and come back to the bit, on every backend and on torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.trust.shuffling import shuffling, stages
from tests.support.models import around_base, functional, subclassed

MAKERS = [functional, around_base, subclassed]


def numbers(classifier: fm.Classifier) -> dict[str, list[np.ndarray]]:
    return {name: [each.read() for each in held] for name, held in classifier.subject.weights().items()}


def same(a: dict[str, list[np.ndarray]], b: dict[str, list[np.ndarray]]) -> bool:
    return all(np.array_equal(x, y) for name in a for x, y in zip(a[name], b[name], strict=True))


@pytest.mark.every_backend
@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_weights_are_shuffled_from_the_head_down_and_put_back(maker: Any) -> None:
    known = maker()
    classifier = fm.Classifier(known.model)
    images = known.images(3)
    before, scores = numbers(classifier), classifier.predict(images).scores
    assert sum(array.size for held in before.values() for array in held) == known.model.count_params()
    cascade = stages(classifier)
    assert cascade[0].layers == ("final",)
    assert {name for stage in cascade for name in stage.layers} == set(before)
    touched: set[str] = set()
    with shuffling(classifier) as shuffle:
        for stage in cascade:
            shuffle(stage)
            touched |= set(stage.layers)
            now = numbers(classifier)
            for name, held in before.items():
                for old, new in zip(held, now[name], strict=True):
                    assert np.array_equal(np.sort(old, axis=None), np.sort(new, axis=None))
                    moved = not np.array_equal(old, new)
                    assert moved == (name in touched and np.ptp(old) > 0)
            changed = classifier.predict(images).scores  # compiled passes see it
            assert np.abs(changed - scores).max() > 1e-3
    assert same(before, numbers(classifier))
    assert np.array_equal(classifier.predict(images).scores, scores)


@pytest.mark.every_backend
def test_weights_come_back_after_an_error() -> None:
    known = functional()
    classifier = fm.Classifier(known.model)
    before = numbers(classifier)
    scores = classifier.predict(known.images(1)).scores

    def interrupted() -> None:
        with shuffling(classifier) as shuffle:
            shuffle(stages(classifier)[0])
            assert not np.array_equal(classifier.predict(known.images(1)).scores, scores)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert same(before, numbers(classifier))


@pytest.mark.every_backend
def test_maps_follow_the_shuffled_weights() -> None:
    known = functional()
    classifier = fm.Classifier(known.model)
    images = known.images(2)
    explainers = [fm.GradCAM(relu=False), fm.Gradients(), fm.GuidedBackprop(), fm.LRP(), fm.Occlusion()]
    before = [each(classifier, images, 1).maps for each in explainers]
    with shuffling(classifier) as shuffle:
        for stage in stages(classifier):
            shuffle(stage)
        for each, old in zip(explainers, before, strict=True):
            assert np.abs(each(classifier, images, 1).maps - old).max() > 1e-6 * np.abs(old).max()
    for each, old in zip(explainers, before, strict=True):
        assert np.array_equal(each(classifier, images, 1).maps, old)


@pytest.mark.native_torch
def test_a_torch_module_is_shuffled_and_put_back_with_its_running_means() -> None:
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding=1),
        torch.nn.BatchNorm2d(6),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(6, 4),
    )
    model(torch.randn(8, 3, 8, 8))  # running means of their own
    model.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    classifier = fm.Classifier(model)
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    scores = classifier.predict(images).scores
    cascade = stages(classifier)
    assert [stage.layers for stage in cascade] == [("5",), ("1",), ("0",)]

    def stopped() -> None:
        with shuffling(classifier) as shuffle:
            for stage in cascade:
                shuffle(stage)
            assert not torch.equal(model.state_dict()["1.running_var"], before["1.running_var"])
            assert np.abs(classifier.predict(images).scores - scores).max() > 1e-3
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stopped()
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert np.array_equal(classifier.predict(images).scores, scores)


def test_a_function_has_no_weights_and_so_no_cascade() -> None:
    def network(images: np.ndarray) -> np.ndarray:
        return images.mean(axis=(1, 2))

    classifier = fm.Classifier(network)
    classifier.predict(np.zeros((1, 4, 4, 3), np.float32))
    assert stages(classifier) == ()
