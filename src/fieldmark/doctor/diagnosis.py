"""The result of an examination: plain values, told as text, JSON, HTML or a section of the report."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

WARNING, NOTE = "warning", "note"

Ranking = tuple[tuple[str, float], ...]  # (label, probability), best first


@dataclass(frozen=True)
class Fact:
    """One thing that is so, or that was chosen, and the reason where there is one."""

    name: str
    value: str
    reason: str = ""


@dataclass(frozen=True)
class Finding:
    """What the user should know: `code` for programs, what was found, and what to do about it.

    level  "warning": results will be wrong or useless unless it is mended; "note": good to know
    """

    level: str
    code: str
    text: str
    advice: str


@dataclass(frozen=True)
class Candidate:
    """One way of preprocessing, tried on the images.

    name      one of `fieldmark.classifier.preprocessing.PREPROCESS`, or "as now"
    low, high the range of what the model is then fed
    misfit    how far the first normalisation's input is from its stored statistics (0: not at all), or None
    ranking   of the first image
    classes   how many different classes come out best over all images
    """

    name: str
    low: float
    high: float
    misfit: float | None
    ranking: Ranking
    classes: int


@dataclass(frozen=True)
class Method:
    """Whether a method fits this model, and what one image costs with its default settings.

    passes   the work in forward passes of one image; a gradient at the input counts as what it was measured to cost
    seconds  the same on this machine, with what happens outside the model; compilation comes once on top
    refusal  why it does not fit, or ""
    bound    whether the number is the most it may be, because it depends on the image
    """

    name: str
    summary: str
    passes: float | None = None
    seconds: float | None = None
    refusal: str = ""
    bound: bool = False

    @property
    def fits(self) -> bool:
        return not self.refusal


@dataclass(frozen=True, kw_only=True, eq=False)
class Diagnosis:
    """What `Classifier.doctor` found; `str()` is one page of text, `to_dict()` everything as JSON-able values.

    name         of the model
    model        what it is
    choices      the layer, score and preprocessing that will be used, each with its reason
    findings     what looks wrong and what to know, warnings first
    images       the names of the images, and per image its ranking
    candidates   ways of preprocessing, tried on the images; empty where that says nothing
    evidence     one sentence: what the candidates were judged by
    methods      every method: whether it fits, and what it costs
    pass_seconds one forward pass of one image, measured, or None
    next_steps   what to type: (in words, on the command line, in Python)
    """

    name: str
    model: tuple[Fact, ...]
    choices: tuple[Fact, ...]
    findings: tuple[Finding, ...] = ()
    images: tuple[tuple[str, Ranking], ...] = ()
    candidates: tuple[Candidate, ...] = ()
    evidence: str = ""
    methods: tuple[Method, ...] = ()
    pass_seconds: float | None = None
    next_steps: tuple[tuple[str, str, str], ...] = ()
    values: bool = False  # whether rankings hold plain values and no probabilities

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level == WARNING)

    @property
    def verdict(self) -> str:
        """One sentence."""
        codes = {finding.code for finding in self.warnings}
        if not codes:
            return (
                "Nothing looks wrong." if self.images else "Nothing looks wrong with the model; give images for more."
            )
        count = len(self.warnings)
        return f"{count} thing{'s' if count > 1 else ''} to mend before you believe a map."

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-able values; numbers that are not finite become None."""
        raw = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        raw["images"] = [
            {"name": name, "top": [{"label": label, "value": value} for label, value in best]}
            for name, best in self.images
        ]
        raw["next_steps"] = [
            {"what": what, "command": command, "python": python} for what, command, python in self.next_steps
        ]
        return {"verdict": self.verdict, **{name: _plain(value) for name, value in raw.items()}}

    def text(self, width: int = 80, python: bool = True) -> str:
        """The page in lines of at most `width` characters; names that are longer are not broken.

        python  show what to type in Python rather than on the command line
        """
        from fieldmark.doctor.page import as_text

        return as_text(self, width, python)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Diagnosis of {self.name}: {self.verdict}>"

    def _repr_html_(self) -> str:
        from fieldmark.doctor.page import as_html

        return as_html(self)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value
