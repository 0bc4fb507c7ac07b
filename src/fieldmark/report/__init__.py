"""Reports: one HTML file with the images, their maps and what the model says, to open or to send on."""

from fieldmark.report.build import build
from fieldmark.report.html import render, write_report

__all__ = ["build", "render", "write_report"]
