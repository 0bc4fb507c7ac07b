"""Grad-CAM over a folder of JPEGs against bare prediction of the same batches: `python -m benchmarks.run_throughput`.

Both in one process and by turns, so that what else the machine does hits both alike. The bare predictions get their
images decoded; the run reads, decodes, predicts, explains and writes Parquet.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import fieldmark as fm
from benchmarks.timing import seconds


def photographs(folder: Path, images: int, side: int, source: Path | None) -> Path:
    """A folder of JPEGs of `side` pixels, quality 85: of the photographs in `source`, else of scikit-image's cat."""
    if source is not None:
        originals = [Image.open(path).convert("RGB") for path in sorted(source.rglob("*.jpg"))[:images]]
    else:
        from skimage import data

        originals = [Image.fromarray(data.chelsea())]
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(images):
        picture = originals[number % len(originals)].resize((side, side * 3 // 4), Image.Resampling.BICUBIC)
        left, top = (int(value) for value in rng.integers(0, side // 16, 2))
        picture.crop((left, top, picture.width, picture.height)).save(folder / f"{number:05d}.jpg", quality=85)
    return folder


def measure(folder: Path, scratch: Path, rounds: int, batch: int) -> dict[str, Any]:
    """Images a second of the run, of `predict` and of the model's own `predict_on_batch`, by turns."""
    classifier = fm.load("demo:lite0", batch_size=batch)
    images = fm.read_images(str(folder), size=(224, 224))
    fed = classifier.prepare(images)[1]
    chunks = [slice(start, start + batch) for start in range(0, len(images), batch)]
    work: dict[str, Callable[[], Any]] = {
        "run": lambda: fm.run(classifier, str(folder), fm.GradCAM(), out=scratch / f"run-{time.time_ns()}"),
        "predict": lambda: [classifier.predict(images[chunk]) for chunk in chunks],
        "predict_on_batch": lambda: [classifier.model.predict_on_batch(fed[chunk]) for chunk in chunks],
        "explain": lambda: [fm.GradCAM()(classifier, images[chunk]) for chunk in chunks],
        "decode": lambda: fm.read_images(str(folder), size=(224, 224)),
    }
    for each in work.values():
        each()  # compiles
    took: dict[str, list[float]] = {name: [] for name in work}
    busy: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, each in work.items():
            before = time.process_time()
            took[name].append(seconds(each))
            busy[name].append(time.process_time() - before)
    rates = {name: len(images) / statistics.median(values) for name, values in took.items()}
    ratios = {
        against: statistics.median(b / a for a, b in zip(took["run"], took[against], strict=True))
        for against in ("predict", "predict_on_batch", "explain")
    }
    cores = {name: 1e3 * statistics.median(values) / len(images) for name, values in busy.items()}
    return {
        "images": len(images),
        "images_per_second": rates,
        "run_as_a_share_of": ratios,
        "core_milliseconds_an_image": cores,
        "seconds": took,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--side", type=int, default=500, help="pixels of a photograph's longer side")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--source", type=Path, default=None, help="a folder of JPEGs to make them of")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = photographs(Path(scratch, "photos"), asked.images, asked.side, asked.source)
        found = measure(folder, Path(scratch), asked.rounds, asked.batch)
    print(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg(), **found}, indent=1))


if __name__ == "__main__":
    main()
