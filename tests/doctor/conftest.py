"""The folder and the command of tests/cli."""

from tests.cli.conftest import command, here, model_file

__all__ = ["command", "here", "model_file"]
