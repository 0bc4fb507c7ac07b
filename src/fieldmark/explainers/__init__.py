"""Every explainer there is. `EXPLAINERS` is the one list: the command line, docs, tests and report read it."""

from fieldmark.explainers.cam import GradCAM, GradCAMPlusPlus
from fieldmark.explainers.contract import Explainer
from fieldmark.explainers.gradients import Gradients

EXPLAINERS: tuple[type[Explainer], ...] = (GradCAM, GradCAMPlusPlus, Gradients)

__all__ = ["EXPLAINERS", "Explainer", "GradCAM", "GradCAMPlusPlus", "Gradients"]
