"""Images in: files, folders, globs, PIL images and arrays become one uint8 batch.

Files are untrusted. Only formats that Pillow decodes by itself are opened, a pixel limit is checked before anything is
decoded, and whatever a decoder raises becomes one ImageError that names the file.
"""

from __future__ import annotations

import glob
import io
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from fieldmark.errors import ImageError, unknown
from fieldmark.progress import track

Fit = Literal["crop", "stretch", "letterbox"]
Opened = Path | Image.Image | io.BytesIO
Source = str | os.PathLike[str] | Image.Image | np.ndarray

FITS: tuple[Fit, ...] = ("crop", "stretch", "letterbox")
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".avif")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
FINER = 2
PIXEL_LIMIT = 89_000_000
"""Larger images are refused before decoding; about a quarter of a gigabyte as RGB, where Pillow starts to warn."""


def read_images(
    sources: Source | Iterable[Source],
    size: int | tuple[int, int] | None = None,
    channels: int = 3,
    fit: Fit = "crop",
) -> np.ndarray:
    """Read images into one batch, uint8 (n, height, width, channels), in a fixed order.

    sources   one or several paths, folders (searched in depth), globs, PIL images, or uint8 arrays (h, w), (h, w, c) or
              (n, h, w, c); the order is that given, and sorted by path within a folder or glob
    size      (height, width) or one number for both; None keeps the images' own size, which must then be the same
    channels  1 (grey), 3 (RGB) or 4 (RGBA); files are converted, transparent pixels laid on white
    fit       crop: the shorter side is made to fit and the middle is kept; stretch: the aspect ratio is given up;
              letterbox: the longer side is made to fit and the rest is black

    EXIF orientation is applied and 16-bit greys are scaled to 8. Raises ImageError, one line that names the source, for
    what cannot be read, is truncated, has several frames or more than `PIXEL_LIMIT` pixels.
    """
    wanted = _check_request(size, channels, fit)
    opened = _expand(sources)
    with _quiet():
        images = [
            _as_array(source, name, wanted, channels, fit) for name, source in track(opened, label="Reading images")
        ]
    for (name, _), image in zip(opened, images, strict=True):
        if image.shape != images[0].shape:
            raise ImageError(
                f"{name}: expected {_size(images[0].shape)} like {opened[0][0]}, received {_size(image.shape)}; "
                "give size=(height, width) to bring all images to one size"
            )
    return np.stack(images)


def read_one(
    source: str | os.PathLike[str] | bytes | Image.Image,
    size: int | tuple[int, int] | None = None,
    channels: int = 3,
    fit: Fit = "crop",
    name: str | None = None,
) -> np.ndarray:
    """One image as `read_images` reads it, uint8 (height, width, channels), also from the bytes of a file.

    name  what error messages call it. May be called in many threads at once: it leaves Python's warnings as they are,
    which are the process's own, so that Pillow's remarks on odd metadata reach whoever listens. Raises ImageError.
    """
    wanted = _check_request(size, channels, fit)
    if isinstance(source, bytes):
        return _as_array(io.BytesIO(source), name or "image", wanted, channels, fit)
    opened = source if isinstance(source, Image.Image) else Path(source)
    return _as_array(opened, name or str(source), wanted, channels, fit)


def find_images(patterns: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The image files that paths, folders and globs name, each once, in the order given and sorted within each.

    Folders are searched in depth for files with an image's suffix, hidden ones left out. Raises ImageError where
    something does not exist or holds no image.
    """
    if isinstance(patterns, (str, os.PathLike)):
        patterns = [patterns]
    found = {path: None for pattern in patterns for path in _matches(os.path.expanduser(pattern))}
    if not found:
        raise ImageError("images: expected at least one file, folder or glob, received none")
    return list(found)


def _check_request(size: int | tuple[int, int] | None, channels: int, fit: str) -> tuple[int, int] | None:
    if fit not in FITS:
        raise ImageError(unknown("fit", fit, FITS))
    if channels not in MODES:
        raise ImageError(
            f"channels={channels!r}: expected 1 (grey), 3 (RGB) or 4 (RGBA); "
            "give images with other channels to the classifier as arrays"
        )
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, (int, np.integer)) else size
    if min(height, width) < 1 or height * width > PIXEL_LIMIT:
        raise ImageError(f"size={size!r}: expected 1 pixel or more each way, and at most {_mega(PIXEL_LIMIT)} in all")
    return int(height), int(width)


def _expand(sources: Source | Iterable[Source]) -> list[tuple[str, Opened]]:
    """(name for messages, a file or an image) for every single image in `sources`."""
    if isinstance(sources, (str, os.PathLike, Image.Image, np.ndarray)):
        sources = [sources]
    expanded: list[tuple[str, Opened]] = []
    for number, source in enumerate(sources):
        if isinstance(source, (str, os.PathLike)):
            expanded += [(str(path), path) for path in find_images(source)]
        elif isinstance(source, Image.Image):
            expanded.append((f"image {number}", source))
        elif isinstance(source, np.ndarray):
            expanded += [(f"image {number}", image) for image in _from_array(source, number)]
        else:
            raise ImageError(
                f"image {number}: expected a path, a PIL image or a uint8 array, received {type(source).__name__}"
            )
    if not expanded:
        raise ImageError("images: expected at least one, received none")
    return expanded


def _from_array(array: np.ndarray, number: int) -> list[Image.Image]:
    batch = array if array.ndim == 4 else array[None]
    if array.dtype != np.uint8 or batch.ndim not in (3, 4) or (batch.ndim == 4 and batch.shape[3] not in MODES):
        raise ImageError(
            f"image {number}: expected a uint8 array (h, w), (h, w, c) or (n, h, w, c) with 1, 3 or 4 channels, "
            f"received {array.dtype} {array.shape}; give other arrays to the classifier as they are"
        )
    if 0 in batch.shape[1:]:
        raise ImageError(f"image {number}: expected one pixel or more, received shape {array.shape}")
    grey = batch.ndim == 4 and batch.shape[3] == 1
    return [Image.fromarray(np.ascontiguousarray(image[..., 0] if grey else image)) for image in batch]


def _matches(pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_dir():
        walked = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
        inside = sorted(p for p in walked if _is_image(p) and not _hidden(p.relative_to(path)))
        if not inside:
            raise ImageError(f"{pattern}: no images in this folder; expected files ending in {', '.join(SUFFIXES)}")
        return inside
    if path.exists():
        return [path]
    if not glob.has_magic(pattern):
        raise ImageError(f"{pattern}: no such file or folder")
    found = sorted(p for p in map(Path, glob.glob(pattern, recursive=True)) if _is_image(p) and p.is_file())
    if not found:
        raise ImageError(f"{pattern}: no image matches; expected files ending in {', '.join(SUFFIXES)}")
    return found


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def _as_array(opened: Opened, name: str, size: tuple[int, int] | None, channels: int, fit: Fit) -> np.ndarray:
    image = _converted(_decoded(opened, name, size), name, channels)
    if size is not None:
        image = _fitted(image, (size[1], size[0]), fit)
    array = np.asarray(image)
    return array if array.ndim == 3 else array[..., None]


def _decoded(source: Opened, name: str, size: tuple[int, int] | None) -> Image.Image:
    """The one decoded picture in a file, upright. Every failure becomes an ImageError.

    A JPEG far larger than wanted is decoded at a half, a quarter or an eighth, never under FINER times what is wanted.
    """
    try:
        if isinstance(source, Image.Image):
            return _upright(source, name)
        with Image.open(source, formats=_formats()) as file:
            return _upright(file, name, size)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        raise _too_large(name, int(pixels.group()) if pixels else None) from None
    except UnidentifiedImageError:
        raise ImageError(f"{name}: {_why_unknown(source)}") from None
    except PermissionError:
        raise ImageError(f"{name}: no permission to read this file") from None
    except IsADirectoryError:
        raise ImageError(f"{name}: expected an image file, received a folder") from None
    except Exception as error:  # a decoder's OSError, ValueError, SyntaxError, struct.error, zlib.error, EOFError, ...
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ImageError(f"{name}: truncated or damaged image ({reason}); get a whole copy of it") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's warnings of bombs and odd metadata; the limit is checked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _upright(file: Image.Image, name: str, size: tuple[int, int] | None = None) -> Image.Image:
    if file.width * file.height > PIXEL_LIMIT:
        raise _too_large(name, file.width * file.height)
    frames = getattr(file, "n_frames", 1)
    if frames > 1 and file.format != "MPO":  # what phones call MPO is a JPEG with a preview or depth map after it
        raise ImageError(f"{name}: expected one picture, received {frames} frames; save the frame you mean as a PNG")
    if size is not None:
        file.draft(None, (FINER * max(size), FINER * max(size)))
    file.load()
    return ImageOps.exif_transpose(file)


@cache
def _formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _why_unknown(source: Opened) -> str:
    if isinstance(source, io.BytesIO) and not source.getvalue():
        return "the file is empty"
    if isinstance(source, Path) and source.stat().st_size == 0:
        return "the file is empty"
    return "not an image that can be read; expected JPEG, PNG, WebP, GIF, BMP, TIFF or PPM"


def _too_large(name: str, pixels: int | None) -> ImageError:
    received = f"received {_mega(pixels)}; " if pixels else ""
    return ImageError(f"{name}: expected at most {_mega(PIXEL_LIMIT)}, {received}make a smaller copy of it")


def _mega(pixels: int) -> str:
    return f"{pixels / 1e6:.0f} megapixels"


def _converted(image: Image.Image, name: str, channels: int) -> Image.Image:
    """8 bits and the wanted number of channels; transparent pixels are laid on white, as below them is noise."""
    if image.mode.startswith("I"):
        image = _eight_bits(image, name)
    if image.mode == "F":
        raise ImageError(f"{name}: expected 8 or 16 bits a channel, received floats; give the numbers as an array")
    if channels != 4 and image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(MODES[channels])


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    levels = np.asarray(image).astype(np.int64)
    if levels.min() < 0 or levels.max() > 65535:
        raise ImageError(f"{name}: expected 8 or 16 bits a channel, received 32; give the numbers as an array")
    return Image.fromarray(np.rint(levels / 257).astype(np.uint8))


def _fitted(image: Image.Image, size: tuple[int, int], fit: Fit) -> Image.Image:
    """`image` at `size` (width, height), bicubic and antialiased."""
    if image.size == size:
        return image
    if fit == "stretch":
        return image.resize(size, Image.Resampling.BICUBIC)
    if fit == "letterbox":
        return _letterboxed(image, size)
    return ImageOps.fit(image, size, Image.Resampling.BICUBIC)


def _letterboxed(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """As `ImageOps.pad`, which in many versions of Pillow fails where the shorter side comes out below one pixel."""
    scale = min(size[0] / image.width, size[1] / image.height)
    width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    canvas = Image.new(image.mode, size)
    canvas.paste(
        image.resize((width, height), Image.Resampling.BICUBIC), ((size[0] - width) // 2, (size[1] - height) // 2)
    )
    return canvas


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} x {shape[1]} pixels"
