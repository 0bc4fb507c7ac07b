"""A model seen through six verbs."""

from fieldmark.classifier.classifier import Classifier
from fieldmark.classifier.predictions import Predictions

__all__ = ["Classifier", "Predictions"]
