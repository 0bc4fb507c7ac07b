"""Reading ahead: in order, in several threads, bounded; errors come out where the images are asked for."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fieldmark.errors import ImageError
from fieldmark.images import read_one
from fieldmark.run import reading
from fieldmark.run.reading import Span, batches, read_ahead
from fieldmark.run.sources import Item

pytestmark = pytest.mark.no_framework
IMAGE = np.zeros((2, 2, 3), np.uint8)


def items(count: int, taken: list[int] | None = None) -> Iterator[Item]:
    for number in range(count):
        if taken is not None:
            taken.append(number)
        yield Item(number, str(number), IMAGE)


def settled(values: list[int]) -> int:
    before = -1
    while before != len(values):
        before = len(values)
        time.sleep(0.3)
    return before


def test_a_slow_consumer_holds_the_reading_back() -> None:
    taken: list[int] = []
    read = read_ahead(items(1000, taken), None, ahead=8, threads=2)
    assert next(read).item.index == 0
    assert settled(taken) <= 8 + 3  # those that wait, the one that was given, one in the feeder's hand
    assert [next(read).item.index for _ in range(50)] == list(range(1, 51))
    assert settled(taken) <= 51 + 8 + 2
    read.close()
    assert not [each for each in threading.enumerate() if each.name.startswith("fieldmark-")]


def test_images_are_decoded_in_several_threads_at_once_and_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=20)
    threads = set()

    def decode(item: Item, shape: Any) -> np.ndarray:
        threads.add(threading.get_ident())
        if item.index < 2:
            both.wait()  # passes only when two are decoded at the same time
        time.sleep(0.002 * (item.index % 3))
        return IMAGE

    monkeypatch.setattr(reading, "decode", decode)
    assert [each.item.index for each in read_ahead(items(40), None, ahead=8, threads=2)] == list(range(40))
    assert len(threads) == 2
    assert threading.get_ident() not in threads


def test_an_error_of_the_source_is_raised_after_what_came_before() -> None:
    def breaks() -> Iterator[Item]:
        yield from items(3)
        raise OSError("the disk is gone")

    read = read_ahead(breaks(), None, ahead=8, threads=2)
    assert [next(read).item.index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(read)


def test_batches_never_cross_a_shard_and_each_shard_is_closed() -> None:
    broken = {4, 10, 11}
    listed = (Item(n, str(n), ImageError("bad") if n in broken else IMAGE) for n in range(12))
    read = read_ahead(listed, None, ahead=4, threads=1)
    made = list(batches(read, [Span(0, 0, 5), Span(1, 5, 10), Span(2, 10, 12)], 2))
    assert [([item.index for item in each.items], each.span.number, each.last) for each in made] == [
        ([0, 1], 0, False),
        ([2, 3], 0, False),
        ([], 0, True),
        ([5, 6], 1, False),
        ([7, 8], 1, False),
        ([9], 1, True),
        ([], 2, True),
    ]
    assert [entry[0] for each in made for entry in each.rejected] == [4, 10, 11]


@pytest.mark.parametrize("turned", [False, True])
def test_a_large_photograph_that_is_wanted_small_is_decoded_smaller_and_looks_the_same(turned: bool) -> None:
    rng = np.random.default_rng(0)
    scene = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).resize((1600, 1200))
    exif = Image.Exif()
    exif[0x0112] = 6 if turned else 1
    held = io.BytesIO()
    scene.save(held, "JPEG", quality=90, exif=exif)
    whole = Image.open(io.BytesIO(held.getvalue()))
    whole.load()
    small = read_one(held.getvalue(), (150, 200)).astype(int)
    plain = read_one(whole, (150, 200)).astype(int)
    assert 0 < np.abs(small - plain).max() <= 4
    assert np.abs(small - plain).mean() < 0.5
    near = read_one(held.getvalue(), (700, 900))  # less than twice as large: decoded whole
    np.testing.assert_array_equal(near, read_one(whole, (700, 900)))
