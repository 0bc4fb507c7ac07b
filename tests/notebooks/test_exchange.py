"""Attributions handed to other libraries, on their terms: shap draws them, xarray selects in them."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fieldmark.errors import FieldmarkError
from tests.figures.samples import blob, sample
from tests.parity.conftest import ROOT, peers_python

pytestmark = pytest.mark.no_framework


def drawn_by_shap(att: Any, folder: Path) -> tuple[list[str], Path]:
    """(pictures and titles of the figure that shap made, the figure)."""
    path = folder / "att.npz"
    att.save(path)
    command = [peers_python(), "-W", "ignore", str(Path(__file__).with_name("peer_shap.py")), str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [*command, str(folder / "shap.png")], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split("\n")[:-1], folder / "shap.png"


def test_shap_draws_our_maps(tmp_path: Path) -> None:
    att = sample(2, 3, signed=True, targets=("cat", "dog", "owl"))
    (count, *titles), figure = drawn_by_shap(att, tmp_path)
    assert titles == ["cat", "dog", "owl"]
    assert int(count) == 2 * (3 + 1)
    assert np.asarray(Image.open(figure).convert("RGB")).std() > 10


def test_shap_labels_every_image_where_their_targets_differ(tmp_path: Path) -> None:
    att = sample(2, 2, signed=True, size=(28, 20, 1))
    att = dataclasses.replace(att, targets=(("cat", "dog"), ("owl", "bat")))
    (_, *titles), _ = drawn_by_shap(att, tmp_path)
    assert titles == ["cat", "dog", "owl", "bat"]


def test_without_shap_or_images_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, method in (("shap", "to_shap"), ("xarray", "to_xarray")):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, None)
            with pytest.raises(FieldmarkError) as caught:
                getattr(sample(), method)()
            assert str(caught.value) == f"{method}(): expected the package {name}; pip install 'fieldmark[{name}]'"
    monkeypatch.setitem(sys.modules, "shap", sys.modules[__name__])
    with pytest.raises(FieldmarkError, match=r"to_shap\(\): expected maps \(n, t, h, w\) with their images"):
        dataclasses.replace(sample(), images=None).to_shap()


def test_xarray_has_the_maps_with_names_places_and_provenance(tmp_path: Path) -> None:
    pytest.importorskip("xarray", reason="xarray (extra `xarray`) is not installed")
    att = sample(2, 3, targets=("cat", "dog", "owl"), size=(70, 90, 3), warnings=("look twice",))
    array = att.to_xarray()
    assert array.dims == ("image", "target", "y", "x")
    assert array.name == "GradCAM"
    np.testing.assert_array_equal(array.values, att.maps)
    np.testing.assert_array_equal(array.sel(x=5, y=65, method="nearest"), att.maps[:, :, 6, 0])
    assert array.x.values[0] == 5  # the middle of the first of nine cells on 90 pixels
    assert array.label.values.tolist() == [["cat", "dog", "owl"]] * 2
    np.testing.assert_array_equal(array.where(array.label == "dog", drop=True).score, att.scores[:, 1:2])
    assert json.loads(array.attrs["provenance"]) == att.provenance
    assert json.loads(array.attrs["warnings"]) == ["look twice"]
    assert array.attrs["signed"] == 0


def test_xarray_takes_signals_volumes_and_maps_without_images() -> None:
    pytest.importorskip("xarray", reason="xarray (extra `xarray`) is not installed")
    signal = sample(1, 1, maps=blob(1, 20, 0.5, 0.5)[None], images=np.zeros((1, 100, 2), np.float32))
    assert signal.to_xarray().dims == ("image", "target", "x")
    assert signal.to_xarray().x.values[0] == 2.5
    volume = sample(1, 1, maps=np.zeros((1, 1, 3, 4, 5), np.float32), images=None)
    assert volume.to_xarray().dims == ("image", "target", "z", "y", "x")
    assert volume.to_xarray().z.values.tolist() == [0.5, 1.5, 2.5]
