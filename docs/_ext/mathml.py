"""Formulas as MathML, which browsers draw by themselves: no script and no font travels with the page."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx


def written(node: nodes.Node, block: bool) -> str:
    return str(latex2mathml.tex2mathml(node.astext(), as_block=block))


def inline(visitor: Any, node: nodes.Node) -> None:
    visitor.body.append(written(node, False))
    raise nodes.SkipNode


def block(visitor: Any, node: nodes.Node) -> None:
    visitor.body.append(f'<div class="math">{written(node, True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
