"""What the peers say of activation maps: `python peer_cam.py PEER OUT.npz`, in their interpreter.

The cat's two classes on EfficientNet-Lite0 ending in logits, as in record.py, whose maps of the gradient-weighted
methods these add to. Methods with a pass for every channel are asked at the stem, which has 32. Maps are (2, h, w).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from record import CLASSES, LAYER, Maps, batch, network, stand_in_for_torchvision

STEM = "stem_activation"  # features[2] in torch
KEPT = 8  # channels of Faster-Score-CAM


def torch_network() -> tuple[Any, Any]:
    import torch
    from lite0_torch import lite0_torch  # tests/support

    from fieldmark.demo import lite0
    from fieldmark.demo.weights import read_state_dict

    model = lite0_torch(read_state_dict(lite0.weights_path())).eval()
    return model, torch.from_numpy(batch().transpose(0, 3, 1, 2).copy())


def pytorch_grad_cam() -> Maps:
    stand_in_for_torchvision()
    import pytorch_grad_cam as peer
    import torch
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    targets = [ClassifierOutputTarget(cls) for cls in CLASSES]

    def raw(method: Any, stem: bool) -> np.ndarray:
        model, x = torch_network()
        layer = model.features[2] if stem else model.features
        with method(model=model, target_layers=[layer]) as cam:
            cam.compute_cam_per_layer = lambda x, targets, _smooth: (
                cam.get_cam_image(  # before it is clipped and scaled
                    x, layer, targets, cam.activations_and_grads.activations[0].detach().numpy(), None, False
                )
            )
            cam.aggregate_multi_layers = lambda maps: maps
            return cam(input_tensor=x, targets=targets)

    model, x = torch_network()
    with torch.no_grad():
        scores = model(x).numpy()
    return {
        "scores": scores,
        "EigenCAM": raw(peer.EigenCAM, stem=False),
        "ScoreCAM": raw(peer.ScoreCAM, stem=True),
        "AblationCAM": raw(peer.AblationCAM, stem=True),
    }


def captum() -> Maps:
    from captum.attr import LayerGradCam

    model, x = torch_network()
    maps = LayerGradCam(model, model.features).attribute(x, target=list(CLASSES))  # signed
    return {"scores": model(x).detach().numpy(), "GradCAM": maps[:, 0].detach().numpy()}


def tf_keras_vis() -> Maps:
    from tf_keras_vis.scorecam import Scorecam
    from tf_keras_vis.utils.scores import CategoricalScore

    model, x = network(), batch()
    options = {"penultimate_layer": STEM, "seek_penultimate_conv_layer": False, "max_N": KEPT}
    raw = {"expand_cam": False, "normalize_cam": False, "activation_modifier": None}
    maps = Scorecam(model)(CategoricalScore(list(CLASSES)), x, **options, **raw)
    return {"scores": np.asarray(model.predict_on_batch(x)), "ScoreCAM": np.asarray(maps)}


PEERS: dict[str, Callable[[], Maps]] = {
    "pytorch-grad-cam": pytorch_grad_cam,
    "captum": captum,
    "tf-keras-vis": tf_keras_vis,
}
__all__ = ["LAYER", "PEERS"]

if __name__ == "__main__":
    np.savez(Path(sys.argv[2]), **PEERS[sys.argv[1]]())  # type: ignore[arg-type]
