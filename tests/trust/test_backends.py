"""On every backend: parts are hidden by what the host says, and the whole examination runs."""

from __future__ import annotations

import numpy as np
import pytest

import fieldmark as fm
from tests.support.models import functional


@pytest.mark.every_backend
def test_a_mask_may_bring_its_own_shade() -> None:
    known = functional()
    classifier = fm.Classifier(known.model)
    images, fill = known.images(2), known.images(2, seed=1)
    rng = np.random.default_rng(2)
    masks = (rng.random((2, 5, 8, 6)) < 0.5).astype(np.float32)
    shades = rng.normal(size=(2, 5, 16, 12, 3)).astype(np.float32)  # at the images' size, so nothing is interpolated
    classifier.predict(images)
    found = classifier.engine.masked_scores(images, masks, fill, "nearest", shades)
    shown = np.repeat(np.repeat(masks, 2, axis=2), 2, axis=3)[..., None]
    pictures = images[:, None] * shown + (fill[:, None] + shades) * (1 - shown)
    assert np.allclose(found.reshape(10, -1), classifier.predict(pictures.reshape(10, 16, 12, 3)).scores, atol=1e-4)
    flat = classifier.engine.masked_scores(images, masks, fill, "nearest", np.full((2, 5, 2, 2, 3), 0.7, np.float32))
    assert np.allclose(flat, classifier.engine.masked_scores(images, masks, fill + 0.7, "nearest"), atol=1e-4)
    assert not np.allclose(flat, classifier.engine.masked_scores(images, masks, fill, "nearest"), atol=1e-2)


@pytest.mark.every_backend
def test_the_examination_runs() -> None:
    known = functional()
    before = known.model.get_weights()
    result = fm.trust(fm.Classifier(known.model), known.images(2), [fm.GradCAM()], few=1, cells=4, steps=2)
    assert all(np.array_equal(a, b) for a, b in zip(before, known.model.get_weights(), strict=True))
    for key in ("gap", "mufidelity", "road"):
        assert np.isfinite(result["GradCAM"].values[key]).all()
    assert result["GradCAM"].interval("randomisation").n == 1
    assert result["edge detector"].cascade == pytest.approx([1.0] * len(result.stages))


@pytest.mark.native_torch
def test_a_torch_module_is_examined() -> None:
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(6, 6, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(6, 4),
    )
    images = np.random.default_rng(0).normal(size=(2, 12, 10, 3)).astype(np.float32)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = fm.trust(fm.Classifier(model), images, [fm.GradCAM(), fm.Gradients()], few=1, cells=4, steps=2)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())
    assert not result.failed
    assert np.isfinite(result["Gradients"].values["gap"]).all()
