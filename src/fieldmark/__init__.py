"""fieldmark: what a trained image classifier looks at, which pictures of that to trust, and how to see it too."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> module. Loaded on first use, so that `import fieldmark` loads no framework.
_PUBLIC = {
    "AblationCAM": "fieldmark.explainers",
    "ActivationMaps": "fieldmark.explainers",
    "ActivationMaximisation": "fieldmark.explainers",
    "Attribution": "fieldmark.attribution",
    "CAM": "fieldmark.explainers",
    "Class": "fieldmark.targets",
    "Classifier": "fieldmark.classifier",
    "Contrast": "fieldmark.targets",
    "EXPLAINERS": "fieldmark.explainers",
    "EigenCAM": "fieldmark.explainers",
    "ExpectedGradients": "fieldmark.explainers",
    "FieldGuide": "fieldmark.guide",
    "FieldmarkError": "fieldmark.errors",
    "GradCAM": "fieldmark.explainers",
    "GradCAMPlusPlus": "fieldmark.explainers",
    "GradientTimesInput": "fieldmark.explainers",
    "Gradients": "fieldmark.explainers",
    "GuidedBackprop": "fieldmark.explainers",
    "HSIC": "fieldmark.explainers",
    "HiResCAM": "fieldmark.explainers",
    "IntegratedGradients": "fieldmark.explainers",
    "KernelSHAP": "fieldmark.explainers",
    "LIME": "fieldmark.explainers",
    "LRP": "fieldmark.explainers",
    "LayerCAM": "fieldmark.explainers",
    "Occlusion": "fieldmark.explainers",
    "OverSeeds": "fieldmark.explainers.seeds",
    "Predicted": "fieldmark.targets",
    "RISE": "fieldmark.explainers",
    "ScoreCAM": "fieldmark.explainers",
    "SmoothGrad": "fieldmark.explainers",
    "Sobol": "fieldmark.explainers",
    "SquareGrad": "fieldmark.explainers",
    "Top": "fieldmark.targets",
    "VarGrad": "fieldmark.explainers",
    "Weighted": "fieldmark.targets",
    "XGradCAM": "fieldmark.explainers",
    "load": "fieldmark.classifier.loading",
    "read_images": "fieldmark.images",
}

_PACKAGES = ("callbacks", "classifier", "demo", "explainers", "figures", "guide", "report", "run", "trust")

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from fieldmark.attribution import Attribution as Attribution
    from fieldmark.classifier import Classifier as Classifier
    from fieldmark.classifier.loading import load as load
    from fieldmark.errors import FieldmarkError as FieldmarkError
    from fieldmark.explainers import CAM as CAM
    from fieldmark.explainers import EXPLAINERS as EXPLAINERS
    from fieldmark.explainers import HSIC as HSIC
    from fieldmark.explainers import LIME as LIME
    from fieldmark.explainers import LRP as LRP
    from fieldmark.explainers import RISE as RISE
    from fieldmark.explainers import AblationCAM as AblationCAM
    from fieldmark.explainers import ActivationMaps as ActivationMaps
    from fieldmark.explainers import ActivationMaximisation as ActivationMaximisation
    from fieldmark.explainers import EigenCAM as EigenCAM
    from fieldmark.explainers import ExpectedGradients as ExpectedGradients
    from fieldmark.explainers import GradCAM as GradCAM
    from fieldmark.explainers import GradCAMPlusPlus as GradCAMPlusPlus
    from fieldmark.explainers import Gradients as Gradients
    from fieldmark.explainers import GradientTimesInput as GradientTimesInput
    from fieldmark.explainers import GuidedBackprop as GuidedBackprop
    from fieldmark.explainers import HiResCAM as HiResCAM
    from fieldmark.explainers import IntegratedGradients as IntegratedGradients
    from fieldmark.explainers import KernelSHAP as KernelSHAP
    from fieldmark.explainers import LayerCAM as LayerCAM
    from fieldmark.explainers import Occlusion as Occlusion
    from fieldmark.explainers import ScoreCAM as ScoreCAM
    from fieldmark.explainers import SmoothGrad as SmoothGrad
    from fieldmark.explainers import Sobol as Sobol
    from fieldmark.explainers import SquareGrad as SquareGrad
    from fieldmark.explainers import VarGrad as VarGrad
    from fieldmark.explainers import XGradCAM as XGradCAM
    from fieldmark.explainers.seeds import OverSeeds as OverSeeds
    from fieldmark.guide import FieldGuide as FieldGuide
    from fieldmark.images import read_images as read_images
    from fieldmark.targets import Class as Class
    from fieldmark.targets import Contrast as Contrast
    from fieldmark.targets import Predicted as Predicted
    from fieldmark.targets import Top as Top
    from fieldmark.targets import Weighted as Weighted


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    if name in _PACKAGES:
        return import_module(f"fieldmark.{name}")
    raise AttributeError(f"module 'fieldmark' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
