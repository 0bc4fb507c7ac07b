"""`fieldmark trust --out`: the page and the numbers in a folder, or no folder at all."""

from __future__ import annotations

from pathlib import Path

from fieldmark.trust import Trust
from tests.support.command import Command


def test_the_page_and_the_numbers_land_in_the_folder(here: Path, command: Command) -> None:
    options = ["--methods", "gradients,gradcam", "--preprocess", "0-1", "--cells", "4", "--steps", "2", "--few", "2"]
    done = command("trust", "model.keras", "a.png", "b.png", "more/c.png", "--out", "out", "--json", *options)
    assert done.code == 0, done
    assert sorted(path.name for path in (here / "out").iterdir()) == ["trust.html", "trust.json"]
    found = Trust.load(here / "out" / "trust.json")
    assert found.verdict == done.json["verdict"]
    page = (here / "out" / "trust.html").read_text("utf-8")
    assert found.verdict.split(".")[0] in page
    for part in ("a.png", "c.png", "map of Gradients", "map of edge detector", "Pitfall"):
        assert part in page
    assert "b.png" not in page, "of three images two are few"


def test_a_folder_that_cannot_be_is_said_before_any_work(here: Path, command: Command) -> None:
    (here / "out").write_text("a file")
    assert "folder" in command("trust", "model.keras", "a.png", "--out", "out").line
