"""Any class you like, also one with a tenth of a percent; one class against another; a rating made of several.

Run it: python examples/any_class.py [FOLDER]
"""

# %% What the model says
import json
import sys
from pathlib import Path

import numpy as np

import fieldmark as fm
from fieldmark.demo.lite0 import sample_photo
from fieldmark.figures import panel

clf = fm.load("demo:lite0")
cat = sample_photo()
said = dict(clf.predict(cat).top(8)[0])
print({name: round(probability, 4) for name, probability in said.items()})

# %% Four questions about one photograph
rating = {"tabby": 1 / 3, "tiger_cat": 1 / 3, "Egyptian_cat": 1 / 3, "Persian_cat": -1 / 2, "lynx": -1 / 2}
questions = [
    fm.Class("plastic_bag"),
    fm.Contrast("tabby", "Egyptian_cat"),
    fm.Contrast("Egyptian_cat", "rest"),
    fm.Weighted(rating),
]
att = fm.GradCAM(relu=False)(clf, cat, target=questions)  # all four from one forward pass; signed
for words, score in zip(att.targets[0], att.scores[0], strict=True):
    print(f"{score:7.2f}  {words}")

out = Path(sys.argv[1] if len(sys.argv) > 1 else "any-class")
out.mkdir(parents=True, exist_ok=True)
panel(att, title="", names=["cat.png"]).savefig(out / "any_class.png", dpi=110)

# %% A target is a sum of weight times output, so the maps of a sum are the sum of the maps
parts = fm.GradCAM(relu=False)(clf, cat, target=[fm.Class(name) for name in rating])
summed = np.tensordot(np.array(list(rating.values())), parts.maps[0], axes=1)
print("largest difference between the rating's map and the sum of its parts:", np.abs(summed - att.maps[0, 3]).max())

numbers = {
    "probability": {name: said[name] for name in ("Egyptian_cat", "lynx", "plastic_bag")},
    "scores": [float(score) for score in att.scores[0]],
    "largest_difference": float(np.abs(summed - att.maps[0, 3]).max()),
    "for": [float((plane > 0).mean()) for plane in att.maps[0]],  # the share of places that speak for it
}
(out / "results.json").write_text(json.dumps(numbers, indent=1))
