"""All the files of a field guide."""

from __future__ import annotations

from pathlib import Path

from fieldmark.guide import FieldGuide
from fieldmark.report.folder import OutputFolder


def write_files(folder: OutputFolder, guide: FieldGuide, quiz: bool = False) -> list[Path]:
    """Write guide.html, guide.pdf, guide.json and, where asked for and there is a key, quiz.html; then show them."""
    folder.write("guide.html", guide.write_html)
    folder.write("guide.pdf", guide.write_pdf)
    folder.write("guide.json", guide.save)
    if quiz and guide.key is not None:
        folder.write("quiz.html", guide.write_quiz)
    return folder.publish()
