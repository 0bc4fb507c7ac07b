"""The house's docstrings as Sphinx reads them: columns of names and meanings, `code`, and [keys] of papers."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

COLUMNS = re.compile(r"^(\w+(?:, \w+)*) {2,}(\S.*)$")  # "layer, relu  as in GradCAM"
KEY = re.compile(r"\[([a-z]+\d{4}[a-z]*(?:, [a-z]+\d{4}[a-z]*)*)\]")


def paragraphs(lines: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [part for part in found if part]


def columns(part: list[str]) -> list[tuple[str, str]] | None:
    """[(names, meaning)] of a paragraph in two columns; None where it is prose."""
    if not COLUMNS.match(part[0]):
        return None
    rows: list[tuple[str, str]] = []
    for line in part:
        found = COLUMNS.match(line)
        if found:
            rows.append((found[1], found[2]))
        elif line.startswith("  "):
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {line.strip()}")
        else:
            return None
    return rows


def cited(text: str) -> str:
    """Keys of papers as Markdown links to the page of references, whose anchors they are."""
    return KEY.sub(lambda found: ", ".join(f"[{key}](#{key})" for key in found[1].split(", ")), text)


def markdown(docstring: str) -> list[str]:
    """A docstring as lines of Markdown."""
    lines: list[str] = []
    for part in paragraphs(docstring.splitlines()):
        rows = columns(part)
        if rows is None:
            lines += [cited(escaped(" ".join(line.strip() for line in part))), ""]
            continue
        for names, meaning in rows:
            named = ", ".join(f"`{name}`" for name in names.split(", "))
            lines += [named, f": {cited(escaped(meaning))}", ""]
    return lines


def escaped(text: str) -> str:
    """Stars and such outside of `code` as they are."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<>|])", r"\\\1", part) for part in parts)


def rest(docstring: list[str]) -> list[str]:
    """A docstring as lines of reStructuredText, which autodoc wants."""
    lines: list[str] = []
    for part in paragraphs(docstring):
        rows = columns(part)
        if rows is None:
            lines += [as_rest(" ".join(line.strip() for line in part)), ""]
        else:
            for names, meaning in rows:
                lines += [", ".join(f"``{name}``" for name in names.split(", ")), f"   {as_rest(meaning)}", ""]
    return lines


def as_rest(text: str) -> str:
    parts = re.split(r"(`[^`]+`)", text)
    plain = [re.sub(r"([*_|\\])", r"\\\1", part) for part in parts[::2]]
    plain = [
        KEY.sub(lambda found: ", ".join(f":ref:`{key} <{key}>`" for key in found[1].split(", ")), p) for p in plain
    ]
    code = [f"`{part}`" for part in parts[1::2]]
    joined = [plain[0]]
    for one, after in zip(code, plain[1:], strict=True):
        # reST wants something between a literal and a letter
        joined += [one, after if not after or not after[0].isalnum() else "\\ " + after]
    return "".join(joined)


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = rest(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", process)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
