"""What every explainer returns: raw signed maps with everything needed to repeat and to read them."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
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

    maps           float32 (n, t, h, w), at the method's native resolution; larger means more evidence. Of signals
                   (n, t, length), of volumes (n, t, depth, h, w)
    scores         float32 (n, t): the score that was explained, the sum of weight times output
    probabilities  float32 (n, t): the probability of the class; NaN where the target is not one class
    classes        int64 (n, t): the class index; -1 where the target is not one class
    targets        n tuples of t strings: what each t means for that image, in words
    provenance     JSON-able: method, parameters, layer, target, seed, scores, model, versions, backend, ...
    images         (n, H, W, c) as they were given (uint8 or float), or None; (n, length, c), (n, depth, H, W, c)
    variance       float32, shaped as the maps: the squared standard error of each value of a sampled map, or None
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
        if self.maps.ndim not in (3, 4, 5):
            raise FieldmarkError(
                f"maps: expected (n, t, h, w), (n, t, length) or (n, t, depth, h, w), received shape {self.maps.shape}"
            )
        for name in ("scores", "probabilities", "classes"):
            shape = getattr(self, name).shape
            if shape != self.maps.shape[:2]:
                expected = self.maps.shape[:2]
                raise FieldmarkError(f"{name}: expected shape {expected} (images, targets), received {shape}")

    def __len__(self) -> int:
        return len(self.maps)

    def __repr__(self) -> str:
        n, t, *size = self.maps.shape
        layer = f" at {self.provenance['layer']}" if self.provenance.get("layer") else ""
        shape = " x ".join(map(str, size))
        return f"<Attribution {self.provenance.get('method', '?')}{layer}: {n} images x {t} targets, maps {shape}>"

    def _repr_html_(self) -> str:
        """The panel of the first images and what made it, for notebooks; see `fieldmark.figures.notebook_html`."""
        from fieldmark.figures import notebook_html

        return notebook_html(self)

    def resized(self, size: tuple[int, ...] | None = None) -> np.ndarray:
        """The maps enlarged linearly (pixel centres aligned) to `size` (height, width), by default the image's.

        Returns float32 (n, t, height, width); values are interpolated, never rescaled. Maps of signals take (length,),
        of volumes (depth, height, width).
        """
        if size is None:
            if self.images is None:
                raise FieldmarkError("resized(): this attribution carries no images; give size=(height, width)")
            size = tuple(int(length) for length in self.images.shape[1:-1])
        return resize_maps(self.maps, size)

    def plot(self, **options: Any) -> Figure:
        """A panel of every image and target with its overlay; see `fieldmark.figures.panel`."""
        from fieldmark.figures import panel

        return panel(self, **options)

    def to_shap(self) -> Any:
        """A `shap.Explanation` that `shap.image_plot` draws: one output a target. Needs shap (extra `shap`).

        values (n, H, W, 1, t): the maps at the image's size, each pixel with its share of its cell, so that a map's
        sum stays what it was. data: the images as uint8 RGB. base_values is NaN: only methods with a baseline have
        one. Raises FieldmarkError without images, and where shap is missing.
        """
        from fieldmark.figures.scale import to_rgb

        shap = _optional("shap", "to_shap()")
        if self.images is None or self.maps.ndim != 4:
            raise FieldmarkError("to_shap(): expected maps (n, t, h, w) with their images; explain the images again")
        h, w = self.maps.shape[2:]
        resized = self.resized()
        values = np.moveaxis(resized, 1, -1)[..., None, :] * (h * w / (resized.shape[2] * resized.shape[3]))
        names = [list(row) for row in self.targets]
        same = all(row == names[0] for row in names)  # one line of labels above the figure, else one an image
        return shap.Explanation(
            values=values,
            base_values=np.full(self.maps.shape[:2], np.nan, np.float32),
            data=to_rgb(self.images),
            output_names=names[0] if same else np.array(names),
        )

    def to_xarray(self) -> Any:
        """The maps as an `xarray.DataArray` (image, target, y, x). Needs xarray (extra `xarray`).

        y and x are the centres of the map's pixels, in pixels of the image where it is known (0.5 is the centre of
        the first). Coordinates of (image, target): label, class, score, probability. attrs: provenance and warnings
        as JSON, signed. Raises FieldmarkError where xarray is missing.
        """
        xarray = _optional("xarray", "to_xarray()")
        axes = {3: ("x",), 4: ("y", "x"), 5: ("z", "y", "x")}[self.maps.ndim]
        size = self.maps.shape[2:] if self.images is None else self.images.shape[1:-1]
        places = zip(axes, self.maps.shape[2:], size, strict=True)
        pair = ("image", "target")
        return xarray.DataArray(
            self.maps,
            name=str(self.provenance.get("method", "map")),
            dims=(*pair, *axes),
            coords={
                **{axis: (np.arange(cells) + 0.5) * (length / cells) for axis, cells, length in places},
                "label": (pair, np.array(self.targets, dtype=str).reshape(self.scores.shape)),
                "class": (pair, self.classes),
                "score": (pair, self.scores),
                "probability": (pair, self.probabilities),
            },
            attrs={
                "provenance": json.dumps(self.provenance, default=str),
                "signed": int(self.signed),
                "warnings": json.dumps(self.warnings),
            },
        )

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
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise OutputError(
                f"cannot write {path}: {error.strerror or error}; choose a folder you can write to"
            ) from None
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Attribution:
        """Read what `save` wrote. Raises FieldmarkError when the file is missing, damaged or of another version."""
        try:
            with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:  # a damaged one is closed too
                header = json.loads(str(file["header"]))
                if header["format"] != FORMAT:
                    raise FieldmarkError(
                        f"{path}: expected attribution format {FORMAT}, received {str(header['format'])[:20]}; "
                        "make it again with this version of fieldmark"
                    )
                arrays = {name: file[name] for name in ARRAYS}
                arrays |= {name: file[name] for name in OPTIONAL if name in file}
            loaded = cls(
                **arrays,
                targets=tuple(tuple(map(str, row)) for row in header["targets"]),
                provenance=dict(header["provenance"]),
                signed=bool(header["signed"]),
                warnings=tuple(map(str, header["warnings"])),
            )
            if any(array.dtype.kind not in "buif" for array in arrays.values()):
                raise ValueError("no numbers")
            if [len(row) for row in loaded.targets] != [loaded.maps.shape[1]] * len(loaded):
                raise ValueError("targets that do not fit")
            return loaded
        except FileNotFoundError:
            raise FieldmarkError(f"{path}: no such file") from None
        except PermissionError:
            raise FieldmarkError(f"{path}: no permission to read this file") from None
        except Exception as error:  # whatever zip, zlib, NumPy and JSON make of damaged bytes
            if isinstance(error, FieldmarkError) and str(error).startswith(str(path)):
                raise
            raise FieldmarkError(f"{path}: not an attribution saved by fieldmark, or damaged; save it again") from None


def _optional(name: str, what: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise FieldmarkError(f"{what}: expected the package {name}; pip install 'fieldmark[{name}]'") from None


def resize_maps(maps: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Linear resize of the last axes to `size`, half-pixel centres, in float32; (height, width) or one for each axis.

    Averaged over what a pixel covers where maps get smaller, as Pillow does.
    """
    maps = maps.astype(np.float32, copy=False)
    if maps.shape[-len(size) :] == tuple(size):
        return maps
    if len(size) != 2:
        for axis, length in enumerate(size, start=maps.ndim - len(size)):
            weights = axis_weights(length, maps.shape[axis])
            maps = np.moveaxis(np.moveaxis(maps, axis, -1) @ weights.T, -1, axis)
        return maps
    height, width = size
    flat = maps.reshape(-1, *maps.shape[-2:])
    out = [np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR)) for plane in flat]
    return np.stack(out).reshape(*maps.shape[:-2], height, width)


def axis_weights(length: int, cells: int, start: float = 0.0, stop: float | None = None) -> np.ndarray:
    """Weights (length, cells) that resize one axis linearly: of each pixel, the shares of the map's cells.

    The cells lie side by side from `start` to `stop`, in pixels; where a pixel's centre is outside, its row is NaN.
    """
    stop = length if stop is None else stop
    centre = (np.arange(length) + 0.5 - start) * (cells / (stop - start))
    reach = max(1.0, cells / (stop - start))
    weights = np.maximum(0, 1 - np.abs(np.arange(cells) + 0.5 - centre[:, None]) / reach)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    weights[(centre < 0) | (centre > cells)] = np.nan
    return np.asarray(weights, np.float32)
