"""What the peers say when pixels are covered: `python peer_perturbation.py PEER OUT.npz`, in their interpreter.

The cat's two classes on EfficientNet-Lite0 ending in logits, as in record.py. Where a method draws masks, the peer is
handed ours, so that what is compared is the method and not the luck. Maps are (2, h, w).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from record import CLASSES, Maps, batch, network

from fieldmark.explainers.designs import kept_cells, paired_designs
from fieldmark.explainers.global_sensitivity import jansen_design
from fieldmark.explainers.perturbation import grid_segments

CELLS = (4, 4)  # of Sobol and HSIC
SEGMENTS = grid_segments((224, 224), (2, 4))  # eight: few enough for the exact Shapley values
SOBOL, HSIC, LIME = 4, 64, 32  # samples
PATCH, STRIDE = 64, 40  # of the occlusion whose patches overlap


def torch_network() -> tuple[Any, Any]:
    import torch
    from lite0_torch import lite0_torch  # tests/support

    from fieldmark.demo import lite0
    from fieldmark.demo.weights import read_state_dict

    model = lite0_torch(read_state_dict(lite0.weights_path())).eval()
    return model, torch.from_numpy(batch().transpose(0, 3, 1, 2).copy())


def lime_rows() -> np.ndarray:
    """As fieldmark.LIME(samples=LIME, segments=SEGMENTS) draws them."""
    drawn = kept_cells(LIME - 1, 8, 0.5, np.random.default_rng(0))
    return np.concatenate([np.ones((1, 8), bool), drawn])


def captum() -> Maps:
    import torch
    from captum._utils.models.linear_model import SkLearnRidge
    from captum.attr import Lime, Occlusion

    model, x = torch_network()
    with torch.no_grad():
        scores = model(x).numpy()
        maps = Occlusion(model).attribute(x, (3, PATCH, PATCH), (3, STRIDE, STRIDE), 0, list(CLASSES))
    rows = iter(())

    def similarity(_one: Any, _other: Any, z: Any, **_rest: Any) -> Any:
        cosine = torch.sqrt(z.float().mean())
        return torch.exp(-((1 - cosine) ** 2) / (2 * 0.25**2))

    fitted = []
    for cls in CLASSES:
        rows = iter(lime_rows())
        peer = Lime(
            model,
            interpretable_model=SkLearnRidge(alpha=1.0),
            similarity_func=similarity,
            perturb_func=lambda *_args, **_kwargs: torch.from_numpy(next(rows).astype(np.int64))[None],  # noqa: B023
        )
        mask = torch.from_numpy(SEGMENTS)[None, None]
        found = peer.attribute(x[:1], 0, cls, feature_mask=mask, n_samples=LIME, perturbations_per_eval=8)
        fitted.append(found[0, 0].numpy())
    return {"scores": scores, "Occlusion": maps.sum(1).numpy() / 3, "LIME": np.stack(fitted)}


def shap() -> Maps:
    import shap as peer

    model, x = network(), batch()[0]

    def scores(rows: np.ndarray) -> np.ndarray:
        images = x[None] * np.asarray(rows)[:, SEGMENTS][..., None]  # hidden: 0, as the network eats it
        return np.asarray(model.predict(images.astype(np.float32), verbose=0))[:, list(CLASSES)]

    found = peer.KernelExplainer(scores, np.zeros((1, 8))).shap_values(np.ones((1, 8)), nsamples=254, l1_reg=False)
    values = np.asarray(found)[0].T if np.ndim(found) == 3 else np.stack([each[0] for each in found])
    return {"scores": np.asarray(model.predict_on_batch(batch())), "KernelSHAP": values[:, SEGMENTS]}


def xplique() -> Maps:
    from xplique import attributions as peer
    from xplique.attributions.global_sensitivity_analysis import BinaryEstimator, JansenEstimator
    from xplique.attributions.global_sensitivity_analysis.replicated_designs import ReplicatedSampler
    from xplique.attributions.global_sensitivity_analysis.samplers import Sampler

    model, x = network(), batch()
    targets = np.eye(1000, dtype=np.float32)[list(CLASSES)]
    count = CELLS[0] * CELLS[1]

    class OurDesign(ReplicatedSampler):
        def __call__(self, _dimension: int, _samples: int) -> np.ndarray:
            a, b = paired_designs(SOBOL, count, np.random.default_rng(0))
            rows = jansen_design(a, b)
            return np.concatenate([rows[:SOBOL], b, rows[SOBOL:]]).astype(np.float32)

    class OurMasks(Sampler):
        def __call__(self, _dimension: int, _samples: int) -> np.ndarray:
            return kept_cells(HSIC, count, 0.5, np.random.default_rng(0)).astype(np.float32)

    kept: list[np.ndarray] = []

    def raw(method: Any, estimator: Any, **options: Any) -> np.ndarray:
        """The indices before the peer enlarges them."""
        kept.clear()
        call = type(estimator).__call__

        class Keeping(type(estimator)):  # type: ignore[misc]
            def __call__(self, *args: Any) -> Any:
                found = call(self, *args)
                kept.append(np.asarray(found).reshape(CELLS))
                return found

        method(model, grid_size=CELLS[0], estimator=Keeping(), batch_size=32, **options).explain(x, targets)
        return np.stack(kept)

    return {
        "scores": np.asarray(model.predict_on_batch(x)),
        "Occlusion": np.asarray(peer.Occlusion(model, patch_size=32, patch_stride=32).explain(x, targets))[..., 0],
        "RISE": np.asarray(peer.Rise(model, nb_samples=300).explain(x, targets))[..., 0],
        "Sobol": raw(peer.SobolAttributionMethod, JansenEstimator(), nb_design=SOBOL, sampler=OurDesign()),
        "HSIC": raw(peer.HsicAttributionMethod, BinaryEstimator(), nb_design=HSIC, sampler=OurMasks(binary=True)),
    }


PEERS: dict[str, Callable[[], Maps]] = {"captum": captum, "shap": shap, "xplique": xplique}

if __name__ == "__main__":
    np.savez(Path(sys.argv[2]), **PEERS[sys.argv[1]]())  # type: ignore[arg-type]
