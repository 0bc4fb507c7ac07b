"""`make fuzz`: many damaged files through the command line; each must end in one clear line and run no code.

python -m tests.messages.fuzz --count 1000 [--seed 0] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import json
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import fieldmark as fm
from fieldmark.cli import run
from tests.messages.damage import PICTURES, WORDS, Case, cases
from tests.support.command import COLOURS, HEIGHT, WIDTH, colour_model, save_photo

SLOW = 30  # seconds that no refusal may take


@dataclass(frozen=True)
class Ending:
    """How one case ended: the exit code, what was written to standard error, and how long it took."""

    case: Case
    code: int
    error: str
    seconds: float

    @property
    def fault(self) -> str:
        """What is wrong with it, or ""."""
        if self.code not in (0, 2):
            return f"exit code {self.code}: {self.error.strip()[:300]}"
        if self.code == 0 and self.case.refused:
            return "taken for whole"
        lines = self.error.splitlines()
        if self.code == 2 and (len(lines) != 1 or not lines[0].startswith("fieldmark: ") or len(lines[0]) > 1000):
            return f"not one line: {self.error[:300]!r}"
        return f"took {self.seconds:.0f} s" if self.seconds > SLOW else ""


def originals(folder: Path) -> dict[str, bytes]:
    """One good file of every kind, by suffix; the folder gets model.keras and a.png, with which others are tried."""
    model = colour_model()
    model.save(folder / "model.keras")
    model.save(folder / "whole.h5")
    save_photo(folder / "a.png")
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    for suffix in PICTURES - {".png"}:
        Image.fromarray(pixels).save(folder / f"whole{suffix}")
    Image.fromarray(pixels).save(folder / "whole.png")
    (folder / "whole.txt").write_text("\n".join(COLOURS), encoding="utf-8")
    (folder / "whole.json").write_text(json.dumps(dict(zip("012", COLOURS, strict=True))), encoding="utf-8")
    fm.Gradients()(fm.Classifier(model), pixels).save(folder / "whole.npz")
    for write in (_onnx, _tflite):
        with contextlib.suppress(ImportError):
            write(folder)
    files = [folder / "model.keras", *folder.glob("whole.*")]
    return {path.suffix: path.read_bytes() for path in files}


def _onnx(folder: Path) -> None:
    import onnx
    import onnxruntime  # noqa: F401
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.eye(3, dtype=np.float32), "weights")
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, HEIGHT, WIDTH])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph(nodes, "means", [image], [scores], [weights])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), folder / "whole.onnx"
    )


def _tflite(folder: Path) -> None:
    import ai_edge_litert.interpreter  # noqa: F401
    import tensorflow as tf

    function = tf.function(
        lambda x: tf.reduce_mean(x, axis=(1, 2)) @ tf.eye(3),
        input_signature=[tf.TensorSpec((1, HEIGHT, WIDTH, 3), tf.float32)],
    )
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
        (folder / "whole.tflite").write_bytes(converter.convert())


def tried(case: Case, folder: Path) -> Ending:
    """Write the file, give it to the command that reads such files, and remove it."""
    path = folder / case.name
    path.write_bytes(case.content)
    out, error, start = io.StringIO(), io.StringIO(), time.monotonic()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        if case.suffix == ".npz":
            code = _load(path)
        elif case.suffix in PICTURES:
            code = run(["predict", "model.keras", path.name])
        elif case.suffix in WORDS:
            code = run(["predict", "model.keras", "a.png", "--labels", path.name])
        else:
            code = run(["predict", path.name, "a.png"])
    path.unlink(missing_ok=True)
    return Ending(case, code, error.getvalue(), time.monotonic() - start)


def _load(path: Path) -> int:
    try:
        fm.Attribution.load(path).resized()
    except fm.FieldmarkError as refusal:
        print(f"fieldmark: {refusal}", file=sys.stderr)
        return 2
    except Exception as error:
        print(f"fieldmark: unexpected {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--start", type=int, default=0, help="leave out the first ones")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    faulthandler.enable()
    ended: Counter[str] = Counter()
    faults = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)
        canary = folder / "canary"
        for case in cases(originals(folder), asked.count, canary, asked.seed)[asked.start :]:
            print(f"\r{case.name}\033[K", end="", file=sys.stderr, flush=True)
            faulthandler.dump_traceback_later(4 * SLOW, exit=True)
            ending = tried(case, folder)
            faulthandler.cancel_dump_traceback_later()
            fault = "ran its code" if canary.exists() else ending.fault
            canary.rmdir() if canary.exists() else None
            ended["fault" if fault else "refused in one line" if ending.code else "still readable"] += 1
            if fault:
                faults.append(f"{case.name}: {fault}")
                print(f"\r{faults[-1]}", file=sys.stderr)
    print(f"\r{sum(ended.values())} damaged files: {dict(ended)}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
