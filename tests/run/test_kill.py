"""SIGKILL at random moments: run again, nothing is lost, nothing is there twice, every shard is whole.

FIELDMARK_KILLS says how many kills (4); docs/run.md has the counts of a longer run.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fieldmark.run.writer import sha256
from tests.run.support import folder_of, numbers, table

pytestmark = pytest.mark.no_framework
KILLS = int(os.environ.get("FIELDMARK_KILLS", "4"))
COUNT = 80 * max(KILLS, 4)

CODE = """
    import sys
    from pathlib import Path
    from tests.run.support import corner, go, slowly
    seen = Path(sys.argv[3])
    def counted(images):
        columns = slowly(images)
        with open(seen, "a") as file:
            file.write("".join(f"{number}\\n" for number in columns["number"]))
        return columns
    print("ready", flush=True)
    report = go(Path(sys.argv[1]), Path(sys.argv[2]), counted, shard_size=10)
    print(report.images, report.rejected)
"""


def start(photos: Path, out: Path, seen: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(CODE), str(photos), str(out), str(seen)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finished(out: Path) -> int:
    return len(list((out / "shards").glob("0*.parquet")))


def test_killed_at_random_points_nothing_is_lost_and_nothing_twice(tmp_path: Path) -> None:
    photos, out, seen = folder_of(tmp_path / "photos", COUNT), tmp_path / "out", tmp_path / "seen"
    (photos / "00123.png").write_bytes(b"bad")
    chance = random.Random(os.environ.get("FIELDMARK_KILL_SEED", "0"))
    killed = 0
    while killed < KILLS:
        process = start(photos, out, seen)
        wanted = finished(out) + chance.randint(0, 3)
        while finished(out) < wanted and process.poll() is None:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.08))  # anywhere between two shards, which take about as long
        alive = process.poll() is None
        process.kill()
        process.communicate()
        if not alive:
            break
        killed += 1
        for path in sorted((out / "shards").glob("0*.parquet")):  # what has its name is whole, at every moment
            pq.read_table(path)
    last = start(photos, out, seen)
    said, _ = last.communicate(timeout=200)
    print(f"killed {killed} times")
    assert last.returncode == 0
    assert said == f"{COUNT - 1} 1\n"
    expected = [number for number in range(COUNT) if number != 123]
    assert numbers(out) == expected
    assert table(out)["index"].to_pylist() == expected
    assert [row["index"] for row in pq.read_table(out / "rejected.parquet").to_pylist()] == [123]
    logged = {}
    for line in (out / "shards.jsonl").read_text().splitlines():
        try:
            shard = json.loads(line)
        except ValueError:
            continue  # cut by a kill; its shard was found by its file and logged again
        logged[shard["number"]] = shard
    assert sorted(logged) == list(range(COUNT // 10))
    assert all(sha256(out / "shards" / f"{n:08d}.parquet") == shard["sha256"] for n, shard in logged.items())
    assert [path.name for path in (out / "shards").iterdir() if path.name.startswith(".")] == []
    computed = len(seen.read_text().splitlines())
    assert computed >= len(expected)
    # A kill costs what was in the works: the shard being written and the batches on their way to it.
    assert computed - len(expected) <= (killed + 1) * 25
    assert killed >= min(KILLS, 3)
