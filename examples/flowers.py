"""Transfer learning on photographs of flowers, then: what does the network look at, where is it right and wrong?

Run it: python examples/flowers.py FOLDER_OF_FLOWERS [FOLDER]    with one folder of photographs for each class
"""

# %% The photographs
import json
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

import fieldmark as fm
from fieldmark.demo import lite0

if len(sys.argv) < 2 or not Path(sys.argv[1]).is_dir():
    sys.exit("skipped: give a folder that holds one folder of photographs for each class")
out = Path(sys.argv[2] if len(sys.argv) > 2 else "flowers")
out.mkdir(parents=True, exist_ok=True)
labels = sorted(path.name for path in Path(sys.argv[1]).iterdir() if path.is_dir())
groups = [fm.read_images(Path(sys.argv[1]) / name, size=(224, 224)) for name in labels]
x, y = np.concatenate(groups), np.repeat(np.arange(len(labels)), [len(group) for group in groups])
held = np.random.default_rng(0).permutation(len(x)) < len(x) // 5

# %% The frozen base: its features, once
whole = lite0.lite0()
base = keras.Model(whole.input, whole.get_layer("top_activation").output, name="base", trainable=False)
pooled = keras.Sequential([base, layers.GlobalAveragePooling2D()])
features = np.concatenate([pooled.predict_on_batch(lite0.preprocess(part)) for part in np.array_split(x, len(x) // 32)])

# %% The new head
keras.utils.set_random_seed(0)
head = keras.Sequential([layers.Input(features.shape[1:]), layers.Dropout(0.3), layers.Dense(len(labels), "softmax")])
head.compile("adam", "sparse_categorical_crossentropy")
head.fit(features[~held], y[~held], batch_size=32, epochs=25, verbose=0)
accuracy = float(np.mean(head.predict(features[held], verbose=0).argmax(axis=1) == y[held]))
keras.Sequential([base, layers.GlobalAveragePooling2D(), head]).save(out / "flowers.keras")
print(f"{(~held).sum()} photographs to train on, {held.sum()} held out: {accuracy:.1%} right")

# %% Loaded again: a nested model, explained as it is
clf = fm.load(out / "flowers.keras", preprocess=lite0.preprocess, labels=labels)
test, truth = x[held], y[held]
probabilities = clf.predict(test).probabilities
found, order = probabilities.argmax(axis=1), np.argsort(-probabilities.max(axis=1))
right, wrong = (order[(found == truth)[order] == same][:3] for same in (True, False))
for name, some in (("right", right), ("wrong", wrong)):
    says = [f"{labels[truth[i]]}, said: {labels[found[i]]}" for i in some]
    fm.GradCAM()(clf, test[some], target=fm.Top(2)).plot(names=says, title="").savefig(out / f"{name}.png", dpi=90)

# %% Does it need what it looks at? Cover the hottest fifth of every photograph, and the coldest
heat = fm.GradCAM()(clf, test).resized()[:, 0]
ranks = heat.reshape(len(heat), -1).argsort(axis=1).argsort(axis=1).reshape(heat.shape) / heat[0].size
numbers = {"classes": labels, "held": int(held.sum()), "accuracy": accuracy, "layer": clf.choose_layer()[0]}
for name, cover in (("hottest", ranks > 0.8), ("coldest", ranks < 0.2)):
    covered = np.where(cover[..., None], test.mean(axis=(1, 2), keepdims=True), test).astype(np.uint8)
    numbers[name] = float(np.mean(clf.predict(covered).scores.argmax(axis=1) == truth))
print(numbers)
(out / "results.json").write_text(json.dumps(numbers, indent=1))
