"""What `fieldmark demo` does: one photograph, one network, the two best classes, every method."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldmark.attribution import Attribution
from fieldmark.classifier import Predictions
from fieldmark.classifier.loading import load
from fieldmark.demo.lite0 import sample_photo
from fieldmark.explainers import EXPLAINERS
from fieldmark.explainers.several import explain_all
from fieldmark.report.folder import output_folder
from fieldmark.report.results import Written, write_results
from fieldmark.targets import Top

NAME = "chelsea.png"
LIGHTER: dict[str, dict[str, int]] = {
    "ActivationMaximisation": {"steps": 24},
    "KernelSHAP": {"samples": 192},
    "LIME": {"samples": 192},
    "RISE": {"samples": 192},
    "ScoreCAM": {"channels": 128},
    "Sobol": {"samples": 4},
}
"""Settings of the methods with many passes, so that all together take less than a minute on two cores."""

COMMAND = "fieldmark explain demo:lite0 cat.jpg --report page.html"
TITLE = "What EfficientNet-Lite0 looks at in a photograph of a cat"


@dataclass(frozen=True, eq=False)
class Demo:
    """The results of `run_demo`."""

    predictions: Predictions
    attributions: list[Attribution]
    refused: dict[str, str]
    written: Written


def run_demo(out: str | Path = "fieldmark-demo") -> Demo:
    """Explain the two best classes of scikit-image's cat by `demo:lite0` with every explainer, and write it to `out`.

    Explainers have their defaults, but for `LIGHTER`; the report names every setting.

    Methods that refuse this network are left out and named in `refused`. Raises ModelError without the extra `demo`,
    and OutputError where `out` cannot be written.
    """
    with output_folder(Path(out)) as folder:
        photo = sample_photo()
        classifier = load("demo:lite0")
        predictions = classifier.predict(photo)
        explainers = [explainer(**LIGHTER.get(explainer.__name__, {})) for explainer in EXPLAINERS]
        attributions, refused = explain_all(classifier, photo, Top(2), explainers, skip=True)
        summaries = {explainer.__name__: explainer.summary for explainer in EXPLAINERS}
        said: dict[str, Any] = {"title": TITLE, "summaries": summaries, "command": COMMAND}
        written = write_results(folder, attributions, predictions, [NAME], layers=classifier.layers(), **said)
        folder.publish()
    return Demo(predictions, attributions, refused, written)
