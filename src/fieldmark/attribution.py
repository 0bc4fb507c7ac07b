"""What every explainer returns: raw signed maps with everything needed to repeat and to read them."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fieldmark.errors import FieldmarkError, OutputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMAT = 1
ARRAYS = ("maps", "scores", "probabilities", "classes")
OPTIONAL = ("images", "variance", "pictures")


@dataclass(frozen=True, kw_only=True, eq=False)
class Attribution:
    """Maps of n images for t targets, raw and unscaled, with their provenance.

    maps           float32 (n, t, h, w), at the method's native resolution; larger means more evidence
    scores         float32 (n, t): the score that was explained, the sum of weight times output
    probabilities  float32 (n, t): the probability of the class; NaN where the target is not one class
    classes        int64 (n, t): the class index; -1 where the target is not one class
    targets        n tuples of t strings: what each t means for that image, in words
    provenance     JSON-able: method, parameters, layer, target, seed, scores, model, versions, backend, ...
    images         (n, H, W, c) as they were given (uint8 or float), or None
    variance       float32 (n, t, h, w): the squared standard error of each value of a sampled map, or None
    pictures       float32 (n, t, h, w, c): the image made for each target, where the method makes one, or None
    signed         whether negative values mean "evidence against" (else the map is an amount, >= 0)
    warnings       one sentence each: why a map may be blank or wrong
    """

    maps: np.ndarray
    scores: np.ndarray
    probabilities: np.ndarray
    classes: np.ndarray
    targets: tuple[tuple[str, ...], ...]
    provenance: dict[str, Any]
    images: np.ndarray | None = None
    variance: np.ndarray | None = None
    pictures: np.ndarray | None = None
    signed: bool = False
    warnings: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.maps.ndim != 4:
            raise FieldmarkError(f"maps: expected (n, t, h, w), received shape {self.maps.shape}")
        for name in ("scores", "probabilities", "classes"):
            shape = getattr(self, name).shape
            if shape != self.maps.shape[:2]:
                expected = self.maps.shape[:2]
                raise FieldmarkError(f"{name}: expected shape {expected} (images, targets), received {shape}")

    def __len__(self) -> int:
        return len(self.maps)

    def __repr__(self) -> str:
        n, t, h, w = self.maps.shape
        layer = f" at {self.provenance['layer']}" if self.provenance.get("layer") else ""
        return f"<Attribution {self.provenance.get('method', '?')}{layer}: {n} images x {t} targets, maps {h} x {w}>"

    def resized(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """The maps enlarged bilinearly (pixel centres aligned) to `size` (height, width), by default the image's.

        Returns float32 (n, t, height, width); values are interpolated, never rescaled.
        """
        if size is None:
            if self.images is None:
                raise FieldmarkError("resized(): this attribution carries no images; give size=(height, width)")
            size = (int(self.images.shape[1]), int(self.images.shape[2]))
        return resize_maps(self.maps, size)

    def plot(self, **options: Any) -> Figure:
        """A panel of every image and target with its overlay; see `fieldmark.figures.panel`."""
        from fieldmark.figures import panel

        return panel(self, **options)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything to one `.npz` file (no pickles); an existing file is replaced only when all is written."""
        path = Path(path)
        header = {
            "format": FORMAT,
            "targets": self.targets,
            "provenance": self.provenance,
            "signed": self.signed,
            "warnings": self.warnings,
        }
        arrays = {name: getattr(self, name) for name in (*ARRAYS, *OPTIONAL) if getattr(self, name) is not None}
        partial = path.with_name(path.name + ".partial")
        try:
            with open(partial, "wb") as file:
                np.savez_compressed(file, header=np.array(json.dumps(header)), **arrays)
            os.replace(partial, path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise OutputError(
                f"cannot write {path}: {error.strerror or error}; choose a folder you can write to"
            ) from None
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Attribution:
        """Read what `save` wrote. Raises FieldmarkError when the file is missing, damaged or of another version."""
        try:
            with np.load(path, allow_pickle=False) as file:
                header = json.loads(str(file["header"]))
                if header["format"] != FORMAT:
                    raise FieldmarkError(
                        f"{path}: expected attribution format {FORMAT}, received {header['format']}; "
                        "make it again with this version of fieldmark"
                    )
                arrays = {name: file[name] for name in ARRAYS}
                arrays |= {name: file[name] for name in OPTIONAL if name in file}
        except FileNotFoundError:
            raise FieldmarkError(f"{path}: no such file") from None
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            if isinstance(error, FieldmarkError):
                raise
            raise FieldmarkError(f"{path}: not an attribution saved by fieldmark, or damaged; save it again") from None
        return cls(
            **arrays,
            targets=tuple(tuple(row) for row in header["targets"]),
            provenance=header["provenance"],
            signed=header["signed"],
            warnings=tuple(header["warnings"]),
        )


def resize_maps(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear resize of the last two axes to `size` (height, width), half-pixel centres, in float32."""
    height, width = size
    if maps.shape[-2:] == (height, width):
        return maps.astype(np.float32, copy=False)
    flat = maps.reshape(-1, *maps.shape[-2:]).astype(np.float32)
    out = [np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR)) for plane in flat]
    return np.stack(out).reshape(*maps.shape[:-2], height, width)
