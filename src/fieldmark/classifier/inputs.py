"""What goes into a model beside the image: inputs that stand still while the image is explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fieldmark.errors import ModelError, unknown

SINGLE = (bool, str, type(None))  # settings rather than values: handed on as they are

LISTED = 64  # numbers of a fixed input that provenance spells out

Fixed = Mapping[str, Any]


def one_row(name: str, value: Any, shape: Sequence[int | None] | None = None) -> np.ndarray:
    """`value`, one image's, as an array (1, ...). `shape`, without the batch, is what the model declares.

    Raises ModelError for what are no numbers, or numbers of another shape.
    """
    array = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    if array.dtype.kind not in "buif":
        raise ModelError(f"fixed[{name!r}]: expected numbers, received {type(value).__name__}")
    if shape is not None:
        wanted = tuple(
            have if want is None else want for want, have in zip(shape, _tail(array.shape, shape), strict=True)
        )
        try:
            array = np.broadcast_to(array, wanted)
        except ValueError:
            shown = ", ".join("any" if d is None else str(d) for d in shape)
            raise ModelError(
                f"fixed[{name!r}]: expected the value for one image, of shape ({shown}), received {array.shape}"
            ) from None
    return np.array(array)[None]


def image_input(model: str, declared: Mapping[str, Sequence[int | None]], fixed: Fixed, image: str | None) -> str:
    """The name of the input that is the image: the one that is not fixed. Raises ModelError where that isn't one."""
    for name in (*fixed, *([image] if image else [])):
        if name not in declared:
            raise ModelError(unknown(f"input of model {model!r}", name, declared))
    free = [name for name in declared if name not in fixed]
    if image is not None and image in fixed:
        raise ModelError(f"image={image!r}: this input is among the fixed ones; leave it out of fixed=")
    if len(free) == 1:
        return free[0]
    shown = ", ".join(f"{name} {tuple(shape)}" for name, shape in declared.items())
    if not free:
        raise ModelError(f"model {model!r}: fixed= names every input ({shown}); leave out the image's")
    names = ", ".join(f"{name!r}: ..." for name in free if name != (image or free[0]))
    raise ModelError(
        f"model {model!r} has {len(declared)} inputs ({shown}): say what all but the image are, the same for every "
        f"image: Classifier(model, fixed={{{names}}})"
    )


def listed(fixed: Fixed) -> dict[str, Any]:
    """Fixed inputs as JSON-able values, for provenance; large ones by their shape."""
    found: dict[str, Any] = {}
    for name, value in fixed.items():
        array = None if isinstance(value, SINGLE) else one_row(name, value)[0]
        small = array is None or array.size <= LISTED
        found[name] = value if array is None else array.tolist() if small else f"array of shape {array.shape}"
    return found


def _tail(shape: tuple[int, ...], like: Sequence[Any]) -> tuple[int, ...]:
    """The last axes of a shape, as many as `like` has; 1 where there are fewer."""
    padded = (1,) * max(0, len(like) - len(shape)) + shape
    return padded[len(padded) - len(like) :]
