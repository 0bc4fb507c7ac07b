"""Any model as it is: every network of keras.applications, with the layer chosen, its maps and its gradients.

`make zoo` examines all of them on TensorFlow and a sample on JAX and torch, and writes docs/models.md; it takes half an
hour. `make test` examines a few small ones in its own process. FIELDMARK_ZOO_ROWS names a file that keeps what has been
found, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.zoo.examine import examine, networks
from tests.zoo.page import write

ROOT = Path(__file__).resolve().parents[2]
PAGE = os.environ.get("FIELDMARK_ZOO_PAGE")
ROWS = os.environ.get("FIELDMARK_ZOO_ROWS")
CHUNK = 4  # networks a process

# On every backend, in `make test`: one of each way of building that gave trouble somewhere.
FEW = ("MobileNetV3Small", "VGG16")
# On JAX and torch, in `make zoo`.
SAMPLE = ("ConvNeXtTiny", "EfficientNetB0", "MobileNetV2", "MobileNetV3Small", "ResNet50V2", "VGG16", "Xception")


def right(row: dict[str, Any]) -> bool:
    return row["maps"] == row["gradients"] == row["logits"] == "yes"


@pytest.mark.every_backend
@pytest.mark.parametrize("name", FEW)
def test_a_network_of_keras_applications_is_explained(name: str) -> None:
    row = examine(name)
    assert right(row), row
    assert row["shape"][0] * row["shape"][1] > 1


@pytest.mark.every_backend
def test_every_network_of_keras_applications_is_in_the_page(backend: str) -> None:
    """The page is up to date: a network that Keras adds is missing from it, and `make zoo` puts it there."""
    page = ROOT / "docs" / "models.md"
    if not page.exists():
        pytest.skip("docs/models.md has not been written yet: make zoo")
    lines = page.read_text(encoding="utf-8").splitlines()
    rows = {(cells[1].strip(), cells[2].strip()) for cells in (line.split("|") for line in lines) if len(cells) > 4}
    wanted = networks() if backend == "tensorflow" else SAMPLE
    assert [name for name in wanted if (name, backend) not in rows] == []


@pytest.mark.skipif(PAGE is None, reason="`make zoo` examines every network; it takes half an hour")
def test_every_network_of_keras_applications_is_explained() -> None:
    rows = run("tensorflow", networks()) + run("jax", SAMPLE) + run("torch", SAMPLE)
    write(Path(str(PAGE)), rows)
    assert [row for row in rows if not right(row)] == []


def run(backend: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of these networks, a few in each process; those found before are taken from the file that keeps them."""
    kept = Path(ROWS) if ROWS else None
    lines = kept.read_text(encoding="utf-8").splitlines() if kept and kept.exists() else []
    rows = [row for row in map(json.loads, lines) if row["backend"] == backend]
    missing = [name for name in names if name not in {row["model"] for row in rows}]
    for start in range(0, len(missing), CHUNK):
        for line in lines_of(backend, missing[start : start + CHUNK]):
            rows.append(json.loads(line))
            if kept:
                with kept.open("a", encoding="utf-8") as file:
                    file.write(line)
    return rows


def lines_of(backend: str, names: Sequence[str]) -> Iterator[str]:
    """What `tests.zoo.examine` prints of these networks, each line as it comes."""
    command = [sys.executable, "-m", "tests.zoo.examine", *names]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as errors,
        subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout is not None
        yield from (line for line in process.stdout if line.startswith("{"))
        if process.wait() != 0:
            errors.seek(0)
            pytest.fail(f"{backend} {names}: {errors.read()[-2000:]}")
