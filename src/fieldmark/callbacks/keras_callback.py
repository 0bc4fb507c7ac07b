"""The recorder as a Keras callback, on TensorFlow, JAX and torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from fieldmark.callbacks.recorder import Recorder
from fieldmark.classifier import Classifier


class Explain(Recorder, keras.callbacks.Callback):
    """Explains the same few images before training and after epochs: `model.fit(..., callbacks=[Explain(images)])`.

    images      (n, h, w, c) as the model is fed them, or as `preprocess` takes them; 1 to 60
    explainer   one or several, GradCAM() by default
    preprocess, labels  as `Classifier` takes them
    start       also explain the network before its first epoch, which finds out at once whether the explainer can

    The other options are those of `Recorder`. Epochs are counted as Keras prints them: 1 is the first, 0 is before it.
    Weights, optimizer, metrics and random streams are left as they were: training gives the same weights with it and
    without. One process and one device; not tried with distributed training.
    """

    def __init__(
        self,
        images: Any,
        explainer: Any = None,
        *,
        preprocess: Callable[[np.ndarray], Any] | None = None,
        labels: Sequence[str] | None = None,
        start: bool = True,
        **options: Any,
    ) -> None:
        keras.callbacks.Callback.__init__(self)
        Recorder.__init__(self, images, explainer, **options)
        self.preprocess, self.labels, self.start = preprocess, labels, start
        self._own = self.classifier is None
        self._waiting = start

    def set_model(self, model: Any) -> None:
        if self._own and model is not self._model:
            self.classifier = None
        super().set_model(model)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._waiting = self.start and not self.history

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._waiting:
            self._waiting = False
            self._look()
            self.record(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.due(epoch + 1):
            self._look()
            self.record(epoch + 1, logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.finish()

    def _look(self) -> None:
        """Bring what the model holds up to date (JAX keeps it elsewhere while it trains), and wrap it once."""
        model = self.model
        if self.classifier is None:
            self.classifier = Classifier(model, preprocess=self.preprocess, labels=self.labels)
