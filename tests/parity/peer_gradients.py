"""What the peers say of gradients and paths: `python peer_gradients.py PEER OUT.npz`, in their interpreter.

The cat's two classes Egyptian_cat and tabby on EfficientNet-Lite0 ending in logits, as in record.py. Methods that draw
at random record what they drew, so that ours can be given the same draws and compared exactly. Maps are (2, h, w).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from record import CLASSES, Maps, batch, network

STEPS = 16
SAMPLES = 12
NOISE = 0.15
LAYER = "block4a_project_bn"  # deep enough to be cheap, and no way leads around it


def background() -> np.ndarray:
    """Four views of the cat that are not the cat: mirrored, upside down, dimmed, inverted."""
    cat = batch()[0]
    return np.stack([cat[:, ::-1], cat[::-1], 0.3 * cat, -cat])


def captum() -> Maps:
    import captum.attr as peer
    import torch
    from lite0_torch import lite0_torch  # tests/support

    from fieldmark.demo import lite0
    from fieldmark.demo.weights import read_state_dict

    model = lite0_torch(read_state_dict(lite0.weights_path())).eval()
    x = torch.from_numpy(batch().transpose(0, 3, 1, 2).copy())

    def raw(method: Any, **options: Any) -> np.ndarray:
        return method.attribute(x.clone().requires_grad_(), target=list(CLASSES), **options).sum(1).detach().numpy()

    found = {
        "scores": model(x).detach().numpy(),
        "Gradients": raw(peer.Saliency(model), abs=False),
        "GradientTimesInput": raw(peer.InputXGradient(model)),
        "IntegratedGradients": raw(peer.IntegratedGradients(model), n_steps=STEPS, internal_batch_size=16),
    }
    for module in model.modules():  # captum guides nn.ReLU only, ReLU6 keeps its plain gradient: so ReLU for both
        for name, child in list(module.named_children()):
            if isinstance(child, torch.nn.ReLU6):
                setattr(module, name, torch.nn.ReLU())
    return {**found, "GuidedBackprop": raw(peer.GuidedBackprop(model))}


def saliency() -> Maps:
    import tensorflow as tf
    from saliency.core import INPUT_OUTPUT_GRADIENTS, GradientSaliency

    model, x = network(), batch()

    def gradient(values: np.ndarray, call_model_args: int, expected_keys: Any) -> dict[str, np.ndarray]:
        given = tf.constant(values, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(given)
            score = model(given, training=False)[:, call_model_args]
        return {INPUT_OUTPUT_GRADIENTS: tape.gradient(score, given).numpy()}

    def smoothed(magnitude: bool) -> np.ndarray:
        maps = []
        for image, cls in zip(x, CLASSES, strict=True):
            np.random.seed(0)  # the peer draws from NumPy's global generator
            options = {"stdev_spread": NOISE, "nsamples": SAMPLES, "magnitude": magnitude}
            maps.append(GradientSaliency().GetSmoothedMask(image, gradient, cls, **options).sum(axis=-1))
        return np.stack(maps)

    np.random.seed(0)
    noise = np.stack([np.random.normal(0, NOISE, x[0].shape) for _ in range(SAMPLES)])
    scores = np.asarray(model.predict_on_batch(x))
    return {"scores": scores, "noise": noise, "SmoothGrad": smoothed(False), "SquareGrad": smoothed(True)}


def shap() -> Maps:
    import keras
    import shap as peer

    model, x, usual = network(), batch()[:1], background()
    to_layer = keras.Model(model.input, model.get_layer(LAYER).output)
    found = {"scores": np.asarray(model.predict_on_batch(batch())), "classes": np.array(CLASSES)}
    pairs = {"ExpectedGradients": (model, x, usual)}
    inner = keras.Model(model.get_layer(LAYER).output, model.output)
    pairs["ExpectedGradients at a layer"] = (inner, np.asarray(to_layer(x)), np.asarray(to_layer(usual)))
    for name, (part, value, others) in pairs.items():
        values, _ = peer.GradientExplainer(part, others).shap_values(value, SAMPLES, ranked_outputs=3, rseed=0)
        order = np.argsort(-found["scores"][0])[:3].tolist()
        picked = [order.index(cls) for cls in CLASSES]
        found[name] = np.stack([values[0, ..., index].sum(axis=-1) for index in picked])
    np.random.seed(0)
    drawn = [(np.random.choice(len(usual)), np.random.uniform()) for _ in range(SAMPLES)]
    found["background"] = usual
    return {**found, "picks": np.array([a for a, _ in drawn]), "alphas": np.array([b for _, b in drawn])}


PEERS: dict[str, Callable[[], Maps]] = {"captum": captum, "saliency": saliency, "shap": shap}


if __name__ == "__main__":
    np.savez(Path(sys.argv[2]), **PEERS[sys.argv[1]]())  # type: ignore[arg-type]
