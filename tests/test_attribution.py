"""The file of an attribution: what is saved comes back; what is damaged, foreign or of another version is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from fieldmark.attribution import ARRAYS, OPTIONAL, Attribution
from fieldmark.errors import FieldmarkError, OutputError
from tests.figures.samples import blob, sample

pytestmark = pytest.mark.no_framework


def damaged(path: Path) -> str:
    return f"{path}: not an attribution saved by fieldmark, or damaged; save it again"


def refusal(path: Path) -> str:
    with pytest.raises(FieldmarkError) as caught:
        Attribution.load(path)
    return str(caught.value)


def rewritten(path: Path, drop: str = "", **changes: object) -> Path:
    """The file of a sample with arrays, or header fields, replaced or dropped."""
    sample(2, 2).save(path)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(str(arrays["header"]))
    header |= {key: value for key, value in changes.items() if key not in (*ARRAYS, *OPTIONAL)}
    header.pop(drop, None)
    arrays |= {key: value for key, value in changes.items() if key in (*ARRAYS, *OPTIONAL)}
    arrays["header"] = np.array(json.dumps(header))
    arrays.pop(drop, None)
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_everything_comes_back(tmp_path: Path, rank: int) -> None:
    size = (6, 7, 8)[:rank]
    maps = np.random.default_rng(0).normal(size=(2, 2, *size)).astype(np.float32)
    att = sample(2, 2, maps=maps, variance=maps**2, images=np.zeros((2, *size, 3), np.uint8), warnings=("a",))
    again = Attribution.load(att.save(tmp_path / "x.npz"))
    for field in dataclasses.fields(att):
        mine, theirs = getattr(att, field.name), getattr(again, field.name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, theirs)
            assert mine.dtype == theirs.dtype
        else:
            assert mine == theirs


def test_a_file_of_another_version_says_so(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "x.npz", format=2)
    assert refusal(path) == (
        f"{path}: expected attribution format 1, received 2; make it again with this version of fieldmark"
    )


def test_what_is_missing_or_a_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.npz") == f"{tmp_path / 'none.npz'}: no such file"
    assert refusal(tmp_path) == damaged(tmp_path)


@pytest.mark.parametrize("changes", [{"drop": name} for name in ("maps", "scores", "targets", "format", "provenance")])
def test_a_file_that_lacks_something_is_refused(tmp_path: Path, changes: dict) -> None:
    path = rewritten(tmp_path / "x.npz", **changes)
    assert refusal(path) == damaged(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"maps": np.zeros((2, 2))},
        {"scores": np.zeros((2, 3))},
        {"maps": np.full((2, 2, 3, 3), "x")},
        {"targets": [["a"]]},
        {"targets": 3},
        {"provenance": "x"},
        {"warnings": None},
    ],
)
def test_a_file_whose_parts_do_not_fit_is_refused(tmp_path: Path, changes: dict) -> None:
    path = rewritten(tmp_path / "x.npz", **changes)
    assert refusal(path) == damaged(path)


def test_other_files_and_pickles_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    for content in (b"", b"PK", b"hello" * 100, b"\x80\x04N."):
        path.write_bytes(content)
        assert refusal(path) == damaged(path)
    np.savez(path, header=np.array({"format": 1}, dtype=object))
    assert refusal(path) == damaged(path)
    np.save(tmp_path / "x.npy", np.zeros(3))
    assert refusal(tmp_path / "x.npy") == damaged(tmp_path / "x.npy")


def test_damaged_bytes_are_refused_or_harmless(tmp_path: Path) -> None:
    """Cut short, or with a byte changed, anywhere: one line, or an attribution; never another exception."""
    path = tmp_path / "x.npz"
    whole = sample(1, 1).save(path).read_bytes()
    random = np.random.default_rng(0)
    for _ in range(150):
        place = int(random.integers(len(whole)))
        if random.random() < 0.3:
            path.write_bytes(whole[:place])
        else:
            path.write_bytes(whole[:place] + bytes([random.integers(256)]) + whole[place + 1 :])
        with contextlib.suppress(FieldmarkError):
            Attribution.load(path)


def test_a_place_that_cannot_be_written_to_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        sample().save(tmp_path / "none" / "x.npz")
    assert str(caught.value) == (
        f"cannot write {tmp_path / 'none' / 'x.npz'}: No such file or directory; choose a folder you can write to"
    )
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="Not a directory; choose a folder"):
        sample().save(tmp_path / "file" / "x.npz")
    (tmp_path / "file").unlink()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        sample().save(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_maps_of_an_unknown_rank_are_refused() -> None:
    for maps in (np.zeros((1, 1)), np.zeros((1, 1, 2, 2, 2, 2))):
        with pytest.raises(FieldmarkError, match=r"maps: expected \(n, t, h, w\), \(n, t, length\) or \(n, t, depth"):
            sample(1, 1, maps=maps, scores=np.zeros((1, 1)))


def test_resizing_keeps_values_and_asks_for_a_size() -> None:
    att = sample(1, 1, maps=np.full((1, 1, 3, 4), 2.5, np.float32), images=None)
    np.testing.assert_array_equal(att.resized((30, 50)), np.full((1, 1, 30, 50), 2.5))
    with pytest.raises(FieldmarkError, match=r"this attribution carries no images; give size=\(height, width\)"):
        att.resized()
    assert sample(1, 1, maps=blob(1, 9, 0.5, 0.5)[None], images=None).resized((90,)).shape == (1, 1, 90)
