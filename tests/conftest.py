"""Which tests run in which process, and what all of them share.

Keras fixes its backend when it is imported, so `make test` starts pytest once for each of TensorFlow, JAX and torch.

    (no mark)                    runs on TensorFlow only
    @pytest.mark.every_backend   runs on all three: laws of the engine and of every explainer
    @pytest.mark.native_torch    runs in the torch process: plain torch modules (these may import torch)
    @pytest.mark.no_framework    runs once and loads no framework: arrays, files, texts, the house

A whole file is marked by `pytestmark = pytest.mark.every_backend`. What does not belong to this process is deselected,
not skipped: a skip is for what this machine lacks, and says what. Files may import keras and fieldmark at the top;
torch, jax and tensorflow only inside tests and fixtures, so that no process loads a framework it doesn't run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

BACKEND = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["MPLBACKEND"] = "Agg"  # no test opens a window

# Examples are the same in every run, and a slow machine is no failure.
settings.register_profile("fieldmark", derandomize=True, deadline=None, max_examples=50, print_blob=True)
settings.load_profile("fieldmark")


def belongs(marks: set[str], backend: str) -> bool:
    """Whether a test with these marks runs in the process of this backend."""
    if "every_backend" in marks:
        return True
    if "native_torch" in marks:
        return backend == "torch"
    return backend == "tensorflow"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept, left = [], []
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        (kept if belongs(marks, BACKEND) else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def pytest_report_header() -> str:
    return f"keras backend: {BACKEND}"


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Matplotlib keeps every figure that nobody closes, and warns at the twenty-first."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="session")
def backend() -> str:
    """The Keras backend of this process."""
    return BACKEND


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs beside the repository; tests that need it are skipped where it is missing."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder ../shared/data with real photographs is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def cat() -> np.ndarray:
    """scikit-image's cat, its middle square at 224 x 224: uint8 (1, 224, 224, 3)."""
    data = pytest.importorskip("skimage.data", reason="scikit-image (extra `demo`) carries the cat")
    from PIL import Image

    picture = Image.fromarray(data.chelsea())  # 300 x 451
    left = (picture.width - picture.height) // 2
    square = picture.crop((left, 0, left + picture.height, picture.height))
    return np.asarray(square.resize((224, 224), Image.Resampling.BILINEAR))[None]
