"""What Quantus, xplique and captum say of the same maps: `python peer_trust.py PEER OUT.npz`, in their interpreter.

Inputs are made here from seeds, so that tests/parity/test_trust_parity.py makes the same.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

SIDE, CLASSES, STEPS = 8, 3, 16


def images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(5, SIDE, SIDE, 3)).astype(np.float32)


def maps() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(5, SIDE, SIDE)).astype(np.float32)


def kernel() -> np.ndarray:
    return np.random.default_rng(2).normal(size=(SIDE * SIDE * 3, CLASSES)).astype(np.float32) / 4


def labels() -> np.ndarray:
    return np.asarray((images().reshape(5, -1) @ kernel()).argmax(axis=1))


def holes() -> np.ndarray:
    return np.random.default_rng(3).random((5, SIDE, SIDE)) < 0.6


def moved() -> np.ndarray:
    """Maps of four noisy copies of each image."""
    return maps()[None] + 0.1 * np.random.default_rng(4).normal(size=(4, 5, SIDE, SIDE)).astype(np.float32)


def quantus() -> dict[str, Any]:
    stand_in_for_torchvision()
    from quantus import Sparseness
    from quantus.functions.complexity_func import discrete_entropy
    from quantus.functions.perturb_func import noisy_linear_imputation
    from quantus.functions.similarity_func import correlation_spearman

    x, a = images(), maps()
    filled = []
    for image, hole in zip(x, holes(), strict=True):
        channels_first = image.transpose(2, 0, 1).copy()
        there = np.flatnonzero(hole)
        found = noisy_linear_imputation(arr=channels_first, indices=there, noise=0.0)
        filled.append(found.reshape(3, SIDE, SIDE).transpose(1, 2, 0))
    gini = Sparseness(abs=True, normalise=False, disable_warnings=True)
    return {
        "imputed": np.stack(filled),
        "gini": gini(model=None, x_batch=x.transpose(0, 3, 1, 2), y_batch=labels(), a_batch=a[:, None], device=None),
        "entropy": [discrete_entropy(a=np.abs(each), x=image) for each, image in zip(a, x, strict=True)],
        "spearman": [correlation_spearman(a[i].ravel(), a[i - 1].ravel()) for i in range(5)],
    }


def xplique() -> dict[str, Any]:
    import tensorflow as tf
    from xplique.metrics import Deletion, Insertion, MuFidelity

    model = tf.keras.Sequential([tf.keras.Input((SIDE, SIDE, 3)), tf.keras.layers.Flatten()])
    dense = tf.keras.layers.Dense(CLASSES, use_bias=False)
    model.add(dense)
    dense.set_weights([kernel()])
    found: dict[str, Any] = {"deletion": [], "insertion": [], "mufidelity": []}
    for image, each, label in zip(images(), maps(), labels(), strict=True):
        given = (model, image[None], np.eye(CLASSES, dtype=np.float32)[[label]])
        for name, metric in (("deletion", Deletion), ("insertion", Insertion)):
            asked = metric(*given, baseline_mode=0.25, steps=STEPS, activation="softmax")
            found[name].append(asked.evaluate(each[None]))
        mu = MuFidelity(*given, grid_size=4, subset_percent=0.3, baseline_mode=0.25, nb_samples=30)
        kept: list[np.ndarray] = []
        perturb = mu._perturb_samples

        def noting(inputs: Any, count: Any, perturb: Any = perturb, kept: list[np.ndarray] = kept) -> Any:
            pictures, masks = perturb(inputs, count)
            kept.append(np.asarray(masks))
            return pictures, masks

        mu._perturb_samples = noting
        found["mufidelity"].append(mu.evaluate(each[None]))
        found.setdefault("masks", []).append(np.concatenate(kept, axis=1).reshape(-1, SIDE, SIDE))
    return found


def captum() -> dict[str, Any]:
    import torch
    from captum.metrics import sensitivity_max

    answers = np.concatenate([maps()[None], moved()])

    def explain(inputs: Any) -> Any:
        """The maps made beforehand: which copy is meant is written into the input's first number."""
        x = inputs[0] if isinstance(inputs, tuple) else inputs
        rows = [answers[int(row[0])][int(row[1])] for row in x]
        return (torch.tensor(np.stack(rows).reshape(len(x), -1)),)

    def perturb(inputs: Any, _radius: float) -> Any:
        x = (inputs[0] if isinstance(inputs, tuple) else inputs).clone()
        x[:, 0] = torch.arange(len(x)) % 4 + 1
        return (x,)

    given = torch.tensor([[0.0, index] for index in range(5)])
    return {"max_sensitivity": sensitivity_max(explain, given, perturb, n_perturb_samples=4).numpy()}


def stand_in_for_torchvision() -> None:
    """Names that zennit, which Quantus imports, takes from torchvision and that nothing here calls."""
    for name in ("torchvision", "torchvision.models", "torchvision.models.resnet", "torchvision.models.vgg"):
        sys.modules[name] = ModuleType(name)
    for name in ("Bottleneck", "BasicBlock", "ResNet", "VGG"):
        for module in ("resnet", "vgg"):
            setattr(sys.modules[f"torchvision.models.{module}"], name, type(name, (), {}))


PEERS = {"quantus": quantus, "xplique": xplique, "captum": captum}

if __name__ == "__main__":
    np.savez(Path(sys.argv[2]), **{name: np.asarray(value) for name, value in PEERS[sys.argv[1]]().items()})
