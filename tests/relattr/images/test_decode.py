"""Every kind of image file decodes to what it shows, and every bad one is refused by name."""

from __future__ import annotations

import contextlib
import io
import random
import re
import struct
import threading
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from relattr.errors import BadImage
from relattr.images.decode import decode

HEIGHT, WIDTH = 21, 34


def smooth(height=HEIGHT, width=WIDTH):
    """A smooth colour image, which survives JPEG, and is like none of its mirrored or turned selves."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([40 + 160 * y / height, 30 + 190 * x / width, 60 + 80 * x * y / (height * width)], 2).astype(
        np.uint8
    )


def save(path, image, **options):
    image.save(path, **options)
    return path


def close(found, expected, tolerance):
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= tolerance


# ---------------------------------------------------------------------- what is decoded


@pytest.mark.parametrize(
    ("suffix", "options", "tolerance"),
    [
        ("png", {}, 0),
        ("webp", {"lossless": True}, 0),
        ("webp", {"quality": 95}, 12),
        ("jpg", {"quality": 98, "subsampling": 0}, 6),
        ("jpg", {"quality": 95, "progressive": True}, 9),
    ],
)
def test_rgb(tmp_path, suffix, options, tolerance):
    path = save(tmp_path / f"x.{suffix}", Image.fromarray(smooth()), **options)
    close(decode(path), smooth(), tolerance)


def test_the_format_is_detected_from_the_content(tmp_path):
    close(decode(save(tmp_path / "x.jpg", Image.fromarray(smooth()), format="PNG")), smooth(), 0)


@pytest.mark.parametrize(("suffix", "tolerance"), [("png", 0), ("jpg", 4), ("webp", 12)])
def test_grey_is_repeated_on_three_channels(tmp_path, suffix, tolerance):
    grey = smooth()[:, :, 1]
    found = decode(save(tmp_path / f"x.{suffix}", Image.fromarray(grey), quality=97))
    close(found, np.stack([grey] * 3, 2), tolerance)


def test_one_bit(tmp_path):
    bits = np.random.default_rng(0).random((HEIGHT, WIDTH)) < 0.5
    close(decode(save(tmp_path / "x.png", Image.fromarray(bits))), np.stack([bits * 255] * 3, 2).astype(np.uint8), 0)


def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path):
    deep = np.linspace(0, 65535, HEIGHT * WIDTH).round().astype(np.uint16).reshape(HEIGHT, WIDTH)
    found = decode(save(tmp_path / "x.png", Image.fromarray(deep)))
    close(found, np.stack([np.round(deep / 65535 * 255)] * 3, 2).astype(np.uint8), 0)


def palette_image():
    index = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 4).astype(np.uint8)
    colours = np.array([[250, 10, 20], [0, 200, 40], [5, 6, 220], [90, 90, 90]], np.uint8)
    image = Image.fromarray(index)
    image.putpalette(colours.ravel().tolist())
    return image, index, colours


def test_palette(tmp_path):
    image, index, colours = palette_image()
    assert image.mode == "P"
    close(decode(save(tmp_path / "x.png", image)), colours[index], 0)


@pytest.mark.parametrize(("transparency", "white"), [(2, [2]), (bytes([255, 0, 255, 0]), [1, 3])])
def test_a_transparent_palette_is_composited_on_white(tmp_path, transparency, white):
    image, index, colours = palette_image()
    expected = colours.copy()
    expected[white] = 255
    close(decode(save(tmp_path / "x.png", image, transparency=transparency)), expected[index], 0)


def test_a_transparent_colour_is_composited_on_white(tmp_path):
    pixels = smooth()
    pixels[:5] = (1, 2, 3)
    expected = pixels.copy()
    expected[:5] = 255
    close(decode(save(tmp_path / "x.png", Image.fromarray(pixels), transparency=(1, 2, 3))), expected, 0)


@pytest.mark.parametrize("suffix", ["png", "webp"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_composited_on_white(tmp_path, suffix, mode):
    alpha = np.linspace(0, 255, HEIGHT * WIDTH).round().astype(np.uint8).reshape(HEIGHT, WIDTH)
    colour = smooth() if mode == "RGBA" else np.stack([smooth()[:, :, 0]] * 3, 2)
    layers = np.dstack([colour if mode == "RGBA" else colour[:, :, :1], alpha])
    image = Image.fromarray(layers)
    assert image.mode == mode
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    share = alpha[:, :, None] / 255.0
    expected = np.round(colour * share + 255 * (1 - share)).astype(np.uint8)
    close(decode(save(tmp_path / f"x.{suffix}", image, **options)), expected, 1)


def test_cmyk_jpeg(tmp_path):
    """Adobe's inverted kind, the one that cameras and Photoshop write, shows the colours it was made of."""
    image = Image.fromarray(smooth()).convert("CMYK")
    path = save(tmp_path / "x.jpg", image, quality=98, subsampling=0)
    assert b"Adobe" in path.read_bytes()[:200]
    close(decode(path), smooth(), 8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("suffix", "tolerance"), [("jpg", 8), ("png", 0), ("webp", 12)])
def test_exif_orientation_is_applied(tmp_path, orientation, suffix, tolerance):
    """Row 0 of the stored array is the visual side that the standard (JEITA CP-3451, tag 0x0112) says."""
    upright = smooth()
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(
        tmp_path / f"x.{suffix}", Image.fromarray(np.ascontiguousarray(stored[orientation])), exif=exif, quality=97
    )
    close(decode(path), upright, tolerance)


def test_orientation_of_sixteen_bit_grey(tmp_path):
    deep = np.linspace(0, 65535, HEIGHT * WIDTH).round().astype(np.uint16).reshape(HEIGHT, WIDTH)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = decode(save(tmp_path / "x.png", Image.fromarray(np.ascontiguousarray(np.rot90(deep))), exif=exif))
    close(found[:, :, 0], np.round(deep / 257).astype(np.uint8), 0)


def test_the_first_frame_of_an_animation_is_used(tmp_path):
    frames = [Image.fromarray(np.full((HEIGHT, WIDTH, 3), colour, np.uint8)) for colour in ((200, 0, 0), (0, 200, 0))]
    for suffix, options in (("webp", {"lossless": True}), ("png", {})):
        path = save(
            tmp_path / f"x.{suffix}", frames[0], save_all=True, append_images=frames[1:], duration=100, **options
        )
        with Image.open(path) as opened:
            assert opened.n_frames == 2
        close(decode(path), np.asarray(frames[0]), 0)


@pytest.mark.parametrize(
    ("shape", "side", "expected"),
    [
        ((100, 200), 50, (25, 50)),
        ((200, 100), 50, (50, 25)),
        ((30, 50), 50, (30, 50)),
        ((3, 900), 100, (1, 100)),
        ((20, 20), None, (20, 20)),
        ((333, 500), 100, (67, 100)),
    ],
)
def test_large_images_are_downscaled_to_the_longer_side(tmp_path, shape, side, expected):
    path = save(tmp_path / "x.png", Image.fromarray(smooth(*shape)))
    assert decode(path, side).shape == (*expected, 3)


def test_downscaling_averages(tmp_path):
    checks = np.indices((400, 400)).sum(0) % 2 * 255
    found = decode(save(tmp_path / "x.png", Image.fromarray(checks.astype(np.uint8))), 100)
    assert np.abs(found[5:-5, 5:-5].astype(int) - 127).max() <= 3


def test_an_image_with_damaged_metadata_is_decoded(tmp_path):
    path = save(
        tmp_path / "x.jpg",
        Image.fromarray(smooth()),
        exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x05garbage",
        quality=98,
    )
    close(decode(path), smooth(), 8)


# ---------------------------------------------------------------------- what is refused


def whole(suffix):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[suffix])
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("kept", [1, 8, 30, 0.3, 0.7, 0.95])
def test_truncated_files_raise(tmp_path, suffix, kept):
    content = whole(suffix)
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(BadImage, match=rf"cut\.{suffix}"):
        decode(path)


@pytest.mark.parametrize("name", ["text.jpg", "zeros.png"])
def test_files_that_are_not_images_raise(tmp_path, name):
    (tmp_path / name).write_bytes(b"hello, this is a note\n" if name == "text.jpg" else bytes(5000))
    with pytest.raises(BadImage, match=rf"{name} is not an image.*JPEG, PNG, WEBP"):
        decode(tmp_path / name)


@pytest.mark.parametrize("suffix", ["gif", "bmp", "tiff", "ppm"])
def test_unsupported_formats_raise(tmp_path, suffix):
    path = save(tmp_path / f"x.{suffix}", Image.fromarray(smooth()))
    with pytest.raises(BadImage, match=rf"x\.{suffix} is not an image of a supported format: JPEG, PNG, WEBP"):
        decode(path)


def test_an_empty_file_raises(tmp_path):
    (tmp_path / "e.jpg").write_bytes(b"")
    with pytest.raises(BadImage, match=r"e\.jpg is empty"):
        decode(tmp_path / "e.jpg")


def test_a_missing_file_and_a_folder_raise(tmp_path):
    with pytest.raises(BadImage, match=r"cannot read image .*gone\.jpg: No such file"):
        decode(tmp_path / "gone.jpg")
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(BadImage, match=r"folder\.jpg is not a file"):
        decode(tmp_path / "folder.jpg")


def png_of_size(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [10_001, 13_000, 100_000])
def test_a_decompression_bomb_is_rejected_before_decoding(tmp_path, side):
    """Just above the limit, where Pillow would warn; and far above it, where Pillow would refuse itself."""
    (tmp_path / "bomb.png").write_bytes(png_of_size(side, side))
    tracemalloc.start()
    try:
        with pytest.raises(BadImage, match=r"bomb\.png.*(at most|too large)"):
            decode(tmp_path / "bomb.png")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_damaged_files_decode_or_raise_bad_image(tmp_path, suffix):
    """Whatever Pillow raises on garbage, the user sees the file's name."""
    content, draw = whole(suffix), random.Random(0)
    path = tmp_path / f"d.{suffix}"
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(draw.choice((1, 4, 30))):
            damaged[draw.randrange(min(len(damaged), draw.choice((60, 600, 10**6))))] = draw.randrange(256)
        path.write_bytes(damaged)
        with contextlib.suppress(BadImage):
            decode(path, 512)
            continue
        with pytest.raises(BadImage, match=re.escape(str(path))):
            decode(path, 512)
        refused += 1
    assert refused > 10


def test_decoding_in_threads_restores_the_warning_filters(tmp_path):
    path = save(tmp_path / "x.png", Image.fromarray(smooth()))
    before = list(warnings.filters)
    threads = [threading.Thread(target=lambda: [decode(path) for _ in range(30)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before
