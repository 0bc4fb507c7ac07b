"""Expected gradients (SHAP values of a network) at a shallow and a deep layer, for the two best classes.

Run it: python examples/expected_gradients.py [FOLDER]
"""

# %% The network, the photograph, and a background
import json
import sys
from pathlib import Path

import numpy as np
from skimage import data

import fieldmark as fm
from fieldmark.demo.lite0 import fit, sample_photo
from fieldmark.figures import panel

clf = fm.load("demo:lite0")
cat = sample_photo()
# What the image is compared with: ordinary images. Here five photographs; with a training set at hand, fifty of it.
ordinary = (data.astronaut, data.coffee, data.rocket, data.retina, data.hubble_deep_field)
background = np.stack([fit(photo()) for photo in ordinary])

# %% The evidence for and against the two best classes
SHALLOW, DEEP = "block2a_project_bn", "top_activation"
shallow, deep = (
    fm.ExpectedGradients(layer=layer, background=background, samples=50)(clf, cat, target=fm.Top(2))
    for layer in (SHALLOW, DEEP)
)
out = Path(sys.argv[1] if len(sys.argv) > 1 else "expected-gradients")
out.mkdir(parents=True, exist_ok=True)
panel([shallow, deep], title="", names=["cat.png"]).savefig(out / "expected_gradients.png", dpi=110)

# %% Do the values add up?
numbers: dict[str, object] = {}
for name, att in (("shallow", shallow), ("deep", deep)):
    parts = {key: values[0][0] for key, values in att.provenance["completeness"].items()}
    numbers[name] = {
        "grid": att.maps.shape[2],
        "gain": parts["score"] - parts["reference"],  # of the best class's score over the background's
        "sum": parts["sum"],
        "error": parts["standard_error"],
        "against": float(-np.minimum(att.maps[0, 0], 0).sum() / np.abs(att.maps[0, 0]).sum()),
    }
    print(name, numbers[name])
numbers["classes"] = list(deep.targets[0])
(out / "results.json").write_text(json.dumps(numbers, indent=1))
