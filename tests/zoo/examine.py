"""What fieldmark makes of networks with random weights: `python -m tests.zoo.examine NAME...`, one JSON line each.

A process of its own for a few networks at a time: what a framework keeps of a network goes with the process.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import numpy as np

IMAGES = 2
CLASSES = 10


def networks() -> list[str]:
    """Every network of keras.applications by name."""
    from fieldmark.classifier.pretrained import _networks

    return list(_networks())


def smallest(name: str) -> tuple[Any, int]:
    """The network at the smallest input that Keras builds it for, and that side in pixels."""
    import keras

    keras.utils.clear_session()  # names are counted anew, and do not depend on what was built before
    keras.utils.set_random_seed(0)
    build, side = getattr(keras.applications, name), 32
    while True:
        try:
            return build(weights=None, input_shape=(side, side, 3), classes=CLASSES), side
        except ValueError as error:
            needed = re.search(r"at least (\d+)", str(error))
            if needed is None or int(needed.group(1)) <= side:
                raise
            side = int(needed.group(1))


def examine(name: str) -> dict[str, Any]:
    """The row of one network: what was chosen, and whether its logits, maps and gradients are what they should be."""
    import fieldmark as fm

    model, side = smallest(name)
    return {"model": name, "input": f"{side} x {side}", **measure(fm.Classifier(model), side)}


def measure(classifier: Any, side: int) -> dict[str, Any]:
    """Grad-CAM before its ReLU and the gradients at the pixels, of the class predicted for noise, from one pass."""
    from fieldmark.explainers.cam import grad_cam
    from fieldmark.targets import Resolved, Rule

    x = np.random.default_rng(0).uniform(0, 255, (IMAGES, side, side, 3)).astype(np.float32)
    classifier.prepare(x)
    layer, reason = classifier.choose_layer()
    shape = next(info.shape for info in classifier.layers() if info.name == layer)
    found = classifier.engine.gradients(x, Resolved(Rule("top"), None), at=(layer, "input"))
    return {
        "backend": classifier.backend,
        "layer": layer,
        "reason": reason,
        "shape": list(shape),
        "maps": _state(grad_cam(found.values[0], found.gradients[0])),
        "gradients": _state(np.abs(found.gradients[1]).max(axis=-1)),
        "logits": _logits_reached(classifier, x),
    }


def _state(maps: np.ndarray) -> str:
    """ "yes", or what is wrong with maps (n, 1, h, w): of every image there should be numbers, and not all the same."""
    if not np.isfinite(maps).all():
        return "NaN or infinite"
    return "yes" if all(np.ptp(each) > 0 for each in maps) else "blank"


def _logits_reached(classifier: Any, x: np.ndarray) -> str:
    """Whether the softmax of the scores is what the model itself says: then they are the logits behind it."""
    from keras import ops

    if classifier.head.kind != "softmax":
        return classifier.head.kind
    shown = np.asarray(ops.convert_to_numpy(classifier.model(x, training=False)))
    found = classifier.predict(x)
    is_logits = np.abs(found.scores.sum(axis=1) - 1).max() > 1e-6 or (found.scores < 0).any()
    return "yes" if is_logits and np.allclose(found.probabilities, shown, atol=2e-4) else "no"


if __name__ == "__main__":
    for each in sys.argv[1:]:
        print(json.dumps(examine(each)), flush=True)
