"""One process: fieldmark, or one peer, beside its own forward pass. `python -m benchmarks.worker NAME OUT.json`.

Peers change process-wide state (gradients of TensorFlow's operations, Keras settings), so they never share a process.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import platform
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.photos import photographs
from benchmarks.timing import measure
from fieldmark.demo import lite0


def fieldmark_calls(batch: int) -> tuple[dict[str, Callable[[], Any]], Callable[[], Any]]:
    """Fieldmark as a user calls it, preprocessing and all, and the bare forward pass."""
    import fieldmark as fm
    from benchmarks.jobs import JOBS

    model = lite0.lite0()
    images = photographs(batch, lite0.SIZE)
    classifier = fm.Classifier(model, preprocess=lite0.preprocess, labels=lite0.labels(), batch_size=batch)

    def call(explainer: Any, target: Any) -> Callable[[], Any]:
        return lambda: explainer(classifier, images, target)

    x = lite0.preprocess(images)
    return {job.key: call(job.explainer(), job.target()) for job in JOBS}, lambda: model.predict_on_batch(x)


def peer_calls(peer: str, batch: int) -> tuple[dict[str, Callable[[], Any]], Callable[[], Any]]:
    """A peer on the same network ending in logits, which is what each of them recommends."""
    import keras

    from benchmarks.peers import PEERS

    model = lite0.lite0()
    model.layers[-1].activation = keras.activations.linear
    x = lite0.preprocess(photographs(batch, lite0.SIZE))
    classes = [int(cls) for cls in np.argmax(model.predict_on_batch(x), axis=1)]
    return PEERS[peer](model, x, classes), lambda: model.predict_on_batch(x)


def versions(*names: str) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="fieldmark, or a peer of benchmarks/peers.py")
    parser.add_argument("out", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--only", nargs="*", help="keys of benchmarks/jobs.py; all by default")
    options = parser.parse_args()
    if options.name == "fieldmark":
        calls, forward = fieldmark_calls(options.batch)
    else:
        warnings.simplefilter("ignore")  # a peer's own deprecations are not ours to show
        calls, forward = peer_calls(options.name, options.batch)
    rows = {}
    for key, call in calls.items():
        if not options.only or key in options.only:
            print("job", key, flush=True)
            rows[key] = dataclasses.asdict(measure(call, forward, options.rounds))
    found = versions(options.name, "keras", "tensorflow", "tensorflow-cpu", "numpy")
    options.out.write_text(json.dumps({"name": options.name, "versions": found, "rows": rows}))


if __name__ == "__main__":
    main()
