"""A field guide to a network of flowers: fine-tuned here from ImageNet's weights, on photographs of 128 x 128.

Run it: python examples/guides/flowers.py FOLDER_OF_FLOWERS [OUT] [EPOCHS]    one folder of photographs for each class.
About 20 minutes on two cores: the lower half of the network is run once and kept, only the upper half is trained.
"""

# %% The photographs, a fifth held out; six views of the others
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers
from PIL import Image

import fieldmark as fm
from fieldmark.demo import lite0

if len(sys.argv) < 2 or not Path(sys.argv[1]).is_dir():
    sys.exit("skipped: give a folder that holds one folder of photographs for each class")
out, epochs = Path(sys.argv[2] if len(sys.argv) > 2 else "flowers-guide"), int((sys.argv[3:4] or ["10"])[0])
out.mkdir(parents=True, exist_ok=True)
labels = sorted(path.name for path in Path(sys.argv[1]).iterdir() if path.is_dir())
groups = [fm.read_images(Path(sys.argv[1]) / name, size=(224, 224)) for name in labels]
x, y = np.concatenate(groups), np.repeat(np.arange(len(labels)), [len(group) for group in groups])
held = np.random.default_rng(0).permutation(len(x)) < len(x) // 5
rng = np.random.default_rng(1)


def view(image: np.ndarray) -> np.ndarray:
    """A part of 55 to 100 % of the photograph, perhaps mirrored, a little lighter or darker."""
    sides = (224 * np.sqrt(rng.uniform(0.55, 1) * np.array([1, rng.uniform(0.85, 1)]))).astype(int)
    top, left = (rng.integers(0, 225 - side) for side in sides)
    part = image[top : top + sides[0], left : left + sides[1]][:, :: rng.choice([-1, 1])]
    turned = np.asarray(Image.fromarray(np.ascontiguousarray(part)).resize((224, 224), Image.Resampling.BICUBIC))
    return np.clip(turned * rng.uniform(0.85, 1.15), 0, 255)


# %% The lower half, once
keras.utils.set_random_seed(0)
whole = lite0.lite0()
middle = whole.get_layer("block4c_add").output
lower = keras.Model(whole.input, middle)


def seen(images: np.ndarray) -> np.ndarray:
    """What the lower half makes of photographs, at half precision: 31 kB each."""
    parts = np.array_split(images, max(1, len(images) // 50))
    return np.concatenate([lower.predict_on_batch(lite0.preprocess(part)).astype(np.float16) for part in parts])


views = [x[~held], x[~held][:, :, ::-1], *(np.stack([view(image) for image in x[~held]]) for _ in range(4))]
learn, truth = np.concatenate([seen(each) for each in views]), np.tile(y[~held], len(views))

# %% The upper half, trained; the statistics of its normalisations stay ImageNet's
for layer in whole.layers:
    layer.trainable = not isinstance(layer, layers.BatchNormalization)
pooled = layers.GlobalAveragePooling2D()(whole.get_layer("top_activation").output)
network = keras.Model(
    whole.input, layers.Dense(len(labels), activation="softmax", name="flower")(pooled), name="flowers"
)
upper = keras.Model(middle, network.output)
steps = epochs * len(x) // 32
rate = keras.optimizers.schedules.CosineDecay(4e-5, steps, warmup_target=4e-4, warmup_steps=max(1, steps // 10))
upper.compile(
    keras.optimizers.AdamW(rate, weight_decay=0.02), keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
)
targets = np.eye(len(labels), dtype=np.float32)[truth]
for _ in range(epochs):
    some = rng.permutation(len(learn))[: len(x[~held])]
    upper.fit(learn[some].astype(np.float32), targets[some], batch_size=32, verbose=0)
network.save(out / "flowers.keras")

# %% How good it is, and the guide
clf = fm.load(out / "flowers.keras", preprocess=lite0.preprocess, labels=labels)
right = float((clf.predict(x[held]).scores.argmax(axis=1) == y[held]).mean())
print(f"{(~held).sum()} photographs to train on, {held.sum()} held out: {right:.1%} right")
guide = fm.FieldGuide.from_images(clf, x)
for write, name in ((guide.write_html, "guide.html"), (guide.write_pdf, "guide.pdf"), (guide.write_quiz, "quiz.html")):
    write(out / name)
guide.save(out / "guide.json")
print(guide)
