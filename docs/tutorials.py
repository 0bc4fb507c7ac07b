"""Run the tutorials and keep what they print and draw: `.venv/bin/python docs/tutorials.py [NAME ...]`.

Each script of examples/ writes pictures and results.json to a folder; here they become docs/img/tutorials/NAME/*.webp
and docs/tutorials/NAME.json, out of which the pages take every number. DATA is the folder of real images.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
# What each script is given: {out} is its folder; the torch model needs a process with that backend.
SCRIPTS: dict[str, list[str]] = {
    "grad_cam": ["{out}"],
    "expected_gradients": ["{out}"],
    "tour": ["{out}"],
    "any_class": ["{out}"],
    "fashion_mnist": ["{out}", str(DATA / "fashion_mnist_900.npz")],
    "flowers": [str(DATA / "flowers"), "{out}"],
    "torch_model": ["{out}"],
}


def keep(name: str) -> None:
    backend = "torch" if name == "torch_model" else "tensorflow"
    with tempfile.TemporaryDirectory() as folder:
        given = [text.format(out=folder) for text in SCRIPTS[name]]
        command = [sys.executable, str(ROOT / "examples" / f"{name}.py"), *given]
        subprocess.run(command, check=True, env={**os.environ, "KERAS_BACKEND": backend})
        target = ROOT / "docs" / "img" / "tutorials" / name
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(Path(folder).glob("*.png")):
            Image.open(path).convert("RGB").save(target / f"{path.stem}.webp", quality=86, method=6)
        text = (Path(folder) / "results.json").read_text(encoding="utf-8")
        (ROOT / "docs" / "tutorials" / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:] or SCRIPTS:
        keep(name)
