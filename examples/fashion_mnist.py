"""Train a CNN on Fashion-MNIST, then compare Grad-CAM with Grad-CAM++, and with HiResCAM: which is on the garment?

Run it: python examples/fashion_mnist.py [FOLDER] [FILE.npz]    without a file (arrays x and y): keras.datasets
"""

# %% The images
import json
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

import fieldmark as fm
from fieldmark.figures import panel

LABELS = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
out, file = Path((sys.argv[1:2] or ["fashion-mnist"])[0]), (sys.argv[2:3] or [None])[0]
try:
    (x, y), _ = (np.load(file).values(), None) if file else keras.datasets.fashion_mnist.load_data()
except Exception as error:  # whatever a download can end in
    sys.exit(f"no images ({error}); without a network, give a file of arrays x and y as the second argument")
x, y, source = x[:6000], y[:6000], Path(file).name if file else "keras.datasets, the first 6000"
x, held = x[..., None], np.random.default_rng(0).permutation(len(x)) < len(x) // 5
print(f"{source}: {(~held).sum()} images to train on, {held.sum()} held out")

# %% The network
keras.utils.set_random_seed(0)
model = keras.Sequential([layers.Input((28, 28, 1)), layers.Rescaling(1 / 255)])
for filters in (32, 64, 128):
    model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
    if filters < 128:  # the last feature map keeps its 7 x 7
        model.add(layers.MaxPooling2D())
for layer in (layers.Flatten(), layers.Dropout(0.3), layers.Dense(10, activation="softmax")):
    model.add(layer)
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x[~held], y[~held], batch_size=32, epochs=15 if len(x) < 2000 else 3, verbose=0)

# %% Three maps of what it gets right
clf = fm.Classifier(model, labels=LABELS)
found = clf.predict(x[held]).scores.argmax(axis=1)
images, classes = x[held][found == y[held]], found[found == y[held]]
maps = [method(clf, images) for method in (fm.GradCAM(), fm.GradCAMPlusPlus(), fm.HiResCAM(relu=True))]
out.mkdir(parents=True, exist_ok=True)
some = [int(np.flatnonzero(classes == cls)[0]) for cls in (0, 1, 7, 8)]
panel(maps, images=some, title="").savefig(out / "fashion_mnist.png", dpi=90)

# %% How much of a map is on the garment, and how much of the garment is in the map
on = images[..., 0] > 0
numbers = {"source": source, "accuracy": float(np.mean(found == y[held])), "right": len(images), "garment": on.mean()}
for att in maps:
    heat = att.resized()[:, 0]
    seen, hot = heat.max((1, 2)) > 0, heat > heat.max((1, 2), keepdims=True) / 2
    inside, covered = (heat * on).sum((1, 2))[seen] / heat.sum((1, 2))[seen], (hot & on).sum((1, 2)) / on.sum((1, 2))
    shares = {"on": float(inside.mean()), "covered": float(covered[seen].mean()), "blank": int((~seen).sum())}
    numbers[att.provenance["method"]] = shares
print(numbers)
(out / "results.json").write_text(json.dumps(numbers, indent=1))
