"""One run's folder: its lock, its settings, and the log of finished shards.

    manifest.json     settings, provenance and totals; replaced whole
    shards.jsonl      one line a finished shard, appended after its file has its name
    shards/           00000.parquet, ...: each is written under another name, synced, and then renamed
    listing.parquet   the files that were found, with size and time (sources of files only)
    rejected.parquet  what could not be read, with the reason

A shard that exists is whole; the log only says so faster. So a kill at any moment loses at most unfinished shards.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fieldmark.errors import FieldmarkError, OutputError

FORMAT = 1
MANIFEST, LOG, SHARDS, LISTING, REJECTED, LOCK = (
    "manifest.json",
    "shards.jsonl",
    "shards",
    "listing.parquet",
    "rejected.parquet",
    "lock",
)
TEMPORARY = ".partial-"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A finished shard: its number, the items [start, stop) it covers, and what became of them."""

    number: int
    start: int
    stop: int
    rows: int
    rejected: int
    changed: int
    bytes: int
    sha256: str
    first: str | None = None  # a digest of its first image, where nothing else tells a source from another
    remarks: Mapping[str, int]

    @property
    def name(self) -> str:
        return shard_name(self.number)


def shard_name(number: int) -> str:
    """Eight digits: a hundred million shards sort by name."""
    return f"{number:08d}.parquet"


class RunFolder:
    """The folder of one run, opened for writing; use `opened`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shards = path / SHARDS

    def read_manifest(self) -> dict[str, Any] | None:
        """The manifest of an earlier run into this folder, or None. Raises FieldmarkError where it is no such file."""
        try:
            found = json.loads((self.path / MANIFEST).read_text("utf-8"))
            found["format"], found["settings"]
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise FieldmarkError(f"{self.path / MANIFEST}: not the manifest of a run; choose another folder") from None
        if found["format"] != FORMAT:
            raise FieldmarkError(
                f"{self.path}: expected a run of format {FORMAT}, received {found['format']}; choose another folder"
            )
        return found

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        text = json.dumps({"format": FORMAT, **manifest}, indent=1, default=str)
        write_atomically(self.path / MANIFEST, text.encode())

    def finished(self) -> dict[int, Shard]:
        """The finished shards by number. A logged shard whose file is gone or has another size is not finished."""
        from fieldmark.run.writer import read_shard

        sizes = {entry.name: entry.stat().st_size for entry in os.scandir(self.shards)}
        found = {each.number: each for each in self._logged() if sizes.get(each.name) == each.bytes}
        known = {each.name for each in found.values()}
        for name in sorted(set(sizes) - known):
            shard = read_shard(self.shards / name) if name.endswith(".parquet") else None
            if shard is not None:  # it got its name, but not its line in the log
                self.log(shard)
                found[shard.number] = shard
        return found

    def log(self, shard: Shard) -> None:
        with open(self.path / LOG, "ab") as file:
            file.write(json.dumps(asdict(shard)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _logged(self) -> Iterator[Shard]:
        try:
            lines = (self.path / LOG).read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for line in lines:
            try:
                yield Shard(**json.loads(line))
            except (ValueError, TypeError):
                continue  # the end of it, cut off by a kill: the shard's own file tells

    def sweep(self) -> None:
        """Remove what a killed run left half-written, and end a line of the log that it cut."""
        for folder in (self.path, self.shards):
            for entry in os.scandir(folder):
                if entry.name.startswith(TEMPORARY):
                    os.unlink(entry.path)
        log = self.path / LOG
        if log.exists() and log.stat().st_size and not log.read_bytes().endswith(b"\n"):
            with open(log, "ab") as file:
                file.write(b"\n")


@contextmanager
def opened(path: Path) -> Iterator[RunFolder]:
    """The folder, made where it is missing, locked against a second run, without a killed run's remains.

    Every failure to write becomes one OutputError; a full disk says that the same command goes on.
    """
    path = Path(path).expanduser()
    with one_line(path):
        _check_folder(path)
        (path / SHARDS).mkdir(parents=True, exist_ok=True)
        with _locked(path):
            folder = RunFolder(path)
            folder.sweep()
            yield folder


@contextmanager
def one_line(path: Path) -> Iterator[None]:
    """OSErrors of writing as one line."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise OutputError(
                f"{path}: the disk is full; free some space and run the same again: finished shards are kept"
            ) from None
        if isinstance(error, (FileExistsError, NotADirectoryError)):
            raise OutputError(f"cannot write to {path}: a file is in the way; choose another folder") from None
        reason = (error.strerror or str(error)).lower()
        if error.filename is not None and str(path) not in str(error.filename):
            raise FieldmarkError(f"{error.filename}: {reason}; finished shards are kept in {path}") from None
        raise OutputError(f"cannot write to {path}: {reason}; choose a folder you can write to") from None


def _check_folder(path: Path) -> None:
    """Raise OutputError for a folder that holds other things: shards are not to be strewn among somebody's files."""
    if path.is_dir() and not (path / MANIFEST).exists():
        others = sorted(set(os.listdir(path)) - {SHARDS, LOG, LISTING, REJECTED, LOCK})
        others = [name for name in others if not name.startswith(".")]
        if others:
            raise OutputError(f"{path} holds other files ({others[0]}); choose a new folder for the run")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system lets go when this process ends, however it ends."""
    with open(path / LOCK, "a+", encoding="utf-8") as file:
        if not _lock(file):
            file.seek(0)
            owner = file.read().strip() or "another process"
            raise OutputError(f"{path}: {owner} is writing here; wait for it, or choose another folder")
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _lock(file: Any) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            file.seek(1 << 30)  # a byte that nobody writes
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file: the old one or the new one is there at every moment, never a part of one."""
    partial = path.with_name(f"{TEMPORARY}{path.name}")
    try:
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        sync_folder(path.parent)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the system lets folders be synced."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
