"""The peers, run live in an environment of their own, and the table of what was found (docs/parity.md).

The peers are run, not remembered: in the interpreter that FIELDMARK_PEERS_PYTHON names, or in .venv-peers, which
`make bench PEERS=1` makes. Without one these tests are skipped. `make parity` writes the table anew.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parity.compare import compare

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOP = """# Parity

Our maps beside those of other packages, raw, before any scaling for display: the same network, photograph, classes and
layer. Unless the last column says otherwise: EfficientNet-Lite0, scikit-image's cat, the classes Egyptian_cat and
tabby; the numbers are the worse of the two. *Difference* is the largest one of any pixel, as a share of the map's
largest value. `make parity` runs the packages and writes this page.

| method | package | correlation | difference | what is compared, and why it differs where it does |
|---|---|---|---|---|
"""

Peer = Callable[[str, str], dict[str, np.ndarray]]
Note = Callable[..., None]


def peers_python() -> str:
    """The interpreter that has the peers; skips the test where there is none."""
    named = os.environ.get("FIELDMARK_PEERS_PYTHON")
    path = Path(named) if named else ROOT / ".venv-peers" / "bin" / "python"
    if not path.exists():
        pytest.skip("no peers here: `make bench PEERS=1` installs them, or name a Python in FIELDMARK_PEERS_PYTHON")
    return str(path)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    """What a script of this folder finds with a peer, run once each: recorded(script, peer) -> arrays."""
    python = peers_python()

    @cache
    def record(script: str, peer: str) -> dict[str, np.ndarray]:
        out = tmp_path_factory.mktemp("peers") / "maps.npz"
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests" / "support")])
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": paths}
        command = [python, "-W", "ignore", str(HERE / script), peer, str(out)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr[-2000:]
        with np.load(out) as arrays:
            return dict(arrays)

    return record


@pytest.fixture(scope="session")
def classifier() -> Any:
    """Lite0 with ImageNet weights."""
    import fieldmark as fm
    from fieldmark.demo import lite0

    return fm.Classifier(lite0.lite0(), preprocess=lite0.preprocess, labels=lite0.labels())


@pytest.fixture(scope="session")
def table() -> Iterator[Note]:
    """table(method, peer, mine, theirs, why): a row of docs/parity.md, written where FIELDMARK_PARITY_TABLE names."""
    rows: list[tuple[str, str]] = []

    def note(method: str, peer: str, mine: Any, theirs: Any, why: str = "") -> None:
        found = [compare(a, b) for a, b in zip(mine, theirs, strict=True)]
        correlation, difference = min(f[0] for f in found), max(f[1] for f in found)
        rows.append((method, f"| {method} | {peer} | {correlation:.6f} | {difference:.1e} | {why} |"))

    yield note
    path = os.environ.get("FIELDMARK_PARITY_TABLE")
    if path and rows:
        Path(path).write_text(TOP + "\n".join(line for _, line in sorted(rows)) + "\n", encoding="utf-8")
