"""A result as JSON, and back."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from fieldmark.errors import FieldmarkError, OutputError
from fieldmark.trust.metrics import METRICS
from fieldmark.trust.result import Judged, Passes, Place, Trust
from fieldmark.trust.statistics import Interval

FORMAT = 1
NAME = "fieldmark trust"


def to_dict(result: Trust) -> dict[str, Any]:
    """JSON-able; what is not finite is null."""
    return {
        NAME: FORMAT,
        **{
            name: _plain(getattr(result, name))
            for name in ("model", "backend", "verdict", "places", "stages", "fills", "passes", "seconds", "failed")
        },
        **{name: _plain(getattr(result, name)) for name in ("notes", "settings", "targets", "names", "agreement")},
        "judged": [_judged(each) for each in result.judged],
        "metrics": [_plain(metric) for metric in METRICS],
    }


def save(result: Trust, path: Path) -> Path:
    """`Trust.save`."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(json.dumps(to_dict(result), ensure_ascii=False, allow_nan=False), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose a folder you can write to") from None
    return path


def load(path: Path) -> Trust:
    """`Trust.load`."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found[NAME] != FORMAT:
            raise FieldmarkError(
                f"{path}: expected format {FORMAT} of {NAME}, received {str(found[NAME])[:20]}; make it again"
            )
        return from_dict(found)
    except OSError as error:
        raise FieldmarkError(f"{path}: cannot be read: {error.strerror or error}") from None
    except FieldmarkError:
        raise
    except Exception:  # whatever damaged text makes of it
        raise FieldmarkError(
            f"{path}: no result of `fieldmark trust`, or damaged; write it with --json or save()"
        ) from None


def from_dict(found: dict[str, Any]) -> Trust:
    """The result that `to_dict` told."""
    judged = tuple(
        Judged(
            name=str(each["name"]),
            dummy=bool(each["dummy"]),
            parameters=dict(each["parameters"]),
            values={key: _array(values) for key, values in each["values"].items()},
            curves={key: _array(values) for key, values in each["curves"].items()},
            cascade=tuple(map(float, _array(each["cascade"]))),
            notes=tuple(map(str, each["notes"])),
        )
        for each in found["judged"]
    )
    places = tuple(
        Place(each["name"], each["group"], _interval(each["gap"]), tuple(each["ties"]), tuple(each["not_beaten"]))
        for each in found["places"]
    )
    return Trust(
        model=str(found["model"]),
        backend=str(found["backend"]),
        verdict=str(found["verdict"]),
        places=places,
        judged=judged,
        agreement=_array(found["agreement"]).reshape(len(judged), len(judged)),
        stages=tuple(map(str, found["stages"])),
        fills={str(name): float(np.nan if value is None else value) for name, value in found["fills"].items()},
        passes=Passes(**found["passes"]),
        seconds=float(found["seconds"]),
        failed=dict(found["failed"]),
        notes=tuple(map(str, found["notes"])),
        settings=dict(found["settings"]),
        targets=tuple(map(str, found["targets"])),
        names=tuple(map(str, found["names"])),
    )


def _judged(each: Judged) -> dict[str, Any]:
    means = {key: _plain(each.interval(key)) for key in each.values}
    return {**{field.name: _plain(getattr(each, field.name)) for field in dataclasses.fields(each)}, "means": means}


def _interval(found: dict[str, Any]) -> Interval:
    mean, low, high = (float("nan") if found[key] is None else float(found[key]) for key in ("mean", "low", "high"))
    return Interval(mean, low, high, int(found["n"]))


def _array(values: Any) -> np.ndarray:
    return np.array(values, np.float64)  # None becomes NaN


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
