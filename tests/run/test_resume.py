"""A run that stops goes on: nothing lost, nothing twice, nothing done again; and what has changed is said."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fieldmark.errors import FieldmarkError, OutputError
from fieldmark.run import writer
from fieldmark.run.store import opened
from tests.run.support import corner, encoded, folder_of, go, numbers, parquet_of, picture, table

pytestmark = pytest.mark.no_framework
COUNT = 45


class Stops:
    """The job `corner` until `after` batches are done."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, images: np.ndarray) -> dict[str, Any]:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return corner(images)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "photos", COUNT)


@pytest.mark.parametrize("after", [0, 1, 4, 5, 10])
def test_what_is_finished_is_not_done_again(tmp_path: Path, photos: Path, after: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(photos, tmp_path / "out", Stops(after))
    done = len(list((tmp_path / "out" / "shards").glob("0*.parquet")))
    report = go(photos, tmp_path / "out")
    assert numbers(tmp_path / "out") == list(range(COUNT))
    assert done >= (after - 3) // 3
    assert report.counts.decoded == report.counts.computed == report.new == COUNT - 10 * done
    assert go(photos, tmp_path / "out").counts.decoded == 0


def test_a_shard_that_has_its_name_but_no_line_in_the_log_is_kept(tmp_path: Path, photos: Path) -> None:
    go(photos, tmp_path / "out")
    log = tmp_path / "out" / "shards.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:2]) + lines[2][:30])  # killed while it was appended
    report = go(photos, tmp_path / "out")
    assert report.counts.decoded == 0
    assert [json.loads(line)["number"] for line in log.read_bytes().splitlines() if is_json(line)] == [0, 1, 2, 3, 4]


def is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("harm", ["removed", "cut short", "of the same size but not logged"])
def test_a_shard_that_is_gone_or_damaged_is_made_again(tmp_path: Path, photos: Path, harm: str) -> None:
    out = tmp_path / "out"
    go(photos, out)
    path = out / "shards" / "00000001.parquet"
    if harm == "removed":
        path.unlink()
    elif harm == "cut short":
        path.write_bytes(path.read_bytes()[:100])
    else:
        path.write_bytes(b"\0" * path.stat().st_size)
        (out / "shards.jsonl").write_bytes(b"")
    report = go(photos, out)
    assert report.counts.computed == 10
    assert numbers(out) == list(range(COUNT))


def test_half_written_files_are_swept_away(tmp_path: Path, photos: Path) -> None:
    go(photos, tmp_path / "out")
    (tmp_path / "out" / "shards" / ".partial-00000009-abc").write_bytes(b"x")
    go(photos, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "shards").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shard_size": 20}, "shard_size was 10, now 20; go on with those, or choose another folder"),
        ({"float16": True}, "float16 was false, now true"),
    ],
)
def test_other_settings_are_refused_with_what_differs(tmp_path: Path, photos: Path, change: Any, said: str) -> None:
    go(photos, tmp_path / "out")
    with pytest.raises(FieldmarkError, match=said):
        go(photos, tmp_path / "out", **change)
    other = folder_of(tmp_path / "others", 3)
    with pytest.raises(FieldmarkError, match=r"source.images\[0\] was .*photos, now .*others"):
        go(other, tmp_path / "out")


def test_how_fast_it_is_done_may_change(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(photos, tmp_path / "out", Stops(5))
    go(photos, tmp_path / "out", batch_size=7, ahead=1, threads=3)
    assert numbers(tmp_path / "out") == list(range(COUNT))


def test_files_that_come_later_are_taken_in_and_the_others_left_alone(tmp_path: Path, photos: Path) -> None:
    out = tmp_path / "out"
    go(photos, out)
    before = {path.name: path.stat().st_mtime_ns for path in (out / "shards").iterdir()}
    folder_of(photos / "more", 3)
    report = go(photos, out)
    assert report.counts.decoded == 3
    assert report.notes == ("3 files were added since this run began, and have been taken in",)
    assert numbers(out) == [*range(COUNT), 0, 1, 2]
    assert table(out)["index"].to_pylist() == list(range(COUNT + 3))
    assert before.items() <= {path.name: path.stat().st_mtime_ns for path in (out / "shards").iterdir()}.items()


def test_files_that_vanish_or_change_are_told(tmp_path: Path, photos: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        go(photos, out, Stops(6))
    (photos / "00044.png").unlink()  # not yet explained
    (photos / "00043.png").write_bytes((photos / "00001.png").read_bytes() + b"\0")
    (photos / "00000.png").unlink()  # explained
    report = go(photos, out)
    assert numbers(out) == [*range(43), 1]
    rejected = pq.read_table(out / "rejected.parquet").to_pylist()
    assert [(row["index"], row["reason"]) for row in rejected] == [(44, "the file is gone")]
    assert [note.split(" ", 1)[1][:30] for note in report.notes] == [
        "files are gone since this run ",
        "files changed since this run b",
        "files changed after they were ",
    ]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("replaced", "changed while the run was at it; finished shards are kept: put back what it was"),
        ("removed", r"cannot be read any more \(no such file or directory\); finished shards are kept$"),
        ("damaged", r"cannot be read any more \(.+\); finished shards are kept$"),
    ],
)
def test_a_table_that_changes_while_it_is_read_stops_the_run_in_one_line(tmp_path: Path, harm: str, said: str) -> None:
    parts = [tmp_path / f"part-{number}.parquet" for number in range(2)]
    for number, path in enumerate(parts):
        parquet_of(path, pa.array([encoded(each) for each in range(25 * number, 25 * number + 25)]))
    held, stamp = parts[1].read_bytes(), parts[1].stat()

    def harming(images: np.ndarray) -> Any:
        if harm == "replaced":
            parquet_of(parts[1], pa.array([encoded(0)] * 25))
        elif harm == "removed":
            parts[1].unlink(missing_ok=True)
        else:  # the same size and time, as of a disk that fails
            spoilt = tmp_path / "spoilt"
            spoilt.write_bytes(b"PAR1" + b"\0" * (len(held) - 8) + b"PAR1")
            os.utime(spoilt, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
            spoilt.replace(parts[1])
        return corner(images)

    with pytest.raises(FieldmarkError, match=f"part-1.parquet: {said}") as error:
        go(str(tmp_path / "*.parquet"), tmp_path / "out", harming, ahead=1)
    assert "\n" not in str(error.value)
    parts[1].write_bytes(held)
    os.utime(parts[1], ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    report = go(str(tmp_path / "*.parquet"), tmp_path / "out")
    assert report.counts.computed < 50
    assert numbers(tmp_path / "out") == list(range(50))


def test_an_iterable_goes_on_where_it_stopped_and_must_be_the_same(tmp_path: Path) -> None:
    class Images:
        def __init__(self, shift: int = 0) -> None:
            self.shift = shift

        def __iter__(self) -> Any:
            return (picture(i + self.shift) for i in range(COUNT))

    with pytest.raises(KeyboardInterrupt):
        go(Images(), tmp_path / "out", Stops(8))
    with pytest.raises(FieldmarkError, match=r"^source: image 0 is not what it was when this run began"):
        go(Images(1), tmp_path / "out")
    report = go(Images(), tmp_path / "out")
    assert report.counts.computed <= COUNT - 10
    assert numbers(tmp_path / "out") == list(range(COUNT))
    assert go(Images(), tmp_path / "out").counts.decoded == 0


def test_two_runs_into_one_folder_are_refused_until_the_first_ends(tmp_path: Path, photos: Path) -> None:
    out = tmp_path / "out"
    code = f"""
        import sys, time
        from pathlib import Path
        from fieldmark.run.store import opened
        with opened(Path({str(out)!r})):
            print("open", flush=True)
            time.sleep(60)
    """
    first = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE)
    assert first.stdout is not None
    assert first.stdout.readline() == b"open\n"
    with pytest.raises(OutputError, match=rf"out: process {first.pid} on \S+ is writing here; wait for it"):
        go(photos, out)
    first.kill()
    first.wait()
    first.stdout.close()
    assert go(photos, out).images == COUNT


def test_a_full_disk_is_one_line_and_the_run_goes_on_after(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    real = writer.ShardWriter.finish

    def full(self: Any) -> Any:
        if self.number >= 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self)

    monkeypatch.setattr(writer.ShardWriter, "finish", full)
    with pytest.raises(OutputError, match="out: the disk is full; free some space and run the same again: finished"):
        go(photos, out)
    monkeypatch.undo()
    assert sorted(path.name for path in (out / "shards").iterdir()) == ["00000000.parquet", "00000001.parquet"]
    assert go(photos, out).counts.computed == 25
    assert numbers(out) == list(range(COUNT))


def test_a_real_limit_on_file_size_is_one_line_too(tmp_path: Path) -> None:
    """The system refuses to write more than a few kilobytes into a file, as a full disk does."""
    photos = folder_of(tmp_path / "photos", 30)
    code = f"""
        import resource, signal, sys
        import numpy as np
        from pathlib import Path
        from fieldmark.errors import OutputError
        from tests.run.support import go
        def noisy(images):
            return {{"map": np.random.default_rng(0).normal(size=(len(images), 1, 64, 64)).astype(np.float32)}}
        if len(sys.argv) > 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            print(go(Path({str(photos)!r}), Path({str(tmp_path / "out")!r}), noisy).images)
        except OutputError as error:
            print(error)
    """
    said = [
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), *more],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        ).stdout.strip()
        for more in (["limited"], [])
    ]
    assert said[0].endswith("out: the disk is full; free some space and run the same again: finished shards are kept")
    assert said[1] == "30"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"home holds other files \(thesis.txt\); choose a new folder for the run"):
        go(photos, tmp_path / "home")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="file: a file is in the way"):
        go(photos, tmp_path / "file")


def test_the_lock_is_let_go_after_an_error(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(photos, tmp_path / "out", Stops(0))
    with opened(tmp_path / "out"):
        pass
