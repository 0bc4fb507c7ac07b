"""The command line in this process, and small inputs for it whose right answer is known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from fieldmark.cli import run

COLOURS = ["red", "green", "blue"]
HEIGHT, WIDTH = 24, 32


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def line(self) -> str:
        """The one line of an error, for which nothing else may have been written."""
        assert self.code == 2, self
        assert self.out == "", self
        assert self.err.count("\n") == 1, self
        assert self.err.startswith("fieldmark: "), self
        return self.err.removeprefix("fieldmark: ").rstrip("\n")


class Command:
    """Runs `fieldmark ...` in this process and reads what it wrote."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture

    def __call__(self, *arguments: object) -> Outcome:
        self.capture.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = self.capture.readouterr()
        return Outcome(code, out, err)


def real_command(*arguments: object, cwd: Path, timeout: float = 240, **environment: str) -> Outcome:
    """`fieldmark ...` as its own process, through the entry point; an empty variable is as good as none."""
    code = "import sys; from fieldmark.cli import main; sys.argv[0] = 'fieldmark'; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@contextmanager
def modules_forgotten() -> Iterator[None]:
    """Modules of the current folder that are imported inside are imported anew by the next test."""
    folder, before = os.getcwd(), set(sys.modules)
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(folder):
                del sys.modules[name]


def colour_model(name: str = "colours", convolution: bool = True) -> keras.Model:
    """Says which of red, green and blue an image has most of: the mean of each channel is its logit, times 10."""
    image = keras.Input((HEIGHT, WIDTH, 3))
    value = layers.Rescaling(1 / 255, name="scaled")(image)
    if convolution:
        value = layers.Conv2D(3, 1, use_bias=False, name="conv", kernel_initializer="zeros")(value)
        value = layers.GlobalAveragePooling2D(name="pooled")(value)
    else:
        value = layers.AveragePooling2D((HEIGHT, WIDTH), name="mean")(value)
        value = layers.Flatten(name="flat")(value)
    value = layers.Dense(3, use_bias=False, activation="softmax", name="final", kernel_initializer="zeros")(value)
    model = keras.Model(image, value, name=name)
    if convolution:
        model.get_layer("conv").set_weights([np.eye(3, dtype=np.float32)[None, None]])
    model.get_layer("final").set_weights([10 * np.eye(3, dtype=np.float32)])
    return model


def photo(colour: int = 0, corner: tuple[slice, slice] = (slice(0, 12), slice(0, 16))) -> np.ndarray:
    """Dark grey with a bright corner of one colour (0 red, 1 green, 2 blue), uint8 (HEIGHT, WIDTH, 3)."""
    pixels = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
    pixels[(*corner, colour)] = 255
    return pixels


def save_photo(path: Path, colour: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo(colour)).save(path)
    return path
