"""The example scripts run as they stand, and leave pictures that show something."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def test_first_look(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("first_look", EXAMPLES / "first_look.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    paths = module.main(tmp_path / "made")
    assert len(paths) == 5
    for path in paths:
        with Image.open(path) as picture:
            assert min(picture.size) > 300
            assert np.asarray(picture.convert("L")).std() > 20
