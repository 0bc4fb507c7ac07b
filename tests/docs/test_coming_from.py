"""Every line of docs/coming-from runs: the new ones here, the old ones in the peers' environment where there is one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.docs.pairs import PAGES, TORCH, blocks, names, run
from tests.parity.conftest import peers_python

KERAS = ("tf-explain", "tf-keras-vis", "shap", "innvestigate")
RUN_OLD = tuple(page for page in (*KERAS, *TORCH) if page != "innvestigate")  # it does not install beside Keras 3


def result(page: str, folder: Path) -> None:
    given = names(page)
    run(page, "fieldmark", given)
    assert given["att"].maps.shape[0] in (1, 2)
    assert given["att"].maps.any()


@pytest.mark.parametrize("page", KERAS)
def test_the_new_lines_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result(page, tmp_path)


@pytest.mark.native_torch
@pytest.mark.parametrize("page", TORCH)
def test_the_new_lines_run_on_torch(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result(page, tmp_path)


@pytest.mark.parametrize("page", RUN_OLD)
def test_the_old_lines_run_with_the_package_itself(page: str, tmp_path: Path) -> None:
    script = Path(__file__).resolve().parent / "pairs.py"
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": ""}
    command = [peers_python(), "-W", "ignore", str(script), page]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]


def test_every_page_has_its_pairs() -> None:
    pages = {path.stem for path in PAGES.glob("*.md")} - {"index"}
    assert pages == {*KERAS, *TORCH}
    for page in pages:
        old, new = blocks(page, page), blocks(page, "fieldmark")
        assert len(old) == len(new) >= 3, page


def test_a_line_that_fails_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.md").write_text("```python\n# fieldmark\natt = fm.NoSuchMethod()\n```\n")
    monkeypatch.setattr("tests.docs.pairs.PAGES", tmp_path)
    with pytest.raises(NameError):
        run("bad", "fieldmark", {})
