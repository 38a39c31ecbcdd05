"""From files to pixels: whatever kind they are, and whatever they are called."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from tiffs import RGB, WHITE_IS_ZERO
from tiffs import save as save_tiff

from harness.depth import significant_bits
from harness.images import Decoding, glance, measure, read_bgr, read_deep, read_rgb, search
from harness.tiff import further_pages

CORNER = np.zeros((8, 12, 3), np.uint8)
CORNER[:3, :5] = (250, 120, 30)

RAMP = np.tile(np.linspace(0, 4095, 24).astype(np.uint16), (8, 1))


def pnm(kind: str, pixels: np.ndarray, white: int) -> bytes:
    body = pixels.astype(">u2" if white > 255 else "u1").tobytes()
    return f"{kind}\n# of a microscope\n{pixels.shape[1]} {pixels.shape[0]}\n{white}\n".encode() + body


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("kind", ["RGB", "L", "P", "I;16"])
def test_a_tiff_is_turned_only_where_it_is_asked_for(tmp_path, kind, tag):
    grey = Image.fromarray(CORNER[..., 0].astype(np.uint16) * 100) if kind == "I;16" else None
    picture = grey or (Image.fromarray(CORNER).quantize(4) if kind == "P" else Image.fromarray(CORNER).convert(kind))
    exif = Image.Exif()
    exif[0x0112] = tag
    picture.save(tmp_path / "a.tif", tiffinfo={0x0112: tag})
    picture.save(tmp_path / "a.png", exif=exif)
    for turned in (False, True):
        decoding = Decoding(turned)
        expected = read_bgr(tmp_path / "a.png", decoding)
        np.testing.assert_array_equal(read_bgr(tmp_path / "a.tif", decoding), expected)
        for header_only in (False, True):
            assert measure(tmp_path / "a.tif", header_only=header_only, exif=turned) == expected.shape[1::-1]
    size, thumb = glance(tmp_path / "a.tif", 16)
    assert size == (12, 8)
    np.testing.assert_array_equal(thumb, glance(tmp_path / "a.png", 16)[1])


@pytest.mark.parametrize(
    "name", ["grey.png", "grey.tif", "grey.pgm", "colour.png", "colour.tif", "colour.ppm", "png.jpg", "tif.bmp", "avif.jpg"]
)
def test_depth_is_asked_of_the_content(tmp_path, name):
    file = tmp_path / name
    stem, suffix = file.stem, file.suffix
    pixels = RAMP if stem == "grey" else np.stack([RAMP, RAMP // 2, RAMP], -1)
    kind = suffix if stem in ("grey", "colour") else f".{stem}"
    if kind == ".avif":  # of which the head tells nothing
        if not cv2.haveImageWriter("a.avif"):
            pytest.skip("OpenCV writes no AVIF here")
        parameters = [cv2.IMWRITE_AVIF_DEPTH, 12, cv2.IMWRITE_AVIF_QUALITY, 100]
        file.write_bytes(cv2.imencode(kind, pixels, parameters)[1].tobytes())
    else:
        file.write_bytes(cv2.imencode(kind, pixels)[1].tobytes())
    assert significant_bits([file]) == 12
    row = read_rgb(file, Decoding(bits=12))[0, :, 0]
    assert np.abs(row.astype(int) - (RAMP[0] >> 4)).max() <= (2 if kind == ".avif" else 0)
    _, thumb = glance(file, 12)
    assert thumb.max() > 150


def test_eight_bits_are_not_deep(tmp_path):
    for suffix in (".png", ".tif", ".ppm", ".jpg", ".bmp", ".webp"):
        (tmp_path / f"a{suffix}").write_bytes(cv2.imencode(suffix, CORNER)[1].tobytes())
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:20])
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:20])
    assert significant_bits([*tmp_path.iterdir(), tmp_path / "gone.png"]) is None


def test_of_many_jpegs_some_are_asked(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(cv2.imencode(".png", RAMP)[1].tobytes())
    asked = list[Path]()
    monkeypatch.setattr("harness.depth.headers.is_deep", lambda file: asked.append(file) or False)
    significant_bits([tmp_path / f"{number}.jpg" for number in range(5000)])
    assert 1000 < len(asked) <= 2000


@pytest.mark.parametrize("white", [1, 15, 100, 255])
@pytest.mark.parametrize("kind", ["P5", "P6"])
def test_white_is_what_a_pnm_says(tmp_path, kind, white):
    values = np.array([[0, white // 2, white]])
    pixels = np.stack([values] * 3, -1) if kind == "P6" else values
    (tmp_path / "a.ppm").write_bytes(pnm(kind, pixels, white))
    expected = np.asarray(Image.open(tmp_path / "a.ppm").convert("RGB"))
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.ppm"), expected)
    assert expected.max() == 255


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".tif", {"tiffinfo": {338: 2}}),
        (".tif", {"tiffinfo": {338: 2}, "compression": "tiff_lzw"}),
        (".tif", {"tiffinfo": {338: 2}, "big_tiff": True}),
        (".png", {}),
        (".webp", {"lossless": True, "exact": True}),
    ],
    ids=str,
)
def test_transparency_is_dropped(tmp_path, suffix, options):
    clear = Image.fromarray(np.dstack([CORNER, np.full(CORNER.shape[:2], 90, np.uint8)]))
    clear.save(tmp_path / f"a{suffix}", **options)
    np.testing.assert_array_equal(read_rgb(tmp_path / f"a{suffix}"), CORNER)


def test_lab_is_refused(tmp_path):
    lab = ImageCms.createProfile("LAB")
    ImageCms.profileToProfile(Image.fromarray(CORNER), ImageCms.createProfile("sRGB"), lab, outputMode="LAB").save(tmp_path / "a.tif")
    for read in (measure, read_bgr):
        with pytest.raises(ValueError, match="CIE Lab"):
            read(tmp_path / "a.tif")


DEEP = np.random.default_rng(0).integers(0, 65536, (40, 56, 4)).astype(np.uint16)


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("3 of 16", {"photometric": RGB, "planes": True}, "plane after plane, which is not read in 16 bits; store them pixel by pixel"),
        ("4 of 16", {"photometric": RGB, "planes": True, "extra": (2,)}, "plane after plane, which is not read in 16 bits"),
        ("2 of 8", {"extra": (0,)}, "two bands, of which the first alone would be read"),
        ("2 of 8", {}, "two bands, of which the first alone would be read"),
        ("2 of 8", {"extra": (2,), "tile": 64}, "a transparency beside them, which is not read in tiles"),
        ("2 of 16", {"extra": (2,)}, "a transparency beside them, which is not read in 16 bits"),
        ("3 of 16", {"extra": (0, 0)}, "3 bands that does not call them red, green and blue; write it with PHOTOMETRIC=RGB"),
        ("4 of 8", {"extra": (0, 0, 0), "order": ">"}, "4 bands that does not call them red, green and blue"),
        ("5 of 8", {"photometric": RGB, "extra": (0, 0)}, "5 bands, of which none is left out unasked; store red, green and blue only"),
    ],
    ids=str,
)
def test_tiffs_of_which_decoders_make_something_else_are_refused(tmp_path, kind, options, says):
    bands, bits = map(int, kind.split(" of "))
    pixels = np.concatenate([DEEP, DEEP], -1)[..., :bands]
    save_tiff(tmp_path / "a.tif", pixels if bits == 16 else (pixels >> 8).astype(np.uint8), **options)
    for read in (measure, read_deep, lambda file: glance(file, 16)):
        with pytest.raises(ValueError, match=says):
            read(tmp_path / "a.tif")


def test_a_tiff_that_a_decoder_does_not_know_is_called_one(tmp_path):
    save_tiff(tmp_path / "a.tif", (DEEP >> 8).astype(np.uint8), photometric=RGB, planes=True, extra=(0,))
    for read in (measure, lambda file: glance(file, 16)):
        with pytest.raises(ValueError, match=r"a kind that is not read \(4 bands of 8 bits, plane after plane\); store it pixel by pixel"):
            read(tmp_path / "a.tif")
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"^the file is no image$"):
        measure(tmp_path / "a.tif")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("1 of 16", {"photometric": WHITE_IS_ZERO}),
        ("1 of 8", {"photometric": WHITE_IS_ZERO}),
        ("1 of 16", {"photometric": WHITE_IS_ZERO, "tile": 64}),
        ("1 of 16", {}),
        ("2 of 8", {"extra": (2,)}),
        ("3 of 16", {"photometric": RGB}),
        ("4 of 16", {"photometric": RGB, "extra": (2,)}),
        ("3 of 8", {"photometric": RGB, "planes": True}),
        ("4 of 8", {"photometric": RGB, "planes": True, "extra": (2,)}),
    ],
    ids=str,
)
def test_tiffs_are_read_as_the_standard_has_them(tmp_path, kind, options, order):
    bands, bits = map(int, kind.split(" of "))
    pixels = DEEP[..., :bands] if bits == 16 else (DEEP[..., :bands] >> 8).astype(np.uint8)
    save_tiff(tmp_path / "a.tif", pixels, order=order, **options)
    colours = pixels[..., :3] if bands > 2 else pixels[..., [0, 0, 0]]
    expected = ~colours if options.get("photometric") == WHITE_IS_ZERO else colours
    np.testing.assert_array_equal(read_deep(tmp_path / "a.tif")[..., ::-1], expected)
    size, thumb = glance(tmp_path / "a.tif", 16)
    assert size == measure(tmp_path / "a.tif") == (56, 40)
    assert abs(thumb.mean() - (expected >> (bits - 8)).mean()) < 3


def test_pictures_of_a_telephone_are_told_whatever_their_name(tmp_path):
    (tmp_path / "IMG_1.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500))
    for read in (measure, read_bgr):
        with pytest.raises(ValueError, match="its content is HEIF, which is not read; convert it"):
            read(tmp_path / "IMG_1.jpg")


def test_whatever_is_not_read_is_counted(tmp_path):
    content = cv2.imencode(".png", CORNER)[1].tobytes()
    for name in ("a.png", "b.pnm", "c.jxl", "d.CR2", "e.gif", "plain", "photo.0001", "x.jpg_original", ".hidden"):
        (tmp_path / name).write_bytes(content)
    for name in ("README", "labels.txt", "a.xml", "classes.names", "list.0001"):
        (tmp_path / name).write_text("PNG, as text\n")
    found = search(tmp_path)
    assert [file.name for file in found.files] == ["a.png"]
    assert found.passed_over == {
        **{".pnm files": 1, ".jxl files": 1, ".cr2 files": 1, ".gif files": 1},
        "pictures without a known suffix": 3,
    }


@pytest.mark.parametrize("order", ["<", ">"])
def test_pages_of_a_tiff_are_counted(tmp_path, order):
    pages = [CORNER, CORNER[::2, ::2], CORNER[::4, ::4]]
    for count in (1, 2, 3):
        save_tiff(tmp_path / "a.tif", *pages[:count], photometric=RGB, order=order)
        assert further_pages(tmp_path / "a.tif") == count - 1
        np.testing.assert_array_equal(read_rgb(tmp_path / "a.tif"), CORNER)
    for kind in (1, 4):  # smaller copies, as whole slides have them, and masks of transparency
        save_tiff(tmp_path / "a.tif", *pages, photometric=RGB, order=order, subfile=kind)
        assert further_pages(tmp_path / "a.tif") == 0
    content = (tmp_path / "a.tif").read_bytes()
    for end in range(8, len(content), 7):
        (tmp_path / "a.tif").write_bytes(content[:end])
        assert further_pages(tmp_path / "a.tif") == 0
    Image.fromarray(CORNER).save(tmp_path / "a.tif", save_all=True, append_images=[Image.fromarray(CORNER)], big_tiff=order == ">")
    assert further_pages(tmp_path / "a.tif") == 1
    Image.fromarray(CORNER).save(tmp_path / "a.png")
    assert further_pages(tmp_path / "a.png") == 0
