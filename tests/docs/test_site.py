"""The site builds without a warning, fetches nothing, and can be searched from disk."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="Sphinx is in the extra `docs`")
pytestmark = pytest.mark.no_framework

DOCS = Path(__file__).resolve().parents[2] / "docs"
# What a browser fetches by itself. Links that people click may lead anywhere.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=["'](?:https?:)?//[^"']+"""
    r"""|<link\b(?=[^>]*rel=["'](?:stylesheet|preload|preconnect|icon))[^>]*href=["'](?:https?:)?//[^"']+"""
    r"""|@import\s+["']?(?:url\()?["']?(?:https?:)?//\S+|url\(\s*["']?(?:https?:)?//[^)]+""",
    re.IGNORECASE,
)


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    options = ["--nitpicky", "--fail-on-warning", "--keep-going", "--quiet", "--builder", "html"]
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(source), str(out)], capture_output=True, text=True, timeout=500
    )


def fetched(folder: Path) -> list[str]:
    """What pages, styles and scripts would fetch from elsewhere."""
    files = [path for path in folder.rglob("*") if path.suffix in (".html", ".css", ".js")]
    found = [(path, FETCHED.findall(path.read_text(encoding="utf-8"))) for path in files]
    return [f"{path.relative_to(folder)}: {each}" for path, each in found if each]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = build(DOCS, out)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def test_the_site_builds_without_a_warning_and_fetches_nothing(site: Path) -> None:
    assert len(list(site.rglob("*.html"))) > 50
    assert fetched(site) == []


def test_formulas_are_drawn_by_the_browser_itself(site: Path) -> None:
    page = (site / "methods" / "GradCAM.html").read_text(encoding="utf-8")
    assert "<math" in page
    assert "\\frac" not in page
    assert not re.search(r"<script[^>]*mathjax", page, re.IGNORECASE)


def test_the_search_needs_no_server(site: Path) -> None:
    """Its index is a script, which a page opened from disk may load; it may not fetch JSON."""
    assert (site / "searchindex.js").read_text(encoding="utf-8").startswith("Search.setIndex(")
    assert "searchindex.js" in (site / "search.html").read_text(encoding="utf-8")


def test_a_link_that_leads_nowhere_and_a_missing_picture_fail(tmp_path: Path) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    (source / "conf.py").write_text('extensions = ["myst_parser"]\n')
    (source / "index.md").write_text("# A\n\n[no](nowhere.md) ![no](none.png)\n")
    done = build(source, tmp_path / "out")
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr
    assert "none.png" in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        "@import url('https://fonts.example/css');",
    ],
)
def test_something_fetched_is_seen(tmp_path: Path, line: str) -> None:
    (tmp_path / "page.html").write_text(f'<a href="https://example.org">ok</a>{line}')
    assert len(fetched(tmp_path)) == 1
