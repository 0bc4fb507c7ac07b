"""Damaged and hostile files, made from good ones by a seed: the same number gives the same file everywhere."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GIANT = (10**9, 2**31 - 1, 2**40, 70_000, -1, 0)


@dataclass(frozen=True)
class Case:
    """A file to be made: of which kind, by which damage; `refused` where no reader may take it for whole."""

    number: int
    suffix: str
    damage: str
    content: bytes
    refused: bool

    @property
    def name(self) -> str:
        return f"{self.number:04d}-{self.damage}{self.suffix}"


class Payload:
    """Unpickled, it writes the canary."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.canary),))


# Damages of bytes: (content, random) -> content. Those in CERTAIN leave nothing that could be taken for whole.


def flip(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 4, 32))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def flip_start(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(3):
        changed[rng.randrange(min(64, len(changed)))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(1, max(2, int(len(content) * 0.9)))]


def zeroed(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    length = rng.randrange(1, max(2, len(content) // 4))
    return (content[:start] + bytes(length) + content[start + length :])[: len(content)]


def shuffled(content: bytes, rng: random.Random) -> bytes:
    size = max(1, len(content) // 8)
    blocks = [content[i : i + size] for i in range(0, len(content), size)]
    rng.shuffle(blocks)
    return b"".join(blocks)


def repeated(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + content[start : start + 64] * rng.randrange(2, 9) + content[start + 64 :]


def noise_after_start(content: bytes, rng: random.Random) -> bytes:
    keep = rng.randrange(4, 24)
    return content[:keep] + rng.randbytes(max(0, len(content) - keep))


def large_number(content: bytes, rng: random.Random) -> bytes:
    """Somewhere near the start a four-byte number becomes one that no file has."""
    place = rng.randrange(max(1, min(len(content), 400) - 4))
    return content[:place] + rng.choice((b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\xff" * 4)) + content[place + 4 :]


BYTES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    each.__name__: each
    for each in (flip, flip_start, truncate, zeroed, shuffled, repeated, noise_after_start, large_number)
}


# Hostile files


def png_bomb(rng: random.Random) -> bytes:
    """A PNG that says it is huge, or whose few bytes unpack to much."""
    width, height = rng.choice(
        [(60_000, 60_000), (2**31 - 1, 1), (1, 2**31 - 1), (2**31 - 1, 2**31 - 1), (40_000, 3000)]
    )

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, rng.choice((0, 2, 6)), 0, 0, 0)
    body = zlib.compress(bytes(rng.choice((10, 10_000_000))), 9)
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000), 9)) if rng.random() < 0.3 else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + text + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def pickled(canary: Path) -> bytes:
    return pickle.dumps(Payload(canary))


def object_arrays(canary: Path) -> bytes:
    """An .npz whose maps are objects, so that reading them would unpickle."""
    import numpy as np

    buffer = io.BytesIO()
    held = np.empty(1, object)
    held[0] = Payload(canary)
    header = {"format": 1, "targets": [["x"]], "provenance": {}, "signed": False, "warnings": []}
    np.savez(buffer, header=np.array(json.dumps(header)), maps=held, scores=held, probabilities=held, classes=held)
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # without the time of day
    return buffer.getvalue()


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def bomb(rng: random.Random, whole: dict[str, bytes]) -> bytes:
    """A .keras file, one of whose members unpacks to far more than it weighs."""
    member = rng.choice(("config.json", "model.weights.h5", "metadata.json"))
    filling = b" " if member.endswith("json") else b"\0"
    return zipped({**whole, member: filling * (200 * 2**20)})


def rewritten(rng: random.Random, whole: dict[str, bytes], canary: Path) -> tuple[str, bytes]:
    """A .keras file whose description was changed: sizes, names, nesting, or code that it asks to run."""
    config = json.loads(whole["config.json"])
    spots = list(_leaves(config))
    kind = rng.choice(("size", "name", "type", "gone", "deep", "lambda", "function", "path"))
    if kind == "size":
        numbers = [spot for spot in spots if isinstance(spot[0][spot[1]], int) and spot[1] not in ("trainable",)]
        parent, key = rng.choice([s for s in numbers if not isinstance(s[0][s[1]], bool)])
        parent[key] = rng.choice(GIANT)
    elif kind == "name":
        parent, key = rng.choice([spot for spot in spots if isinstance(spot[0][spot[1]], str)])
        parent[key] = rng.choice(("", "Mine", "../../x", "os", "\x1b[31m", "x" * 5000, "keras.src.utils.get_file"))
    elif kind == "type":
        parent, key = rng.choice(spots)
        parent[key] = rng.choice((None, [], {}, "x", 3.5, [[[]]], {"class_name": "Dense"}))
    elif kind == "gone":
        parent, key = rng.choice([spot for spot in spots if isinstance(spot[0], dict)])
        del parent[key]
    elif kind == "deep":
        return kind, zipped({**whole, "config.json": b'{"a":' * 100_000 + b"1" + b"}" * 100_000})
    elif kind in ("lambda", "function"):
        layer = {"class_name": "Lambda", "module": "keras.layers", "registered_name": None, "build_config": {}}
        code = {"class_name": "function", "module": "builtins", "config": "mkdir", "registered_name": "mkdir"}
        if kind == "function":
            layer["class_name"], code = "Activation", {**code, "module": "os", "config": "os.mkdir"}
        layer["config"] = {"name": "l", "function": code, "activation": code, "arguments": {"path": str(canary)}}
        config["config"]["layers"][1] = {**config["config"]["layers"][1], **layer}
    else:
        return kind, zipped({**whole, f"../../{canary.name}": b"x", "config.json": json.dumps(config).encode()[:-1]})
    return kind, zipped({**whole, "config.json": json.dumps(config).encode()})


def _leaves(value: Any) -> Any:
    """(parent, key) of every entry of a nest of dicts and lists."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in list(pairs):
        yield value, key
        yield from _leaves(child)


def cases(originals: dict[str, bytes], count: int, canary: Path, seed: int = 0) -> list[Case]:
    """`count` damaged files of the kinds of `originals` (whole files by suffix), all kinds and damages in turn."""
    found = []
    suffixes = sorted(originals)
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        suffix = suffixes[number % len(suffixes)]
        whole = originals[suffix]
        ways = [*BYTES, "empty", "foreign", "pickle", "random"]
        if suffix == ".keras":
            ways += ["bomb", "weights", *["rewritten"] * 8]
        if suffix == ".png":
            ways += ["bomb"] * 4
        if suffix == ".npz":
            ways += ["objects"] * 3
        way = rng.choice(ways)
        content, refused, label = whole, True, way
        if way in BYTES:
            content, refused = BYTES[way](whole, rng), False
        elif way == "empty":
            content = b""
        elif way == "foreign":
            other = rng.choice([name for name in suffixes if name != suffix])
            content, label = originals[other], f"foreign-{other[1:]}"
            refused = not ({suffix, other} <= PICTURES or suffix in WORDS or {suffix, other} <= {".h5", ".hdf5"})
        elif way == "pickle":
            content, refused = pickled(canary), suffix not in WORDS
        elif way == "random":
            content = rng.randbytes(rng.randrange(1, 4000))
            refused = suffix not in WORDS
        elif way == "bomb":
            content = png_bomb(rng) if suffix == ".png" else bomb(rng, unzipped(whole))
        elif way == "weights":
            members = unzipped(whole)
            damage = rng.choice(list(BYTES))
            members["model.weights.h5"] = BYTES[damage](members["model.weights.h5"], rng)
            content, refused, label = zipped(members), False, f"weights-{damage}"
        elif way == "rewritten":
            kind, content = rewritten(rng, unzipped(whole), canary)
            refused, label = kind in ("deep", "lambda", "function", "path"), f"rewritten-{kind}"
        elif way == "objects":
            content = object_arrays(canary)
        found.append(Case(number, suffix, label, content, refused and content != whole))
    return found


PICTURES = {".jpg", ".png", ".gif", ".webp", ".bmp", ".tif", ".ppm"}
WORDS = {".txt", ".json"}
