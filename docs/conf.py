"""The documentation's build, by Sphinx: `make docs` writes site/, which needs no network to be read or searched."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "_ext"))

from fieldmark import __version__

project, author, copyright = "fieldmark", "the fieldmark authors", "the fieldmark authors, Apache-2.0"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "made", "mathml", "docstrings"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_ext", "_static"]
nitpicky = True
smartquotes = False
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "attrs_inline", "fieldlist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # shapes and units are said in the text, types in the code
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = "fieldmark"
html_static_path = ["_static"]
html_css_files = ["fieldmark.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#7a3b12", "color-brand-content": "#9a4a14"},
    "dark_css_variables": {"color-brand-primary": "#f0a870", "color-brand-content": "#f0a870"},
}
