"""Runs on a real cluster of three nodes of this machine; a process of its own, as Ray warns and leaves threads behind.

A worker is killed after three shards and a node after six. Prints one JSON document.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import ray
import ray.data
from ray.cluster_utils import Cluster

from fieldmark.run import Options, run_job
from tests.run.support import corner, folder_of, job

COUNT = 240
# A node that is gone is missed after a second, not after fifteen.
SOON = {"health_check_initial_delay_ms": 500, "health_check_period_ms": 500, "health_check_failure_threshold": 2}


def slow_corner(images: np.ndarray) -> dict[str, Any]:
    time.sleep(0.03)
    return {**corner(images), "process": np.full(len(images), os.getpid())}


def finished(out: Path) -> int:
    return len(list((out / "shards").glob("0*.parquet")))


def kill_a_worker_then_a_node(cluster: Any, node: Any, out: Path, done: list[str]) -> None:
    while finished(out) < 3:
        time.sleep(0.05)
    first = pq.read_table(next((out / "shards").glob("0*.parquet")))
    os.kill(first["process"][0].as_py(), signal.SIGKILL)
    done.append("worker")
    while finished(out) < 6:
        time.sleep(0.05)
    cluster.remove_node(node, allow_graceful=False)
    done.append(f"node, with {finished(out)} of {COUNT // 10} shards finished")


def main() -> None:
    scratch = Path(sys.argv[1])
    started = time.monotonic()
    seconds: dict[str, float] = {}

    def passed(what: str) -> None:
        seconds[what] = round(time.monotonic() - started, 1)

    photos = folder_of(scratch / "photos", COUNT)
    (photos / "00100.png").write_bytes(b"bad")
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": SOON}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.wait_for_nodes()
    passed("cluster")
    done: list[str] = []
    out = scratch / "ray"
    threading.Thread(target=kill_a_worker_then_a_node, args=(cluster, nodes[0], out, done), daemon=True).start()
    options = Options(shard_size=10, engine="ray", address=cluster.address, ray_options={"concurrency": (1, 2)})
    report = run_job(job(slow_corner), photos, out=out, options=options)
    passed("run with losses")
    again = run_job(job(slow_corner), photos, out=out, options=options)
    local = run_job(job(slow_corner), photos, out=scratch / "local", options=Options(shard_size=10))
    passed("run again, and here")
    tables = [pq.read_table(folder / "shards").sort_by("index") for folder in (out, scratch / "local")]
    maps = [table["map"].combine_chunks().to_numpy_ndarray() for table in tables]
    found = {
        "killed": done,
        "images": [report.images, local.images],
        "rejected": [report.rejected, local.rejected],
        "again": again.new,
        "indices": tables[0]["index"].to_pylist(),
        "processes": len(set(tables[0]["process"].to_pylist())),
        "difference": float(np.abs(maps[0] - maps[1]).max()),
        "read by ray.data": ray.data.read_parquet(str(out / "shards")).count(),
    }
    passed("read by ray.data")
    found["seconds"] = seconds
    print("RESULT" + json.dumps(found), flush=True)
    os._exit(0)  # Ray's shutdown after a lost node waits for it


if __name__ == "__main__":
    main()
