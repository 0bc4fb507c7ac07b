"""Every explainer there is. `EXPLAINERS` is the one list: the command line, docs, tests and report read it."""

from fieldmark.explainers.activations import ActivationMaps, EigenCAM
from fieldmark.explainers.cam import CAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from fieldmark.explainers.cam_perturbed import AblationCAM, ScoreCAM
from fieldmark.explainers.contract import Explainer
from fieldmark.explainers.gradients import Gradients

EXPLAINERS: tuple[type[Explainer], ...] = (
    CAM,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    XGradCAM,
    LayerCAM,
    EigenCAM,
    ScoreCAM,
    AblationCAM,
    ActivationMaps,
    Gradients,
)

__all__ = [
    "CAM",
    "EXPLAINERS",
    "AblationCAM",
    "ActivationMaps",
    "EigenCAM",
    "Explainer",
    "GradCAM",
    "GradCAMPlusPlus",
    "Gradients",
    "HiResCAM",
    "LayerCAM",
    "ScoreCAM",
    "XGradCAM",
]
