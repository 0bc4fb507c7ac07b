"""Layer-wise relevance propagation: a score shared out among the pixels, layer by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.errors import FieldmarkError, unknown
from fieldmark.explainers.contract import Job
from fieldmark.targets import Predicted

# Rules for (dense layers, convolutions, the weighted layers that read the input; None: like the others).
COMPOSITES: dict[str, tuple[str, str, str | None]] = {
    "epsilon_plus": ("epsilon", "z_plus", None),
    "epsilon_plus_flat": ("epsilon", "z_plus", "flat"),
    "epsilon_alpha2_beta1": ("epsilon", "alpha_beta", None),
    "epsilon_alpha2_beta1_flat": ("epsilon", "alpha_beta", "flat"),
}
RULES = ("epsilon", "z_plus", "alpha_beta")


@dataclass(frozen=True, kw_only=True)
class LRP:
    """The score shared out backwards, to each input of a layer by what it contributed [bach2015].

    R_i = sum_j z_ij / sum_i z_ij R_j, z_ij = x_i w_ij, and where the denominator holds no bias the sum of relevance
    is kept from layer to layer. What counts as a contribution is the rule's choice: "epsilon" all, with epsilon in the
    denominator; "z_plus" the positive ones; "alpha_beta" alpha times the positive less (alpha - 1) times the negative
    ones. "flat" shares equally among all pixels that a unit of the first layer sees.

    composite  rules by depth [kohlbrenner2020]: epsilon for dense layers, z-plus ("epsilon_plus") or alpha 2, beta 1
               ("epsilon_alpha2_beta1") for convolutions; with "_flat" the flat rule for the first weighted layer
    rule       instead, one rule for all layers
    epsilon    of the epsilon rule, in units of a layer's output; 0 allowed
    alpha      of rule="alpha_beta", 1 or more
    bias       biases take their share in denominators, as in the paper; False: they don't, and relevance is kept

    Batch normalisation is merged into the linear layer before it, elsewhere it is a linear layer whose shift takes its
    share; activations pass relevance on unchanged; additions, pooling and concatenations share by contribution; a gate
    that is smaller than the map it multiplies (squeeze and excite) is a constant weight [arras2017]. Where
    probabilities are explained, the softmax is passed by gradient times input. Maps are summed over channels, in
    units of the score. One forward and one backward pass, of two to three convolutions for each of the model's.
    Raises LayerError for a layer or a step between layers that has no rule.
    """

    summary: ClassVar[str] = "The score shared out backwards through every layer; what each pixel contributed, signed."
    needs_layer: ClassVar[bool] = False

    composite: str = "epsilon_plus_flat"
    rule: str | None = None
    epsilon: float = 1e-6
    alpha: float = 2.0
    bias: bool = True

    def __post_init__(self) -> None:
        if self.composite not in COMPOSITES:
            raise FieldmarkError(unknown("composite", self.composite, list(COMPOSITES)))
        if self.rule is not None and self.rule not in RULES:
            raise FieldmarkError(unknown("rule", self.rule, RULES))
        if not (math.isfinite(self.epsilon) and self.epsilon >= 0):
            raise FieldmarkError(f"epsilon={self.epsilon!r}: expected a number of 0 or more")
        if not (math.isfinite(self.alpha) and self.alpha >= 1):
            raise FieldmarkError(f"alpha={self.alpha!r}: expected a number of 1 or more (beta is alpha - 1)")

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        from fieldmark.classifier.relevance import Relevance  # imports the framework

        job = Job.begin(classifier, images, target)
        if self.rule is None:
            surgery = Relevance(*COMPOSITES[self.composite], epsilon=self.epsilon, bias=self.bias)
        else:
            surgery = Relevance(self.rule, self.rule, None, self.epsilon, self.alpha, self.bias)
        result = classifier.engine.gradients(
            job.x, job.target, reduce=lambda _x, relevance, _scores: relevance.sum(axis=-1), surgery=surgery
        )
        notes = {"relevance_sum": result.values.sum(axis=tuple(range(2, result.values.ndim))).tolist()}
        return job.attribution(self, result.values, result.scores, result.weights, signed=True, notes=notes)
