"""Nothing about the process is changed by an explanation, and nothing piles up over hundreds of them."""

from __future__ import annotations

import gc
import logging
import os
import random
import signal
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image, ImageFile

import fieldmark as fm
from tests.support import explainers, models

every_backend = pytest.mark.every_backend
every_explainer = pytest.mark.parametrize("explainer", explainers.ALL, ids=explainers.NAMES)


def state() -> dict[str, Any]:
    """What a well-behaved library leaves alone, of Python, NumPy, Keras, the framework that runs, and matplotlib."""
    import matplotlib

    loggers = logging.root.manager.loggerDict.items()
    levels = {name: logger.level for name, logger in loggers if getattr(logger, "level", 0)}
    found = {
        "random": random.getstate(),
        "numpy random": [np.asarray(part).tolist() for part in np.random.get_state()[1:3]],
        "numpy errors": np.geterr(),
        "keras": (
            keras.config.dtype_policy().name,
            keras.config.floatx(),
            keras.config.image_data_format(),
            keras.config.epsilon(),
        ),
        "keras seed": models.numpy(keras.src.random.seed_generator.global_seed_generator().state).tolist(),
        "keras objects": sorted(keras.saving.get_custom_objects()),
        "matplotlib": (matplotlib.get_backend(), dict(matplotlib.rcParams)),
        "warnings": list(warnings.filters),
        "logging": (logging.root.level, len(logging.root.handlers), levels),
        "PIL": (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES),
        "environment": dict(os.environ),
        "path": list(sys.path),
        "folder": os.getcwd(),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "hooks": (sys.excepthook, sys.displayhook, sys.stdout, sys.stderr, sys.getrecursionlimit()),
    }
    return found | FRAMEWORK[keras.backend.backend()]()


def _tensorflow() -> dict[str, Any]:
    import tensorflow as tf
    from tensorflow.python.eager import context
    from tensorflow.python.framework import ops

    return {
        # TensorFlow gives every use of tf.custom_gradient a name of its own there, which nothing else can meet.
        "gradient registry": sorted(n for n in ops.gradient_registry.list() if not n.startswith("CustomGradient-")),
        "graph": tf.compat.v1.get_default_graph() is None or tf.executing_eagerly(),
        "functions run eagerly": tf.config.functions_run_eagerly(),
        "tensorflow seed": context.global_seed(),
        "tensorflow threads": tf.config.threading.get_intra_op_parallelism_threads(),
    }


def _torch() -> dict[str, Any]:
    import torch
    from torch.nn.modules import module

    return {
        "grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "torch seed": torch.get_rng_state().tolist(),
        "torch defaults": (torch.get_default_dtype(), torch.get_num_threads(), torch.is_anomaly_enabled()),
        "determinism": (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark),
        "global hooks": [
            len(hooks) for name, hooks in vars(module).items() if name.startswith("_global_") and hasattr(hooks, "keys")
        ],
    }


def _jax() -> dict[str, Any]:
    import jax

    return {
        "jax": {name: getattr(jax.config, name) for name in ("jax_enable_x64", "jax_debug_nans", "jax_disable_jit")}
    }


FRAMEWORK: dict[str, Callable[[], dict[str, Any]]] = {"tensorflow": _tensorflow, "torch": _torch, "jax": _jax}


@pytest.fixture(scope="module")
def known() -> models.Known:
    return models.functional(shape=(12, 9, 3))


@pytest.fixture(scope="module")
def clf(known: models.Known) -> fm.Classifier:
    return fm.Classifier(known.model, batch_size=4)


def unchanged(run: Callable[[], Any]) -> None:
    """Run it, and compare the state of the process before and after."""
    state()  # Keras draws its global seed when it is first asked for it
    before = state()
    run()
    after = state()
    assert after.keys() == before.keys()
    for name, value in before.items():
        assert after[name] == value, name


@every_backend
@every_explainer
def test_every_explainer_leaves_the_process_alone(explainer: Any, clf: fm.Classifier, known: models.Known) -> None:
    unchanged(lambda: explainer(clf, known.images(2), target=1))


@every_backend
def test_so_do_loading_predicting_figures_reports_and_files(tmp_path: Path, known: models.Known) -> None:
    from fieldmark.report import write_report

    known.model.save(tmp_path / "model.keras")
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "a.png")

    def all_of_it() -> None:
        clf = fm.load(tmp_path / "model.keras")
        images = fm.read_images(tmp_path / "a.png", size=(12, 9))
        clf.predict(images).top(2)
        att = fm.GradCAM()(clf, images)
        att.plot().savefig(tmp_path / "panel.png")
        fm.Attribution.load(att.save(tmp_path / "maps.npz"))
        write_report(tmp_path / "report.html", [att])

    unchanged(all_of_it)


@every_backend
def test_a_failure_leaves_the_process_alone_too(clf: fm.Classifier, known: models.Known) -> None:
    def fails() -> None:
        with pytest.raises(fm.FieldmarkError):
            fm.GradCAM(layer="nowhere")(clf, known.images(1))
        with pytest.raises(fm.FieldmarkError):
            clf.predict(np.full((1, 12, 9, 3), np.nan, np.float32))

    unchanged(fails)


@pytest.mark.parametrize(
    "change",
    [
        lambda: random.random(),
        lambda: np.random.random(),
        lambda: keras.config.set_floatx("float64"),
        lambda: os.environ.update(FIELDMARK_LEFT="1"),
        lambda: logging.getLogger("fieldmark.test").setLevel(7),
    ],
)
def test_a_change_would_be_seen(change: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    floatx = keras.config.floatx()
    try:
        with pytest.raises(AssertionError):
            unchanged(change)
    finally:
        keras.config.set_floatx(floatx)
        os.environ.pop("FIELDMARK_LEFT", None)
        logging.getLogger("fieldmark.test").setLevel(logging.NOTSET)


# Leaks

RUNS, WARM, TRACED = 500, 60, 60
SMALL = (16, 12, 3)
MEGABYTES = 24  # of what the process holds: allocators and caches breathe
BYTES_A_RUN = 1500  # of Python and NumPy, over the last runs; an image alone is 2304


def resident() -> int:
    """Bytes of this process in memory, 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def live() -> int:
    """Tensors, arrays and graphs of the framework that somebody still holds."""
    gc.collect()
    if keras.backend.backend() == "jax":
        import jax

        return len(jax.live_arrays())
    kinds = ("Tensor", "Parameter", "EagerTensor", "FuncGraph", "ConcreteFunction", "RemovableHandle")
    return sum(type(each).__name__ in kinds for each in gc.get_objects())


def stays_flat(explain: Callable[[int], Any]) -> None:
    """Run it RUNS times: after the first ones nothing more is held, by the process, by Python or by the framework."""
    for run in range(WARM):
        explain(run)
    held, memory = live(), resident()
    for run in range(WARM, RUNS - TRACED):
        explain(run)
    tracemalloc.start()
    try:
        for run in range(RUNS - TRACED, RUNS):
            if run == RUNS - TRACED // 2:
                gc.collect()
                before = tracemalloc.get_traced_memory()[0]
            explain(run)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < BYTES_A_RUN * TRACED // 2, f"{grown} bytes more after {TRACED // 2} explanations"
    assert live() - held <= 4
    assert resident() - memory < MEGABYTES * 2**20


@every_backend
def test_500_explanations_of_one_model_take_no_more_memory() -> None:
    known = models.functional(shape=SMALL)
    clf = fm.Classifier(known.model, batch_size=4)
    images = known.images(4)
    turns = [fm.GradCAM(), fm.Gradients(), fm.SmoothGrad(samples=2), fm.Occlusion(patch=4)]
    for turn in turns:
        for n in (1, 2, 3):
            turn(clf, images[:n], target=0)
    traces = clf.engine.passes.traces
    stays_flat(lambda run: turns[run % 4](clf, images[: 1 + run % 3], target=run % models.CLASSES))
    if clf.backend != "torch":
        assert clf.engine.passes.traces == traces


def test_a_leak_would_be_seen() -> None:
    kept: list[Any] = []
    with pytest.raises(AssertionError, match="bytes more after"):
        stays_flat(lambda _run: kept.append(np.ones(SMALL, np.float64)))


@pytest.mark.native_torch
def test_500_explanations_of_a_torch_module_leave_no_hook_and_no_memory() -> None:
    import torch

    torch.manual_seed(0)
    net = torch.nn.Sequential(
        *(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(inplace=True), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()),
        torch.nn.Linear(4, 3),
    )
    clf, images = fm.Classifier(net), np.random.default_rng(0).random((2, *SMALL), np.float32)
    before = {name: sorted(vars(module)) for name, module in net.named_modules()}
    stays_flat(lambda run: fm.GradCAM()(clf, images, target=run % 3))
    assert {name: sorted(vars(module)) for name, module in net.named_modules()} == before
    assert not any(module._forward_hooks or module._backward_hooks for module in net.modules())
    assert all(parameter.grad is None for parameter in net.parameters())
