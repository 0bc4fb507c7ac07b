"""`python -m benchmarks.sampling [--only METHOD ...]`: what spread-out sampling saves, error against model passes.

Each sampled method explains the cat's class Egyptian_cat on EfficientNet-Lite0 with growing numbers of samples, as in
its textbook and with its field turned on that spreads the samples out, and is compared with its own converged map.
Writes docs/img/sampling.json (methods that were not measured now keep their numbers) and docs/img/sampling.png.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import fieldmark as fm
from benchmarks.photos import photographs
from fieldmark.demo import lite0

OUT = Path(__file__).resolve().parents[1] / "docs" / "img"
CLASS = "Egyptian_cat"
SEEDS = 3
COLUMNS = 3


@dataclass(frozen=True)
class Method:
    """`make(samples, spread, seed)` is the explainer; a sample costs `passes` forward passes (a gradient counts 2).

    The converged map comes from `truth` samples.
    """

    make: Callable[[int, bool, int], Any]
    passes: int
    sizes: tuple[int, ...]
    truth: int


def _smooth(kind: Any) -> Callable[[int, bool, int], Any]:
    inner = fm.Gradients(channels="sum")
    return lambda samples, spread, seed: kind(inner=inner, samples=samples, antithetic=spread, seed=seed)


def _expected(samples: int, spread: bool, seed: int) -> Any:
    return fm.ExpectedGradients(background=photographs(8, lite0.SIZE), samples=samples, stratified=spread, seed=seed)


def _masked(kind: Any, field: str = "low_discrepancy", **fields: Any) -> Callable[[int, bool, int], Any]:
    return lambda samples, spread, seed: kind(samples=samples, seed=seed, **{field: spread}, **fields)


METHODS = {
    "SmoothGrad, antithetic noise": Method(_smooth(fm.SmoothGrad), 2, (8, 16, 32, 64), 384),
    "SquareGrad, antithetic noise": Method(_smooth(fm.SquareGrad), 2, (8, 16, 32, 64), 384),
    "VarGrad, antithetic noise": Method(_smooth(fm.VarGrad), 2, (8, 16, 32, 64), 384),
    "ExpectedGradients, stratified": Method(_expected, 2, (8, 16, 32, 64), 384),
    "RISE, low-discrepancy masks": Method(_masked(fm.RISE), 1, (128, 256, 512, 1024), 6144),
    "LIME, even design": Method(_masked(fm.LIME), 1, (64, 128, 256, 512), 3072),
    "KernelSHAP, paired": Method(_masked(fm.KernelSHAP, "paired"), 1, (64, 128, 256, 512), 3072),
    "Sobol, paired design": Method(_masked(fm.Sobol, cells=4), 18, (2, 4, 8, 16), 96),
    "HSIC, orthogonal array": Method(_masked(fm.HSIC), 1, (64, 128, 256, 512), 3072),
}


def measure(method: Method, classifier: fm.Classifier, image: np.ndarray) -> dict[str, Any]:
    """Relative error (root mean square, over seeds too) at each size, textbook and spread."""

    def explain(samples: int, spread: bool, seed: int) -> np.ndarray:
        return method.make(samples, spread, seed)(classifier, image, CLASS).maps[0, 0].astype(np.float64)

    truth = explain(method.truth, True, 10_000)

    def error(samples: int, spread: bool) -> float:
        squares = [np.mean((explain(samples, spread, seed) - truth) ** 2) for seed in range(SEEDS)]
        return float(np.sqrt(np.mean(squares) / np.mean(truth**2)))

    curves = {name: [error(size, spread) for size in method.sizes] for name, spread in (("off", False), ("on", True))}
    return {"passes": [size * method.passes for size in method.sizes], **curves}


def saved(row: dict[str, Any]) -> float:
    """How many times the passes the textbook needs for the same error: the squared ratio, as error is ~1/root.

    The geometric mean over the sizes, so that one lucky size doesn't carry it.
    """
    return float(np.exp(2 * np.mean(np.log(np.array(row["off"]) / np.array(row["on"])))))


def draw(rows: dict[str, Any], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    lines = -(-len(rows) // COLUMNS)
    figure = Figure(figsize=(3.4 * COLUMNS, 3.2 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    every = figure.subplots(lines, COLUMNS, squeeze=False)
    for axes in every.flat[len(rows) :]:
        axes.set_axis_off()
    for axes in every[:, 0]:
        axes.set_ylabel("error over size of the converged map", fontsize=8)
    for axes, (name, row) in zip(every.flat, rows.items(), strict=False):
        axes.loglog(row["passes"], row["off"], "o--", color="0.45", label="off (textbook)")
        axes.loglog(row["passes"], row["on"], "o-", color="C0", label="on")
        axes.set_title(f"{name}\nsame error for {saved(row):.2f} x fewer passes", fontsize=9)
        axes.set_xlabel("forward passes (a gradient counts 2)", fontsize=8)
        axes.set_xticks(row["passes"], [str(each) for each in row["passes"]], fontsize=8)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=list(METHODS), choices=list(METHODS), metavar="METHOD")
    options = parser.parse_args()
    classifier = fm.Classifier(lite0.lite0(), preprocess=lite0.preprocess, labels=lite0.labels())
    numbers = OUT / "sampling.json"
    rows = json.loads(numbers.read_text()) if numbers.is_file() else {}
    OUT.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        rows[name] = measure(METHODS[name], classifier, lite0.sample_photo())
        numbers.write_text(json.dumps(rows, indent=1) + "\n")
        print(f"{name}: {saved(rows[name]):.2f} x fewer passes for the same error", flush=True)
    draw({name: rows[name] for name in METHODS if name in rows}, OUT / "sampling.png")


if __name__ == "__main__":
    main()
