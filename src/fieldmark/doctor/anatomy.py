"""What a model is, and what will be used of it and why: facts, each in words."""

from __future__ import annotations

from typing import Any

from fieldmark.classifier import Classifier
from fieldmark.classifier.backend import versions
from fieldmark.classifier.preprocessing import PREPROCESS
from fieldmark.doctor.diagnosis import Fact
from fieldmark.doctor.inside import IDLE, Inside
from fieldmark.doctor.preprocessing import Scaling
from fieldmark.errors import FieldmarkError

MOST = 4  # names listed


def facts(classifier: Classifier, inside: Inside | None, scaling: Scaling | None) -> tuple[Fact, ...]:
    """What it is; `inside` is None for a bare function, or before the shape of an image is known."""
    found = [Fact("Kind", kind(classifier)), Fact("Input", shape(classifier))]
    fixed = getattr(classifier.subject, "fixed", None)
    if fixed:
        found.append(Fact("Held fixed", f"the other input(s): {listed(list(fixed))}"))
    if classifier._engine is not None:
        found += [Fact("Output", output(classifier)), Fact("Head", head(classifier))]
    if inside is not None:
        found.append(Fact("Inside it", prepares(inside, scaling)))
    dtypes = precisions(classifier)
    if dtypes:
        found.append(Fact("Precision", f"computes in {dtypes}; scores and maps come out in float32"))
    return tuple(found)


def kind(classifier: Classifier) -> str:
    """ "Keras functional model, 142 layers, 4.6 million weights, on tensorflow 2.21.0"."""
    subject = classifier.subject
    running = ", ".join(f"{name} {version}" for name, version in versions().items() if name != "keras")
    if subject.opaque:
        return f"a bare prediction function ({type(classifier.model).__name__}): no layers, no gradients"
    if subject.method == "forward":
        return f"torch module, {counted(classifier)}, on {running or classifier.backend}"
    names = {base.__name__ for base in type(classifier.model).__mro__}
    how = "Sequential" if "Sequential" in names else "functional" if "Functional" in names else "subclassed"
    return f"Keras {how} model, {counted(classifier)}, on {running or classifier.backend}"


def counted(classifier: Classifier) -> str:
    model = classifier.model
    try:
        weights = int(model.count_params())
    except (AttributeError, ValueError):
        weights = sum(int(each.numel()) for each in model.parameters()) if hasattr(model, "parameters") else 0
    return f"{len(classifier.subject.layers)} layers, {large(weights)} weights"


def large(number: float) -> str:
    """812, 4.6 thousand, 23 million."""
    for size, word in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if number >= size:
            return f"{number / size:.2g}{word}" if number < 100 * size else f"{number / size:.0f}{word}"
    return f"{number:.0f}"


def shape(classifier: Classifier) -> str:
    axes = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}[classifier.subject.places]
    names = (*axes, "channels")
    declared = classifier.input_shape
    if declared is None:
        return f"not declared: images of any size ({', '.join(names)}), told by the first one it sees"
    sides = " x ".join("any" if side is None else str(side) for side in declared)
    first = " (the model itself puts channels first)" if classifier.subject.channels_first else ""
    return f"{sides} ({', '.join(names)}){first}"


def output(classifier: Classifier) -> str:
    head = classifier.head
    picked = f", output {classifier.output!r} of several" if classifier.output is not None else ""
    if head.binary:
        return f"one number, read as two classes: {classifier.labels[0]}, {classifier.labels[1]}{picked}"
    if head.classes == 1:
        return f"one value (a regression){picked}"
    named = "" if classifier._given_labels is not None else ", without names: give labels"
    return f"{head.classes} classes{named}{picked}"


def head(classifier: Classifier) -> str:
    found = classifier.head
    names = [name for name, layer in classifier.subject.layers.items() if layer is found.layer]
    at = f" in layer {names[0]!r}" if names else ""
    if found.kind == "softmax":
        return f"softmax{at}: the classes compete, probabilities sum to 1"
    if found.kind == "sigmoid":
        many = "" if found.binary else ": every class for itself (multi-label)"
        return f"sigmoid{at}{many}"
    if classifier.subject.opaque:
        return "unknown: what the function returns is taken as it is"
    return f"linear{at}: no softmax or sigmoid at the end"


def prepares(inside: Inside, scaling: Scaling | None) -> str:
    """The preprocessing that the model does itself."""
    acting = [(name, kind) for name, kind in inside.before if not idle(kind)]
    waiting = [name for name, kind in inside.before if idle(kind)]
    words = []
    if scaling is not None and scaling.acts:
        names = f" ({listed([f'{name}: {kind}' for name, kind in acting])})" if acting else ""
        words.append(f"pixels are rescaled: 0 becomes {scaling.black:.3g}, 255 becomes {scaling.white:.3g}{names}")
    elif scaling is not None:
        words.append("no rescaling: its first weights get the numbers that you feed")
    elif acting:
        words.append(f"before the first weights: {listed([f'{name} ({kind})' for name, kind in acting])}")
    else:
        words.append("nothing that could be seen from outside")
    if waiting:
        words.append(f"only in training, idle here: {listed(waiting)}")
    return "; ".join(words)


def idle(kind: str) -> bool:
    return any(word in kind.lower() for word in IDLE)


def precisions(classifier: Classifier) -> str:
    """What half-precision layers compute in; "" where all is float32."""
    layers = classifier.subject.layers.values()
    found = {str(getattr(layer, "compute_dtype", "float32")) for layer in layers} - {"float32", "None"}
    if classifier.subject.method == "forward":
        kinds = {str(p.dtype).removeprefix("torch.") for p in classifier.model.parameters() if p.is_floating_point()}
        found |= kinds - {"float32"}
    return ", ".join(sorted(name for name in found if "float" in name))


def choices(classifier: Classifier, layer: tuple[str, str] | FieldmarkError | None, reached: bool) -> tuple[Fact, ...]:
    """The layer, the score and the preprocessing that will be used, and why."""
    found = []
    if isinstance(layer, tuple):
        found.append(Fact("Layer", layer[0], layer[1]))
    elif layer is not None:
        found.append(Fact("Layer", "none", "see above; methods at the input need none"))
    if classifier._engine is not None:
        found.append(score(classifier, reached))
    found.append(preprocess(classifier))
    return tuple(found)


def score(classifier: Classifier, reached: bool) -> Fact:
    head = classifier.head
    if not reached:
        return Fact("Score", "probabilities", "the output is a softmax already, and nothing behind it can be reached")
    if not classifier.engine.logits:
        return Fact("Score", "probabilities", "as asked (scores='probabilities'); logits don't saturate")
    if head.kind == "linear":
        what = "the value" if head.classes == 1 else "the outputs"
        return Fact("Score", f"{what} as they are", "the model ends without softmax or sigmoid: these are its logits")
    if head.binary:
        return Fact("Score", "logit", "the number before the sigmoid: for class 1 as it is, for class 0 its negative")
    why = "probabilities saturate near 0 and 1, and gradients with them"
    return Fact("Score", "logits", f"the numbers before the {head.kind}: {why}; the model is not changed")


def preprocess(classifier: Classifier) -> Fact:
    function = classifier.preprocess
    if function is None:
        return Fact("Preprocess", "none", "images are fed as they are given; say preprocess= if that is wrong")
    known = next((name for name, each in PREPROCESS.items() if each is function), "")
    if known:
        described = (function.__doc__ or "").strip().rstrip(".")
        return Fact("Preprocess", known, f"as asked: {described}")
    return Fact("Preprocess", name_of(function), "as given with the model")


def name_of(function: Any) -> str:
    module = getattr(function, "__module__", "") or ""
    name = getattr(function, "__qualname__", type(function).__name__)
    return name if module in ("", "__main__") else f"{module}.{name}"


def listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more
