"""The same run on a real Ray cluster of several nodes, with a worker and a node lost half-way."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.support.command import Command

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray (extra `ray`) is not installed")
MINUTES = pytest.mark.skipif(
    "FIELDMARK_RAY" not in os.environ, reason="a cluster of its own takes minutes on two cores: make test-ray"
)
COUNT = 240


def on_ray(script: str, *arguments: object, timeout: float = 420) -> dict[str, Any]:
    """What a script of this folder prints, run by itself, as Ray warns and leaves threads behind."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "RAY_ADDRESS": "",
        "RAY_AUTH_MODE": "disabled",
    }
    done = subprocess.run(
        [sys.executable, "-m", f"tests.run.{script}", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
        cwd=Path(__file__).resolve().parents[2],
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert lines, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(lines[0].removeprefix("RESULT"))


@MINUTES
def test_one_node_gives_what_this_process_gives(here: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    found = on_ray("ray_node", here, tmp_path_factory.mktemp("ray"))
    assert found["images"] == [30, 30]
    assert found["sources"]
    assert found["difference"] <= 1e-5 * found["largest"]
    assert found["read by ray.data"] == 0


@MINUTES
def test_a_lost_worker_and_a_lost_node_change_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = on_ray("ray_cluster", tmp_path_factory.mktemp("ray"))
    print("\nseconds:", found["seconds"])
    assert found["killed"][0] == "worker"
    assert found["killed"][1].startswith("node, with ")
    assert found["images"] == [COUNT - 1, COUNT - 1]
    assert found["rejected"] == [1, 1]
    assert found["indices"] == [number for number in range(COUNT) if number != 100]
    assert found["again"] == 0
    assert found["processes"] >= 2
    assert found["difference"] <= 1e-5
    assert found["read by ray.data"] == COUNT - 1


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:9", "Ray at 127.0.0.1:9: nothing answers (connection refused); see that the head node runs"),
        ("ray://127.0.0.1:9", "Ray at ray://127.0.0.1:9: nothing answers (connection refused)"),
        ("no-such-host.invalid:6379", "Ray at no-such-host.invalid:6379: nothing answers"),
        ("somewhere", "Ray address 'somewhere': expected host:port, ray://host:port or auto"),
    ],
)
def test_an_address_that_does_not_answer_is_one_line_within_seconds(
    here: Path, command: Command, address: str, said: str
) -> None:
    started = time.monotonic()
    done = command("run", "model.keras", "photos", "--out", "out", "--engine", "ray", "--address", address)
    assert done.line.startswith(said)
    assert time.monotonic() - started < 20


def test_ray_address_is_honoured(here: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    done = command("run", "model.keras", "photos", "--out", "out", "--engine", "ray")
    assert done.line.startswith("Ray at 127.0.0.1:9: nothing answers")


@pytest.fixture
def cluster() -> Iterator[tuple[str, dict[str, str]]]:
    """A cluster that `ray start` made, guarded by a token: its ray:// address, and the environment with the token."""
    place = f"127.0.0.1:{free_port()}"
    home = tempfile.mkdtemp()  # Ray's sockets need a short path
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
    asked = ["start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={free_port()}", f"--temp-dir={home}"]
    asked += [f"--ray-client-server-port={place.split(':')[1]}", "--include-dashboard=false", "--num-cpus=2"]
    ray = Path(sys.executable).with_name("ray")
    head = subprocess.Popen(
        [ray, *asked, "--disable-usage-stats"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **token},
    )
    try:
        wait_for(place)
        yield f"ray://{place}", token
    finally:
        head.terminate()
        head.wait(60)
        shutil.rmtree(home, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(place: str) -> None:
    host, port = place.split(":")
    for _ in range(600):
        with contextlib.suppress(OSError):
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        time.sleep(0.2)
    raise AssertionError(f"no client server at {place}")


def by_command(out: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`fieldmark run` in the current folder, as a process of its own."""
    asked = ["run", "model.keras", "photos", "--out", str(out), "--shard-size", "12", *arguments]
    return subprocess.run(
        [sys.executable, "-c", "from fieldmark.cli import main; main()", *asked],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )


@MINUTES
def test_from_outside_by_ray_client(here: Path, cluster: tuple[str, dict[str, str]]) -> None:
    address, token = cluster
    refused = by_command(here / "out", "--engine", "ray", "--address", address)
    assert refused.stderr.startswith(f"fieldmark: Ray at {address}: the cluster asks for its token; set RAY_AUTH_MODE")
    assert len(refused.stderr.splitlines()) == 1
    wrong = by_command(here / "out", "--engine", "ray", "--address", address, **{**token, "RAY_AUTH_TOKEN": "0" * 32})
    assert wrong.stderr.startswith(f"fieldmark: Ray at {address}: the cluster asks for its token")
    assert not (here / "out").exists()
    done = by_command(here / "out", "--engine", "ray", "--address", address, **token)
    assert done.returncode == 0, done.stderr
    again = by_command(here / "out", "--engine", "ray", "--json", RAY_ADDRESS=address, **token)
    assert (json.loads(again.stdout)["images"], json.loads(again.stdout)["new"]) == (30, 0)
    assert by_command(here / "local").returncode == 0
    tables = [pq.read_table(here / name / "shards").sort_by("index") for name in ("out", "local")]
    assert tables[0]["source"] == tables[1]["source"]
    maps = [table["gradcam"].combine_chunks().to_numpy_ndarray() for table in tables]
    assert np.abs(maps[0] - maps[1]).max() <= 1e-5 * np.abs(maps[1]).max()
