"""Several explainers on the same images, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.errors import FieldmarkError
from fieldmark.progress import track

INTERRUPTED = "interrupted before it was finished"


def explain_all(
    classifier: Classifier, images: Any, target: Any, explainers: Sequence[Any], skip: bool = False
) -> tuple[list[Attribution], dict[str, str]]:
    """(attributions in the order of the explainers, refusals by method).

    With `skip`, a method that refuses this model (no spatial layer, an unsuitable network) is left out and its reason
    kept; where all refuse, or without `skip`, the refusal is raised. Ctrl-C leaves what is finished: the others are
    left out as INTERRUPTED, unless there is nothing yet, when the interrupt goes on.
    """
    made: list[Attribution] = []
    refused: dict[str, str] = {}
    for explainer in track(list(explainers), label="Explaining"):
        try:
            found = explainer(classifier, images, target)
        except FieldmarkError as error:
            refused[name_of(explainer)] = str(error)
            if not skip or len(refused) == len(explainers):
                raise
            continue
        except KeyboardInterrupt:
            if not made:
                raise
            done = {str(att.provenance["method"]) for att in made} | set(refused)
            names = [name_of(each) for each in explainers]
            return made, refused | {name: INTERRUPTED for name in names if name not in done}
        made += found if isinstance(found, list) else [found]
    return made, refused


def name_of(explainer: Any) -> str:
    """The method's name; that of the method within for one that is only run over several seeds."""
    return str(getattr(explainer, "name", type(explainer).__name__))
