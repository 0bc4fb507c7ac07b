"""LRP against zennit and captum, raw, on two small networks: as Keras models on every backend, as torch modules.

Peers are found and run as test_parity.py says.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.explainers.relevance import COMPOSITES, LRP
from tests.support import relevance_nets

Maps = dict[str, np.ndarray]
SCRIPT = "peer_relevance.py"

# peer, network, fields, the least correlation, the largest difference as a share of the largest value
TABLE: list[tuple[str, str, dict[str, Any], float, float]] = [
    *[("zennit", "vgg", {"composite": name}, 0.999999, 1e-5) for name in COMPOSITES],
    # Zennit merges batch-norm but leaves the norm's epsilon at work: its scores differ from the model's by 1e-5.
    *[("zennit", "resnet", {"composite": name}, 0.999999, 1e-3) for name in COMPOSITES],
    ("captum", "vgg", {"rule": "epsilon"}, 0.999999, 1e-3),  # its epsilon is 1e-9
]


@cache
def network_of(network: str, plain: bool) -> fm.Classifier:
    return fm.Classifier(relevance_nets.torch_net(network, None) if plain else relevance_nets.keras_net(network))


def check(theirs: Maps, network: str, fields: dict[str, Any], plain: bool, least: float, most: float) -> Any:
    def each_its_own(scores: np.ndarray) -> np.ndarray:
        return np.eye(scores.shape[1])[[1, 3]][:, None]  # as in peer_relevance.py

    mine = LRP(**fields)(network_of(network, plain), relevance_nets.images(), each_its_own).maps[:, 0]
    peers = theirs["/".join([network, *fields.values()])]
    assert np.corrcoef(mine.ravel(), peers.ravel())[0, 1] >= least
    assert np.abs(mine - peers).max() <= most * np.abs(peers).max()
    return mine, peers


ROWS = [
    pytest.param(*row, marks=[pytest.mark.every_backend] if row[2] == {"composite": "epsilon_plus_flat"} else [])
    for row in TABLE
]


@pytest.mark.parametrize(("peer", "network", "fields", "least", "most"), ROWS)
def test_keras_models(
    recorded: Any, table: Any, peer: str, network: str, fields: Any, least: float, most: float
) -> None:
    mine, theirs = check(recorded(SCRIPT, peer), network, fields, False, least, most)
    why = f"{', '.join(fields.values())}; a small {network.upper()}-like network with random weights, noise images"
    table("LRP", peer, mine, theirs, why)


@pytest.mark.native_torch
@pytest.mark.parametrize(("peer", "network", "fields", "least", "most"), TABLE)
def test_torch_modules(recorded: Any, peer: str, network: str, fields: Any, least: float, most: float) -> None:
    check(recorded(SCRIPT, peer), network, fields, True, least, most)


@pytest.mark.native_torch
def test_a_wrong_rule_would_be_noticed(recorded: Any) -> None:
    theirs = recorded(SCRIPT, "zennit")
    swapped = {"vgg/epsilon_plus": theirs["vgg/epsilon_plus_flat"]}
    with pytest.raises(AssertionError):
        check(swapped, "vgg", {"composite": "epsilon_plus"}, True, 0.999999, 1e-5)
