"""Event files that TensorBoard reads, written with the `tensorboard` package alone: no TensorFlow, on any backend."""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from fieldmark.errors import FieldmarkError


class EventFile:
    """One run of TensorBoard. Each `write` is on disk when it returns."""

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError:
            raise FieldmarkError(
                "tensorboard=...: expected the package tensorboard; pip install 'fieldmark[tensorboard]'"
            ) from None
        self._events, self._summaries, self._records = event_pb2, summary_pb2, RecordWriter
        stamp = f"{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{id(self):x}"
        self.path = folder / f"events.out.tfevents.{stamp}"
        self._append(self._events.Event(wall_time=time.time(), file_version="brain.Event:2"))

    def write(self, step: int, pictures: Mapping[str, bytes], numbers: Mapping[str, float]) -> None:
        """Pictures (PNG) and numbers at one step, by tag."""
        summary = self._summaries.Summary()
        for tag, png in pictures.items():
            width, height = Image.open(io.BytesIO(png)).size
            summary.value.add(
                tag=tag,
                image=self._summaries.Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png),
            )
        for tag, number in numbers.items():
            summary.value.add(tag=tag, simple_value=number)
        self._append(self._events.Event(wall_time=time.time(), step=step, summary=summary))

    def _append(self, event: object) -> None:
        with open(self.path, "ab") as file:
            self._records(file).write(event.SerializeToString())  # type: ignore[attr-defined]
