"""Guided backpropagation of plain torch modules."""

from __future__ import annotations

import numpy as np
import pytest

import fieldmark as fm
from tests.support import linear

TARGETS = [0, 2]


@pytest.mark.native_torch
def test_torch_relus_are_guided_also_in_place() -> None:
    import torch

    relu = torch.nn.ReLU(inplace=True)
    stack = [torch.nn.Conv2d(3, 6, 1), relu, torch.nn.Conv2d(6, 5, 1), relu, torch.nn.Flatten(), torch.nn.Linear(60, 4)]
    model = torch.nn.Sequential(*stack)
    known = linear.Rectified(*(each.detach().numpy() for index in (0, 2, 5) for each in stack[index].parameters()))
    images = known.images(2)
    made = fm.GuidedBackprop(channels="sum")(fm.Classifier(model), images, TARGETS)
    np.testing.assert_allclose(made.maps, known.guided(images, TARGETS), atol=1e-5)
