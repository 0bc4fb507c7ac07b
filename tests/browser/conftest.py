"""One Chromium for all tests of pages: the machine's own, driven by Playwright, which downloads nothing here."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A running browser. Skips where there is none to run, or no Playwright to run it with."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install '.[dev]')")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium on this machine to open pages in")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens HTML (text or a file) in a window of its own. Afterwards: no error, no dialog and no request was made."""
    contexts: list[Any] = []
    trouble: list[str] = []

    def opened(page: str | Path, width: int = 1280, height: int = 900, **options: Any) -> Any:
        file = tmp_path / "page.html"
        if isinstance(page, Path):
            file = page
        else:
            file.write_text(page, encoding="utf-8")
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: trouble.append(f"{message.type}: {message.text}"))
        tab.on("pageerror", lambda error: trouble.append(f"error: {error}"))
        tab.on("dialog", lambda dialog: trouble.append(f"dialog: {dialog.message}"))
        tab.on("request", lambda request: note(request.url))
        tab.goto(file.as_uri())
        return tab

    def note(url: str) -> None:
        if not url.startswith(("file:", "data:")):
            trouble.append(f"request: {url}")

    yield opened
    for context in contexts:
        context.close()
    assert trouble == []
