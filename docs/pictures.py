"""The pictures of the README, made anew: `.venv/bin/python docs/pictures.py`."""

from __future__ import annotations

from pathlib import Path

import fieldmark as fm
from fieldmark.demo import lite0
from fieldmark.figures import panel

IMG = Path(__file__).resolve().parent / "img"


def main() -> None:
    classifier = fm.Classifier(lite0.lite0(), preprocess=lite0.preprocess, labels=lite0.labels())
    cat = lite0.sample_photo()
    methods = (fm.GradCAM(), fm.HiResCAM(), fm.SmoothGrad(samples=50), fm.LRP(), fm.KernelSHAP())
    maps = [method(classifier, cat, target="Egyptian_cat") for method in methods]
    figure = panel(maps, columns=len(methods), names=["scikit-image's cat"], title="")
    figure.savefig(IMG / "cat.png", dpi=90)


if __name__ == "__main__":
    main()
