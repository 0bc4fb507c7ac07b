"""A real notebook, run by Jupyter's own client: what its reader sees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.figures.samples import sample

pytestmark = [
    pytest.mark.no_framework,
    # Of Jupyter itself, on the way to starting a kernel.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]

CELLS = (
    "import warnings; warnings.filterwarnings('error', module='fieldmark')\nfrom fieldmark import Attribution\n"
    "att = Attribution.load('att.npz')\natt",
    "att.plot(contours=2)",
    "import numpy as np\nfrom fieldmark.classifier.predictions import Predictions\n"
    "Predictions(np.eye(3), np.eye(3), ['<b>cat', 'dog', 'owl'], 'softmax')",
    "import sys\nassert 'matplotlib.pyplot' not in sys.modules\nfrom IPython import get_ipython\n"
    "get_ipython().run_line_magic('matplotlib', 'inline')\natt.plot()",
)


def test_a_notebook_shows_attributions_figures_and_predictions(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbclient and ipykernel (extra `dev`) are not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient and ipykernel (extra `dev`) are not installed")
    pytest.importorskip("ipykernel", reason="nbclient and ipykernel (extra `dev`) are not installed")
    sample(2, 2, signed=True).save(tmp_path / "att.npz")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    client = nbclient.NotebookClient(
        book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env={**os.environ, "JUPYTER_PLATFORM_DIRS": "1", "MPLBACKEND": "agg"})
    attribution, panel, predictions, inline = (cell.outputs for cell in book.cells)
    assert [output.output_type for output in attribution] == ["execute_result"]
    assert "data:image/png;base64," in attribution[0].data["text/html"]
    assert "GradCAM at base/top_activation" in attribution[0].data["text/html"]
    assert attribution[0].data["text/plain"].startswith("<Attribution GradCAM")
    assert set(panel[0].data) >= {"image/png"}
    assert "&lt;b&gt;cat" in predictions[0].data["text/html"]
    pictures = [output for output in inline if "image/png" in output.get("data", {})]
    assert len(pictures) == 1  # once, not a second time by the backend of pyplot
