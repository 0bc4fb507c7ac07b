"""The one object that users make: a model with its preprocessing and labels, ready to be explained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldmark.classifier.backend import ensure_backend, is_torch_module
from fieldmark.classifier.predictions import Predictions
from fieldmark.errors import FieldmarkError, ImageError, ModelError, TargetError
from fieldmark.images import check_images

if TYPE_CHECKING:
    from fieldmark.classifier.engine import Engine
    from fieldmark.classifier.head import Head
    from fieldmark.classifier.layers import LayerInfo
    from fieldmark.classifier.subject import Subject

GUESSED_SIZE = 224  # for models that take any size, until an image comes


class Classifier:
    """An image classifier as it is: a `keras.Model` on any backend, or a `torch.nn.Module` that eats (n, c, h, w).

    A function from float32 images (n, h, w, c) to (n, classes) will do for methods that only ask for predictions.

    preprocess  function of float32 images (n, h, w, c) in the range they were given; returns what the model eats,
                channels last for every framework. None: images are fed as they are.
    labels      one name per class, in order (for one sigmoid output: two, or the name of class 1)
    scores      "logits": look behind a final softmax or sigmoid, which is what explanations are best made of; or
                "probabilities"
    output      which output to explain, by name or index, where the model has several
    batch_size  images per pass
    fold        merge batch normalisation into the convolution before it within a pass, where that is proved to change
                nothing and two images confirm it; False runs every layer as it is

    The model is never changed: what is patched during a pass is put back, also after an exception.
    Raises ModelError for what is no model, TargetError for labels or outputs that don't fit.
    """

    def __init__(
        self,
        model: Any,
        preprocess: Callable[[np.ndarray], Any] | None = None,
        labels: Sequence[str] | None = None,
        *,
        scores: str = "logits",
        output: str | int | None = None,
        batch_size: int = 16,
        fold: bool = True,
    ) -> None:
        if scores not in ("logits", "probabilities"):
            raise TargetError(f"scores={scores!r}: expected 'logits' or 'probabilities'")
        if not isinstance(batch_size, int) or batch_size < 1:
            raise FieldmarkError(f"batch_size={batch_size!r}: expected a whole number of 1 or more")
        self.model, self.preprocess, self.output, self.batch_size = model, preprocess, output, batch_size
        self.wants = scores
        self.fold = fold
        self._given_labels = None if labels is None else [str(label) for label in labels]
        self.subject = _subject(model)
        self.backend = ensure_backend()
        self.name = self.subject.name
        self._engine: Engine | None = None
        self._layers: dict[tuple[int, ...], list[LayerInfo]] = {}
        if self._known_shape() is not None:
            self._look(self._known_shape())

    # What it is

    @property
    def input_shape(self) -> tuple[int | None, ...] | None:
        """(h, w, c) as the model declares it, None where any value goes; None where it declares nothing."""
        return self.subject.input_shape

    @property
    def engine(self) -> Engine:
        """The six verbs, on preprocessed input. Raises ModelError until the model's input shape is known."""
        if self._engine is None:
            raise ModelError(
                f"model {self.name!r} does not say what shape it takes: call predict(images) or an explainer first"
            )
        return self._engine

    @property
    def head(self) -> Head:
        return self.engine.head

    @property
    def classes(self) -> int:
        """Number of classes; one sigmoid output counts as two."""
        return self.head.classes

    @property
    def labels(self) -> list[str]:
        """One name per class; "class 0", ... where none were given."""
        given, classes = self._given_labels, self.classes
        if given is None:
            return [f"class {index}" for index in range(classes)]
        if self.head.binary and len(given) == 1:
            return [f"not {given[0]}", given[0]]
        if len(given) != classes:
            raise TargetError(f"labels: expected {classes} (the model's classes), received {len(given)}")
        return given

    def layers(self) -> list[LayerInfo]:
        """Every layer in the order it is called, with its shape; the one that CAMs use by default is marked."""
        from fieldmark.classifier.layers import choose_layer, mark_chosen

        listed = self._listed()
        try:
            return mark_chosen(listed, choose_layer(listed, self.name)[0])
        except FieldmarkError:
            return listed

    def choose_layer(self, name: str | None = None, spatial: bool = False) -> tuple[str, str]:
        """(name, reason) of the layer to use: the one named, else the last spatial feature map.

        Raises LayerError for an unknown name, for a model without a spatial layer, and with `spatial` for a layer
        whose output is not (height, width, channels).
        """
        from fieldmark.classifier.layers import choose_layer, find_layer, require_spatial
        from fieldmark.classifier.subject import refuse_opaque

        refuse_opaque(self.subject)
        if name is None:
            return choose_layer(self._listed(), self.name)
        found = find_layer(self._listed(), name, self.name)
        if spatial:
            require_spatial(found, self._listed())
        return found.name, "as asked"

    # What it says

    def prepare(self, images: Any) -> tuple[np.ndarray, np.ndarray]:
        """(images checked, (n, h, w, c); x float32, what the model eats, channels last). Raises ImageError."""
        expected = self.input_shape if self.preprocess is None else None
        checked = check_images(images, expected)
        x = self._preprocessed(checked)
        self._look(x.shape[1:])
        self.engine.check_folding(x)
        return checked, x

    def predict(self, images: Any) -> Predictions:
        """Scores and probabilities of images (n, h, w, c), or one (h, w, c)."""
        _, x = self.prepare(images)
        return self.read(self.engine.scores(x))

    def read(self, scores: np.ndarray) -> Predictions:
        """Predictions from the engine's scores (n, classes)."""
        from keras import ops

        if not self.logits_reached(scores):
            return Predictions(scores, scores, self.labels, "as given")
        head = self.head
        if head.classes == 1:
            return Predictions(scores, scores, self.labels, "value")
        reading = "softmax of the logits" if head.kind == "linear" else head.kind
        if not self.engine.logits:
            return Predictions(scores, scores, self.labels, reading)
        return Predictions(scores, np.asarray(ops.convert_to_numpy(head.probabilities(scores))), self.labels, reading)

    def logits_reached(self, scores: np.ndarray) -> bool:
        """False where the model's output is already a softmax that cannot be looked behind: rows >= 0 that sum to 1."""
        if self.head.kind != "linear" or scores.shape[1] < 2:
            return True
        return not is_distribution(scores)

    # How it gets there

    def _preprocessed(self, images: np.ndarray) -> np.ndarray:
        fed: Any = np.array(images, dtype=np.float32)
        if self.preprocess is not None:
            try:
                fed = self.preprocess(fed)
                fed = fed.detach().cpu().numpy() if hasattr(fed, "detach") else np.asarray(fed)
            except FieldmarkError:
                raise
            except Exception as error:
                raise ImageError(f"preprocess failed: {type(error).__name__}: {error}".splitlines()[0]) from error
            fed = check_images(fed, self.input_shape, what="preprocess result")
            if len(fed) != len(images):
                raise ImageError(f"preprocess: expected {len(images)} images back, received {len(fed)}")
        return np.ascontiguousarray(fed, dtype=np.float32)

    def _known_shape(self) -> tuple[int, ...] | None:
        shape = self.input_shape
        if shape is None or len(shape) != 3:
            return None
        height, width, channels = shape
        return (height or GUESSED_SIZE, width or GUESSED_SIZE, channels or 3)

    def _look(self, shape: tuple[int, ...] | None) -> None:
        """Record one pass at `shape`: the layers, and the first time the head."""
        if shape is None:
            return
        if shape in self._layers:
            self._layers[shape] = self._layers.pop(shape)  # the shape seen last is the one that is listed
            return
        from fieldmark.classifier.engine import Engine
        from fieldmark.classifier.folding import find_pairs
        from fieldmark.classifier.head import find_head
        from fieldmark.classifier.layers import list_layers
        from fieldmark.classifier.subject import record

        seen = record(self.subject, shape)
        if self._engine is None:
            head = find_head(self.subject, seen, self.output)
            logits = self.wants == "logits" or (self.subject.opaque and is_distribution(head.scores(seen.output)))
            pairs = find_pairs(self.subject, seen) if self.fold else ()
            self._engine = Engine(self.subject, head, logits=logits, batch_size=self.batch_size, pairs=pairs)
        self._layers[shape] = list_layers(seen, self.subject.channels_first)

    def _listed(self) -> list[LayerInfo]:
        _ = self.engine  # says what to do when no image has come yet
        return next(reversed(self._layers.values()))

    def __repr__(self) -> str:
        if self._engine is None:
            return f"<Classifier {self.name} on {self.backend}: shape not known yet>"
        return f"<Classifier {self.name} on {self.backend}: {self.classes} classes, input {self.input_shape}>"


def is_distribution(scores: Any) -> bool:
    """Whether the rows (n, classes) are probabilities: >= 0, and 1 in all."""
    from keras import ops

    values = np.asarray(ops.convert_to_numpy(scores))
    return values.shape[1] > 1 and bool((values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3))


def _subject(model: Any) -> Subject:
    if is_torch_module(model):
        ensure_backend(torch_module=True)
        from fieldmark.classifier.torch_subject import TorchSubject

        return TorchSubject(model)
    ensure_backend()
    import keras

    if isinstance(model, keras.Model):
        from fieldmark.classifier.keras_subject import KerasSubject

        return KerasSubject(model)
    if callable(model) and not isinstance(model, type):
        from fieldmark.classifier.function_subject import FunctionSubject

        return FunctionSubject(model)
    raise ModelError(
        "expected a keras.Model (Keras 3), a torch.nn.Module or a function from images to scores, received "
        f"{type(model).__module__}.{type(model).__name__}"
        + ("; read files with fieldmark.load" if isinstance(model, str) else "")
    )
