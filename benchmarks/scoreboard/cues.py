"""The networks of the spurious-cue row and of refusal: who relies on a cue, who only saw it, who has nothing to say.

`python -m benchmarks.scoreboard.cues [--at-most N]` trains those that are missing and says for each, by rendering its
birds without the cue, whether it relies on it.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import fieldmark as fm
from benchmarks.scoreboard.nets import ARCHITECTURES, FOLDER, Net, load, train
from benchmarks.scoreboard.truth import margins, scores_of
from fieldmark.demo.sketchbirds import DESIGNS, TIERS
from fieldmark.demo.sketchbirds.datasets import images_of

RELIES, IGNORES = 0.3, 0.1
"""The share of the class's birds that removing the cue flips: at least so much, or at most; between, it is neither."""


def cue_nets() -> Iterator[Net]:
    """30 small nets: in 15 the cue decides where the mark is hidden, 15 saw it in pictures of any class.

    A cue that comes with its class alone is used even where the mark is never hidden (measured: removal flips .98), so
    that it is no example of a cue that is not relied on.
    """
    small = {"n_train": 300, "epochs": 14}
    for index in range(15):
        cue, label = ("watermark", "border")[index % 2], index % 8
        yield Net("hidden", cue=f"{cue}:{label}:1.0:0.0", seed=index, **small)
        rate, elsewhere = (0.5, 0.5) if index % 4 < 2 else (0.3, 0.2)
        yield Net("one", cue=f"{cue}:{label}:{rate}:{elsewhere}", seed=index, **small)


def global_nets() -> Iterator[Net]:
    """Nets whose classes are backgrounds, or focus: nothing that a mark could describe."""
    for seed in range(4):
        yield Net("habitats", seed=seed, n_train=250, epochs=6)
        yield Net("blurs", seed=seed, n_train=500, epochs=6)


def random_net(seed: int, tier: str = "easy", architecture: str = "strided") -> fm.Classifier:
    """Random weights; the last bias is set so that birds are spread over the classes, lest refusal be too easy."""
    import keras

    keras.utils.set_random_seed(10_007 + seed)
    names = DESIGNS["one"].names
    model = ARCHITECTURES[architecture](TIERS[tier], len(names))
    images = Net("one", tier).birds(20, 505).images
    model(images[:64] / np.float32(255), training=True)  # batch statistics, so that no layer is silent
    classifier = fm.Classifier(model, preprocess=lambda x: x / np.float32(255), labels=list(names))
    scores = scores_of(classifier, images)
    kernel, _ = model.layers[-1].get_weights()
    spread = scores.std(axis=0) + 1e-9
    model.layers[-1].set_weights([kernel / spread, -(scores.mean(axis=0) / spread)])
    return classifier


def reliance(net: Net, n_per_class: int = 60) -> dict[str, Any]:
    """What happens to the cue's class when the cue is rendered away, and whether that is reliance."""
    design = net.of
    assert design.confounder is not None
    cue, label = design.confounder.cue, design.confounder.label
    birds = net.birds(n_per_class, 606)
    classifier = load(net)
    scores = scores_of(classifier, birds.images)
    found = scores.argmax(axis=1)
    asked = [
        i for i, bird in enumerate(birds.birds) if found[i] == label and birds.labels[i] == label and bird.has(cue)
    ]
    after = scores_of(classifier, images_of([birds.birds[index].without(cue) for index in asked]))
    flips = float(np.mean(after.argmax(axis=1) != label))
    lost = margins(scores[asked], found[asked]) - margins(after, np.full(len(asked), label))
    return {
        "net": net.name,
        "cue": cue,
        "label": label,
        "accuracy": float(np.mean(found == birds.labels)),
        "flips": flips,
        "lost": float(lost.mean()),
        "relies": True if flips >= RELIES else False if flips <= IGNORES else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-most", type=int, default=10_000, help="stop after so many nets")
    options = parser.parse_args()
    folder = FOLDER / "cues"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [net for net in cue_nets() if not (folder / f"{net.name}.json").exists()]
    for net in missing[: options.at_most]:
        if not net.path.exists():
            train(net)
        seen = reliance(net)
        (folder / f"{net.name}.json").write_text(json.dumps(seen))
        print(
            f"{net.name}: accuracy {seen['accuracy']:.3f}, flips {seen['flips']:.2f}, relies: {seen['relies']}",
            flush=True,
        )
    for net in global_nets():
        if not missing and not net.path.exists():
            print(f"{net.name}: accuracy {train(net)['accuracy']:.3f}", flush=True)
    print(f"{max(0, len(missing) - options.at_most)} nets left")


if __name__ == "__main__":
    main()
