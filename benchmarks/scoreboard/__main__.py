"""`python -m benchmarks.scoreboard`; the work is in `running`, which worker processes can import."""

from __future__ import annotations

from benchmarks.scoreboard.running import main

if __name__ == "__main__":
    raise SystemExit(main())
