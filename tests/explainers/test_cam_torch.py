"""The activation maps of a plain torch module, against the same written out in torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fieldmark as fm

pytestmark = pytest.mark.native_torch

CLASSES = (3, 0)
TARGETS = [fm.Class(cls) for cls in CLASSES]


@pytest.fixture(scope="module")
def net() -> Any:
    import torch

    torch.manual_seed(0)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.ReLU(inplace=True))
            self.final = torch.nn.Linear(6, 4)

        def forward(self, x: Any) -> Any:
            return self.final(self.trunk(x).mean(dim=(2, 3)))

    return Net()


def images(n: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, 10, 8, 3)).astype(np.float32)


def maps_and_kernel(net: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Feature maps (n, h, w, c) and the two classes' weights (t, c)."""
    import torch

    with torch.no_grad():
        maps = net.trunk(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()))
        return maps.permute(0, 2, 3, 1).numpy(), net.final.weight[list(CLASSES)].numpy()


def test_cam_and_the_gradient_weighted_maps(net: Any) -> None:
    clf, x = fm.Classifier(net), images()
    maps, kernel = maps_and_kernel(net, x)
    expected = np.einsum("nhwc,tc->nthw", maps, kernel)
    np.testing.assert_allclose(fm.CAM()(clf, x, TARGETS).maps, expected, atol=1e-5)
    for method in (fm.HiResCAM(), fm.GradCAM(relu=False), fm.XGradCAM(relu=False)):
        np.testing.assert_allclose(method(clf, x, TARGETS).maps * 80, expected, atol=1e-4)


def test_ablation_cam_and_score_cam(net: Any) -> None:
    clf, x = fm.Classifier(net), images()
    maps, kernel = maps_and_kernel(net, x)
    ablation = fm.AblationCAM(relu=False)(clf, x, TARGETS)
    lost = maps.mean(axis=(1, 2))[:, None] * kernel / np.abs(ablation.scores)[..., None]
    np.testing.assert_allclose(ablation.maps, np.einsum("nhwc,ntc->nthw", maps, lost), atol=1e-4)
    score = fm.ScoreCAM(channels=2)(clf, x, TARGETS)
    assert score.maps.shape == (3, 2, 10, 8)
    assert (score.maps.max(axis=(2, 3)) > 0).all()


def test_what_a_layer_holds(net: Any) -> None:
    clf, x = fm.Classifier(net), images()
    maps, _ = maps_and_kernel(net, x)
    np.testing.assert_allclose(fm.ActivationMaps(channels=(4, 1))(clf, x).maps[:, 1], maps[..., 1], atol=1e-6)
    assert fm.EigenCAM()(clf, x, TARGETS).maps.min() >= 0
    assert not net.trunk[0]._forward_hooks
