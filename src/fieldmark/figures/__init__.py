"""Figures of attributions, as matplotlib Figures and RGB arrays; nothing here opens a window or touches pyplot."""

from fieldmark.figures.notebook import notebook_html
from fieldmark.figures.overlay import overlay
from fieldmark.figures.panels import overlay_figure, panel
from fieldmark.figures.registration import seen_box

__all__ = ["notebook_html", "overlay", "overlay_figure", "panel", "seen_box"]
