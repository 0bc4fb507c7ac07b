"""The one object that users make: a model with its preprocessing and labels, ready to be explained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldmark.classifier.backend import ensure_backend
from fieldmark.classifier.predictions import Predictions
from fieldmark.classifier.preprocessing import usual_preprocess
from fieldmark.classifier.subjects import make_subject
from fieldmark.errors import FieldmarkError, ImageError, ModelError, TargetError
from fieldmark.images import check_images
from fieldmark.targets import Resolved, Rule

if TYPE_CHECKING:
    from fieldmark.classifier.engine import Engine
    from fieldmark.classifier.head import Head
    from fieldmark.classifier.layers import LayerInfo
    from fieldmark.doctor import Diagnosis

GUESSED_SIZE = 224  # for models that take any size, until an image comes
GUESSED_SIDES = {1: 256, 2: GUESSED_SIZE, 3: 32}


class Classifier:
    """An image classifier as it is: a `keras.Model` on any backend, or a `torch.nn.Module` that eats (n, c, h, w).

    Signals (n, l, c) and volumes (n, d, h, w, c) are images with another number of axes.
    A function from float32 images (n, h, w, c) to (n, classes) will do for methods that only ask for predictions.

    preprocess  function of float32 images (n, h, w, c) in the range they were given; returns what the model eats,
                channels last for every framework; or the name of a usual one, such as "0-1" (see
                `fieldmark.classifier.preprocessing`). None: images are fed as they are.
    labels      one name per class, in order (for one sigmoid output: two, or the name of class 1)
    scores      "logits": look behind a final softmax or sigmoid, which is what explanations are best made of; or
                "probabilities"
    output      which output to explain, by name or index, where the model has several
    fixed       the other inputs of a model with several, by name: their value for one image, without a batch axis, the
                same for every image; `fix` changes them. A torch module's are the arguments of its forward
    image       the name of the image among the inputs, where it is a torch module's or a subclassed model's and not
                the first
    tokens      (height, width, tokens before them) of a vision transformer's grid, where their number leaves it open
    batch_size  images per pass
    fold        merge batch normalisation into the convolution before it within a pass, where that is proved to change
                nothing and two images confirm it; False runs every layer as it is

    The model is never changed: what is patched during a pass is put back, also after an exception.
    Raises ModelError for what is no model, TargetError for labels or outputs that don't fit.
    """

    def __init__(
        self,
        model: Any,
        preprocess: Callable[[np.ndarray], Any] | str | None = None,
        labels: Sequence[str] | None = None,
        *,
        scores: str = "logits",
        output: str | int | None = None,
        fixed: Mapping[str, Any] | None = None,
        image: str | None = None,
        tokens: tuple[int, int, int] | None = None,
        batch_size: int = 16,
        fold: bool = True,
    ) -> None:
        if scores not in ("logits", "probabilities"):
            raise TargetError(f"scores={scores!r}: expected 'logits' or 'probabilities'")
        if not isinstance(batch_size, int) or batch_size < 1:
            raise FieldmarkError(f"batch_size={batch_size!r}: expected a whole number of 1 or more")
        self.model, self.output, self.batch_size = model, output, batch_size
        self.preprocess = usual_preprocess(preprocess) if isinstance(preprocess, str) else preprocess
        self.wants = scores
        self.fold = fold
        self._given_labels = None if labels is None else [str(label) for label in labels]
        self.fixed, self.image, self.tokens = fixed, image, tokens
        self._grid = None if tokens is None else _grid(tokens)
        self.subject = make_subject(model, fixed, image)
        self.backend = ensure_backend()
        self.name = self.subject.name
        self._engine: Engine | None = None
        self._layers: dict[tuple[int, ...], list[LayerInfo]] = {}
        self._choices: dict[tuple[int, ...], tuple[str, str]] = {}
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
    def shape_seen(self) -> tuple[int, ...]:
        """(h, w, c) of the images that the model ate last, or of its declared input. Raises ModelError for neither."""
        _ = self.engine  # says what to do when no image has come yet
        return next(reversed(self._layers))

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
        from fieldmark.classifier.layers import mark_chosen

        listed = self._listed()
        try:
            return mark_chosen(listed, self._choice()[0])
        except FieldmarkError:
            return listed

    def choose_layer(self, name: str | None = None, spatial: bool = False) -> tuple[str, str]:
        """(name, reason) of the layer to use: the one named, else the last spatial feature map.

        Raises LayerError for an unknown name, for a model without a spatial layer, and with `spatial` for a layer
        whose output is not (height, width, channels).
        """
        from fieldmark.classifier.layers import find_layer, require_spatial
        from fieldmark.classifier.subject import refuse_opaque

        refuse_opaque(self.subject)
        if name is None:
            return self._choice()
        found = find_layer(self._listed(), name, self.name)
        if spatial:
            require_spatial(found, self._listed(), self.subject.places)
        return found.name, "as asked"

    def fix(self, fixed: Mapping[str, Any]) -> None:
        """Hold inputs other than the image at new values, as `fixed=` does; costs no new compilation."""
        self.subject.fix(fixed)
        self.fixed = {**(self.fixed or {}), **fixed}

    # What it says

    def prepare(self, images: Any) -> tuple[np.ndarray, np.ndarray]:
        """(images checked, (n, h, w, c); x float32, what the model eats, channels last). Raises ImageError."""
        expected = self.input_shape if self.preprocess is None else None
        if self.subject.flat and np.ndim(images) < self.subject.places + 2 and np.shape(images)[-1:] != (1,):
            images = np.asarray(images)[..., None]
        checked = check_images(images, expected, places=self.subject.places)
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

    def doctor(self, images: Any = None, names: Sequence[str] | None = None) -> Diagnosis:
        """What this model is, what will be explained at which layer and why, what looks wrong, what each method costs.

        Print it: it is one page. With images (n, h, w, c), a handful of different ones, it also judges what comes in
        and out; `names` are shown with them.
        """
        from fieldmark.doctor import examine

        return examine(self, images, names=names)

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
            fed = check_images(fed, self.input_shape, what="preprocess result", places=self.subject.places)
            if len(fed) != len(images):
                raise ImageError(f"preprocess: expected {len(images)} images back, received {len(fed)}")
        return np.ascontiguousarray(fed, dtype=np.float32)

    def _known_shape(self) -> tuple[int, ...] | None:
        shape, places = self.input_shape, self.subject.places
        if shape is None or len(shape) != places + 1:
            return None
        return (*(side or GUESSED_SIDES[places] for side in shape[:-1]), shape[-1] or 3)

    def _look(self, shape: tuple[int, ...] | None) -> None:
        """Record one pass at `shape`: the layers, and the first time the head."""
        if shape is None:
            return
        if shape in self._layers:
            self._layers[shape] = self._layers.pop(shape)  # the shape seen last is the one that is listed
            self.engine.layouts = {info.name: info.layout for info in self._layers[shape]}
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
        self._layers[shape] = list_layers(seen, self.subject, shape, self._grid)
        self._engine.layouts = {info.name: info.layout for info in self._layers[shape]}

    def _listed(self) -> list[LayerInfo]:
        return self._layers[self.shape_seen]

    def _choice(self) -> tuple[str, str]:
        """The layer of choice and why, for the shape seen last."""
        from fieldmark.classifier.layers import choose_layer

        listed, shape = self._listed(), self.shape_seen
        if shape not in self._choices:
            self._choices[shape] = choose_layer(listed, self.name, self._reaching)
        return self._choices[shape]

    def _reaching(self, names: Sequence[str]) -> list[bool]:
        """Whether a change at each of these layers' maps changes the best score of noise."""
        noise = np.random.default_rng(0).normal(size=(1, *self.shape_seen)).astype(np.float32)

        def largest(_values: np.ndarray, gradients: np.ndarray, _scores: np.ndarray) -> np.ndarray:
            return np.abs(gradients).reshape(len(gradients), -1).max(axis=1)

        found = self.engine.gradients(noise, Resolved(Rule("top"), None), at=tuple(names), reduce=largest)
        return [bool(value[0] > 0) for value in found.values]

    def __repr__(self) -> str:
        if self._engine is None:
            return f"<Classifier {self.name} on {self.backend}: shape not known yet>"
        return f"<Classifier {self.name} on {self.backend}: {self.classes} classes, input {self.input_shape}>"


def is_distribution(scores: Any) -> bool:
    """Whether the rows (n, classes) are probabilities: >= 0, and 1 in all."""
    from keras import ops

    values = np.asarray(ops.convert_to_numpy(scores))
    return values.shape[1] > 1 and bool((values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3))


def _grid(tokens: Any) -> Any:
    from fieldmark.classifier.layout import Grid

    if len(tokens) != 3 or not all(isinstance(n, int) and n >= 0 for n in tokens) or tokens[0] * tokens[1] < 2:
        raise ModelError(f"tokens={tokens!r}: expected (height, width, tokens before them), such as (14, 14, 1)")
    return Grid((tokens[0], tokens[1]), tokens[2])
