"""Every image format is decoded correctly; invalid files are refused with their name."""

from __future__ import annotations

import contextlib
import io
import random
import re
import struct
import sys
import threading
import tracemalloc
import warnings
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, features

from relattr.errors import BadImage, BadInput
from relattr.images import decode as decoding
from relattr.images.decode import decode

HEIGHT, WIDTH = 21, 34


def smooth(height=HEIGHT, width=WIDTH):
    """A smooth colour image, which JPEG preserves, and which differs from its mirrored and rotated versions."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([40 + 160 * y / height, 30 + 190 * x / width, 60 + 80 * x * y / (height * width)], 2).astype(
        np.uint8
    )


def save(path, image, **options):
    image.save(path, **options)
    return path


def close(result, expected, tolerance):
    assert result.dtype == np.uint8
    assert result.shape == expected.shape
    assert np.abs(result.astype(int) - expected.astype(int)).max() <= tolerance


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
    result = decode(save(tmp_path / f"x.{suffix}", Image.fromarray(grey), quality=97))
    close(result, np.stack([grey] * 3, 2), tolerance)


def test_one_bit(tmp_path):
    bits = np.random.default_rng(0).random((HEIGHT, WIDTH)) < 0.5
    close(decode(save(tmp_path / "x.png", Image.fromarray(bits))), np.stack([bits * 255] * 3, 2).astype(np.uint8), 0)


def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path):
    deep = np.linspace(0, 65535, HEIGHT * WIDTH).round().astype(np.uint16).reshape(HEIGHT, WIDTH)
    result = decode(save(tmp_path / "x.png", Image.fromarray(deep)))
    close(result, np.stack([np.round(deep / 65535 * 255)] * 3, 2).astype(np.uint8), 0)


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
    """Adobe's inverted CMYK, which cameras and Photoshop write, decodes to the original colours."""
    image = Image.fromarray(smooth()).convert("CMYK")
    path = save(tmp_path / "x.jpg", image, quality=98, subsampling=0)
    assert b"Adobe" in path.read_bytes()[:200]
    close(decode(path), smooth(), 8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("suffix", "tolerance"), [("jpg", 8), ("png", 0), ("webp", 12)])
def test_exif_orientation_is_applied(tmp_path, orientation, suffix, tolerance):
    """Row 0 of the stored array is the visual side that the standard defines (JEITA CP-3451, tag 0x0112)."""
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
    result = decode(save(tmp_path / "x.png", Image.fromarray(np.ascontiguousarray(np.rot90(deep))), exif=exif))
    close(result[:, :, 0], np.round(deep / 257).astype(np.uint8), 0)


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
    result = decode(save(tmp_path / "x.png", Image.fromarray(checks.astype(np.uint8))), 100)
    assert np.abs(result[5:-5, 5:-5].astype(int) - 127).max() <= 3


def test_an_image_with_damaged_metadata_is_decoded(tmp_path):
    path = save(
        tmp_path / "x.jpg",
        Image.fromarray(smooth()),
        exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x05garbage",
        quality=98,
    )
    close(decode(path), smooth(), 8)


# ---------------------------------------------------------------------- metadata does not matter


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_grey_png(path, samples, depth, transparent=None, extra=b""):
    """A grey PNG file of 1 to 16 bits, written byte by byte; ``transparent`` is the sample that is transparent."""
    height, width = samples.shape
    rows = b""
    for row in samples.tolist():
        bits = "".join(format(value, f"0{depth}b") for value in row)
        bits += "0" * (-len(bits) % 8)
        rows += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    trns = b"" if transparent is None else png_chunk(b"tRNS", struct.pack(">H", transparent))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n" + header + extra + trns + png_chunk(b"IDAT", zlib.compress(rows))
    path.write_bytes(content + png_chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_grey_is_white_at_every_depth(tmp_path, depth):
    largest = 2**depth - 1
    samples = np.linspace(0, largest, 24).round().astype(int).reshape(4, 6)
    for transparent in (0, largest // 3, largest):
        expected = np.round(samples * (255 / largest)).astype(np.uint8)
        expected[samples == transparent] = 255
        result = decode(write_grey_png(tmp_path / "x.png", samples, depth, transparent))
        close(result, np.stack([expected] * 3, 2), 0)


def test_a_transparent_colour_of_sixteen_bits_is_white(tmp_path):
    pixels = np.array([[[0x1234, 0x5678, 0x9ABC], [0xFFFF, 0, 0x8000]]], ">u2")
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
    trns = png_chunk(b"tRNS", pixels[0, 0].tobytes())
    data = png_chunk(b"IDAT", zlib.compress(b"\0" + pixels.tobytes()))
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + trns + data + png_chunk(b"IEND", b""))
    assert decode(tmp_path / "x.png").tolist() == [[[255, 255, 255], [255, 0, 128]]]


def exif_block(entries, tail=b""):
    """EXIF data with these entries ``(tag, type, count, value bytes)``, of any type, sound or not."""
    block = b"II*\0" + struct.pack("<IH", 8, len(entries))
    for tag, kind, count, value in entries:
        block += struct.pack("<HHI", tag, kind, count) + value
    return block + struct.pack("<I", 0) + tail


def with_exif(path, image, block):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=98, subsampling=0)
    segment = b"Exif\0\0" + block
    content = buffer.getvalue()
    path.write_bytes(content[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + content[2:])
    return path


TURNED = (0x0112, 3, 1, struct.pack("<HH", 6, 0))


@pytest.mark.parametrize("tag", [0x010E, 0x0110, 0x011A, 0x0128, 0x0132, 0x8769, 0x8825, 0x9C9B, 0xA005])
@pytest.mark.parametrize("kind", [*range(14), 77])
def test_a_tag_of_any_type_leaves_pixels_and_orientation_alone(tmp_path, tag, kind):
    """The model as a number, the resolution as text, a folder of tags as a float, types that do not exist."""
    for count, value in ((1, struct.pack("<I", 50)), (4, b"abc\0"), (2**31, struct.pack("<I", 2**31))):
        entries = sorted([TURNED, (tag, kind, count, value)])
        path = with_exif(tmp_path / "x.jpg", Image.fromarray(smooth()), exif_block(entries, struct.pack("<d", 1.0)))
        close(decode(path), np.rot90(smooth(), -1), 8)


@pytest.mark.parametrize("value", [(3, 1, struct.pack("<HH", 9, 0)), (2, 2, b"6\0\0\0"), (12, 1, b"\xff" * 4)])
def test_an_orientation_that_is_none_is_ignored(tmp_path, value):
    path = with_exif(tmp_path / "x.jpg", Image.fromarray(smooth()), exif_block([(0x0112, *value)]))
    close(decode(path), smooth(), 8)


def test_metadata_with_random_bytes_never_refuse_an_image(tmp_path):
    draw = random.Random(0)
    entries = [TURNED, *((0x0100 + k, draw.randrange(13), 1, draw.randbytes(4)) for k in range(30, 40))]
    block = exif_block(entries, bytes(200))
    for _ in range(200):
        damaged = bytearray(block)
        for _ in range(draw.choice((1, 5, 50))):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        path = with_exif(tmp_path / "x.jpg", Image.fromarray(smooth()), bytes(damaged))
        assert sorted(decode(path).shape) == sorted(smooth().shape)


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"x" * 3_000_000)),
        png_chunk(b"iTXt", b"prompt\0\1\0\0\0" + zlib.compress(b"x" * 3_000_000)),
        png_chunk(b"tEXt", b"parameters\0" + b"x" * 70_000_000),
        png_chunk(b"iCCP", b"profile\0\0" + zlib.compress(b"x" * 3_000_000)),
        png_chunk(b"tEXt", b"comment\0text")[:-4] + b"wrong",
        png_chunk(b"pHYs", b"1"),
        png_chunk(b"gAMA", b""),
    ],
    ids=["zTXt", "iTXt", "tEXt", "iCCP", "checksum", "pHYs", "gAMA"],
)
def test_long_texts_and_odd_chunks_of_png_do_not_matter(tmp_path, chunk):
    chunk = chunk[:-1] if chunk.endswith(b"wrong") else chunk
    samples = np.arange(24).reshape(4, 6) * 10
    exif = png_chunk(b"eXIf", exif_block([TURNED]))
    result = decode(write_grey_png(tmp_path / "x.png", samples, 8, extra=exif + chunk))
    close(result, np.stack([np.rot90(samples, -1).astype(np.uint8)] * 3, 2), 0)


def test_a_critical_chunk_that_is_unknown_is_not_skipped(tmp_path):
    path = write_grey_png(tmp_path / "x.png", np.arange(24).reshape(4, 6), 8, extra=png_chunk(b"ABCD", b""))
    content = path.read_bytes().replace(b"IDAT", b"IDBT")
    path.write_bytes(content)
    with pytest.raises(BadImage, match=r"x\.png"):
        decode(path)


def test_a_jpeg_above_the_limit_is_decoded_at_a_smaller_size(tmp_path, monkeypatch):
    pixels = smooth(160, 256)
    path = save(tmp_path / "x.jpg", Image.fromarray(pixels), quality=98, subsampling=0)
    expected = decode(path, 32)
    monkeypatch.setenv("RELATTR_MAX_PIXELS", str(20 * 32))
    close(decode(path, 32), expected, 6)
    for max_side in (None, 64):  # a quarter of the size still has too many pixels
        with pytest.raises(BadImage, match=r"at most 640 are decoded"):
            decode(path, max_side)
    png = save(tmp_path / "x.png", Image.fromarray(pixels))
    with pytest.raises(BadImage, match="or save it smaller or as JPEG"):
        decode(png, 32)


def test_avif_is_decoded_where_pillow_reads_it(tmp_path):
    if not features.check("avif"):
        pytest.skip("this version of Pillow does not read AVIF")
    path = save(tmp_path / "x.avif", Image.fromarray(smooth()), quality=95)
    close(decode(path), smooth(), 12)


@pytest.fixture
def heic_packages(monkeypatch):
    """Decide anew whether pillow-heif is installed; the argument is the module that takes its place, or None."""

    def replace(module):
        monkeypatch.setitem(sys.modules, "pillow_heif", module)
        decoding._reads_heic.cache_clear()

    yield replace
    monkeypatch.undo()
    decoding._reads_heic.cache_clear()


def test_heic_without_its_package_says_what_to_install(tmp_path, heic_packages):
    heic_packages(None)
    (tmp_path / "x.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(BadImage, match=r"x\.HEIC looks like HEIC, which needs .* pip install 'relattr\[heic\]'"):
        decode(tmp_path / "x.HEIC")


def test_heic_is_read_by_what_the_package_registers(tmp_path, heic_packages, monkeypatch):
    def open_heic(file, filename):
        return Image.fromarray(smooth())

    monkeypatch.setattr(Image, "OPEN", {**Image.OPEN, "HEIF": (open_heic, lambda prefix: prefix[4:8] == b"ftyp")})
    registered = []
    heic_packages(SimpleNamespace(register_heif_opener=lambda: registered.append(True)))
    (tmp_path / "x.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    close(decode(tmp_path / "x.heic"), smooth(), 0)
    assert registered == [True]


def test_the_limit_of_pixels_can_be_set(tmp_path, monkeypatch):
    path = save(tmp_path / "x.png", Image.fromarray(smooth()))
    before = Image.MAX_IMAGE_PIXELS
    monkeypatch.setenv("RELATTR_MAX_PIXELS", str(HEIGHT * WIDTH))
    close(decode(path), smooth(), 0)
    monkeypatch.setenv("RELATTR_MAX_PIXELS", str(HEIGHT * WIDTH - 1))
    with pytest.raises(BadImage, match=r"34 x 21 pixels; at most 713 are decoded \(set RELATTR_MAX_PIXELS"):
        decode(path)
    for text in ("1e9", "0", "-5", "1_000", "\uff11"):
        monkeypatch.setenv("RELATTR_MAX_PIXELS", text)
        with pytest.raises(BadInput, match="expected a number of pixels"):
            decode(path)
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_photograph_of_200_megapixels_is_within_the_limit(tmp_path):
    """Its header is enough: the pixels are missing, and the message is about that."""
    (tmp_path / "x.png").write_bytes(png_of_size(16_320, 12_240))
    with pytest.raises(BadImage, match="truncated"):
        decode(tmp_path / "x.png")


# ---------------------------------------------------------------------- what is refused


def whole(suffix):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[suffix])
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("n_bytes", [1, 8, 30, 0.3, 0.7, 0.95])
def test_truncated_files_raise(tmp_path, suffix, n_bytes):
    content = whole(suffix)
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(content[: n_bytes if isinstance(n_bytes, int) else int(n_bytes * len(content))])
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
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(bytes(100)))
        + png_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [14_143, 20_000, 100_000])
def test_a_decompression_bomb_is_rejected_before_decoding(tmp_path, side):
    """Just above the limit of 200 megapixels, and far above it."""
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
    """Whatever Pillow raises for invalid content, the message names the file."""
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


def test_a_damaged_header_is_no_other_format(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "PNG")
    damaged = bytearray(buffer.getvalue())
    damaged[20] ^= 255  # the size in the header; the checksum no longer matches
    for name, content, kind in (
        ("a.png", bytes(damaged), "PNG"),
        ("b.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 50, "JPEG"),
        ("c.webp", b"RIFF\0\0\0\0WEBPxx", "WebP"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadImage, match=rf"{name} is damaged: it begins like a {kind} file"):
            decode(tmp_path / name)
