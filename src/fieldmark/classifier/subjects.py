"""Which kind of subject a model is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fieldmark.classifier.backend import ensure_backend, is_torch_module
from fieldmark.errors import ModelError

if TYPE_CHECKING:
    from fieldmark.classifier.inputs import Fixed
    from fieldmark.classifier.subject import Subject


def make_subject(model: Any, fixed: Fixed | None = None, image: str | None = None) -> Subject:
    """A Keras model, a torch module or a bare function, on a backend that can run it. Raises ModelError for others."""
    if is_torch_module(model):
        ensure_backend(torch_module=True)
        from fieldmark.classifier.torch_subject import TorchSubject

        return TorchSubject(model, fixed, image)
    ensure_backend()
    import keras

    if isinstance(model, keras.Model):
        from fieldmark.classifier.keras_subject import KerasSubject

        return KerasSubject(model, fixed, image)
    if callable(model) and not isinstance(model, type):
        from fieldmark.classifier.function_subject import FunctionSubject

        subject = FunctionSubject(model)
        subject.fix(fixed or {})
        return subject
    raise ModelError(
        "expected a keras.Model (Keras 3), a torch.nn.Module or a function from images to scores, received "
        f"{type(model).__module__}.{type(model).__name__}"
        + ("; read files with fieldmark.load" if isinstance(model, str) else "")
    )
