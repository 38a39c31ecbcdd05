"""Maps that are kept as numbers: what is read is what was written, and a file is never believed."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest

from harness.diagnostics.maps import FILE, LAYERS, LONGEST, MOST, SIDE, Marks, Pictured, load, save
from harness.diagnostics.overlays import SHARE, colour_of, enlarged, legend, marked, overlays


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([255 * y / height, 255 * x / width, 0 * x], axis=-1).astype(np.uint8)


@pytest.fixture
def pictured():
    draw = np.random.default_rng(0)
    return [
        Pictured(
            sample=17,
            image=smooth(48, 64),
            maps={"neck.attention": draw.random((3, 6, 8), np.float32), "gate/head (unary)": 1e-6 * draw.random((1, 3, 4), np.float32)},
            true=Marks(boxes=np.array([[0.1, 0.2, 0.5, 0.75]]), text="a ring"),
            predicted=Marks(boxes=np.array([[0, 0, 1, 1]]), text="<b>ring</b>"),
            classes=("a ring", "ein Käfer"),
        ),
        Pictured(
            sample=3,
            image=smooth(32, 32),
            maps={"neck.attention": -draw.random((1, 2, 2), np.float32)},
            true=Marks(labels=draw.integers(0, 5, (32, 32)).astype(np.uint8), points=np.array([[0.5, 0.25, 1], [np.nan, 2, 0]])),
        ),
    ]


def test_what_is_read_is_what_was_written(pictured, tmp_path):
    save(tmp_path / "artifacts" / FILE, pictured)
    for found, was in zip(load(tmp_path / "artifacts" / FILE), pictured, strict=True):
        assert (found.sample, found.classes, found.true.text, found.predicted.text) == (
            was.sample,
            was.classes,
            was.true.text,
            was.predicted.text,
        )
        assert np.abs(found.image.astype(int) - was.image).mean() < 3, "a JPEG"
        assert [*found.maps] == [*was.maps]
        for layer, maps in was.maps.items():
            np.testing.assert_allclose(found.maps[layer], maps, rtol=1e-3, atol=1e-3 * np.abs(maps).max())
        for side in ("true", "predicted"):
            for name in ("points", "boxes", "labels"):
                there, then = getattr(getattr(found, side), name), getattr(getattr(was, side), name)
                assert there is None if then is None else np.allclose(there, then, equal_nan=True)
    assert [file.name for file in (tmp_path / "artifacts").iterdir()] == [FILE]


def test_large_ones_are_reduced_to_means(tmp_path):
    flat = np.zeros((12, 4 * SIDE, 2 * SIDE), np.float32)
    flat[:, :8] = 1
    labels = np.zeros((3 * LONGEST, 10), np.uint8)
    save(tmp_path / FILE, [Pictured(0, smooth(20, 20), {f"layer{n}": flat for n in range(40)}, Marks(labels=labels))])
    (found,) = load(tmp_path / FILE)
    assert [*found.maps] == [f"layer{n}" for n in range(40 - LAYERS, 40)]
    maps = found.maps["layer39"]
    assert maps.shape == (MOST, SIDE, SIDE // 2) and maps.mean() == pytest.approx(flat.mean(), rel=1e-3)
    assert found.true.labels.shape[0] <= LONGEST
    assert (tmp_path / FILE).stat().st_size < 200_000


def rewritten(file, change) -> None:
    with np.load(file) as arrays:
        content = {name: arrays[name] for name in arrays.files}
    change(content)
    np.savez_compressed(file, **content)


class Harmful:
    def __reduce__(self):
        return (print, ("code of the file was run",))


@pytest.mark.parametrize(
    ("how", "what"),
    [
        (lambda file: file.unlink(), "missing"),
        (lambda file: file.write_bytes(b""), "cannot be read"),
        (lambda file: file.write_bytes(b"<html>"), "cannot be read"),
        (lambda file: file.write_bytes(file.read_bytes()[:-300]), "cannot be read"),
        (lambda file: file.write_bytes(file.read_bytes()[:200] + b"\0" * 200 + file.read_bytes()[400:]), "cannot be read"),
        (lambda file: rewritten(file, lambda content: content.pop("0/layers")), "cannot be read"),
        (lambda file: rewritten(file, lambda content: content.update({"0/map0": np.zeros(5)})), "the shape"),
        (lambda file: rewritten(file, lambda content: content.update({"0/map0": np.array([[["x"]]])})), "no numbers"),
        (lambda file: rewritten(file, lambda content: content.update({"0/image": np.zeros(5, np.uint8)})), "cannot be read"),
        (lambda file: rewritten(file, lambda content: content.update({"0/map0": np.array([[[Harmful()]]])})), "cannot be read"),
        (lambda file: rewritten(file, lambda content: content.update({"0/more": np.zeros(2**27, np.uint8)})), "more than 64 MiB"),
        (lambda file: rewritten(file, lambda content: content.update({"0/image": large_jpeg()})), "9000"),
    ],
)
def test_a_file_that_is_none_of_ours_is_a_sentence(pictured, tmp_path, how, what):
    save(tmp_path / FILE, pictured)
    how(tmp_path / FILE)
    with pytest.raises(ValueError, match=what):
        load(tmp_path / FILE)


def large_jpeg() -> np.ndarray:
    from PIL import Image

    stream = io.BytesIO()
    Image.new("L", (9000, 9000)).save(stream, "JPEG")
    return np.frombuffer(stream.getvalue(), np.uint8)


def test_an_array_that_claims_to_be_larger_than_its_file(pictured, tmp_path):
    save(tmp_path / FILE, pictured)
    with zipfile.ZipFile(tmp_path / FILE) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6, 10**6)})
    with zipfile.ZipFile(tmp_path / FILE, "w") as archive:
        for name, data in (content | {"0/map0.npy": header.getvalue()}).items():
            archive.writestr(name, data)
    with pytest.raises(ValueError, match="cannot be read"):
        load(tmp_path / FILE)


def test_pickles_are_not_loaded(tmp_path):
    (tmp_path / FILE).write_bytes(pickle.dumps([1]))
    with pytest.raises(ValueError, match="cannot be read"):
        load(tmp_path / FILE)


def test_blending_goes_from_the_image_to_the_colours():
    image, heat = smooth(40, 60), np.eye(4, dtype=np.float32)
    assert (overlays(image, [heat], share=0) == image).all()
    colours = overlays(image, [heat], share=1)
    assert (colours == overlays(0 * image, [heat], share=1)).all(), "nothing of the image"
    half = overlays(image, [heat], share=0.5).astype(int)
    assert np.abs(half - (image.astype(int) + colours) / 2).max() <= 1
    assert (overlays(image, [heat], limits=(0, 10)) != overlays(image, [heat])).any()
    assert (overlays(image, [heat, heat])[:, 60:] == overlays(image, [heat])).all()


def test_marks_stand_where_they_should():
    image = np.full((100, 200, 3), 90, np.uint8)
    boxed = marked(image, Marks(boxes=np.array([[0.25, 0.1, 0.75, 0.9]])), true=True)
    assert (boxed[10, 60] == 255).all() and (boxed[50, 50] == 255).all() and (boxed[50, 100] == 90).all()
    dashed = marked(image, Marks(boxes=np.array([[0.25, 0.1, 0.75, 0.9]])), true=False)
    orange = (dashed == (230, 159, 0)).all(-1)
    assert 0 < orange[50 - 30 : 50 + 30, 50].sum() < 60, "with gaps"
    points = np.array([[0.5, 0.5, 1], [0.1, 0.1, 0], [np.nan, np.nan, 1], [1e30, -1e30, 1]])
    ring, cross = (marked(image, Marks(points=points), true=true) for true in (True, False))
    assert (ring[50, 100] == 90).all() and np.abs(cross[50, 100].astype(int) - (230, 159, 0)).max() < 30
    assert (ring[:30] == 90).all(), "one that is not known is not drawn"
    labels = np.full((10, 20), 255, np.uint8)
    labels[:, 10:] = 9
    filled = marked(image, Marks(labels=labels), true=True)
    assert (filled[:, :100] == 90).all() and (filled[:, 110:] != 90).all()
    lines = marked(image, Marks(labels=labels), true=False, outlines=True)
    assert (lines[:, 98:102] == (230, 159, 0)).all(-1).any(axis=1).all() and (lines[:, :95] == 90).all() and (lines[:, 105:] == 90).all()
    assert (marked(image, Marks(text="a ring"), true=True) == image).all()


def test_a_legend_and_small_images():
    assert legend([("a", (0, 0, 0)), ("b" * 30, (255, 0, 0)), ("c", (0, 0, 0))], 240).shape[1] == 240
    assert enlarged(smooth(8, 6), 320).shape == (320, 240, 3) and enlarged(smooth(400, 6), 320).shape == (400, 6, 3)


def test_labels_lie_over_the_image_as_a_blend_of_each_pixel():
    draw = np.random.default_rng(0)
    image = draw.integers(0, 256, (9, 14, 3), np.uint8)
    labels = draw.choice([0, 3, 8, 77, 254, 255], (9, 14)).astype(np.uint8)
    drawn = marked(image, Marks(labels=labels), true=True)
    for place in np.ndindex(labels.shape):
        above = np.array(colour_of(int(labels[place])))
        blend = ((1 - SHARE) * image[place] + SHARE * above).astype(np.uint8)
        assert drawn[place].tolist() == (image[place] if labels[place] == 255 else blend).tolist()
