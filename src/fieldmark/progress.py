"""Progress of long work: silent in the library, one bar per loop when somebody (the command line) asks for it.

The engine wraps its loops in `track` and knows nothing of terminals. Who wants to see them sets a reporter for the
length of a `with reporting(...)`; it lives in a context variable, so two threads or two notebooks never share one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sized
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

T = TypeVar("T")

SHOW_AFTER = 1.0  # seconds: shorter work needs no bar


class Advance(Protocol):
    """What a reporter hands out for one piece of work: call it with the number of steps just done."""

    def __call__(self, steps: int = 1) -> None: ...


class Reporter(Protocol):
    """Anything with `task(label, total)`: a context manager around the work that yields its `Advance`."""

    def task(self, label: str, total: int | None) -> AbstractContextManager[Advance]: ...


_reporter: ContextVar[Reporter | None] = ContextVar("fieldmark_progress", default=None)


def track(iterable: Iterable[T], total: int | None = None, label: str = "") -> Iterator[T]:
    """The same items, one step of progress after each; `total` defaults to the length where there is one."""
    reporter = _reporter.get()
    if reporter is None:
        yield from iterable
        return
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    with reporter.task(label, total) as advance:
        for item in iterable:
            yield item
            advance()


def tell(text: str) -> None:
    """One line for whoever watches the progress, as how long it will take; empty says nothing."""
    listener = getattr(_reporter.get(), "tell", None)
    if listener is not None and text:
        listener(text)


@contextmanager
def reporting(reporter: Reporter | None) -> Iterator[Reporter | None]:
    """Send the progress of everything done inside the `with` to `reporter` (None: be silent again)."""
    before = _reporter.set(reporter)
    try:
        yield reporter
    finally:
        _reporter.reset(before)


class Bars:
    """Bars on a terminal (standard error), each shown only once its work has taken longer than `after` seconds.

    On anything that is not a terminal (a pipe, a log file) nothing is written.
    """

    def __init__(self, console: Console | None = None, after: float = SHOW_AFTER) -> None:
        self._console = console
        self._after = after
        self._progress: Progress | None = None
        self._open = 0
        self._lock = threading.RLock()

    @contextmanager
    def task(self, label: str, total: int | None) -> Iterator[Advance]:
        progress = self._enter()
        number = progress.add_task(label, total=total, visible=False)
        timer = threading.Timer(self._after, self._show, (progress, number))
        timer.daemon = True
        timer.start()
        try:
            yield lambda steps=1: progress.advance(number, steps)
        finally:
            timer.cancel()
            self._leave(progress, number)

    def tell(self, text: str) -> None:
        """A line above the bars, also where standard error is no terminal."""
        from rich.console import Console

        with self._lock:
            console = self._progress.console if self._progress else self._console or Console(stderr=True)
            console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _enter(self) -> Progress:
        with self._lock:
            if self._progress is None:
                self._progress = _new_progress(self._console)
            self._open += 1
            return self._progress

    def _show(self, progress: Progress, number: TaskID) -> None:
        with self._lock:
            if self._progress is not progress or not progress.console.is_terminal:
                return
            if number in progress.task_ids:
                progress.update(number, visible=True)
                progress.start()

    def _leave(self, progress: Progress, number: TaskID) -> None:
        with self._lock:
            progress.remove_task(number)
            self._open -= 1
            if self._open == 0:
                if progress.live.is_started:  # else stop() would write an empty line
                    progress.stop()
                self._progress = None


def _new_progress(console: Console | None) -> Progress:
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        console=console or Console(stderr=True),
        transient=True,
    )
