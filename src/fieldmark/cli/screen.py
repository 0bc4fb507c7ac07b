"""What a command writes: results on standard output, notes and bars on standard error; or one JSON document."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fieldmark.progress import Bars, reporting

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 160  # columns where there is no terminal to measure


class Screen:
    """One command's output. With `as_json`, `show` and `note` are silent and `document` is all there is."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self.out = _console(sys.stdout)
        self.err = _console(sys.stderr)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Bars for long work; whatever others print meanwhile (Keras's downloads, the user's model) goes to stderr."""
        with reporting(Bars(self.err)), contextlib.redirect_stdout(sys.stderr):
            yield

    def show(self, *things: Any) -> None:
        """Words for people."""
        if not self.as_json:
            self.out.print(*things, soft_wrap=True)

    def table(self, table: Any) -> None:
        if not self.as_json:
            self.out.print(table)

    def note(self, text: str) -> None:
        """One line beside the result: something the user should know."""
        self.err.print(f"note: {printable(text)}", soft_wrap=True)

    def document(self, value: dict[str, Any]) -> None:
        """The one JSON document; nothing where people read."""
        if self.as_json:
            self.out.file.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _console(stream: Any) -> Console:
    from rich.console import Console

    # Labels, layer and file names are printed as they are, not read as rich's markup.
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


def printable(text: str) -> str:
    """`text` on one line, without control characters: names in a model file must not steer the terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
