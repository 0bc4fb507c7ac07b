"""A field guide to a network of flowers: EfficientNet-Lite0, all of it fine-tuned on photographs of 128 x 128.

Run it: python examples/guides/flowers.py FOLDER_OF_FLOWERS    with one folder of photographs for each class
It trains for a quarter of an hour on one core; --epochs 1 --photographs 30 shows in a minute what it does.
"""

# %% The photographs, a fifth of them held out
import json
import sys
from argparse import ArgumentParser
from pathlib import Path

import cv2
import keras
import numpy as np
from keras import layers

import fieldmark as fm
from fieldmark.demo import lite0

parser = ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("folder", type=Path)
parser.add_argument("--out", type=Path, default=Path("flowers-guide"))
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--photographs", type=int, default=300, help="of each class, at most")
args = parser.parse_args()
if not args.folder.is_dir():
    sys.exit("skipped: give a folder that holds one folder of photographs for each class")
SIDE, BATCH = 128, 32
labels = sorted(path.name for path in args.folder.iterdir() if path.is_dir())
groups = [fm.read_images(args.folder / name, size=(SIDE, SIDE))[: args.photographs] for name in labels]
x, y = np.concatenate(groups), np.repeat(np.arange(len(labels)), [len(group) for group in groups])
held = np.random.default_rng(0).permutation(len(x)) < len(x) // 5
rng = np.random.default_rng(1)


# %% No photograph is seen twice: cut out, turned, mirrored, in another light, and half of the batches mixed
def view(image: np.ndarray) -> np.ndarray:
    """35 to 100 % of the photograph at its full size."""
    share, stretch, turn = rng.uniform(0.35, 1), np.exp(rng.uniform(-0.25, 0.25)), np.deg2rad(rng.uniform(-15, 15))
    height, width = np.minimum(SIDE, SIDE * np.sqrt([share * stretch, share / stretch]))
    middle = [rng.uniform(width, 2 * SIDE - width) / 2, rng.uniform(height, 2 * SIDE - height) / 2]
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    way = np.diag([SIDE / width * rng.choice([-1, 1]), SIDE / height]) @ turned
    way = np.column_stack([way, SIDE / 2 - way @ middle])
    cut = cv2.warpAffine(image, way, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    light = (cut - cut.mean()) * rng.uniform(0.7, 1.3) + cut.mean() * rng.uniform(0.75, 1.25)
    grey = light.mean(axis=-1, keepdims=True)
    return np.clip(grey + (light - grey) * rng.uniform(0.7, 1.3), 0, 255).astype(np.float32)


def mixed(images: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each with another one: laid over it (mixup) or put into a square of it (cutmix)."""
    other, share = rng.permutation(len(images)), rng.uniform()
    if rng.uniform() < 0.5:
        images = share * images + (1 - share) * images[other]
    else:
        side = int(SIDE * np.sqrt(1 - share))
        top, left = rng.integers(0, SIDE - side + 1, 2)
        images[:, top : top + side, left : left + side] = images[other][:, top : top + side, left : left + side]
        share = 1 - (side / SIDE) ** 2
    return images, share * targets + (1 - share) * targets[other]


class Views(keras.utils.PyDataset):
    """Batches of views, each photograph once before any comes again."""

    def __init__(self, rows: np.ndarray) -> None:
        super().__init__()
        self.rows, self.left = rows, np.zeros(0, int)

    def __len__(self) -> int:
        return max(1, len(self.rows) // BATCH)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if len(self.left) < BATCH:
            self.left = np.concatenate([self.left, rng.permutation(self.rows)])
        some, self.left = self.left[:BATCH], self.left[BATCH:]
        batch = np.stack([view(x[i]) for i in some]), np.eye(len(labels), dtype=np.float32)[y[some]]
        return mixed(*batch) if rng.uniform() < 0.5 else batch


# %% The network; the statistics of its normalisations stay ImageNet's
keras.utils.set_random_seed(0)
whole = lite0.lite0(SIDE)
for layer in whole.layers:
    layer.trainable = not isinstance(layer, layers.BatchNormalization)
base = keras.Model(whole.input, whole.get_layer("top_activation").output, name="base")
network = keras.Sequential([layers.Input((SIDE, SIDE, 3)), layers.Rescaling(1 / 128, -127 / 128), base])
for layer in (layers.GlobalAveragePooling2D(), layers.Dropout(0.3), layers.Dense(len(labels), "softmax")):
    network.add(layer)
views = Views(np.flatnonzero(~held))
steps = args.epochs * len(views)
rate = keras.optimizers.schedules.CosineDecay(6e-5, steps, 0.01, warmup_target=6e-4, warmup_steps=max(1, steps // 10))
network.compile(
    keras.optimizers.AdamW(rate, weight_decay=0.02, clipnorm=5.0, use_ema=True),
    keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
)
network.fit(views, epochs=args.epochs, verbose=2)
args.out.mkdir(parents=True, exist_ok=True)
network.save(args.out / "flowers.keras")

# %% How good it is, and the guide
clf = fm.load(args.out / "flowers.keras", labels=labels)
right = int((clf.predict(x[held]).scores.argmax(axis=1) == y[held]).sum())
print(f"{(~held).sum()} photographs to train on, {held.sum()} held out: {right} of them right")
guide = fm.FieldGuide.from_images(clf, x)
guide.write_html(args.out / "guide.html")
guide.write_pdf(args.out / "card.pdf")
if guide.key is not None:
    guide.write_quiz(args.out / "quiz.html")
guide.save(args.out / "guide.json")
(args.out / "results.json").write_text(json.dumps({"held": int(held.sum()), "right": right, "verdict": guide.verdict}))
print(guide)
