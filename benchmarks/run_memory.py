"""Memory of a run over very many images, and what an image costs: `python -m benchmarks.run_memory --images 100000`.

Small JPEGs (a thousand, each under many names), a network of two convolutions, Grad-CAM. The resident memory is read
every half second; flat means that its last tenth is no higher than the second.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

import fieldmark as fm

SIDE = 32
DISTINCT = 1000


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def many_files(folder: Path, images: int) -> Path:
    """`images` JPEGs in folders of a thousand, hard links to DISTINCT different ones."""
    rng = np.random.default_rng(0)
    for number in range(min(images, DISTINCT)):
        path = folder / "000" / f"{number:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((SIDE, SIDE)).save(path, quality=85)
    for number in range(DISTINCT, images):
        path = folder / f"{number // DISTINCT:03d}" / f"{number % DISTINCT:04d}.jpg"
        path.parent.mkdir(exist_ok=True)
        os.link(folder / "000" / f"{number % DISTINCT:04d}.jpg", path)
    return folder


def resident() -> float:
    """MB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def watched(work: Any) -> tuple[Any, list[tuple[float, float]]]:
    """(what `work` returns, (seconds, MB) every half second)."""
    seen: list[tuple[float, float]] = []
    over = threading.Event()
    started = time.monotonic()

    def watch() -> None:
        while not over.wait(0.5):
            seen.append((time.monotonic() - started, resident()))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        return work(), seen
    finally:
        over.set()
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--summary", action="store_true", help="summarise too, and watch the memory of that")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = many_files(Path(scratch, "photos"), asked.images)
        classifier = fm.Classifier(network(), batch_size=asked.batch)
        out = Path(scratch, "out")
        report, seen = watched(lambda: fm.run(classifier, str(folder), fm.GradCAM(), out=out))
        tenth = max(1, len(seen) // 10)
        memory = [mb for _, mb in seen]
        found: dict[str, Any] = {
            "images": report.images,
            "seconds": round(report.seconds, 1),
            "images_per_second": round(report.images / report.seconds, 1),
            "bytes_per_image": round(report.bytes / report.images, 1),
            "listing_bytes": (out / "listing.parquet").stat().st_size,
            "shards": report.shards,
            "resident_mb": {
                "second tenth": round(float(np.median(memory[tenth : 2 * tenth])), 1),
                "last tenth": round(float(np.median(memory[-tenth:])), 1),
                "most": round(max(memory), 1),
            },
        }
        again, _ = watched(lambda: fm.run(classifier, str(folder), fm.GradCAM(), out=out))
        found["again_seconds"] = round(again.seconds, 1)
        if asked.summary:
            from fieldmark.run.results import Results
            from fieldmark.run.summary import summarise

            started = time.monotonic()
            _, seen = watched(lambda: summarise(Results(out)))
            found["summary"] = {
                "seconds": round(time.monotonic() - started, 1),
                "most_mb": round(max((mb for _, mb in seen), default=resident()), 1),
            }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
