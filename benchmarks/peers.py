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
    from tf_keras_vis.layercam import Layercam
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.scorecam import Scorecam
    from tf_keras_vis.utils.scores import CategoricalScore

    cam, plus, layer_cam, score_cam = Gradcam(model), GradcamPlusPlus(model), Layercam(model), Scorecam(model)
    saliency = Saliency(model)
    raw = {"penultimate_layer": LAYER, "seek_penultimate_conv_layer": False}
    raw |= {"expand_cam": False, "normalize_cam": False}

    def grad_cam(shift: int = 0) -> Any:
        return cam(CategoricalScore([(cls + shift) % 1000 for cls in classes]), x, **raw)

    return {
        "grad_cam": grad_cam,
        "grad_cam_top5": lambda: [grad_cam(shift) for shift in range(5)],
        "grad_cam_plus_plus": lambda: plus(CategoricalScore(classes), x, **raw),
        "layer_cam": lambda: layer_cam(CategoricalScore(classes), x, **raw),
        "gradients": lambda: saliency(CategoricalScore(classes), x, normalize_map=False),
        "smooth_grad": lambda: saliency(CategoricalScore(classes), x, smooth_samples=16, normalize_map=False),
        "score_cam": lambda: score_cam(CategoricalScore(classes), x, max_N=64, **raw),
    }


def tf_explain(model: Any, x: np.ndarray, classes: list[int]) -> Calls:
    import tensorflow as tf
    from tf_explain.core.grad_cam import GradCAM
    from tf_explain.core.integrated_gradients import IntegratedGradients
    from tf_explain.core.occlusion_sensitivity import OcclusionSensitivity
    from tf_explain.core.smoothgrad import SmoothGrad
    from tf_explain.core.vanilla_gradients import VanillaGradients

    cls, patch = classes[0], x.shape[1] // 7
    occlusion = OcclusionSensitivity(batch_size=len(x))

    def grad_cam(shift: int = 0) -> Any:
        wanted = (cls + shift) % 1000
        outputs, gradients = GradCAM.get_gradients_and_filters(model, x, LAYER, wanted, use_guided_grads=False)
        return [cam.numpy() for cam in GradCAM.generate_ponderated_output(outputs, gradients)]

    return {
        "grad_cam": grad_cam,
        "grad_cam_top5": lambda: [grad_cam(shift) for shift in range(5)],
        "gradients": lambda: VanillaGradients.compute_gradients(tf.constant(x), model, cls).numpy(),
        "smooth_grad": lambda: SmoothGrad.get_averaged_gradients(
            SmoothGrad.generate_noisy_images(x, 16, 0.15), model, cls, 16
        ).numpy(),
        "integrated_gradients": lambda: IntegratedGradients.get_integrated_gradients(
            IntegratedGradients.generate_interpolations(x, 32), model, cls, 32
        ).numpy(),
        "occlusion": lambda: [occlusion.get_sensitivity_map(model, image, cls, patch) for image in x],
    }


def xplique(model: Any, x: np.ndarray, classes: list[int]) -> Calls:
    from xplique import attributions as methods

    n, patch = len(x), x.shape[1] // 7
    cam = methods.GradCAM(model, conv_layer=LAYER, batch_size=n)
    plus = methods.GradCAMPP(model, conv_layer=LAYER, batch_size=n)
    saliency = methods.Saliency(model, batch_size=n)
    smooth = methods.SmoothGrad(model, batch_size=n, nb_samples=16)
    integrated = methods.IntegratedGradients(model, batch_size=n, steps=32)
    occlusion = methods.Occlusion(model, batch_size=n, patch_size=patch, patch_stride=patch)
    eye = np.eye(1000, dtype=np.float32)

    def grad_cam(shift: int = 0) -> Any:
        return cam(x, eye[[(cls + shift) % 1000 for cls in classes]]).numpy()

    return {
        "grad_cam": grad_cam,
        "grad_cam_top5": lambda: [grad_cam(shift) for shift in range(5)],
        "grad_cam_plus_plus": lambda: plus(x, eye[classes]).numpy(),
        "gradients": lambda: saliency(x, eye[classes]).numpy(),
        "smooth_grad": lambda: smooth(x, eye[classes]).numpy(),
        "integrated_gradients": lambda: integrated(x, eye[classes]).numpy(),
        "occlusion": lambda: occlusion(x, eye[classes]).numpy(),
    }


def shap(model: Any, x: np.ndarray, classes: list[int]) -> Calls:
    import shap as peer

    explainer = peer.GradientExplainer(model, x, batch_size=len(x))
    return {"expected_gradients": lambda: explainer.shap_values(x, nsamples=50, ranked_outputs=2)}


PEERS = {"tf-keras-vis": tf_keras_vis, "tf-explain": tf_explain, "xplique": xplique, "shap": shap}
