"""`make test-matrix`: the tests on the oldest and newest versions that pyproject.toml promises, each in its own venv.

The oldest are the lower bounds as they are written there, the newest what the package index has today. One venv at a
time is built, tested and removed, as frameworks are large. Results are kept in a file of JSON lines beside the venvs,
so that a run can be continued; `docs/versions.md` is written from it. Needs the standard library only.

    python tests/matrix/run.py                      all combinations whose Python is on this machine
    python tests/matrix/run.py oldest-jax newest    these only
    python tests/matrix/run.py --through "nice -n 19"   every test run behind a command of yours
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("pytest", "hypothesis")  # of the extra `dev`, at the versions pinned there
SHOWN = ("keras", "tensorflow-cpu", "tensorflow", "jax", "torch", "numpy", "pillow", "matplotlib")

EVERY = (
    "tests/laws/test_contract.py",
    "tests/classifier/test_engine.py",
    "tests/classifier/test_models.py",
    "tests/explainers/test_cam.py",
    "tests/explainers/test_gradients.py",
    "tests/explainers/test_relevance.py",
)
MORE = {
    "tensorflow": (
        "tests/test_images.py",
        "tests/classifier/test_loading.py",
        "tests/cli",
        "tests/messages/test_bad_input.py",
        "tests/figures",
        "tests/report",
    ),
    "jax": (),
    "torch": ("tests/classifier/test_torch_modules.py", "tests/explainers/test_cam_torch.py"),
}


@dataclass(frozen=True)
class Combination:
    """One venv: its Python, its backends, and where its versions come from.

    `pins` are requirements beside fieldmark's own; with `oldest` every lower bound of pyproject.toml is one of them.
    """

    name: str
    python: str
    backends: tuple[str, ...]
    oldest: bool = False
    pins: tuple[str, ...] = ()


COMBINATIONS = (
    Combination("oldest-tensorflow", "3.11", ("tensorflow",), oldest=True),
    Combination("oldest-jax", "3.11", ("jax",), oldest=True),
    Combination("oldest-torch", "3.11", ("torch",), oldest=True),
    Combination(
        "between", "3.12", ("tensorflow", "jax"), pins=("keras==3.9.*", "tensorflow-cpu==2.19.*", "jax==0.5.*")
    ),
    Combination("newest-tensorflow", "3.13", ("tensorflow",)),
    Combination("newest-jax", "3.13", ("jax",)),
    Combination("newest-torch", "3.13", ("torch",)),
)


def promised() -> dict[str, Any]:
    """The [project] table of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def lower_bounds(project: dict[str, Any], extras: tuple[str, ...]) -> list[str]:
    """`name>=1.2` as `name==1.2`, for the package's own requirements and these extras."""
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    return [re.sub(r"\s*>=\s*([\w.]+)", r"==\1", requirement) for requirement in wanted]


def tools(project: dict[str, Any]) -> list[str]:
    """The pinned test tools."""
    return [each for each in project["optional-dependencies"]["dev"] if each.partition("==")[0] in TOOLS]


def interpreter(version: str) -> str | None:
    """A Python of that version: on the path, this one, or among pyenv's."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    found = shutil.which(f"python{version}")
    if found and subprocess.run([found, "-c", "0"], capture_output=True).returncode == 0:
        return found
    for folder in (Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions").glob(f"{version}.*"):
        if (folder / "bin" / "python").exists():
            return str(folder / "bin" / "python")
    return None


def install(one: Combination, python: str, folder: Path) -> dict[str, str]:
    """Build the venv; returns the versions in it."""
    subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
    project = promised()
    extras = ",".join((*one.backends, "demo"))
    pins = [*one.pins, *(lower_bounds(project, one.backends) if one.oldest else ())]
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-cache-dir", f"{ROOT}[{extras}]", *tools(project), *pins], check=True)
    listed = [*pip[:-2], "list", "--format=json"]
    found = {
        each["name"].lower().replace("_", "-"): each["version"] for each in json.loads(subprocess.check_output(listed))
    }
    return {name: found[name] for name in SHOWN if name in found}


def run_tests(one: Combination, backend: str, folder: Path, through: list[str]) -> dict[str, Any]:
    """Pytest's counts in this venv on one backend. Others' warnings are no errors here."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    files = [name for name in (*EVERY, *MORE[backend]) if (ROOT / name).exists()]
    command = [str(folder / "bin" / "python"), "-m", "pytest", "-q", "-W", "default", "-p", "no:cacheprovider", *files]
    start = time.monotonic()
    done = subprocess.run([*through, *command], cwd=ROOT, env=environment, capture_output=True, text=True)
    Path(f"{folder}-{backend}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    lines = [line for line in done.stdout.splitlines() if re.search(r"\d+ (passed|failed|error)", line)]
    counts = {what: int(number) for number, what in re.findall(r"(\d+) (passed|failed|error|skipped)", lines[-1])}
    return {"backend": backend, "seconds": round(time.monotonic() - start), "exit": done.returncode, **counts}


def table(results: list[dict[str, Any]]) -> str:
    """`docs/versions.md`."""
    project = promised()
    bounds = [*project["dependencies"]] + [
        each for name in ("tensorflow", "jax", "torch") for each in project["optional-dependencies"][name]
    ]
    rows = []
    for result in results:
        versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
        for run in result["runs"]:
            said = f"{run.get('passed', 0)} passed"
            said += "".join(f", {run[what]} {what}" for what in ("failed", "error", "skipped") if run.get(what))
            rows.append(f"| {result['name']} | {result['python']} | {versions} | {run['backend']} | {said} |")
    return "\n".join(
        [
            "# Versions",
            "",
            "Written by `make test-matrix`, which builds one environment after the other and runs in it the contract",
            "of every explainer, the engine, the models, class activation maps, gradients and relevance, and on",
            "TensorFlow images, model files, figures, the report and the command line. The oldest are the lower",
            "bounds of `pyproject.toml`, the newest what the package index had on the day.",
            "",
            f"Promised: Python {project['requires-python']}, "
            + ", ".join(each.split(";")[0].strip() for each in bounds[:5]),
            "and more of the kind; " + ", ".join(dict.fromkeys(e.split(";")[0].strip() for e in bounds[-4:])) + ".",
            "",
            "| environment | Python | versions | backend | tests |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(one.name for one in COMBINATIONS))
    parser.add_argument("--folder", type=Path, default=ROOT / ".venv-matrix", help="where venvs and logs go")
    parser.add_argument("--through", default="", help="a command to run the tests behind, such as 'nice -n 19'")
    parser.add_argument("--again", action="store_true", help="also what has been run before")
    asked = parser.parse_args()
    unknown = set(asked.names) - {one.name for one in COMBINATIONS}
    if unknown:
        parser.error(f"unknown environment {', '.join(unknown)}; valid: {', '.join(o.name for o in COMBINATIONS)}")
    asked.folder.mkdir(parents=True, exist_ok=True)
    kept = asked.folder / "results.jsonl"
    results = {}
    if kept.exists():
        results = {each["name"]: each for each in map(json.loads, kept.read_text(encoding="utf-8").splitlines())}
    for one in COMBINATIONS:
        if (asked.names and one.name not in asked.names) or (one.name in results and not asked.again):
            continue
        python = interpreter(one.python)
        if python is None:
            print(f"{one.name}: left out, no Python {one.python} on this machine", flush=True)
            continue
        print(f"{one.name}: installing", flush=True)
        venv = asked.folder / one.name
        try:
            versions = install(one, python, venv)
            runs = [run_tests(one, backend, venv, shlex.split(asked.through)) for backend in one.backends]
        finally:
            shutil.rmtree(venv, ignore_errors=True)
        results[one.name] = {"name": one.name, "python": one.python, "versions": versions, "runs": runs}
        print(json.dumps(results[one.name]), flush=True)
        order = [each.name for each in COMBINATIONS if each.name in results]
        kept.write_text("".join(json.dumps(results[name]) + "\n" for name in order), encoding="utf-8")
        (ROOT / "docs" / "versions.md").write_text(table([results[name] for name in order]), encoding="utf-8")
    return int(any(run["exit"] for each in results.values() for run in each["runs"]))


if __name__ == "__main__":
    sys.exit(main())
