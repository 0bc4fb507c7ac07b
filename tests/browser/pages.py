"""Pages to open: small attributions, with what is known of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fieldmark.report import build, render
from tests.figures.samples import sample
from tests.report.samples import LayerInfo
from tests.report.test_build import Ranking

EVIL = '"\'><img src=x onerror="alert(1)"></script><script>alert(2)</script></svg>{{7*7}}\'\u202e'
LAYERS = [
    LayerInfo("base/conv1", "Conv2D", (20, 30, 8), True),
    LayerInfo("base/block1_conv", "Conv2D", (10, 15, 16), True),
    LayerInfo("base/top_activation", "ReLU", (5, 8, 32), True, True),
    LayerInfo("base", "Functional", (5, 8, 32), True),
    LayerInfo("pool", "GlobalAveragePooling2D", (32,), False),
    LayerInfo("final", "Dense", (3,), False),
]


def plain(images: int = 3, **options: Any) -> str:
    """Grad-CAM for two classes at two layers, and Occlusion at the input, which is signed, for the first class only."""
    attributions = [
        sample(images),
        sample(images, layer="base/conv1", maps=np.flip(sample(images).maps, -1)),
        sample(images, 1, method="Occlusion", layer=None, signed=True),
    ]
    said = {"layers": LAYERS, "command": "fieldmark explain m.keras a.png", **options}
    return render(build(attributions, Ranking(images), **said))


def evil() -> str:
    """A page on which every name that comes from a user or a model file tries to run code."""
    att = sample(2, 2, targets=(EVIL, EVIL + "2"), warnings=(EVIL,), method=EVIL, layer=EVIL)
    predictions = Ranking(2)
    predictions.top = lambda k=5: [[(EVIL, 0.5)]] * 2  # type: ignore[method-assign]
    layers = [LayerInfo(EVIL, EVIL, (7, 9, 3), True, True), LayerInfo(f"{EVIL}/{EVIL}", EVIL, (3,), False)]
    names = {"title": EVIL, "notes": [EVIL], "summaries": {EVIL: EVIL}, "command": EVIL}
    return render(build([att], predictions, names=[EVIL, "x" * 300], layers=layers, **names))
