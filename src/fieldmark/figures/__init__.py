"""Figures of attributions, as matplotlib Figures and RGB arrays; nothing here opens a window or touches pyplot."""

from fieldmark.figures.overlay import overlay
from fieldmark.figures.panels import overlay_figure, panel

__all__ = ["overlay", "overlay_figure", "panel"]
