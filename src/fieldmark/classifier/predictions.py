"""What a model says about images, with names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from fieldmark import notebook
from fieldmark.errors import TargetError

TABLE = 5
"""Classes of an image that a notebook shows."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """scores and probabilities float32 (n, classes), and the class labels.

    `reading` says where the probabilities come from: "softmax", "sigmoid", "softmax of the logits" (a model without a
    final activation), "as given" (probabilities whose logits cannot be reached) or "value" (one linear output).
    """

    scores: np.ndarray
    probabilities: np.ndarray
    labels: list[str]
    reading: str

    def __len__(self) -> int:
        return len(self.scores)

    def top(self, k: int = 5) -> list[list[tuple[str, float]]]:
        """Per image the k most probable classes as (label, probability), best first; k is capped at the classes."""
        if k < 1:
            raise TargetError(f"top(k={k}): expected 1 or more")
        order = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :k]
        return [
            [(self.labels[i], float(row[i])) for i in best] for row, best in zip(self.probabilities, order, strict=True)
        ]

    def _repr_html_(self) -> str:
        """A table of the images and their most probable classes, for notebooks."""
        value = self.reading == "value"
        rows = [[i, *(_cell(label, share, value) for label, share in best)] for i, best in enumerate(self.top(TABLE))]
        places = range(1, min(TABLE, len(self.labels)) + 1)
        head = ["image", *(["value"] if value else [f"class {k}" if k > 1 else "most probable" for k in places])]
        said = f"{len(self)} image(s), {len(self.labels)} classes; probabilities: {self.reading}"
        return notebook.block(said, notebook.table(head, rows))

    def __repr__(self) -> str:
        first = ", ".join(f"{label} {probability:.2f}" for label, probability in self.top(3)[0]) if len(self) else ""
        return f"<Predictions of {len(self)} image(s), {len(self.labels)} classes ({self.reading}): {first}>"


def _cell(label: str, share: float, value: bool) -> Markup:
    if value:
        return Markup("{}: {}").format(label, f"{share:.4g}")
    return Markup("{}<br>{}").format(label, notebook.bar(share, f"{100 * share:.1f} %"))
