"""What zennit and captum say of the networks of relevance_nets.py: `python peer_relevance.py PEER OUT.npz`.

OUT.npz holds for each network and rule "network/rule", maps (2, h, w) of the two images for classes 1 and 3.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from relevance_nets import images, torch_net  # tests/support

TARGETS = (1, 3)  # of the first and of the second image
Maps = dict[str, np.ndarray]


def batch() -> torch.Tensor:
    return torch.from_numpy(images().transpose(0, 3, 1, 2).copy()).requires_grad_()


def stand_in_for_torchvision() -> None:
    """Names that zennit imports from torchvision and that nothing recorded here uses."""
    for name, kinds in (("vgg", ["VGG"]), ("resnet", ["Bottleneck", "BasicBlock"])):
        module = ModuleType(f"torchvision.models.{name}")
        for kind in kinds:
            setattr(module, kind, type(kind, (), {}))
        sys.modules[module.__name__] = module
    for name in ("torchvision", "torchvision.models"):
        sys.modules[name] = ModuleType(name)


def zennit() -> Maps:
    stand_in_for_torchvision()
    from zennit.attribution import Gradient
    from zennit.canonizers import SequentialMergeBatchNorm
    from zennit.composites import COMPOSITES
    from zennit.layer import Sum

    class Both(torch.nn.Module):
        """Zennit's sum module, called with two tensors."""

        def __init__(self) -> None:
            super().__init__()
            self.sum = Sum()

        def forward(self, a: Any, b: Any) -> Any:
            return self.sum(torch.stack([a, b], dim=-1))

    names = ("epsilon_plus", "epsilon_plus_flat", "epsilon_alpha2_beta1", "epsilon_alpha2_beta1_flat")
    found: Maps = {}
    for network in ("vgg", "resnet"):
        for name in names:
            model = torch_net(network, Both)
            composite = COMPOSITES[name](canonizers=[SequentialMergeBatchNorm()])
            with Gradient(model=model, composite=composite) as attributor:
                scores = model(batch()).detach()
                start = torch.nn.functional.one_hot(torch.tensor(TARGETS), scores.shape[1]) * scores
                _, relevance = attributor(batch(), start)
            found[f"{network}/{name}"] = relevance.sum(1).detach().numpy()
        found[f"{network}/scores"] = scores.numpy()
    return found


def captum() -> Maps:
    from captum.attr import LRP
    from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule

    found: Maps = {}
    for name, rule in (("epsilon", EpsilonRule), ("z_plus", Alpha1_Beta0_Rule)):
        model = torch_net("vgg", None)
        for index, layer in enumerate(model):
            if isinstance(layer, torch.nn.ReLU):
                model[index] = torch.nn.ReLU()  # captum hooks refuse layers in place
            elif isinstance(layer, torch.nn.Conv2d | torch.nn.Linear | torch.nn.Flatten):
                layer.rule = rule()
        found[f"vgg/{name}"] = LRP(model).attribute(batch(), target=list(TARGETS)).sum(1).detach().numpy()
    return found


PEERS: dict[str, Callable[[], Maps]] = {"zennit": zennit, "captum": captum}

if __name__ == "__main__":
    np.savez(Path(sys.argv[2]), **PEERS[sys.argv[1]]())  # type: ignore[arg-type]
