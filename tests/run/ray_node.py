"""A run on Ray with one node, started here; a process of its own, as Ray leaves threads behind. Prints one document."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import ray

from fieldmark import GradCAM
from fieldmark.run import run


def main() -> None:
    here, scratch = map(Path, sys.argv[1:])
    os.chdir(here)
    tables = []
    for engine, more in (("ray", {"address": "local", "ray_options": {"concurrency": 1}}), ("local", {})):
        out = scratch / engine
        report = run("model.keras", "photos", GradCAM(), out=out, shard_size=12, engine=engine, **more)
        tables.append((report, pq.read_table(out / "shards").sort_by("index")))
    maps = [table["gradcam"].combine_chunks().to_numpy_ndarray() for _, table in tables]
    read = ray.data.read_parquet(str(scratch / "ray" / "shards")).sort("index").take_batch(1000)
    found = {
        "images": [report.images for report, _ in tables],
        "sources": tables[0][1]["source"].to_pylist() == tables[1][1]["source"].to_pylist(),
        "difference": float(np.abs(maps[0] - maps[1]).max()),
        "largest": float(np.abs(maps[1]).max()),
        "read by ray.data": float(np.abs(read["gradcam"].reshape(maps[0].shape) - maps[0]).max()),
    }
    print("RESULT" + json.dumps(found), flush=True)
    ray.shutdown()


if __name__ == "__main__":
    main()
