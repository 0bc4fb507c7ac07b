"""`python -m benchmarks.scoreboard.train [--only TEXT]`: train the networks that are not there yet."""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    from benchmarks.scoreboard.nets import main_nets, train

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="nets whose name contains this")
    options = parser.parse_args()
    for net in main_nets():
        if options.only in net.name and not net.path.exists():
            done = train(net)
            print(f"{net.name}: accuracy {done['accuracy']:.4f} in {done['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
