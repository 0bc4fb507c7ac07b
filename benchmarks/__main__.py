"""`python -m benchmarks [--peers PYTHON]`: the budget table, measured now, printed and written to JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from subprocess import PIPE
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.jobs import JOBS
from benchmarks.peers import PEERS

ROOT = Path(__file__).resolve().parents[1]
PAGE = """# Cost

In forward passes (`predict_on_batch`) of the same batch in the same process: EfficientNet-Lite0, {batch} images,
{cores} CPU cores, TensorFlow. Medians of interleaved runs, quartiles in brackets. What fieldmark is measured on starts
from uint8 photographs and ends in an `Attribution`; a peer's objects are made outside the clock and draw nothing.
`make bench PEERS=1` measures it where you are; `python -m benchmarks --page` writes this page.
"""
console = Console(width=None if sys.stdout.isatty() else 140)


def run(python: str, name: str, options: argparse.Namespace) -> dict[str, Any] | None:
    """What `benchmarks.worker` measured for one name in its own process; None, the reason printed, if it failed."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": paths}
    with tempfile.TemporaryDirectory() as folder, console.status(f"measuring {name}") as status:
        out, said = Path(folder) / "rows.json", Path(folder) / "errors.txt"
        command = [python, "-m", "benchmarks.worker", name, str(out)]
        command += ["--rounds", str(options.rounds), "--batch", str(options.batch)]
        command += ["--only", *options.only] if options.only else []
        with (
            said.open("w") as errors,
            subprocess.Popen(command, env=environment, stdout=PIPE, stderr=errors, text=True, cwd=ROOT) as worker,
        ):
            for line in worker.stdout or ():
                if line.startswith("job "):
                    status.update(f"measuring {name}: {line[4:].strip()}")
        if worker.returncode == 0:
            return json.loads(out.read_text())
        if worker.returncode < 0:
            said.write_text(f"ended by signal {-worker.returncode}")
        reason = (said.read_text().strip().splitlines() or [f"exit status {worker.returncode}"])[-1]
    console.print(f"{name}: not measured: {reason}", style="yellow", highlight=False)
    return None


def table(results: list[dict[str, Any]], batch: int) -> Table:
    """A row a job: ratio and quartiles of each package, and the budget."""
    title = f"Cost in forward passes of the same batch: EfficientNet-Lite0, {batch} images, {os.cpu_count()} cores"
    shown = Table(
        title=title, caption="median of interleaved runs (quartiles); each beside a forward pass of its own process"
    )
    shown.add_column("job")
    for result in results:
        shown.add_column(result["name"], justify="right")
    shown.add_column("at most", justify="right")
    shown.add_column("aim", justify="right")
    for job in JOBS:
        rows = [result["rows"].get(job.key) for result in results]
        if any(rows):
            budget = [f"{bound:.1f}" if bound else "" for bound in (job.at_most, job.aim)]
            shown.add_row(job.name, *(cell(row, job.at_most if not i else None) for i, row in enumerate(rows)), *budget)
    return shown


def cell(row: dict[str, Any] | None, at_most: float | None) -> str:
    if row is None:
        return "–"
    text = f"{row['ratio']:.2f} ({row['low']:.2f}–{row['high']:.2f})"
    return f"[red]{text} ![/red]" if at_most and row["ratio"] > at_most else text


def page(results: list[dict[str, Any]], options: argparse.Namespace) -> str:
    """The same table as a page of the documentation, with the versions it was measured with."""
    names = [result["name"] for result in results]
    lines = [
        PAGE.format(batch=options.batch, cores=os.cpu_count()),
        f"| job | {' | '.join(names)} | at most | aim |",
        f"|---|{'---|' * (len(names) + 2)}",
    ]
    for job in JOBS:
        cells = [cell(result["rows"].get(job.key), None) for result in results]
        bounds = [f"{bound:g}" if bound else "" for bound in (job.at_most, job.aim)]
        lines.append(f"| {' | '.join([job.name, *cells, *bounds])} |")
    lines += ["", *(f"- {result['name']}: {said(result['versions'])}" for result in results)]
    return "\n".join(lines) + "\n"


def said(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--peers", metavar="PYTHON", help="a Python that has the peers: .venv-peers/bin/python")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--only", nargs="*", choices=[job.key for job in JOBS], help="these jobs; all by default")
    parser.add_argument("--out", type=Path, default=ROOT / "bench.json")
    parser.add_argument("--page", type=Path, help="write the table as Markdown too")
    options = parser.parse_args()
    if options.peers and shutil.which(options.peers) is None:
        parser.error(f"--peers {options.peers}: no such Python; `make bench PEERS=1` makes one in .venv-peers")
    wanted = [(sys.executable, "fieldmark")] + [(options.peers, name) for name in PEERS if options.peers]
    results = [result for python, name in wanted if (result := run(python, name, options))]
    if not results or results[0]["name"] != "fieldmark":
        return 1
    console.print(table(results, options.batch))
    budget = {job.key: {"name": job.name, "at_most": job.at_most, "aim": job.aim} for job in JOBS}
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "system": platform.system()}
    written = {"batch": options.batch, "machine": machine, "jobs": budget, "results": results}
    options.out.write_text(json.dumps(written, indent=1) + "\n")
    console.print(f"written to {options.out}")
    if options.page:
        options.page.write_text(page(results, options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
