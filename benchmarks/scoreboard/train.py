"""`python -m benchmarks.scoreboard.train [--only TEXT] [--at-most N]`: train the networks that are not there yet."""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    from benchmarks.scoreboard.nets import main_nets, train

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="nets whose name contains this")
    parser.add_argument("--at-most", type=int, default=10_000, help="stop after so many nets")
    options = parser.parse_args()
    missing = [net for net in main_nets() if options.only in net.name and not net.path.exists()]
    for net in missing[: options.at_most]:
        done = train(net)
        print(f"{net.name}: accuracy {done['accuracy']:.4f} in {done['seconds']} s", flush=True)
    print(f"{max(0, len(missing) - options.at_most)} nets left")


if __name__ == "__main__":
    main()
