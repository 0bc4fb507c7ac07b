"""Reading files into a batch and checking arrays: order, orientation, fitting, and every refusal word for word."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

import fieldmark as fm
from fieldmark.errors import ImageError
from fieldmark.images import PIXEL_LIMIT, check_images, find_images, read_images

pytestmark = pytest.mark.no_framework

READABLE = "expected JPEG, PNG, WebP, GIF, BMP, TIFF or PPM"
SUFFIX_LIST = ".jpg, .jpeg, .png, .webp, .gif, .bmp, .tif, .tiff, .ppm, .pgm, .avif"


def ramp(height: int = 6, width: int = 8, channels: int = 3) -> np.ndarray:
    """An image without symmetry: every pixel and channel differs."""
    return (np.arange(height * width * channels) % 251).astype(np.uint8).reshape(height, width, channels)


def save(path: Path, array: np.ndarray | None = None, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = ramp() if array is None else array
    Image.fromarray(picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture).save(path, **options)
    return path


def refusal(*arguments: Any, **options: Any) -> str:
    with pytest.raises(ImageError) as caught:
        read_images(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Reading


def test_one_file_is_a_batch_of_one_with_its_own_pixels(tmp_path: Path) -> None:
    images = fm.read_images(save(tmp_path / "a.png"))
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, ramp()[None])


def test_paths_pil_images_and_arrays_mix_in_the_order_given(tmp_path: Path) -> None:
    flipped = ramp()[::-1]
    images = read_images([Image.fromarray(flipped), save(tmp_path / "a.png"), str(tmp_path / "a.png"), flipped])
    np.testing.assert_array_equal(images, np.stack([flipped, ramp(), ramp(), flipped]))


def test_a_batch_of_arrays_is_its_images() -> None:
    batch = np.stack([ramp(), ramp()[::-1]])
    np.testing.assert_array_equal(read_images(batch), batch)
    np.testing.assert_array_equal(read_images([batch, ramp()]), np.concatenate([batch, ramp()[None]]))


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 1), (1, 6, 8, 1)])
def test_grey_arrays_keep_one_channel_or_become_rgb(shape: tuple[int, ...]) -> None:
    grey = ramp(channels=1).reshape(shape)
    np.testing.assert_array_equal(read_images(grey, channels=1), ramp(channels=1)[None])
    np.testing.assert_array_equal(read_images(grey), np.repeat(ramp(channels=1)[None], 3, axis=-1))


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 270 degrees to stand upright
    path = save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_images(path)[0], np.rot90(ramp(), -1))


def test_transparent_pixels_are_white_whatever_colour_they_hide(tmp_path: Path) -> None:
    pixels = np.concatenate([ramp(), np.zeros((6, 8, 1), np.uint8)], axis=-1)
    pixels[0, 0, 3] = 255
    images = read_images(save(tmp_path / "a.png", pixels))
    np.testing.assert_array_equal(images[0, 0, 0], pixels[0, 0, :3])
    assert (images[0, 1:] == 255).all()
    np.testing.assert_array_equal(read_images(tmp_path / "a.png", channels=4)[0], pixels)


def test_sixteen_bit_greys_are_scaled_not_clipped(tmp_path: Path) -> None:
    save(tmp_path / "deep.png", np.array([[0, 257 * 100, 65535]], np.uint16))
    np.testing.assert_array_equal(read_images(tmp_path / "deep.png", channels=1)[0, 0, :, 0], [0, 100, 255])


def test_crop_keeps_the_middle_stretch_keeps_all_letterbox_adds_black() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20, 0], wide[:, :10, 1], wide[:, 20:, 2] = 200, 200, 200  # green, red, blue: thirds
    crop, stretch, letterbox = (read_images(wide, size=10, fit=fit)[0] for fit in ("crop", "stretch", "letterbox"))
    np.testing.assert_array_equal(crop, wide[:, 10:20])
    assert (stretch[:, 0] == [0, 200, 0]).all()
    assert (stretch[:, -1] == [0, 0, 200]).all()
    assert (letterbox[:3] == 0).all()
    assert (letterbox[-3:] == 0).all()
    assert (letterbox[5, 0] == [0, 200, 0]).all()


def test_size_is_height_then_width() -> None:
    assert read_images(ramp(20, 30), size=(12, 16)).shape == (1, 12, 16, 3)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3, 4]))
def test_every_fit_gives_the_size_asked_for(h: int, w: int, height: int, width: int, channels: int) -> None:
    for fit in ("crop", "stretch", "letterbox"):
        images = read_images(ramp(h, w), size=(height, width), channels=channels, fit=fit)
        assert images.shape == (1, height, width, channels)


# Finding


def test_order_is_that_given_and_sorted_within_a_folder_whatever_the_disk_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked = os.walk
    monkeypatch.setattr(os, "walk", lambda top: [(f, d, sorted(names)[::-1]) for f, d, names in walked(top)][::-1])
    for name in ("z/c.JPG", "z/a.png", "z/deep/b.webp", "z/notes.txt", "z/.hidden.png", "z/.git/x.png", "a.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    found = find_images([tmp_path / "z", tmp_path / "a.png", str(tmp_path / "z" / "*.png")])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["z/a.png", "z/c.JPG", "z/deep/b.webp", "a.png"]


def test_globs_go_into_depth_and_a_file_with_brackets_is_itself(tmp_path: Path) -> None:
    for name in ("x/1.png", "x/y/2.png", "a[1].png", "a1.png"):
        save(tmp_path / name)
    found = find_images(f"{tmp_path}/x/**/*.png")
    assert [path.name for path in found] == ["1.png", "2.png"]
    assert find_images(tmp_path / "a[1].png") == [tmp_path / "a[1].png"]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    assert refusal(tmp_path / "no.png") == f"{tmp_path}/no.png: no such file or folder"
    assert refusal(f"{tmp_path}/*.png") == f"{tmp_path}/*.png: no image matches; expected files ending in {SUFFIX_LIST}"
    assert refusal(tmp_path / "notes") == (
        f"{tmp_path}/notes: no images in this folder; expected files ending in {SUFFIX_LIST}"
    )
    assert refusal([]) == "images: expected at least one, received none"
    with pytest.raises(ImageError, match=r"^images: expected at least one file, folder or glob, received none$"):
        find_images([])


# Refusing


def test_files_that_are_no_images(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("Dear diary")
    assert refusal(tmp_path / "empty.jpg") == f"{tmp_path}/empty.jpg: the file is empty"
    assert refusal(tmp_path / "text.jpg") == f"{tmp_path}/text.jpg: not an image that can be read; {READABLE}"


def test_formats_that_start_other_programs_are_not_opened(tmp_path: Path) -> None:
    save(tmp_path / "page.eps")
    assert refusal(tmp_path / "page.eps") == f"{tmp_path}/page.eps: not an image that can be read; {READABLE}"


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif"])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / f"half.{suffix}", noise)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    message = refusal(path)
    assert message.startswith(f"{path}: truncated or damaged image (") or suffix in ("webp", "tif")
    assert (
        message.endswith("); get a whole copy of it") or message == f"{path}: not an image that can be read; {READABLE}"
    )


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_file_is_read_or_refused_in_one_line(position: int, value: int) -> None:
    import io
    import tempfile

    buffer = io.BytesIO()
    Image.fromarray(ramp(16, 16)).save(buffer, format="PNG")
    damaged = bytearray(buffer.getvalue())
    damaged[position % len(damaged)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.png"
        path.write_bytes(bytes(damaged))
        message = f"{path}: it was read"
        try:
            read_images(path)
        except ImageError as error:
            message = str(error)
        assert message.startswith(f"{path}: ")
        assert "\n" not in message


def test_an_animated_image_says_how_many_frames(tmp_path: Path) -> None:
    frames = [Image.fromarray(ramp()), Image.fromarray(ramp()[::-1])]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    expected = f"{tmp_path}/a.gif: expected one picture, received 2 frames; save the frame you mean as a PNG"
    assert refusal(tmp_path / "a.gif") == expected


def test_a_phone_picture_with_a_second_one_inside_is_its_first(tmp_path: Path) -> None:
    first = Image.fromarray(np.full((8, 8, 3), 200, np.uint8))
    first.save(tmp_path / "a.mpo", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    assert read_images(tmp_path / "a.mpo").mean() > 190


@pytest.mark.parametrize(("side", "megapixels"), [(10_000, 100), (20_000, 400)])
def test_more_pixels_than_the_limit_are_refused_before_they_are_decoded(
    tmp_path: Path, side: int, megapixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import struct
    import zlib

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 9) + b"IDAT")
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    assert refusal(tmp_path / "bomb.png") == (
        f"{tmp_path}/bomb.png: expected at most 89 megapixels, received {megapixels} megapixels; "
        "make a smaller copy of it"
    )


def test_requests_that_make_no_sense(tmp_path: Path) -> None:
    assert refusal(ramp(), fit="cropp") == (  # type: ignore[arg-type]
        "unknown fit 'cropp': did you mean 'crop'? Valid: crop, stretch, letterbox"
    )
    assert refusal(ramp(), channels=5) == (
        "channels=5: expected 1 (grey), 3 (RGB) or 4 (RGBA); "
        "give images with other channels to the classifier as arrays"
    )
    assert refusal(ramp(), size=(0, 8)) == (
        "size=(0, 8): expected 1 pixel or more each way, and at most 89 megapixels in all"
    )
    assert refusal([ramp(), 7]) == "image 1: expected a path, a PIL image or a uint8 array, received int"  # type: ignore[list-item]
    assert refusal(ramp() / 255.0) == (
        "image 0: expected a uint8 array (h, w), (h, w, c) or (n, h, w, c) with 1, 3 or 4 channels, "
        "received float64 (6, 8, 3); give other arrays to the classifier as they are"
    )
    assert refusal(ramp()[:0]) == "image 0: expected one pixel or more, received shape (0, 8, 3)"


def test_images_of_two_sizes_need_a_size(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "b.png", ramp(4, 4))
    assert refusal(tmp_path) == (
        f"{tmp_path}/b.png: expected 6 x 8 pixels like {tmp_path}/a.png, received 4 x 4 pixels; "
        "give size=(height, width) to bring all images to one size"
    )
    assert read_images(tmp_path, size=5).shape == (2, 5, 5, 3)


def test_a_float_picture_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "f.tif", np.ones((4, 4), np.float32))
    assert refusal(tmp_path / "f.tif") == (
        f"{tmp_path}/f.tif: expected 8 or 16 bits a channel, received floats; give the numbers as an array"
    )


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "open", denied)
    assert refusal(tmp_path / "a.png") == f"{tmp_path}/a.png: no permission to read this file"


def test_the_limit_is_pillows_own_for_a_warning() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert PIXEL_LIMIT <= Image.MAX_IMAGE_PIXELS


# Arrays


def test_one_image_becomes_a_batch_and_numbers_stay_as_they_are() -> None:
    assert check_images(ramp()).shape == (1, 6, 8, 3)
    batch = np.stack([ramp(), ramp()])
    assert check_images(batch, (6, 8, 3)) is batch
    assert check_images([ramp(), ramp()], (None, None, 3)).dtype == np.uint8
    assert check_images(ramp() / 255, (6, None, None)).dtype == np.float64


NAN = np.full((2, 4, 4, 3), 0.5)
NAN[1, 0, 0, 0] = np.nan
CASES: list[tuple[str, Any, tuple[int | None, ...] | None, str]] = [
    (
        "rank 2",
        np.zeros((28, 28)),
        (28, 28, 1),
        "images: expected (n, 28, 28, 1), received shape (28, 28); "
        "give a grey image its channel axis: image[..., None]",
    ),
    (
        "rank 5",
        np.zeros((1, 1, 2, 2, 3)),
        None,
        "images: expected (n, height, width, channels), received shape (1, 1, 2, 2, 3); "
        "one image is (height, width, channels)",
    ),
    (
        "size",
        np.zeros((2, 128, 128, 3)),
        (224, 224, 3),
        "images: expected (n, 224, 224, 3), received (2, 128, 128, 3); "
        "resize them, or read files with fieldmark.read_images(paths, size=(224, 224))",
    ),
    (
        "channels",
        np.zeros((2, 28, 28, 3)),
        (28, 28, 1),
        "images: expected (n, 28, 28, 1), received (2, 28, 28, 3); the model takes 1 channel(s) an image",
    ),
    (
        "channels first",
        np.zeros((2, 3, 32, 32)),
        (32, 32, 3),
        "images: expected (n, 32, 32, 3), received (2, 3, 32, 32); put the channels last: images.transpose(0, 2, 3, 1)",
    ),
    (
        "grey stack",
        np.zeros((5, 28, 28)),
        (28, 28, 1),
        "images: expected (n, 28, 28, 1), received (1, 5, 28, 28); "
        "give grey images their channel axis: images[..., None]",
    ),
    (
        "nan",
        NAN,
        None,
        "images: expected finite numbers, received NaN or infinity in 1 of 2 images (first: number 1); "
        "mend or drop them",
    ),
    ("empty", np.zeros((0, 4, 4, 3)), None, "images: expected at least one image, received shape (0, 4, 4, 3)"),
    (
        "no pixels",
        np.zeros((1, 0, 4, 3)),
        None,
        "images: expected (n, height, width, channels), received shape (1, 0, 4, 3), which has no pixels",
    ),
    (
        "objects",
        np.array([None, {}], dtype=object),
        None,
        "images: expected numbers, received ndarray of dtype object",
    ),
    (
        "ragged",
        [np.zeros((2, 2, 3)), np.zeros((3, 3, 3))],
        None,
        "images: expected one array of numbers, received list; "
        "images in a list must have the same shape: np.stack(images)",
    ),
    (
        "path",
        "cat.png",
        None,
        "images: expected arrays, received paths; read them with fieldmark.read_images(paths, size)",
    ),
    (
        "paths",
        [Path("cat.png")],
        None,
        "images: expected arrays, received paths; read them with fieldmark.read_images(paths, size)",
    ),
]


@pytest.mark.parametrize(("array", "shape", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_arrays_that_no_model_takes(array: Any, shape: tuple[int | None, ...] | None, message: str) -> None:
    with pytest.raises(ImageError) as caught:
        check_images(array, shape)
    assert str(caught.value) == message


def test_the_caller_names_what_was_wrong() -> None:
    with pytest.raises(ImageError, match=r"^preprocess result: expected at least one image"):
        check_images(np.zeros((0, 2, 2, 3)), what="preprocess result")
