"""From a model's raw output to scores (n, classes): which output, how to look behind its softmax, what a class is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keras import ops

from fieldmark.classifier.subject import LINEAR, SIGMOID, SOFTMAX, Record, Subject
from fieldmark.errors import ModelError, TargetError, unknown


@dataclass(frozen=True, eq=False)
class Head:
    """How scores are read: the activation found, what to patch to see logits, and the number of outputs.

    `kind` is "softmax", "sigmoid" or "linear"; `layer` is the head's layer or None where the output is not a layer's;
    `binary` marks one sigmoid output, read as two classes: class 1 is the logit, class 0 its negative.
    """

    kind: str
    outputs: int
    layer: Any = None
    patches: Mapping[str, Any] = field(default_factory=dict)
    selected: str | int | None = None

    @property
    def binary(self) -> bool:
        return self.kind == SIGMOID and self.outputs == 1

    @property
    def classes(self) -> int:
        return 2 if self.binary else self.outputs

    def scores(self, raw: Any) -> Any:
        """(n, classes) in float32 from the raw output of a pass in which `patches` are in place."""
        value = ops.cast(select(raw, self.selected), "float32")
        value = ops.reshape(value, (-1, self.outputs))
        return ops.concatenate([-value, value], axis=1) if self.binary else value

    def probabilities(self, scores: Any) -> Any:
        """(n, classes) from scores that are logits; a linear head of several outputs is read as softmax logits."""
        if self.kind == SIGMOID:
            return ops.sigmoid(scores)
        return ops.softmax(scores, axis=-1) if self.outputs > 1 else scores


def find_head(subject: Subject, record: Record, selected: str | int | None) -> Head:
    """Read the head off a recorded pass. Raises ModelError where the output is not one row of numbers per image."""
    tensor = select(record.output, selected)
    shape = tuple(int(d) for d in tensor.shape[1:])
    if sum(d > 1 for d in shape) > 1:
        raise ModelError(
            f"model {subject.name!r}: expected one row of class scores per image, received an output of shape "
            f"(n, {', '.join(map(str, shape))}); choose another with output=, or wrap the model"
        )
    outputs = max((1, *shape))
    for call in record.calls:
        if call.output is tensor:
            found = subject.head(call.layer)
            if found is not None:
                kind, patches = found
                return Head(kind, outputs, call.layer, patches, selected)
    return Head(LINEAR, outputs, None, {}, selected)


def select(raw: Any, output: str | int | None) -> Any:
    """One tensor of a model's output: by key or index, `.logits` where there is one, or the only one there is."""
    if output is None and hasattr(raw, "logits"):
        return raw.logits
    if isinstance(raw, Mapping):
        if output is None and "logits" in raw:
            return raw["logits"]
        return _pick(raw, list(raw), output)
    if isinstance(raw, (list, tuple)):
        return _pick(raw, list(range(len(raw))), output)
    if output not in (None, 0):
        raise TargetError(f"output={output!r}: this model has one output; leave output= out")
    return raw


def _pick(raw: Any, keys: list[Any], output: str | int | None) -> Any:
    if output is None and len(keys) == 1:
        return raw[keys[0]]
    if output is None:
        raise TargetError(f"this model has {len(keys)} outputs: choose one with output=; valid: {keys}")
    if output not in keys:
        raise TargetError(unknown("output", output, keys))
    return raw[output]


__all__ = ["LINEAR", "SIGMOID", "SOFTMAX", "Head", "find_head", "select"]
