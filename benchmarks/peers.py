"""How each peer does the same jobs, in its favour: objects made once, outside the clock, and no pictures drawn.

Every function takes a Keras model that ends in logits, a batch as the model eats it, and one class per image, and gives
the jobs it can do: key (see `benchmarks/jobs.py`) -> call. All arrays come back to NumPy, as fieldmark's do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

LAYER = "top_activation"
Calls = dict[str, Callable[[], Any]]


def tf_keras_vis(model: Any, x: np.ndarray, classes: list[int]) -> Calls:
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.scores import CategoricalScore

    cam, plus, saliency = Gradcam(model), GradcamPlusPlus(model), Saliency(model)
    raw = {"penultimate_layer": LAYER, "seek_penultimate_conv_layer": False}
    raw |= {"expand_cam": False, "normalize_cam": False}

    def grad_cam(shift: int = 0) -> Any:
        return cam(CategoricalScore([(cls + shift) % 1000 for cls in classes]), x, **raw)

    return {
        "grad_cam": grad_cam,
        "grad_cam_top5": lambda: [grad_cam(shift) for shift in range(5)],
        "grad_cam_plus_plus": lambda: plus(CategoricalScore(classes), x, **raw),
        "gradients": lambda: saliency(CategoricalScore(classes), x, normalize_map=False),
    }


def tf_explain(model: Any, x: np.ndarray, classes: list[int]) -> Calls:
    import tensorflow as tf
    from tf_explain.core.grad_cam import GradCAM
    from tf_explain.core.vanilla_gradients import VanillaGradients

    def grad_cam(cls: int) -> Any:
        outputs, gradients = GradCAM.get_gradients_and_filters(model, x, LAYER, cls, use_guided_grads=False)
        return [cam.numpy() for cam in GradCAM.generate_ponderated_output(outputs, gradients)]

    return {
        "grad_cam": lambda: grad_cam(classes[0]),
        "grad_cam_top5": lambda: [grad_cam((classes[0] + shift) % 1000) for shift in range(5)],
        "gradients": lambda: VanillaGradients.compute_gradients(tf.constant(x), model, classes[0]).numpy(),
    }


def xplique(model: Any, x: np.ndarray, classes: list[int]) -> Calls:
    from xplique.attributions import GradCAM, GradCAMPP, Saliency

    cam = GradCAM(model, conv_layer=LAYER, batch_size=len(x))
    plus = GradCAMPP(model, conv_layer=LAYER, batch_size=len(x))
    saliency = Saliency(model, batch_size=len(x))
    eye = np.eye(1000, dtype=np.float32)

    def grad_cam(shift: int = 0) -> Any:
        return cam(x, eye[[(cls + shift) % 1000 for cls in classes]]).numpy()

    return {
        "grad_cam": grad_cam,
        "grad_cam_top5": lambda: [grad_cam(shift) for shift in range(5)],
        "grad_cam_plus_plus": lambda: plus(x, eye[classes]).numpy(),
        "gradients": lambda: saliency(x, eye[classes]).numpy(),
    }


PEERS = {"tf-keras-vis": tf_keras_vis, "tf-explain": tf_explain, "xplique": xplique}
