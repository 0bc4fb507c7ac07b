"""Grad-CAM on a pretrained network, laid over the photograph at .4: where does it see the cat?

Run it: python examples/grad_cam.py [FOLDER]
"""

# %% The network and the photograph
import json
import sys
from pathlib import Path

from PIL import Image

import fieldmark as fm
from fieldmark.demo.lite0 import sample_photo
from fieldmark.figures import overlay

clf = fm.load("demo:lite0")  # with a network connection also "keras:Xception" and the rest of keras.applications
cat = sample_photo()  # or fm.read_images("cat.jpg", size=(224, 224))
((best, probability), (second, _)) = clf.predict(cat).top(2)[0]
print(f"{best} {probability:.2f}, then {second}")

# %% The map
att = fm.GradCAM()(clf, cat, target=fm.Top(2))
print(att, "at the", att.provenance["layer_reason"])

# %% The picture
out = Path(sys.argv[1] if len(sys.argv) > 1 else "grad-cam")
out.mkdir(parents=True, exist_ok=True)
att.plot(alpha=0.4, names=["cat.png"], title="").savefig(out / "grad_cam.png", dpi=110)
rainbow = overlay(cat, att.maps[0, 0], alpha=0.4, colours="jet", fade=0)
Image.fromarray(rainbow).save(out / "as_in_the_keras_tutorial.png")

# %% What the map says in numbers
heat = att.resized()[0, 0]  # at the image's size, values as they were
row, column = (int(at) for at in divmod(heat.argmax(), heat.shape[1]))
hot = heat > heat.max() / 2
print(f"hottest at row {row}, column {column} of {heat.shape}; {hot.mean():.0%} of the image above half of that")

numbers = {
    "best": best,
    "probability": probability,
    "second": second,
    "layer": att.provenance["layer"],
    "grid": list(att.maps.shape[2:]),
    "row": row,
    "column": column,
    "hot": float(hot.mean()),
}
(out / "results.json").write_text(json.dumps(numbers, indent=1))
