"""Parts of pages that are made from the code and from what was measured, so that they cannot fall behind it.

{made} NAME ARGUMENTS     a part written in Markdown by a function of PARTS
{n}`grad_cam probability .0%`   a number out of docs/tutorials/grad_cam.json; dots go down: a.b.0
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

from docstrings import markdown
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

DOCS = Path(__file__).resolve().parents[1]
GALLERY = DOCS / "img" / "methods" / "gallery.json"
# Which row of docs/cost.md is which method's, by how its job begins.
COSTS = {
    "GradCAM": "Grad-CAM, 1 class",
    "GradCAMPlusPlus": "Grad-CAM++",
    "HiResCAM": "HiResCAM",
    "XGradCAM": "XGradCAM",
    "LayerCAM": "LayerCAM",
    "Gradients": "input gradient",
    "SmoothGrad": "SmoothGrad",
    "IntegratedGradients": "Integrated Gradients",
    "ExpectedGradients": "expected gradients",
    "ScoreCAM": "Score-CAM",
    "Occlusion": "occlusion",
}
FAMILIES = {
    "cam": "Activation maps",
    "cam_perturbed": "Activation maps",
    "activations": "Activation maps",
    "gradients": "Gradients and paths",
    "guided": "Gradients and paths",
    "paths": "Gradients and paths",
    "smoothing": "Noise averaged away",
    "relevance": "Relevance",
    "synthesis": "Pictures made",
}  # everything else covers parts of the image


def explainers() -> tuple[type, ...]:
    from fieldmark.explainers import EXPLAINERS

    return EXPLAINERS


def family(explainer: type) -> str:
    return FAMILIES.get(explainer.__module__.rsplit(".", 1)[-1], "Parts covered up")


def costs() -> dict[str, str]:
    """Job -> forward passes, from docs/cost.md."""
    rows = re.findall(r"^\| ([^|]+?) \| ([\d.]+) \(", (DOCS / "cost.md").read_text(encoding="utf-8"), re.MULTILINE)
    return dict(rows)


def method(name: str) -> list[str]:
    """The top of a method's page: its sentence, how it is written, its picture, what it costs."""
    explainer = next(one for one in explainers() if one.__name__ == name)
    record = json.loads(GALLERY.read_text(encoding="utf-8"))[name]
    place = f"at `{record['layer']}`" if record["layer"] else "at the input"
    what = "what was made for" if name == "ActivationMaximisation" else "maps of"
    lines = [explainer.summary, ""]
    lines += ["```python", f"fm.{name}({shown(explainer)})(classifier, images, target=...)", "```", ""]
    lines += [f"![{name}: the photograph and {what} {' and '.join(record['targets'])}](/img/methods/{name}.webp)", ""]
    if name != "ActivationMaximisation":
        height, width = record["map"]
        lines += [f"*EfficientNet-Lite0, {place}; maps of {height} × {width}.*", ""]
    job = next((job for job in costs() if name in COSTS and job.startswith(COSTS[name])), None)
    if job:
        lines += [f"**Cost**: {costs()[job]} forward passes of the same batch ({job}; [measured](/cost.md)).", ""]
    return lines


def shown(explainer: type) -> str:
    """The settings as they are written, defaults shown; long lists break."""
    from fieldmark.explainers.contract import parameters

    fields = list(parameters(explainer()))
    signature = inspect.signature(explainer)
    parts = [f"{name}={signature.parameters[name].default!r}" for name in fields]
    if sum(map(len, parts)) < 60:
        return ", ".join(parts)
    return "\n" + "".join(f"    {part},\n" for part in parts)


def settings(name: str) -> list[str]:
    """The docstring of a method, or of anything else that fieldmark exports."""
    import fieldmark

    return markdown(inspect.getdoc(getattr(fieldmark, name)) or "")


def methods() -> list[str]:
    """Links to all methods by family, with their sentences."""
    lines: list[str] = []
    for heading in dict.fromkeys(map(family, explainers())):
        lines += [f"**{heading}**", ""]
        for one in explainers():
            if family(one) == heading:
                lines += [f"- [{one.__name__}](/methods/{one.__name__}.md): {one.summary}"]
        lines += [""]
    return lines


def gallery() -> list[str]:
    """A grid of small pictures by family."""
    lines: list[str] = []
    for heading in dict.fromkeys(map(family, explainers())):
        lines += [f"## {heading}", "", ":::{container} gallery"]
        for one in explainers():
            if family(one) == heading:
                name = one.__name__
                picture = f"![{name} of a cat](/img/methods/{name}-small.webp)"
                lines += [f"[{picture} {name}](/methods/{name}.md)", ""]
        lines += [":::", ""]
    return lines


def references() -> list[str]:
    """The papers of references.bib, each under its key."""
    text = (DOCS / "references.bib").read_text(encoding="utf-8")
    lines: list[str] = []
    for key, body in re.findall(r"^@\w+\{([^,]+),\n(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        entry = dict(re.findall(r"^\s*(\w+)\s*=\s*\{(.*)\},?$", body, re.MULTILINE))
        entry = {name: re.sub(r"[{}\\\"']", "", value).replace("--", "–") for name, value in entry.items()}
        people = entry.get("author", "").split(" and ")
        names = people[0].split(",")[0] + (" and others" if len(people) > 2 else "")
        if len(people) == 2:
            names += f" and {people[1].split(',')[0]}"
        venue = next(
            (entry[name] for name in ("booktitle", "journal", "publisher", "howpublished") if name in entry), ""
        )
        lines += [f"({key})=", "", f"**{key}** {names}: *{entry['title']}*. {venue}, {entry['year']}.", ""]
    return lines


def commands() -> list[str]:
    """Every command with its arguments and options."""
    import typer

    from fieldmark.cli.app import app

    lines: list[str] = []
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        lines += [f"## fieldmark {name}", "", first_lines(command.help), ""]
        for parameter in command.params:
            if getattr(parameter, "hidden", False) or parameter.name == "help":
                continue
            names = ", ".join(f"`{one}`" for one in (*parameter.opts, *parameter.secondary_opts) if one.startswith("-"))
            named = names or f"`{parameter.make_metavar(typer.Context(command)) if False else parameter.name.upper()}`"
            help_text = re.sub(r"\[/?\w+\]", "", getattr(parameter, "help", None) or "")
            lines += [named, f": {escape(help_text)}{default(parameter)}", ""]
    return lines


def first_lines(text: str | None) -> str:
    return escape(re.sub(r"\[/?\w+\]", "", inspect.cleandoc(text or "")))


def escape(text: str) -> str:
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<>{}])", r"\\\1", part) for part in parts)


def default(parameter: Any) -> str:
    told = getattr(parameter, "show_default", None)
    value = told if isinstance(told, str) else parameter.default
    if value is None or value is False or callable(value) or value == ():
        return ""
    return f" Default: {value}."


def metrics() -> list[str]:
    """Every measure of `fieldmark trust` by family: formula, direction, what it says and what it does not."""
    from fieldmark.trust.metrics import FAMILIES, METRICS

    lines: list[str] = []
    for heading in FAMILIES:
        lines += [f"### {heading.capitalize()}", ""]
        for metric in METRICS:
            if metric.family != heading:
                continue
            better = f"; {metric.better} is better" if metric.better else "; neither is better"
            papers = "".join(f" [{key}](#{key})" for key in metric.citation)
            ends = ["" if end is None else f"{end:g}" for end in (metric.low, metric.high)]
            between = f", {ends[0]} to {ends[1]}" if all(ends) else f", from {ends[0]}" if ends[0] else ""
            formula = escape(metric.formula).replace("|", "\\|")
            lines += [f"**{metric.name}** (`{metric.key}`{between}{better})"]
            lines += [f": {formula}.{papers}", "", f"  *Good means*: {metric.says}.", ""]
            lines += [f"  *Does not mean*: {metric.pitfall}.", ""]
    return lines


LISTED = ("index", "start", "gallery", "methods", "command-line", "api", "cost", "parity", "references")


def more() -> list[str]:
    """A table of contents of the pages that no other table lists."""
    names = sorted(path.stem for path in DOCS.glob("*.md") if path.stem not in LISTED)
    return ["```{toctree}", ":hidden:", ":caption: Further", "", *names, "```"] if names else []


PARTS = {
    "commands": commands,
    "gallery": gallery,
    "method": method,
    "methods": methods,
    "metrics": metrics,
    "more": more,
    "references": references,
    "settings": settings,
}


class Made(SphinxDirective):
    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        lines = PARTS[self.arguments[0]](*self.arguments[1:])
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


class Number(SphinxRole):
    """{n}`NAME path.to.value FORMAT`"""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        name, path, how = self.text.split(" ")
        file = DOCS / "tutorials" / f"{name}.json"
        self.env.note_dependency(str(file))
        return [nodes.Text(number(json.loads(file.read_text(encoding="utf-8")), path, how))], []


def number(found: Any, path: str, how: str) -> str:
    """The value at a.b.0 as text; a % is set apart by a thin space, as the figures do."""
    for part in path.split("."):
        found = found[int(part)] if isinstance(found, list) else found[part]
    return format(found, "" if how == "s" else how).replace("%", "\N{NARROW NO-BREAK SPACE}%")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("made", Made)
    app.add_role("n", Number())
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
