"""The rows of the table: one line a job. A method's peers are in `benchmarks/peers.py`, under the same key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fieldmark as fm


@dataclass(frozen=True)
class Job:
    """One row: a job's key and name, how it is called, and the most and the aim of its budget in forward passes."""

    key: str
    name: str
    explainer: Callable[[], Any]
    target: Callable[[], Any]
    at_most: float | None = None
    aim: float | None = None


JOBS = (
    Job("grad_cam", "Grad-CAM, 1 class", lambda: fm.GradCAM(), fm.Predicted, 1.2, 0.7),
    Job("grad_cam_top5", "Grad-CAM, top 5 classes", lambda: fm.GradCAM(), lambda: fm.Top(5), 1.5, 1.1),
    Job("grad_cam_plus_plus", "Grad-CAM++, 1 class", lambda: fm.GradCAMPlusPlus(), fm.Predicted, 1.2, 0.7),
    Job("hires_cam", "HiResCAM, 1 class", lambda: fm.HiResCAM(), fm.Predicted, 1.2, 0.7),
    Job("xgrad_cam", "XGradCAM, 1 class", lambda: fm.XGradCAM(), fm.Predicted, 1.2, 0.7),
    Job("layer_cam", "LayerCAM, 1 class", lambda: fm.LayerCAM(), fm.Predicted, 1.2, 0.7),
    Job("gradients", "input gradient", lambda: fm.Gradients(), fm.Predicted, 2.2, 2.0),
    Job("smooth_grad", "SmoothGrad, 16 samples", lambda: fm.SmoothGrad(samples=16), fm.Predicted, 34, 32),
    Job(
        "integrated_gradients",
        "Integrated Gradients, 32 steps",
        lambda: fm.IntegratedGradients(steps=32),
        fm.Predicted,
        66,
    ),
    Job(
        "expected_gradients",
        "expected gradients, 50 samples x 2 classes",
        lambda: fm.ExpectedGradients(samples=50),
        lambda: fm.Top(2),
        160,
        100,
    ),
    Job("score_cam", "Score-CAM, 64 channels", lambda: fm.ScoreCAM(channels=64), fm.Predicted, 70, 65),
    Job("occlusion", "occlusion, 49 patches", lambda: fm.Occlusion(), fm.Predicted, 52, 18),
)
