"""From what a user calls a model (a file, a name, a function of theirs) to a Classifier."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldmark.classifier.backend import ensure_backend, is_torch_module
from fieldmark.classifier.classifier import Classifier
from fieldmark.classifier.files import SUFFIXES, load_file
from fieldmark.classifier.labels import read_labels
from fieldmark.classifier.preprocessing import PREPROCESS
from fieldmark.classifier.pretrained import Source, from_demo, from_keras
from fieldmark.classifier.runtimes import SUFFIXES as RUNTIME_SUFFIXES
from fieldmark.classifier.runtimes import load_function
from fieldmark.classifier.user_code import call, find_object, names_code
from fieldmark.errors import FieldmarkError, ModelError, unknown


def load(
    model: str | Path,
    *,
    trust_model_code: bool = False,
    preprocess: str | Callable[..., Any] | None = None,
    labels: str | Sequence[str] | None = None,
    scores: str | None = None,
    output: str | int | None = None,
    fixed: Mapping[str, Any] | None = None,
    image: str | None = None,
    tokens: tuple[int, int, int] | None = None,
    batch_size: int | None = None,
) -> Classifier:
    """The Classifier for a model on disk or by name.

    model       a `.keras` or `.h5` file; an `.onnx` or `.tflite` file (a bare function: nothing to look into);
                "keras:Xception" (any of keras.applications, with ImageNet weights, its own preprocessing and labels);
                "demo:lite0" or "demo:sketchbirds"; or "module:function", code of yours found from the current folder
                that returns a Keras model, a torch module, a function from images to scores, a Classifier, or
                (model, preprocess, labels)
    trust_model_code  load a file that carries code (Lambda layers, functions); that code then runs on this machine
    preprocess  a function, its "module:function", or "none", "0-1", "-1-1", "imagenet", "caffe" (see
                `fieldmark.classifier.preprocessing`); None: what comes with the model, if anything does
    labels      names, or a file or comma list of them (see `read_labels`); None: what comes with the model
    scores, output, fixed, image, tokens, batch_size  as in Classifier

    Raises ModelError, TargetError or BackendError, one line each.
    """
    source = _source(model, trust_model_code)
    options: dict[str, Any] = {"scores": scores, "output": output, "batch_size": batch_size}
    options |= {"fixed": fixed, "image": image, "tokens": tokens}
    given = {name: value for name, value in options.items() if value is not None}
    if isinstance(source, Classifier):
        kept = source
        if preprocess is None and labels is None and not given:
            return kept
        source = Source(kept.model, kept.preprocess, kept._given_labels)
        held = {name: getattr(kept, name) for name in ("output", "fixed", "image", "tokens", "batch_size")}
        given = {"scores": kept.wants, **held, **given}
    function = source.preprocess if preprocess is None else named_preprocess(preprocess)
    names = source.labels if labels is None else read_labels(labels) if isinstance(labels, str) else list(labels)
    classifier = Classifier(source.model, preprocess=function, labels=names, **given)
    if classifier.input_shape is not None and len(classifier.input_shape) == 3:
        _ = classifier.labels  # a wrong number of labels is said now and not after the work
    return classifier


def named_preprocess(preprocess: str | Callable[..., Any]) -> Callable[..., Any] | None:
    """The function for a name of PREPROCESS or a `module:function`; functions stay as they are."""
    if not isinstance(preprocess, str):
        return preprocess
    if preprocess in PREPROCESS:
        return PREPROCESS[preprocess]
    if not names_code(preprocess):
        raise FieldmarkError(unknown("preprocess", preprocess, [*PREPROCESS, "module:function"]))
    function = find_object(preprocess)
    if not callable(function):
        raise FieldmarkError(f"preprocess {preprocess}: expected a function, received {type(function).__name__}")
    return function


def _source(model: str | Path, trust_model_code: bool) -> Source | Classifier:
    if not isinstance(model, (str, Path)):
        raise ModelError(
            f"load: expected a file or a name, received {type(model).__name__}; "
            "a model that is in memory needs no loading: Classifier(model)"
        )
    text, path = str(model), Path(model).expanduser()
    is_file = isinstance(model, Path) or path.suffix.lower() in (*SUFFIXES, *RUNTIME_SUFFIXES) or path.exists()
    kind, _, name = text.partition(":")
    if not is_file and kind in ("keras", "demo"):
        ensure_backend()
        return from_keras(name) if kind == "keras" else from_demo(name)
    if not is_file and names_code(text):
        return _from_code(text)
    ensure_backend()
    if path.suffix.lower() in RUNTIME_SUFFIXES and path.exists():
        return Source(load_function(path))
    return Source(load_file(path, trust_model_code))


def _from_code(reference: str) -> Source | Classifier:
    """What `module:name` is or returns. Keras's backend stays open until then, since a torch module asks for torch."""
    found = find_object(reference)
    if callable(found) and not _is_model(found):
        found = call(reference, found)
    parts = found if isinstance(found, tuple) else (found,)
    if isinstance(found, Classifier):
        return found
    if not 1 <= len(parts) <= 3 or not (_is_model(parts[0]) or callable(parts[0])):
        received = f"({', '.join(type(part).__name__ for part in parts)})" if len(parts) != 1 else type(found).__name__
        raise ModelError(
            f"{reference}: expected a keras.Model, a torch.nn.Module, a function from images to scores, a Classifier "
            f"or (model, preprocess, labels), received {received}"
        )
    return Source(*parts)


def _is_model(value: Any) -> bool:
    keras = sys.modules.get("keras")
    return isinstance(value, Classifier) or is_torch_module(value) or bool(keras and isinstance(value, keras.Model))
