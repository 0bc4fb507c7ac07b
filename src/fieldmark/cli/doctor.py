"""`fieldmark doctor`: one page about a model, and about what it makes of images."""

from __future__ import annotations

from typing import Any

from fieldmark.cli import options as opt

WIDEST = 100  # columns: longer lines are hard to read
USUAL_FIT = "crop"


def doctor(
    model: opt.ModelName,
    images: opt.ImagesIfAny = None,
    preprocess: opt.Preprocess = None,
    labels: opt.Labels = None,
    probabilities: opt.Probabilities = False,
    fit: opt.FitOption = USUAL_FIT,
    size: opt.Size = None,
    batch_size: opt.BatchSize = None,
    trust_model_code: opt.TrustModelCode = False,
    as_json: opt.Json = False,
) -> None:
    """Print one page on a model: what will be explained and why, what looks wrong, what each method costs."""
    from fieldmark.cli.screen import Screen
    from fieldmark.cli.work import ModelRequest, parse_fit, parse_size, read_pictures
    from fieldmark.doctor import examine
    from fieldmark.doctor.next_steps import Typed
    from fieldmark.images import find_images

    typed = typed_options(
        preprocess=preprocess,
        labels=labels,
        probabilities=probabilities,
        fit=None if fit == USUAL_FIT else fit,
        size=size,
        batch_size=batch_size,
        trust_model_code=trust_model_code,
    )
    request = ModelRequest(
        model=model,
        preprocess=preprocess,
        labels=labels,
        trust_model_code=trust_model_code,
        batch_size=batch_size,
        probabilities=probabilities,
    )
    how, sides = parse_fit(fit), parse_size(size)
    files = find_images(images) if images else []
    screen = Screen(as_json)
    with screen.working():
        classifier = request.load()
        pictures = read_pictures(classifier, files, how, sides) if files else None
        found = examine(
            classifier,
            pictures.batch if pictures else None,
            names=pictures.names if pictures else None,
            typed=Typed(model, tuple(images or ()), typed),
        )
    width = min(WIDEST, screen.out.width) if screen.out.is_terminal else 80
    for line in found.text(width, python=False).splitlines():
        screen.show(_printable(line))
    screen.document({"backend": classifier.backend, **found.to_dict()})


def typed_options(**options: Any) -> dict[str, str]:
    """The options that were given, as they are typed: {"--preprocess": "0-1"}; switches have an empty value."""
    return {
        f"--{name.replace('_', '-')}": "" if value is True else str(value)
        for name, value in options.items()
        if value not in (None, False)
    }


def _printable(line: str) -> str:
    """The line without control characters; its blanks stay, since columns are aligned by them."""
    return "".join(c if c.isprintable() else "\ufffd" for c in line)
