"""The command line: `fieldmark predict | explain | layers | demo`.

Importing this loads no framework and no matplotlib, so that `fieldmark --help` answers at once.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import NoReturn

from fieldmark.cli.screen import printable
from fieldmark.errors import FieldmarkError

MENDABLE, UNEXPECTED, INTERRUPTED = 2, 1, 130
"""Exit codes: something the user can mend, a fault, Control-C."""


def main() -> NoReturn:
    """The `fieldmark` command: frameworks silenced, one line for every error, then exit."""
    debug = _debugging(sys.argv)
    if not debug:
        _silence_frameworks()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. Errors are one line on standard error, with `--debug` a traceback."""
    import typer

    from fieldmark.cli.app import app

    usage_error: type[Exception] = typer.BadParameter.__mro__[1]  # typer hands on its base without a public name
    debug = _debugging(arguments)
    rest = [argument for argument in arguments if argument != "--debug"] or ["--help"]
    try:
        return app(rest, prog_name="fieldmark", standalone_mode=False) or 0
    except FieldmarkError as error:
        return _refuse(str(error), debug)
    except usage_error as error:
        return _refuse(_usage(error), False)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:
        said = " ".join(str(error).split())
        hint = "" if debug else " (run it again with --debug for the traceback)"
        _refuse(f"unexpected {type(error).__name__}: {said[:300]}{hint}", debug)
        return UNEXPECTED


def _refuse(message: str, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"fieldmark: {printable(message)}", file=sys.stderr)
    return MENDABLE


def _usage(error: Exception) -> str:
    said = getattr(error, "format_message", error.__str__)().rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "fieldmark"
    return f"{said[:1].lower()}{said[1:]}; see: {path} --help"


def _debugging(arguments: Sequence[str]) -> bool:
    return "--debug" in arguments or os.environ.get("FIELDMARK_DEBUG", "") not in ("", "0")


def _silence_frameworks() -> None:
    """Keep the chatter of TensorFlow, absl and JAX off the screen; `--debug` lets it through.

    Parts of it are written by C++ to file descriptor 2 whatever the log level says. So that descriptor goes nowhere,
    and Python's standard error gets a copy of the real one.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    warnings.simplefilter("ignore")
    for name in ("tensorflow", "absl", "jax"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        descriptor = sys.stderr.fileno()
        copy = os.dup(descriptor)
        nowhere = os.open(os.devnull, os.O_WRONLY)
    except (OSError, ValueError, AttributeError):
        return  # no real standard error: nothing to keep clean
    sys.stderr.flush()
    sys.stderr = os.fdopen(copy, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
