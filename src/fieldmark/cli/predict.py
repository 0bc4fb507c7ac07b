"""`fieldmark predict`: what the model says about images."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from fieldmark.classifier import Classifier, Predictions
from fieldmark.cli.screen import Screen, printable
from fieldmark.cli.work import ModelRequest, number, ranked, read_pictures
from fieldmark.errors import FieldmarkError
from fieldmark.images import find_images
from fieldmark.images.read import Fit

BAR = 24  # characters of a probability of 1


def predict(
    screen: Screen, request: ModelRequest, images: Sequence[str], top: int, fit: Fit, size: tuple[int, int] | None
) -> None:
    """Print the most probable classes of every image."""
    if top < 1:
        raise FieldmarkError(f"--top {top}: expected 1 or more")
    files = find_images(images)
    with screen.working():
        classifier = request.load()
        pictures = read_pictures(classifier, files, fit, size)
        predictions = classifier.predict(pictures.batch)
    best = predictions.top(top)
    if len(files) == 1:
        screen.table(one_image(pictures.names[0], best[0]))
    else:
        screen.table(many_images(pictures.names, best))
    screen.document(
        {
            "model": classifier.name,
            "backend": classifier.backend,
            "classes": classifier.classes,
            "reading": predictions.reading,
            "images": [
                {"path": str(file), "top": _scored(classifier, predictions, i, top)} for i, file in enumerate(files)
            ],
        }
    )


def _scored(classifier: Classifier, predictions: Predictions, image: int, top: int) -> list[dict[str, object]]:
    order = (-predictions.probabilities[image]).argsort(kind="stable")[:top]
    entries = ranked(predictions.top(top)[image])
    return [
        {**entry, "class": int(index), "score": number(predictions.scores[image, index])}
        for entry, index in zip(entries, order, strict=True)
    ]


def one_image(name: str, best: Sequence[tuple[str, float]]) -> Table:
    """A table of the classes of one image, with bars."""
    table = Table(title=Text(printable(name), style="bold"), title_justify="left", show_header=False, box=None)
    table.add_column(justify="left", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    for label, probability in best:
        length = round(BAR * min(max(probability, 0.0), 1.0)) if probability == probability else 0
        table.add_row(Text(printable(label)), percent(probability), Text("█" * length, style="cyan"))
    return table


def many_images(names: Sequence[str], best: Sequence[Sequence[tuple[str, float]]]) -> Table:
    """A table with a row an image and its classes from the most probable on."""
    table = Table(box=None, pad_edge=False)
    table.add_column("image", overflow="fold")
    for rank in range(max(map(len, best))):
        table.add_column(f"{rank + 1}.", overflow="fold")
    for name, classes in zip(names, best, strict=True):
        cells = [Text(f"{printable(label)} {percent(probability)}") for label, probability in classes]
        table.add_row(Text(printable(name)), *cells)
    return table


def percent(probability: float) -> str:
    """ "77.2 %"; a probability that is no number is "?"."""
    return f"{100 * probability:.1f} %" if probability == probability else "?"
