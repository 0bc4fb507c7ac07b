"""Sampling plans: which cells of which mask are kept, spread more evenly than chance would."""

from __future__ import annotations

import numpy as np

# The two-dimensional additive sequence of the plastic number: as even as a sequence of any length can simply be.
PLASTIC = np.array([0.7548776662466927, 0.5698402909980532])


def latin_hypercube(count: int, dimensions: int, rng: np.random.Generator) -> np.ndarray:
    """(count, dimensions) in [0, 1): in every dimension one point in each of `count` equal intervals [mckay1979]."""
    ranks = rng.permuted(np.tile(np.arange(count)[:, None], (1, dimensions)), axis=0)
    return (ranks + rng.random((count, dimensions))) / count


def even_pairs(count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 2) in [0, 1), spread evenly over the square whatever the count."""
    return (rng.random(2) + np.arange(count)[:, None] * PLASTIC) % 1


def paired_designs(count: int, dimensions: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two designs (count, dimensions) in [0, 1): in each dimension the pairs of both are spread over the square.

    Total Sobol indices live on the difference of the two in one dimension, which this makes even; a Sobol sequence in
    2 x dimensions is even in each of the two alone, and in so many dimensions aligned across them.
    """
    pairs = [rng.permutation(even_pairs(count, rng)) for _ in range(dimensions)]
    return np.stack([pair[:, 0] for pair in pairs], axis=1), np.stack([pair[:, 1] for pair in pairs], axis=1)


def kept_cells(count: int, cells: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Bool (count, cells): each cell is kept in `share` of the rows, as nearly as the count allows.

    For a half, rows come in blocks of a two-level orthogonal array of strength 3 [plackett1946], each row followed by
    its opposite: over a whole block no cell's effect is mixed up with another's, nor with that of any pair.
    """
    if share != 0.5:
        return latin_hypercube(count, cells, rng) < share
    half = 1 << int(cells - 1).bit_length()
    blocks = [_block(half, cells, rng) for _ in range(-(-count // (2 * half)))]
    return np.concatenate(blocks)[:count]


def _block(half: int, cells: int, rng: np.random.Generator) -> np.ndarray:
    """Bool (2 half, cells): Hadamard columns in random order and sign; rows shuffled, each before its opposite."""
    columns = rng.choice(half, cells, replace=False)
    rows = rng.permutation(half)
    both = rows[:, None] & columns[None]
    odd = np.zeros(both.shape, bool)
    for bit in range(int(half).bit_length()):
        odd ^= ((both >> bit) & 1).astype(bool)
    odd ^= rng.random(cells) < 0.5
    return np.stack([odd, ~odd], axis=1).reshape(2 * half, cells)
