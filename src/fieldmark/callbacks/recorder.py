"""The same images explained again and again while a network changes: pictures, TensorBoard, and a film."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.callbacks.events import EventFile
from fieldmark.callbacks.film import check_film, write_film
from fieldmark.classifier import Classifier
from fieldmark.errors import FieldmarkError, OutputError
from fieldmark.explainers import GradCAM
from fieldmark.explainers.several import explain_all
from fieldmark.figures import panel
from fieldmark.figures.panels import MOST_IMAGES
from fieldmark.figures.scale import limit_of
from fieldmark.images import check_images
from fieldmark.targets import Predicted

DPI = 100
_LOGS = 4  # numbers of the epoch that a title has room for


@dataclass(frozen=True, eq=False)
class Epoch:
    """What was seen at one epoch: its number, the numbers logged with it, and one attribution an explainer."""

    number: int
    logs: dict[str, float]
    attributions: tuple[Attribution, ...]

    @property
    def title(self) -> str:
        """In words, losses first: "epoch 3, loss 0.5213, accuracy 0.81"; epoch 0 without numbers: "before training"."""
        when = f"epoch {self.number}" if self.number or self.logs else "before training"
        logs = sorted(self.logs.items(), key=lambda item: ("loss" not in item[0], len(item[0])))[:_LOGS]
        return ", ".join([when, *(f"{key} {value:.4g}" for key, value in logs)])


class Recorder:
    """Explains a fixed set of images whenever `step(epoch)` is called.

    images      (n, h, w, c) as the classifier takes them, 1 to 60
    explainer   one or several, GradCAM() by default
    classifier  the network that is trained, as a `Classifier`
    target      as explainers take it; a fixed class makes epochs comparable
    every       explain every so many epochs; `epochs` names them instead
    out         a folder: a PNG an epoch (epoch-0003.png), and film.gif at the end
    film        where the film goes, .gif, .webp or .png (animated); by default film.gif in `out`
    tensorboard a log folder: the pictures and scores go to its run "explain"; needs tensorboard, no TensorFlow
    names       one an image, in the pictures and in TensorBoard
    options     of `panel`: style, alpha, contours, shared_scale, ...

    `history` keeps every `Epoch` with its raw maps. Places are tried when the recorder is made: OutputError, one line,
    for what cannot be written to. A disk that fills up later is a warning, and training goes on.
    """

    def __init__(
        self,
        images: Any,
        explainer: Any = None,
        *,
        classifier: Classifier | None = None,
        target: Any = Predicted(),  # noqa: B008
        every: int = 1,
        epochs: Sequence[int] | None = None,
        out: str | os.PathLike[str] | None = None,
        film: str | os.PathLike[str] | None = None,
        tensorboard: str | os.PathLike[str] | None = None,
        names: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        self.images = check_images(images).copy()
        if len(self.images) > MOST_IMAGES:
            raise FieldmarkError(f"images: expected 1 to {MOST_IMAGES} to follow, received {len(self.images)}")
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise FieldmarkError(f"every={every!r}: expected a whole number of epochs, 1 or more")
        if names is not None and len(names) != len(self.images):
            raise FieldmarkError(f"names: expected one for each of {len(self.images)} images, received {len(names)}")
        given = GradCAM() if explainer is None else explainer
        self.explainers = list(given) if isinstance(given, (list, tuple)) else [given]
        self.classifier, self.target = classifier, target
        self.every, self.epochs = every, None if epochs is None else {int(each) for each in epochs}
        self.names = [f"image {i}" for i in range(len(self.images))] if names is None else list(names)
        self.options = options
        self.history: list[Epoch] = []
        self.out = None if out is None else _folder(out)
        self.film_path = Path(film) if film is not None else self.out and self.out / "film.gif"
        if self.film_path is not None:
            check_film(self.film_path)
            _folder(self.film_path.parent)
        self.events = None if tensorboard is None else EventFile(_folder(Path(tensorboard) / "explain"))

    def due(self, epoch: int) -> bool:
        """Whether this epoch is one to explain."""
        return epoch in self.epochs if self.epochs is not None else epoch % self.every == 0

    def step(self, epoch: int, **logs: float) -> Epoch | None:
        """Explain the images, if this epoch is due, and write what was asked for; `logs` such as loss=... are shown."""
        return self.record(epoch, logs) if self.due(epoch) else None

    def record(self, epoch: int, logs: Mapping[str, Any] | None = None) -> Epoch:
        """Explain the images now. Raises FieldmarkError where the explainer refuses the network."""
        if self.classifier is None:
            raise FieldmarkError("Recorder: expected the network: Recorder(images, classifier=fm.Classifier(model))")
        made, _ = explain_all(self.classifier, self.images, self.target, self.explainers)
        numbers = {key: _number(value) for key, value in (logs or {}).items() if np.ndim(value) == 0}
        seen = Epoch(int(epoch), numbers, tuple(made))
        self.history.append(seen)
        if self.out is not None:
            path = self.out / f"epoch-{seen.number:04d}.png"
            self._try(lambda: self.figure(seen).savefig(path, dpi=DPI))
        if self.events is not None:
            self._try(lambda: self._log(seen))
        return seen

    def finish(self) -> None:
        """Write the film, where one was asked for and anything was seen. `Explain` does so when training ends."""
        path = self.film_path
        if path is not None and self.history:
            self._try(lambda: self.film(path))

    def film(self, path: str | os.PathLike[str], *, milliseconds: int = 700, shared_scale: bool = False) -> Path:
        """Write how the maps changed as a GIF, WebP or animated PNG, with epoch, score and loss in each picture.

        milliseconds  a picture is shown; the last one three times as long
        shared_scale  one scale for all epochs, so that strengths compare; by default each map has its own

        Raises OutputError where the file cannot be written, FieldmarkError where nothing was seen yet.
        """
        if not self.history:
            raise FieldmarkError("film: expected at least one epoch, received none; call step(epoch) first")
        limits = self._limits() if shared_scale else None
        frames = [_rendered(self.figure(seen, limit=limits)) for seen in self.history]
        return write_film(Path(path), frames, milliseconds)

    def figure(self, seen: Epoch, **options: Any) -> Any:
        """The figure of one epoch of `history`; options as in `panel`."""
        wanted = {**self.options, **{key: value for key, value in options.items() if value is not None}}
        return panel(list(seen.attributions), names=self.names, title=seen.title, **wanted)

    def _limits(self) -> list[float]:
        """The value at full colour of each explainer, over all epochs; 1 where all of its maps are blank."""
        columns = zip(*(seen.attributions for seen in self.history), strict=True)
        return [limit_of(np.stack([att.maps for att in column]), column[0].signed) or 1.0 for column in columns]

    def _log(self, seen: Epoch) -> None:
        """One picture an image, and the score of every target."""
        assert self.events is not None
        pictures: dict[str, bytes] = {}
        scores: dict[str, float] = {}
        for i, name in enumerate(self.names):
            figure = panel(list(seen.attributions), names=self.names, images=[i], title=seen.title, **self.options)
            pictures[f"maps/{name}"] = _png(figure)
            att = seen.attributions[0]
            scores |= {f"score/{name}/{att.targets[i][t]}": float(att.scores[i, t]) for t in range(att.maps.shape[1])}
        self.events.write(seen.number, pictures, scores)

    def _try(self, write: Callable[[], Any]) -> None:
        try:
            write()
        except (OutputError, OSError) as error:
            warnings.warn(f"{error}; training goes on", UserWarning, stacklevel=4)


def _number(value: Any) -> float:
    """A number of a log, which may still hang on a torch graph."""
    return float(value.detach() if hasattr(value, "detach") else value)


def _folder(path: str | os.PathLike[str]) -> Path:
    """The folder, made where it is missing and tried. Raises OutputError."""
    folder = Path(path).expanduser()
    probe = folder / f".fieldmark-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except (FileExistsError, NotADirectoryError):
        raise OutputError(f"cannot write to {folder}: a file is in the way; choose another folder") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"cannot write to {folder}: {reason}; choose a folder you can write to") from None
    return folder


def _png(figure: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    return file.getvalue()


def _rendered(figure: Any) -> np.ndarray:
    """The figure as uint8 (H, W, 3)."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(_png(figure))).convert("RGB"))
