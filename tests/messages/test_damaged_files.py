"""Damaged and hostile files of every kind end in one clear line; `make fuzz` tries 1000 of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldmark.errors import ModelError
from tests.messages.damage import BYTES, cases, pickled, png_bomb, unzipped, zipped
from tests.messages.fuzz import originals, tried
from tests.support.command import real_command

COUNT = 78


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, bytes]:
    return originals(folder)


def test_damaged_files_end_in_one_line_and_run_no_code(
    folder: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    canary = folder / "canary"
    endings = [tried(case, folder) for case in cases(whole, COUNT, canary)]
    assert [(ending.case.name, ending.fault) for ending in endings if ending.fault] == []
    assert not canary.exists()
    assert sum(ending.code == 2 for ending in endings) > COUNT // 2
    assert {ending.case.suffix for ending in endings} == set(whole)


def test_whole_files_are_read(folder: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the refusals above are of the damage."""
    monkeypatch.chdir(folder)
    for case in cases(whole, len(whole), folder / "canary"):
        good = type(case)(case.number, case.suffix, "none", whole[case.suffix], False)
        ending = tried(good, folder)
        assert (ending.code, ending.error) == (0, ""), case.suffix


def test_the_canary_sings(tmp_path: Path) -> None:
    """The hostile files would be seen to run: unpickled, theirs does."""
    import pickle

    pickle.loads(pickled(tmp_path / "canary"))
    assert (tmp_path / "canary").is_dir()


def test_the_files_are_the_same_every_time_and_of_every_damage(whole: dict[str, bytes], tmp_path: Path) -> None:
    first, second = (cases(whole, 400, tmp_path / "canary") for _ in range(2))
    assert [case.content for case in first if case.suffix != ".npz"] == [
        case.content for case in second if case.suffix != ".npz"
    ]
    found = {case.damage for case in first}
    assert found >= {*BYTES, "empty", "random", "pickle", "bomb", "objects", "rewritten-lambda", "rewritten-size"}


def test_the_real_command_refuses_hostile_files(folder: Path, whole: dict[str, bytes]) -> None:
    import random

    (folder / "bomb.png").write_bytes(png_bomb(random.Random(1)))
    done = real_command("predict", "model.keras", "bomb.png", cwd=folder)
    assert done.line.startswith("bomb.png: ")
    (folder / "evil.keras").write_bytes(pickled(folder / "canary"))
    assert real_command("predict", "evil.keras", "a.png", cwd=folder).line.startswith("evil.keras: a torch file")
    assert not (folder / "canary").exists()


def test_a_file_that_unpacks_to_far_more_than_it_weighs(folder: Path, whole: dict[str, bytes]) -> None:
    from fieldmark.classifier.files import load_file

    content = {**unzipped(whole[".keras"]), "model.weights.h5": b"\0" * (300 * 2**20)}
    (folder / "large.keras").write_bytes(zipped(content))
    with pytest.raises(ModelError, match=r"unpacks to 0\.3 GB, far more than it weighs; it is no model to trust"):
        load_file(folder / "large.keras")


def test_numbers_that_the_file_cannot_bear_out(folder: Path, whole: dict[str, bytes]) -> None:
    from fieldmark.classifier.files import load_file

    members = unzipped(whole[".keras"])
    members["config.json"] = members["config.json"].replace(b'"units": 3', b'"units": 3000000000')
    (folder / "wide.keras").write_bytes(zipped(members))
    with pytest.raises(ModelError, match="a Dense says units=3000000000, too much for a file of this size"):
        load_file(folder / "wide.keras")


def test_a_runtime_that_crashes_takes_only_its_own_process_down(
    folder: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fieldmark.classifier import apart

    for code, said in (
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"crashes what reads it \(signal 11\)"),
        ("import sys; sys.exit(3)", "asks for more memory than this machine has"),
        ("import time; time.sleep(9)", r"opening it does not end \(1 s tried\)"),
    ):
        monkeypatch.setattr(apart, "_CODE", code)
        monkeypatch.setattr(apart, "PATIENCE", 1 if "sleep" in code else 60)
        with pytest.raises(ModelError, match=said):
            apart.try_apart(Path("m.onnx"))
    monkeypatch.setattr(apart, "_CODE", "pass")
    apart.try_apart(Path("m.onnx"))
