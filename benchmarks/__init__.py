"""What every method costs, as a ratio to one forward pass of the same batch: `python -m benchmarks`, `make bench`."""
