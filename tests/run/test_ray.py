"""The same run on a real Ray cluster of several nodes, with a worker and a node lost half-way."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Command

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray (extra `ray`) is not installed")
COUNT = 240


def on_a_cluster(*arguments: object, timeout: float = 420) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "RAY_ADDRESS": ""}
    done = subprocess.run(
        [sys.executable, "-m", "tests.run.ray_cluster", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
        cwd=Path(__file__).resolve().parents[2],
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert lines, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(lines[0].removeprefix("RESULT"))


@pytest.mark.skipif(
    "FIELDMARK_RAY" not in os.environ, reason="a cluster of several nodes takes minutes on two cores: make test-ray"
)
def test_a_lost_worker_and_a_lost_node_change_nothing(here: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    found = on_a_cluster(tmp_path_factory.mktemp("ray"), here)
    assert found["killed"][0] == "worker"
    assert found["killed"][1].startswith("node, with ")
    assert found["images"] == [COUNT - 1, COUNT - 1]
    assert found["rejected"] == [1, 1]
    assert found["indices"] == [number for number in range(COUNT) if number != 100]
    assert found["again"] == 0
    assert found["processes"] >= 2
    assert found["difference"] <= 1e-5
    assert found["read by ray.data"] == COUNT - 1
    assert found["explained"] <= 1e-5


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
