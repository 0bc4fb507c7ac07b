"""Every explainer there is. `EXPLAINERS` is the one list: the command line, docs, tests and report read it."""

from fieldmark.explainers.activations import ActivationMaps, EigenCAM
from fieldmark.explainers.cam import CAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from fieldmark.explainers.cam_perturbed import AblationCAM, ScoreCAM
from fieldmark.explainers.contract import Explainer
from fieldmark.explainers.global_sensitivity import HSIC, Sobol
from fieldmark.explainers.gradients import Gradients, GradientTimesInput
from fieldmark.explainers.guided import GuidedBackprop
from fieldmark.explainers.occlusion import Occlusion
from fieldmark.explainers.paths import ExpectedGradients, IntegratedGradients
from fieldmark.explainers.relevance import LRP
from fieldmark.explainers.rise import RISE
from fieldmark.explainers.smoothing import SmoothGrad, SquareGrad, VarGrad
from fieldmark.explainers.superpixel_methods import LIME, KernelSHAP
from fieldmark.explainers.synthesis import ActivationMaximisation

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
    GradientTimesInput,
    GuidedBackprop,
    IntegratedGradients,
    ExpectedGradients,
    SmoothGrad,
    SquareGrad,
    VarGrad,
    Occlusion,
    RISE,
    LIME,
    KernelSHAP,
    Sobol,
    HSIC,
    LRP,
    ActivationMaximisation,
)

__all__ = [
    "CAM",
    "EXPLAINERS",
    "HSIC",
    "LIME",
    "LRP",
    "RISE",
    "AblationCAM",
    "ActivationMaps",
    "ActivationMaximisation",
    "EigenCAM",
    "ExpectedGradients",
    "Explainer",
    "GradCAM",
    "GradCAMPlusPlus",
    "GradientTimesInput",
    "Gradients",
    "GuidedBackprop",
    "HiResCAM",
    "IntegratedGradients",
    "KernelSHAP",
    "LayerCAM",
    "Occlusion",
    "ScoreCAM",
    "SmoothGrad",
    "Sobol",
    "SquareGrad",
    "VarGrad",
    "XGradCAM",
]
