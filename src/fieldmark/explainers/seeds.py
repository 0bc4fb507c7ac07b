"""A sampled method over several seeds: its mean, and how far one run is from another."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.errors import FieldmarkError
from fieldmark.explainers.contract import parameters
from fieldmark.explainers.diagnosis import silent
from fieldmark.explainers.layered import Made
from fieldmark.explainers.perturbation import check_count
from fieldmark.progress import track
from fieldmark.targets import Predicted


@dataclass(frozen=True, kw_only=True)
class OverSeeds:
    """A sampled explainer run with several seeds: the mean of its maps, and their spread.

    inner  any explainer with a `seed`
    seeds  runs, 2 or more; each costs what the inner explainer costs
    seed   the first; the others are those that follow

    `variance` is the squared standard error of the mean: the variance over seeds divided by their number. The
    provenance lists the `seeds` and, as `spread` (n, t), the standard deviation over seeds, as its root mean square
    over the map, divided by the largest absolute value of the mean map: how much one run differs from another.
    """

    summary: ClassVar[str] = "Any sampled method over several seeds: the mean of its maps, and their spread."
    needs_layer: ClassVar[bool] = False

    inner: Any
    seeds: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        check_count("seeds", self.seeds, 2)
        check_count("seed", self.seed, least=0)
        if isinstance(self.inner, type) or not dataclasses.is_dataclass(self.inner):
            raise FieldmarkError(f"inner={self.inner!r}: expected an explainer, for example OverSeeds(inner=RISE())")
        if not has_seed(self.inner):
            raise FieldmarkError(
                f"OverSeeds: {self.name} has no seed: it gives the same map every time; use it as it is"
            )

    @property
    def name(self) -> str:
        """The inner explainer's."""
        return type(self.inner).__name__

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Made:  # noqa: B008
        numbers = range(self.seed, self.seed + self.seeds)
        runs = []
        for number in track(numbers, label="Seeds"):
            with nullcontext() if number == self.seed else silent():  # what is wrong is said of the first
                found = replace(self.inner, seed=number)(classifier, images, target)
            runs.append(found if isinstance(found, list) else [found])
        made = [self._joined(list(same)) for same in zip(*runs, strict=True)]
        return made if isinstance(found, list) else made[0]

    def _joined(self, runs: list[Attribution]) -> Attribution:
        if runs[0].pictures is not None:
            raise FieldmarkError(f"OverSeeds: {self.name} makes a picture, and the mean of pictures shows nothing")
        maps = np.stack([run.maps for run in runs]).astype(np.float64)
        mean, variance = maps.mean(axis=0), maps.var(axis=0, ddof=1)
        places = tuple(range(2, mean.ndim))
        size = np.abs(mean).max(axis=places)
        spread = np.divide(np.sqrt(variance.mean(axis=places)), size, out=np.zeros_like(size), where=size > 0)
        notes = {
            "parameters": {**runs[0].provenance["parameters"], "over_seeds": parameters(self)["seeds"]},
            "seeds": list(range(self.seed, self.seed + self.seeds)),
            "spread": spread.tolist(),
        }
        return replace(
            runs[0],
            maps=mean.astype(np.float32),
            variance=(variance / self.seeds).astype(np.float32),
            provenance={**runs[0].provenance, **notes},
        )


def has_seed(explainer: Any) -> bool:
    """Whether an explainer draws at random: it has a field `seed`."""
    return any(field.name == "seed" for field in dataclasses.fields(explainer))
