"""What the peers say, raw and before their scaling: `python record.py PEER OUT.npz`, in their interpreter.

Each peer explains the cat's two classes Egyptian_cat and tabby on EfficientNet-Lite0 ending in logits, at the layer
before pooling. OUT.npz holds `scores` (2, 1000) and for each method the maps (2, h, w), one for each class.
Run as a file with src and tests/support on PYTHONPATH: some peers install a package named `tests`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from fieldmark.demo import lite0

CLASSES = (285, 281)  # Egyptian_cat, tabby
LAYER = "top_activation"
Maps = dict[str, np.ndarray]


def batch() -> np.ndarray:
    """The cat twice, as the network eats it: one for each class."""
    return np.repeat(lite0.preprocess(lite0.sample_photo()[None]), len(CLASSES), axis=0)


def network() -> Any:
    import keras

    model = lite0.lite0()
    model.layers[-1].activation = keras.activations.linear
    return model


def tf_keras_vis() -> Maps:
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.layercam import Layercam
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.scores import CategoricalScore

    model, x, score = network(), batch(), CategoricalScore(list(CLASSES))
    layer = {"penultimate_layer": LAYER, "seek_penultimate_conv_layer": False}
    raw = {"expand_cam": False, "normalize_cam": False}
    return {
        "scores": np.asarray(model.predict_on_batch(x)),
        "GradCAM": np.asarray(Gradcam(model)(score, x, **layer, **raw)),
        "GradCAMPlusPlus": np.asarray(GradcamPlusPlus(model)(score, x, **layer, **raw)),
        "LayerCAM": np.asarray(Layercam(model)(score, x, **layer, **raw)),
        "Gradients": np.asarray(Saliency(model)(score, x, normalize_map=False)),
    }


def tf_explain() -> Maps:
    import tensorflow as tf
    from tf_explain.core.grad_cam import GradCAM

    model, x = network(), batch()
    cams = []
    for image, cls in zip(x, CLASSES, strict=True):
        pair = GradCAM.get_gradients_and_filters(model, image[None], LAYER, cls, use_guided_grads=False)
        cams.append(np.asarray(GradCAM.generate_ponderated_output(*pair)[0]))
    with tf.GradientTape() as tape:
        given = tf.constant(x)
        tape.watch(given)
        scores = model(given)
    return {"scores": np.asarray(scores), "GradCAM": np.maximum(cams, 0)}


def pytorch_grad_cam() -> Maps:
    stand_in_for_torchvision()
    import pytorch_grad_cam as peer
    import torch
    from lite0_torch import lite0_torch  # tests/support
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    from fieldmark.demo.weights import read_state_dict

    model = lite0_torch(read_state_dict(lite0.weights_path())).eval()
    x = torch.from_numpy(batch().transpose(0, 3, 1, 2).copy())
    targets = [ClassifierOutputTarget(cls) for cls in CLASSES]

    kept: list[np.ndarray] = []

    def raw(method: Any) -> np.ndarray:
        with method(model=model, target_layers=[model.features]) as cam:
            cam(input_tensor=x, targets=targets)
            seen = cam.activations_and_grads
            kept[:] = [values[0].detach().numpy() for values in (seen.activations, seen.gradients)]
            return np.maximum(cam.get_cam_image(x, model.features, targets, *kept, False), 0)

    maps = {
        "GradCAM": raw(peer.GradCAM),
        "GradCAMPlusPlus": raw(peer.GradCAMPlusPlus),
        "HiResCAM": raw(peer.HiResCAM),
        "XGradCAM": raw(peer.XGradCAM),
        "LayerCAM": raw(peer.LayerCAM),
    }
    arrays = {"activations": kept[0], "gradients": kept[1]}  # (2, c, h, w), to explain a difference with
    with torch.no_grad():
        return {"scores": model(x).numpy(), **arrays, **maps}


def stand_in_for_torchvision() -> None:
    """Names that pytorch-grad-cam imports from torchvision and that no method recorded here calls."""
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        sys.modules[name] = ModuleType(name)
    for name in ("Compose", "Normalize", "ToTensor"):
        setattr(sys.modules["torchvision.transforms"], name, None)
    sys.modules["torchvision.transforms.functional"].resize = None  # type: ignore[attr-defined]


PEERS: dict[str, Callable[[], Maps]] = {
    "tf-keras-vis": tf_keras_vis,
    "tf-explain": tf_explain,
    "pytorch-grad-cam": pytorch_grad_cam,
}


if __name__ == "__main__":
    np.savez(Path(sys.argv[2]), **PEERS[sys.argv[1]]())  # type: ignore[arg-type]
