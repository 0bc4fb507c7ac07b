"""A guide as one JSON file, and back: arrays as PNG-compressed or packed text, nothing that runs."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldmark.errors import FieldmarkError
from fieldmark.guide.causes import Effect
from fieldmark.guide.frame import Frame
from fieldmark.guide.key import Node
from fieldmark.guide.mark import Example, Fidelity, Key, Lack, Mark, Picture
from fieldmark.guide.observer import Agreement
from fieldmark.guide.places import NO_PLACE
from fieldmark.guide.together import Default, Together
from fieldmark.guide.verdict import Findings
from fieldmark.guide.vocabulary import NAMES
from fieldmark.guide.words import Word

if TYPE_CHECKING:
    from fieldmark.guide.guide import FieldGuide

FORMAT = 1
MOST = 64 * 2**20  # bytes that one array may have
KINDS = {"uint8", "float32", "float64", "bool", "int64"}


def save(guide: FieldGuide, path: Path) -> Path:
    """Write the file whole or not at all."""
    text = json.dumps({"fieldmark guide": FORMAT, **_plain(guide)}, ensure_ascii=False)
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise FieldmarkError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path


def load(path: Path) -> FieldGuide:
    """Read what `save` wrote. Raises FieldmarkError where it can't be read or is something else."""
    from fieldmark.guide.guide import FieldGuide

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FieldmarkError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise FieldmarkError(f"{path}: expected a guide that fieldmark saved, received no JSON") from error
    version = found.get("fieldmark guide") if isinstance(found, dict) else None
    if version != FORMAT:
        said = "something else" if version is None else f"format {version!r}"
        raise FieldmarkError(f"{path}: expected a guide of format {FORMAT}, received {said}: make it anew")
    try:
        return FieldGuide(
            classes=tuple(found["classes"]),
            verdict=str(found["verdict"]),
            warnings=tuple(found["warnings"]),
            fidelity=_fidelity(found["fidelity"]),
            marks=tuple(_mark(each) for each in found["marks"]),
            key=_key(found["key"]),
            frame=str(found["frame"]),
            plates={str(name): _array(packed) for name, packed in found["plates"].items()},
            pictures={int(i): _picture(each) for i, each in found["pictures"].items()},
            parted=tuple(int(i) for i in found["parted"]),
            confusions={
                str(name): {str(k): int(n) for k, n in row.items()} for name, row in found["confusions"].items()
            },
            counts={str(name): int(n) for name, n in found["counts"].items()},
            findings=_findings(found.get("findings")),
            together={str(name): _together(each) for name, each in found.get("together", {}).items()},
            lacking={
                str(name): tuple(Lack(str(e["words"]), str(e["of"]), Effect(**e["proof"])) for e in each)
                for name, each in found.get("lacking", {}).items()
            },
            default=None if found.get("default") is None else Default(**found["default"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, zlib.error, RecursionError) as error:
        raise FieldmarkError(f"{path}: damaged: expected a guide that fieldmark saved ({error})") from error


def _plain(value: Any) -> Any:
    """Dataclasses to dicts, arrays to packed text, numbers to Python's."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        kept = value.astype(np.float32) if value.dtype == np.float64 else value
        packed = base64.b64encode(zlib.compress(np.ascontiguousarray(kept).tobytes(), 6)).decode()
        return {"kind": str(kept.dtype), "shape": list(kept.shape), "data": packed}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


def _array(packed: dict[str, Any]) -> np.ndarray:
    kind, shape = packed["kind"], tuple(int(size) for size in packed["shape"])
    if kind not in KINDS or min(shape, default=0) < 0:
        raise ValueError(f"array of kind {kind!r} and shape {shape}")
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
    if size > MOST:
        raise ValueError(f"array of {size} bytes")
    raw = zlib.decompressobj().decompress(base64.b64decode(packed["data"], validate=True), size + 1)
    if len(raw) != size:
        raise ValueError("array of another length")
    return np.frombuffer(raw, kind).reshape(shape)


def _fidelity(found: dict[str, Any] | None) -> Fidelity | None:
    if found is None:
        return None
    return Fidelity(Agreement(**found["described"]), Agreement(**found["confirmed"]))


def _findings(found: dict[str, Any] | None) -> Findings | None:
    if found is None:
        return None
    return Findings(**{**found, "described": Agreement(**found["described"])})


def _together(found: dict[str, Any]) -> Together:
    return Together(**{**found, "called": tuple(float(share) for share in found["called"])})


def _picture(found: dict[str, Any]) -> Picture:
    jpeg = base64.b64decode(found["jpeg"], validate=True)
    return Picture(int(found["image"]), jpeg, str(found["network"]), str(found["key"]))


def _mark(found: dict[str, Any]) -> Mark:
    values = dict(found)
    values["classes"], values["terms"] = tuple(found["classes"]), tuple(found["terms"])
    values["proof"] = Effect(**found["proof"])
    values["plate"] = _array(found["plate"])
    values["ground"] = None if found.get("ground") is None else _array(found["ground"])
    values["examples"] = tuple(Example(int(each["image"]), _array(each["mask"])) for each in found["examples"])
    return Mark(**values)


def _key(found: dict[str, Any] | None) -> Key | None:
    if found is None:
        return None
    frame = found["frame"]
    template = None if frame["template"] is None else _array(frame["template"])
    return Key(
        classes=tuple(found["classes"]),
        tree=_node(found["tree"]),
        words=tuple(_word(word) for word in found["words"]),
        asked=tuple(found["asked"]),
        frame=Frame(str(frame["kind"]), str(frame["reason"]), template, bool(frame.get("any_way", False))),
        outline=_array(found["outline"]),
        shape=tuple(int(size) for size in found["shape"]),
    )


def _word(found: dict[str, Any]) -> Word:
    word = Word(**found)
    if not (0 <= word.term < len(NAMES) and word.place >= min(NO_PLACE)):
        raise ValueError(f"no word has the numbers {word.term} and {word.place}")
    return word


def _node(found: dict[str, Any]) -> Node:
    yes, no = found["yes"], found["no"]
    return Node(
        answer=int(found["answer"]),
        counts=_array(found["counts"]),
        feature=int(found["feature"]),
        threshold=float(found["threshold"]),
        yes=None if yes is None else _node(yes),
        no=None if no is None else _node(no),
    )
