"""The page: one file that loads nothing, in which no name can become code, and that works in a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from fieldmark.errors import OutputError
from fieldmark.report import build, render, write_report
from tests.figures.samples import sample
from tests.report.test_build import Ranking

pytestmark = pytest.mark.no_framework

EVIL = "\"'><img src=x onerror=\"document.title='pwned'\"></script><script>document.title='pwned'</script>{{7*7}}"


class Page(HTMLParser):
    """The elements of a page, with their attributes and, for scripts and styles, their text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] in ("script", "style") and data.strip():
            self.inline.append((*self.elements[-1], data))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def evil_page() -> str:
    evil = sample(2, 2, targets=(EVIL, EVIL + "2"), warnings=(EVIL,), method=EVIL, layer=EVIL)
    predictions = Ranking(2)
    predictions.top = lambda k=5: [[(EVIL, 0.5)]] * 2  # type: ignore[method-assign]
    return render(build([evil], predictions, names=[EVIL, "b"], title=EVIL, notes=[EVIL], summaries={EVIL: EVIL}))


def plain_page(**options: Any) -> str:
    attributions = [sample(2), sample(2, method="Occlusion", layer=None, signed=True)]
    return render(build(attributions, Ranking(2), **options))


def test_the_page_loads_nothing() -> None:
    for tag, attributes in Page(plain_page()).elements:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/", "#")), (tag, name, value)
        assert tag not in ("link", "iframe", "object", "embed", "base")
    assert not re.search(r"https?://|@import|url\(", plain_page())


def test_names_never_become_elements_attributes_or_code() -> None:
    evil, plain = Page(evil_page()), Page(render(build([sample(2)], Ranking(2), notes=["a"])))
    assert {tag for tag, _ in evil.elements} <= {tag for tag, _ in plain.elements} | {"section", "ul", "li", "strong"}
    assert evil.count("img") == 2
    assert evil.count("script") == plain.count("script")
    for tag, attributes in evil.elements:
        assert not any(name.startswith("on") or name == "style" for name in attributes), (tag, attributes)
    assert "{{7*7}}" in evil_page()


def test_the_policy_allows_exactly_the_inline_script_and_style() -> None:
    page = Page(evil_page())
    policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    run = [text for tag, a, text in page.inline if tag == "style" or "type" not in a]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in run]
    assert re.findall(r"'sha256-([^']+)'", policy) == hashes
    assert len(run) == 2


def test_the_data_come_back_as_they_went_in() -> None:
    page = Page(evil_page())
    data = [json.loads(text) for tag, a, text in page.inline if a.get("type") == "application/json"]
    assert data[0]["targets"] == [EVIL, EVIL + "2"]
    assert data[-1]["methods"][0]["warnings"] == [EVIL]


def test_each_photograph_travels_once() -> None:
    assert plain_page().count("data:image/") == 2


def test_every_control_has_a_name_and_every_image_a_text() -> None:
    page = Page(plain_page())
    labelled = {attributes.get("for") for tag, attributes in page.elements if tag == "label"}
    for tag, attributes in page.elements:
        if tag == "img":
            assert attributes["alt"] == "image 0, predicted Egyptian_cat, 77 %" or "image 1" in str(attributes["alt"])
        if attributes.get("type") == "range":
            assert attributes["id"] in labelled
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    assert ("html", {"lang": "en"}) in page.elements


def test_the_opacity_the_page_opens_with(tmp_path: Path) -> None:
    page = Page(write_report(tmp_path / "a.html", [sample()], alpha=0.37).read_text(encoding="utf-8"))
    assert [attributes["value"] for _, attributes in page.elements if attributes.get("type") == "range"] == ["37"]


def test_warnings_notes_and_provenance_are_on_the_page() -> None:
    page = render(build([sample(warnings=("the output is saturated",))], notes=["About these birds."]))
    for words in ("the output is saturated", "About these birds.", "last feature map before pooling", "Top(k=2)"):
        assert words in page
    assert 'id="warnings"' not in plain_page()
    assert "What the model says" not in render(build([sample()]))


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    path = write_report(tmp_path / "a.html", [sample()], Ranking())
    assert path.read_bytes() == write_report(tmp_path / "b.html", [sample()], Ranking()).read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_names_that_are_no_unicode_are_written(tmp_path: Path) -> None:
    path = write_report(tmp_path / "a.html", [sample()], names=["caf\udce9 \u202e.png"], title="Vögel 鳥")
    text = path.read_text(encoding="utf-8")
    assert "Vögel 鳥" in text
    assert "\u202e" not in text


def test_a_failed_write_leaves_the_old_report_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_report(tmp_path / "a.html", [sample()])
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError) as caught:
        write_report(path, [sample()], title="Another")
    assert str(caught.value) == f"cannot write {path}: No space left on device; choose a folder you can write to"
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.html"]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "no" / "a.html"
    with pytest.raises(OutputError) as caught:
        write_report(missing, [sample()])
    assert str(caught.value) == f"cannot write {missing}: No such file or directory; choose a folder you can write to"
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="Is a directory"):
        write_report(tmp_path / "folder", [sample()])
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]
