"""A tour of one network: activations, occlusion, Grad-CAM at three depths for two rival classes, SmoothGrad.

Run it: python examples/tour.py [FOLDER]
"""

# %% The network and the photograph
import json
import sys
from pathlib import Path

import numpy as np

import fieldmark as fm
from fieldmark.demo.lite0 import sample_photo
from fieldmark.figures import panel

clf = fm.load("demo:lite0")
cat = sample_photo()
RIVALS = [fm.Class("tabby"), fm.Class("Egyptian_cat")]
SHALLOW, MIDDLE, DEEP = "block2b_add", "block4c_add", "top_activation"
out = Path(sys.argv[1] if len(sys.argv) > 1 else "tour")
out.mkdir(parents=True, exist_ok=True)

# %% What the layers hold: twelve channels of an early one
grid = fm.ActivationMaps(layer="block2b_activation", channels=12)(clf, cat)
panel(grid, title="", columns=6, original=False).savefig(out / "activations.png", dpi=90)

# %% What is lost when a part is covered
occlusion = fm.Occlusion(patch=32, stride=16)(clf, cat, target=RIVALS)
panel(occlusion, title="", names=["cat.png"]).savefig(out / "occlusion.png", dpi=100)

# %% Grad-CAM at three depths, two rival classes
depths = fm.GradCAM(layers=(SHALLOW, MIDDLE, DEEP))(clf, cat, target=RIVALS)
panel(depths, title="", names=["cat.png"], columns=3).savefig(out / "depths.png", dpi=100)

# %% Gradients, and the same with the noise averaged away
plain = fm.Gradients()(clf, cat, target="Egyptian_cat")
smooth = fm.SmoothGrad(samples=80, noise=0.2)(clf, cat, target="Egyptian_cat")
panel([plain, smooth], title="", names=["cat.png"]).savefig(out / "smoothgrad.png", dpi=100)

# %% In numbers
tabby, egyptian = occlusion.maps[0]
numbers = {
    "tabby": float(occlusion.scores[0, 0]),
    "egyptian": float(occlusion.scores[0, 1]),
    "lost": float(egyptian.max()),  # the most that one patch costs the Egyptian cat, in logits
    "gained": float(-tabby.min()),  # the most that covering a place helps the tabby
    "depths": {
        str(att.provenance["layer"]): float(np.corrcoef(*att.maps[0].reshape(2, -1))[0, 1])  # type: ignore[union-attr]
        for att in depths
    },
    "grids": [att.maps.shape[2] for att in depths],  # type: ignore[union-attr]
}
print(json.dumps(numbers, indent=1))
(out / "results.json").write_text(json.dumps(numbers, indent=1))
