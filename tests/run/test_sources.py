"""Every kind of source gives the same images in the same order; what cannot be a source says so in one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fieldmark.errors import FieldmarkError
from fieldmark.run import Options, PerBatch, SourceOptions, run_job
from fieldmark.run.arrow import to_column
from tests.run.support import SHAPE, corner, encoded, folder_of, go, job, numbers, parquet_of, picture, table

pytestmark = pytest.mark.no_framework
COUNT = 25


class Batches:
    """An iterable of (images, classes) that can be read again, as a DataLoader is."""

    def __iter__(self) -> Any:
        for start in range(0, COUNT, 6):
            chosen = range(start, min(start + 6, COUNT))
            yield np.stack([picture(i) for i in chosen]), np.array([i % 3 for i in chosen])


def saved_dataset(path: Path) -> Path:
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    rows = {
        "picture": [{"bytes": encoded(i), "path": None} for i in range(COUNT)],
        "label": [i % 3 for i in range(COUNT)],
    }
    features = datasets.Features({"picture": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(path)
    return path


def source_of(kind: str, folder: Path) -> Any:
    raw = [encoded(i) for i in range(COUNT)]
    both = [{"bytes": each, "path": f"{i}.png"} for i, each in enumerate(raw)]
    arrays = [picture(i) for i in range(COUNT)]
    if kind in ("folder", "glob", "list of files"):
        files = folder_of(folder / "files", COUNT)
        names = [str(path) for path in sorted(files.iterdir())]
        return {"folder": files, "glob": str(files / "*.png"), "list of files": names}[kind]
    if kind == "Parquet files":
        parquet_of(folder / "part-0.parquet", pa.array(raw[:11]))
        parquet_of(folder / "part-1.parquet", pa.array(raw[11:]))
        return str(folder / "part-*.parquet")
    if kind == "saved dataset":
        return saved_dataset(folder / "saved")
    made: dict[str, Any] = {
        "Parquet of bytes": lambda: parquet_of(folder / "a.parquet", pa.array(raw)),
        "Parquet of struct": lambda: parquet_of(folder / "b.parquet", pa.array(both), name="img"),
        "Parquet of tensors": lambda: parquet_of(folder / "c.parquet", to_column(np.stack(arrays))),
        "array": lambda: np.stack(arrays),
        "iterable": Batches,
        "list of arrays": lambda: arrays,
    }
    return made[kind]()


KINDS = ("folder", "glob", "list of files", "Parquet of bytes", "Parquet files", "Parquet of struct")
KINDS += ("Parquet of tensors", "saved dataset", "array", "iterable", "list of arrays")


@pytest.mark.parametrize("kind", KINDS)
def test_every_source_gives_all_images_in_order(tmp_path: Path, kind: str) -> None:
    report = go(source_of(kind, tmp_path), tmp_path / "out")
    assert numbers(tmp_path / "out") == list(range(COUNT))
    assert (report.images, report.rejected, report.shards) == (COUNT, 0, 3)
    assert table(tmp_path / "out")["index"].to_pylist() == list(range(COUNT))


def test_a_torch_dataloader_and_a_tf_dataset_are_iterables(tmp_path: Path) -> None:
    class Tensor:
        """What torch hands out: (n, c, h, w), with detach, cpu and numpy."""

        def __init__(self, array: np.ndarray) -> None:
            self.array = array

        def detach(self) -> Any:
            return self

        def cpu(self) -> Any:
            return self

        def numpy(self) -> np.ndarray:
            return self.array

    class Loader:
        def __iter__(self) -> Any:
            return ((Tensor(images.transpose(0, 3, 1, 2)), Tensor(classes)) for images, classes in Batches())

    class TfData:
        def __iter__(self) -> Any:
            raise AssertionError("eager tensors are not asked for")

        def as_numpy_iterator(self) -> Any:
            return iter(Batches())

    for name, source in (("torch", Loader()), ("tf", TfData())):
        go(source, tmp_path / name)
        assert numbers(tmp_path / name) == list(range(COUNT))
        assert table(tmp_path / name)["truth"].to_pylist() == [str(i % 3) for i in range(COUNT)]


def test_the_truth_comes_from_a_column_or_from_the_folder(tmp_path: Path) -> None:
    given = {"label": pa.array(["x" if i % 2 else "y" for i in range(COUNT)])}
    rows = parquet_of(tmp_path / "rows.parquet", pa.array([encoded(i) for i in range(COUNT)]), **given)
    go(rows, tmp_path / "a", source=SourceOptions(truth="label"))
    assert table(tmp_path / "a")["truth"].to_pylist() == given["label"].to_pylist()
    folder_of(tmp_path / "photos" / "rose", 3)
    folder_of(tmp_path / "photos" / "daisy", 2)
    go(tmp_path / "photos", tmp_path / "b", source=SourceOptions(truth="folder"))
    assert table(tmp_path / "b")["truth"].to_pylist() == ["daisy"] * 2 + ["rose"] * 3
    saved = saved_dataset(tmp_path / "saved")
    go(saved, tmp_path / "c", source=SourceOptions(truth="label"))
    assert table(tmp_path / "c")["truth"].to_pylist()[:4] == ["a", "b", "c", "a"]


def test_bad_files_are_rejected_with_the_reason_and_stop_nothing(tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "photos", 12)
    (photos / "00003.png").write_bytes(b"no picture")
    (photos / "00005.png").write_bytes(b"")
    (photos / "00010.png").write_bytes(encoded(10)[:-30])
    report = go(photos, tmp_path / "out")
    rejected = pq.read_table(tmp_path / "out" / "rejected.parquet").to_pylist()
    assert [row["index"] for row in rejected] == [3, 5, 10]
    assert rejected[1]["reason"] == "the file is empty"
    assert rejected[0]["reason"].startswith("not an image that can be read")
    assert "truncated or damaged" in rejected[2]["reason"]
    assert (report.images, report.rejected) == (9, 3)
    assert numbers(tmp_path / "out") == [i for i in range(12) if i not in (3, 5, 10)]


@pytest.mark.parametrize("bad", [10, 20, 25])
def test_shards_of_bad_files_alone_have_the_columns_of_the_others(tmp_path: Path, bad: int) -> None:
    photos = folder_of(tmp_path / "photos", 25)
    for number in range(bad):
        (photos / f"{number:05d}.png").write_bytes(b"x")
    go(photos, tmp_path / "out")
    assert numbers(tmp_path / "out") == list(range(bad, 25))
    schemas = [pq.read_schema(tmp_path / "out" / "shards" / f"0000000{i}.parquet") for i in (0, 1, 2)]
    assert {"index", "source", "number", "map"} == set(schemas[0].names)
    assert all(each.remove_metadata() == schemas[0].remove_metadata() for each in schemas)


def test_null_rows_and_one_image_that_the_job_refuses_are_rejected(tmp_path: Path) -> None:
    def picky(images: np.ndarray) -> dict[str, Any]:
        if (images[:, 0, 0, 0] == 6).any():
            raise FieldmarkError("six is refused")
        return corner(images)

    raw = [None if i == 2 else encoded(i) for i in range(12)]
    go(parquet_of(tmp_path / "rows.parquet", pa.array(raw)), tmp_path / "out", picky)
    rejected = pq.read_table(tmp_path / "out" / "rejected.parquet").to_pylist()
    assert [(row["index"], row["reason"]) for row in rejected] == [
        (2, "no image in this row (null)"),
        (6, "six is refused"),
    ]
    assert numbers(tmp_path / "out") == [i for i in range(12) if i not in (2, 6)]


def test_a_job_that_refuses_everything_stops_the_run(tmp_path: Path) -> None:
    def refuse(images: np.ndarray) -> dict[str, Any]:
        raise FieldmarkError("no layer of this name")

    with pytest.raises(FieldmarkError, match=r"^no layer of this name$"):
        go(folder_of(tmp_path / "photos", 12), tmp_path / "out", refuse)


def bad_sources(folder: Path) -> dict[str, tuple[Any, SourceOptions, str]]:
    (folder / "empty").mkdir()
    (folder / "broken.parquet").write_bytes(b"PAR1 and nothing else")
    names = pa.array(["a", "b"])
    raw = pa.array([encoded(0), encoded(1)])
    plain = SourceOptions()
    return {
        "an empty folder": (folder / "empty", plain, "empty: no images in this folder; expected files ending in"),
        "nothing there": (folder / "nowhere", plain, "nowhere: no such file or folder"),
        "an empty list": ([], plain, "source: expected at least one image, received none"),
        "an empty array": (np.zeros((0, 8, 8, 3)), plain, r"source: expected images \(n, height, width, channels\)"),
        "an iterable of nothing": (iter_again(), plain, "source: expected at least one image, received none"),
        "a generator": ((i for i in range(3)), plain, "something that can be iterated again from the start"),
        "no rows": (parquet_of(folder / "no.parquet", raw[:0]), plain, "no.parquet: expected at least one image"),
        "a damaged table": (folder / "broken.parquet", plain, "broken.parquet: not a Parquet file, or damaged"),
        "a column of words": (
            parquet_of(folder / "words.parquet", names, x=raw),
            plain,
            "words.parquet: column image: expected images as bytes, .* received string; x would do: --column x",
        ),
        "an unknown column": (
            parquet_of(folder / "two.parquet", raw, other=raw),
            SourceOptions(column="imag"),
            "two.parquet: unknown column 'imag': did you mean 'image'",
        ),
        "no column of images": (
            parquet_of(folder / "none.parquet", names, name="words"),
            plain,
            r"none.parquet: expected a column called image; say which with --column. Columns: words \(string\)",
        ),
        "a column for files": (
            folder_of(folder / "f", 1),
            SourceOptions(column="x"),
            "--column x: .*f is no Parquet file",
        ),
    }


def iter_again() -> Any:
    class Nothing:
        def __iter__(self) -> Any:
            return iter(())

    return Nothing()


BAD = ("an empty folder", "nothing there", "an empty list", "an empty array", "an iterable of nothing", "a generator")
BAD += (
    "no rows",
    "a damaged table",
    "a column of words",
    "an unknown column",
    "no column of images",
    "a column for files",
)


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_source_says_so_in_one_line(tmp_path: Path, kind: str) -> None:
    source, options, said = bad_sources(tmp_path)[kind]
    with pytest.raises(FieldmarkError) as error:
        run_job(job(), source, out=tmp_path / "out", options=Options(source=options))
    assert "\n" not in str(error.value)
    assert re.search(said, str(error.value)), str(error.value)


def test_any_function_of_a_batch_takes_the_same_path_and_may_load_a_model_once(tmp_path: Path) -> None:
    loaded = []

    def make() -> Any:
        loaded.append(1)
        return corner

    one = PerBatch(make=make, shape=SHAPE, batch_size=4, name="counted")
    run_job(one, folder_of(tmp_path / "photos", 25), out=tmp_path / "out", options=Options(shard_size=10))
    assert numbers(tmp_path / "out") == list(range(25))
    assert loaded == [1]
