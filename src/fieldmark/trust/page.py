"""A result for people who read a terminal."""

from __future__ import annotations

from fieldmark.trust.result import Trust


def text(result: Trust) -> str:
    """The verdict."""
    return result.verdict
