"""A diagnosis as one page: of text, and of HTML for notebooks; the report has a template of its own."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

from fieldmark.doctor.diagnosis import NOTE, Candidate, Diagnosis, Fact, Finding, Method, Ranking

INDENT = 2
LABEL = 12  # columns of names of facts
MOST_IMAGES = 8


def as_text(diagnosis: Diagnosis, width: int, python: bool) -> str:
    """See `Diagnosis.text`."""
    width = max(40, width)
    lines = [f"Doctor's page for {diagnosis.name}", "", *_wrapped(diagnosis.verdict, width, 0)]
    for finding in diagnosis.findings:
        lines += ["", *_finding(finding, width)]
    lines += _section("What the model is", _facts(diagnosis.model, width))
    lines += _section("What will be used, and why", _facts(diagnosis.choices, width))
    lines += _section("What it says of the images", _images(diagnosis, width))
    lines += _section("Preprocessing, tried on these images", _candidates(diagnosis, width))
    lines += _section("Methods, and what one image costs", _methods(diagnosis, width))
    lines += _section("What to type next", _steps(diagnosis, width, python))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def as_html(diagnosis: Diagnosis) -> str:
    """The page in a notebook: the same words, in tables."""
    from fieldmark.notebook import block, paragraph, table

    parts = [paragraph(f"Doctor's page for {diagnosis.name}", strong=True), paragraph(diagnosis.verdict)]
    parts += [paragraph(f"{_mark(each)} {each.text} → {each.advice}") for each in diagnosis.findings]
    facts = (*diagnosis.model, *diagnosis.choices)
    parts.append(table(("", "", ""), [(fact.name, fact.value, fact.reason) for fact in facts], most=99))
    if diagnosis.images:
        rows = [(name, ranked(best, diagnosis.values)) for name, best in diagnosis.images]
        parts.append(table(("image", "prediction"), rows))
    if diagnosis.candidates:
        parts.append(paragraph(diagnosis.evidence))
        parts.append(table(HEADINGS, [candidate_row(each, diagnosis) for each in diagnosis.candidates]))
    if diagnosis.methods:
        parts.append(table(("method", "passes", "seconds"), [method_row(each) for each in diagnosis.methods], most=99))
    parts += [paragraph(f"{what}: {code}") for what, _command, code in diagnosis.next_steps]
    return block(*parts)


def as_data(diagnosis: Diagnosis) -> dict[str, Any]:
    """The same words as JSON-able values, for templates: rows of words under headings."""
    refused = refusals(diagnosis)
    return {
        "verdict": diagnosis.verdict,
        "findings": [
            {"level": each.level, "code": each.code, "text": each.text, "advice": each.advice}
            for each in diagnosis.findings
        ],
        "facts": [[fact.name, fact.value, fact.reason] for fact in (*diagnosis.model, *diagnosis.choices)],
        "evidence": diagnosis.evidence,
        "candidates": [list(candidate_row(each, diagnosis)) for each in diagnosis.candidates],
        "headings": list(HEADINGS),
        "methods": [list(method_row(each)) for each in diagnosis.methods if each.fits],
        "refused": [[", ".join(names), reason] for reason, names in refused.items()],
        "steps": [[what, command] for what, command, _ in diagnosis.next_steps],
    }


def refusals(diagnosis: Diagnosis) -> dict[str, list[str]]:
    """Why methods do not fit, each reason once with its methods."""
    found: dict[str, list[str]] = {}
    for each in diagnosis.methods:
        if not each.fits:
            found.setdefault(each.refusal, []).append(each.name)
    return found


HEADINGS = ("preprocess", "fed", "misfit", "classes", "first image")


def candidate_row(each: Candidate, diagnosis: Diagnosis) -> tuple[str, ...]:
    """Words for the columns HEADINGS."""
    off = "" if each.misfit is None else "far" if each.misfit > 99 else f"{each.misfit:.2f}"
    fed = f"{each.low:.3g} to {each.high:.3g}"
    return (each.name, fed, off, str(each.classes), ranked(each.ranking[:1], diagnosis.values))


def method_row(each: Method) -> tuple[str, str, str]:
    """Name, passes, seconds; or name and why not."""
    if not each.fits:
        return each.name, "–", f"not for this model: {each.refusal}"
    most = "up to " if each.bound else ""
    return each.name, f"{most}{passes(each.passes)}", seconds(each.seconds)


def passes(number: float | None) -> str:
    return "" if number is None else f"{number:.1f}" if number < 9.95 and number % 1 else f"{number:.0f}"


def seconds(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:.2f} s" if number < 0.995 else f"{number:.1f} s" if number < 9.95 else f"{number:.0f} s"


def ranked(best: Ranking, values: bool) -> str:
    """ "tabby 77.2 %, tiger_cat 10.1 %"."""
    return ", ".join(f"{label} {value:.4g}" if values else f"{label} {100 * value:.1f} %" for label, value in best)


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", title.upper(), *lines] if lines else []


def _finding(finding: Finding, width: int) -> list[str]:
    mark = _mark(finding)
    first = _wrapped(f"{mark} {finding.text}", width, len(mark) + 1, first=0)
    return [*first, *_wrapped(f"Do: {finding.advice}", width, len(mark) + 5, first=len(mark) + 1)]


def _mark(finding: Finding) -> str:
    return "note:" if finding.level == NOTE else "WARNING:"


def _facts(facts: Iterable[Fact], width: int) -> list[str]:
    lines = []
    for fact in facts:
        words = f"{fact.value}: {fact.reason}" if fact.reason else fact.value
        lines += _wrapped(f"{fact.name:<{LABEL}}{words}", width, INDENT + LABEL, first=INDENT)
    return lines


def _images(diagnosis: Diagnosis, width: int) -> list[str]:
    shown = diagnosis.images[:MOST_IMAGES]
    names = max((len(name) for name, _ in shown), default=0)
    column = min(names, 24) + 2
    lines = []
    for name, best in shown:
        lines += _wrapped(f"{name:<{column}}{ranked(best, diagnosis.values)}", width, INDENT + column, first=INDENT)
    rest = len(diagnosis.images) - len(shown)
    return [*lines, *([f"  and {rest} more"] if rest else [])]


def _candidates(diagnosis: Diagnosis, width: int) -> list[str]:
    if not diagnosis.candidates:
        return []
    rows = [HEADINGS, *(candidate_row(each, diagnosis) for each in diagnosis.candidates)]
    return [*_wrapped(diagnosis.evidence, width, INDENT), *_columns(rows, width, right=(2, 3))]


def _methods(diagnosis: Diagnosis, width: int) -> list[str]:
    if not diagnosis.methods:
        return []
    took = diagnosis.pass_seconds
    said = "passes: forward passes of the model, the largest part of the work"
    if took is not None:
        said += f"; one took {_duration(took)} here, now. Compiling comes once on top"
    fit = [method_row(each) for each in diagnosis.methods if each.fits]
    lines = _wrapped(f"({said})", width, INDENT)
    lines += _columns([("method", "passes", "seconds"), *fit], width, right=(1, 2))
    for reason, names in refusals(diagnosis).items():
        lines += ["", *_wrapped(f"Not for this model: {', '.join(names)}.", width, INDENT + 2, first=INDENT)]
        lines += _wrapped(f"Why: {reason}", width, INDENT + 7, first=INDENT + 2)
    return lines


def _duration(took: float) -> str:
    return f"{1000 * took:.0f} ms" if took < 0.9995 else f"{took:.1f} s"


def _steps(diagnosis: Diagnosis, width: int, python: bool) -> list[str]:
    lines = []
    for what, command, code in diagnosis.next_steps:
        lines += [*_wrapped(f"{what}:", width, INDENT), f"    {code if python else command}"]
    return lines


def _columns(rows: list[tuple[str, ...]], width: int, right: tuple[int, ...]) -> list[str]:
    """Columns two blanks apart; the last one is cut where it goes beyond the width."""
    sizes = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(size) if i in right else cell.ljust(size)
            for i, (cell, size) in enumerate(zip(row, sizes, strict=True))
        ]
        line = "  " + "  ".join(cells).rstrip()
        lines.append(line if len(line) <= width else line[: width - 1] + "…")
    return lines


def _wrapped(text: str, width: int, indent: int, first: int | None = None) -> list[str]:
    """Lines that begin at `indent`; the first at `first`. Words that are longer than a line are not broken."""
    start = " " * (indent if first is None else first)
    return textwrap.wrap(
        text,
        width,
        initial_indent=start,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
