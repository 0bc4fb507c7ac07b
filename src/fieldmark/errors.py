"""Every refusal of fieldmark: one line that says what, expected, received and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FieldmarkError(ValueError):
    """Something the user can mend. The command line prints it as one line, without a traceback."""


class ImageError(FieldmarkError):
    """An image that cannot be read, or is not what the model takes."""


class LayerError(FieldmarkError):
    """A layer that does not exist, or that this method cannot use."""


class TargetError(FieldmarkError):
    """A class or output that does not exist."""


class ModelError(FieldmarkError):
    """A model that cannot be loaded, called or looked into."""


class OutputError(FieldmarkError):
    """A place where results cannot be written."""


class BackendError(FieldmarkError):
    """A framework that is missing, or is not the one this process runs."""


class MapWarning(UserWarning):
    """A map that is blank, weak or not finite, and why; each cause is also in `Attribution.warnings`."""


def unknown(what: str, received: object, valid: Iterable[str], limit: int = 12) -> str:
    """One line for a name that does not exist: the nearest names first, else the list of valid ones.

    >>> unknown("class", "taby", ["tabby", "tiger_cat"])
    "unknown class 'taby': did you mean 'tabby'? Valid: tabby, tiger_cat"
    """
    names = [str(name) for name in valid]
    folded = {name.casefold().replace(" ", "_"): name for name in reversed(names)}
    near = difflib.get_close_matches(str(received).casefold().replace(" ", "_"), folded, n=3, cutoff=0.6)
    hint = f" did you mean {' or '.join(repr(folded[name]) for name in near)}?" if near else ""
    rest = f", … ({len(names) - limit} more)" if len(names) > limit else ""
    return f"unknown {what} {received!r}:{hint} Valid: {', '.join(names[:limit])}{rest}"
