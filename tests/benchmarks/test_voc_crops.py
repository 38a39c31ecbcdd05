"""Objects of a detection dataset as labelled crops: their pixels, which are taken, what they are known by, and what is told."""

from __future__ import annotations

import errno
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats import voc_xml
from PIL import Image

from harness.benchmarks import Task, task
from harness.benchmarks.base import DATA
from harness.benchmarks.classification.readers import voc_crops
from harness.benchmarks.classification.readers.voc_crops import Crops, cut
from harness.catalog import Benchmark
from harness.errors import UsageError
from harness.fingerprints import of_folder
from harness.images import read_rgb

Item = tuple[str, int, int, int, int]
"""Class and x0 y0 x1 y1, the last ones one past the last pixel."""


def bench(family: str = "classification", **data: Any) -> Task:
    said = {"format": "voc-crops", "root": "r", "classes": ["a", "b"], "size": 16, **data}
    return task(Benchmark(id="b", family=family, data=said, model={"frozen": False} if family == "frozen-features" else {}))


def write(root: Path, name: str, items: list[Item], pixels: np.ndarray | None = None, more: str = "") -> np.ndarray:
    """A picture of 40 x 30 and its annotation."""
    if pixels is None:
        pixels = np.random.default_rng([*map(ord, name)]).integers(0, 255, (30, 40, 3)).astype(np.uint8)
    objects = "".join(
        f"<object><name>{label}</name>{more}<bndbox>"
        f"<xmin>{x0 + 1}</xmin><ymin>{y0 + 1}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for label, x0, y0, x1, y1 in items
    )
    for folder in ("images", "annotations"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(root / f"images/{name}.png")
    (root / f"annotations/{name}.xml").write_text(f"<annotation><filename>{name}.png</filename>{objects}</annotation>")
    return pixels


def lists(root: Path, **splits: list[str]) -> dict[str, str]:
    for split, names in splits.items():
        (root / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
    return {split: f"{split}.txt" for split in splits}


@pytest.fixture
def cells(tmp_path):
    """Two pictures with objects inside, at the border and beyond it; the second is the test."""
    root = tmp_path / "d"
    items = [("a", 10, 8, 20, 18), ("b", 0, 0, 12, 6), ("a", 34, 20, 40, 30), ("b", 5, 5, 8, 7)]
    pixels = [write(root, name, items) for name in ("one", "two")]
    return root, pixels[0], {"val_share": 0, **lists(root, train=["one"], test=["two"])}


def crops(found: Task, root: Path, split: str = "train") -> list[np.ndarray]:
    listing = found.listing(root)
    return [read_rgb(listing.image(sample)) for sample in listing.split(split)]


def test_a_crop_is_the_square_around_its_box(cells):
    root, pixels, said = cells
    found = bench(**said, context=0.1)
    assert found.check(root) == []
    inside, corner, side, small = crops(found, root)
    # 10 x 10 at 10, 8 and a pixel on either side
    np.testing.assert_array_equal(inside, pixels[7:19, 9:21])
    # 12 x 6 at the upper left: 14 pixels from -1, -4 on
    assert corner.shape == (14, 14, 3)
    np.testing.assert_array_equal(corner[4:, 1:], pixels[:10, :13])
    np.testing.assert_array_equal(corner[:4], np.broadcast_to(corner[4], (4, 14, 3)))
    np.testing.assert_array_equal(corner[:, 0], corner[:, 1])
    # 6 x 10 at the lower right: 12 pixels from 31, 19 on
    np.testing.assert_array_equal(side[:11, :9], pixels[19:, 31:])
    np.testing.assert_array_equal(side[11], side[10])
    np.testing.assert_array_equal(side[:, 9:], np.broadcast_to(side[:, 8:9], (12, 3, 3)))
    # 3 x 2: 3.6 pixels are 4, from 4.5 and 4 on
    np.testing.assert_array_equal(small, pixels[4:8, 5:9])
    listing = found.listing(root)
    assert [sample.label for sample in listing.train] == [0, 1, 0, 1] and listing.classes == ["a", "b"]
    assert all("one" in sample.file.name and listing.whole(sample) == root / "images/one.png" for sample in listing.train)
    wide = crops(bench(**said, context=0.5), root)[0]
    np.testing.assert_array_equal(wide, pixels[3:23, 5:25])
    assert [image.shape[0] for image in crops(bench(**said, context=0), root)] == [10, 12, 10, 4]


def test_a_box_that_leaves_its_picture_is_cut_to_it_and_told():
    pixels = np.arange(20 * 20 * 3, dtype=np.uint16).reshape(20, 20, 3)
    np.testing.assert_array_equal(cut(pixels, (10, 10, 1e9, 1e9), 0), pixels[10:, 10:])
    np.testing.assert_array_equal(cut(pixels, (50, 50, 60, 60), 0.1), pixels[np.ix_([18, 19, 19, 19], [18, 19, 19, 19])])


def test_one_box_beyond_the_border_is_told_and_one_beside_the_picture_stops(tmp_path):
    items = [("ab"[number % 2], 10, 8, 20, 18) for number in range(12)]
    write(tmp_path, "one", [*items, ("a", 30, 20, 45, 29)])
    write(tmp_path, "two", items[:2])
    said = lists(tmp_path, train=["one"], test=["two"])
    beyond = [problem for problem in bench(**said).check(tmp_path) if "reaches out" in problem.what]
    assert ["it is cut to the image" in problem.what and not problem.fatal for problem in beyond] == [True]
    assert crops(bench(**said, context=0), tmp_path)[-1].shape == (10, 10, 3)
    write(tmp_path, "one", [*items, ("a", 50, 20, 60, 29)])
    assert any("lies outside the image" in problem.what for problem in bench(**said).check(tmp_path) if problem.fatal)


def test_difficult_and_flat_objects_are_left_out(cells):
    root, _, said = cells
    write(root, "three", [("a", 5, 5, 15, 15)], more="<difficult>1</difficult>")
    write(root, "one", [("a", 10, 8, 20, 18), ("b", 5, 5, 6, 20), ("b", 0, 0, 12, 6)])
    lists(root, train=["one", "three"])
    found = bench(**said)
    assert [sample.label for sample in found.listing(root).train] == [0, 1]
    (problem,) = found.check(root)
    assert "1 box no more than a pixel wide or high left out, e.g. in annotations/one.xml" in problem.what and not problem.fatal


def test_of_a_frequent_class_some_evenly_spaced_are_taken(tmp_path):
    for number in range(6):
        items: list[Item] = [("a", x, 2, x + 8, 10) for x in (1, 11, 21)]
        write(tmp_path, f"p{number}", [*items, *([("b", 5, 15, 15, 25)] if number < 2 or number == 5 else [])])
    said = lists(tmp_path, train=[f"p{number}" for number in range(5)], test=["p5"])
    every, some = (bench(**said, val_share=0, **more).listing(tmp_path) for more in ({}, {"most": 4}))
    of_a = [sample for sample in every.train if sample.label == 0]
    assert len(of_a) == 15
    place = [(sample.picture, sample.box, sample.label) for sample in some.train]
    assert place == [
        (sample.picture, sample.box, sample.label)
        for sample in every.train
        if sample.label == 1 or sample in [of_a[0], of_a[3], of_a[7], of_a[11]]
    ]
    assert Counter(sample.label for sample in some.train) == {0: 4, 1: 2} and len(some.test) == 4


def test_crops_of_a_picture_stay_on_one_side(tmp_path, monkeypatch):
    for number in range(40):
        write(tmp_path, f"p{number}", [("a", 1 + number % 9, 2, 11, 12), ("b", 20, 10, 30, 20)])
    found = bench(val_share=0.25, test_fraction=0.2)
    listing = found.listing(tmp_path)
    sides = [{listing.whole(sample) for sample in listing.of(split)} for split in ("train", "val", "test")]
    assert [*map(len, sides)] == [24, 8, 8] and not sides[0] & sides[1] and not (sides[0] | sides[1]) & sides[2]
    assert [len(listing.of(split)) for split in ("train", "val", "test")] == [48, 16, 16]
    assert found.check(tmp_path) == []
    assert listing.belonging("test") == [number // 2 for number in range(16)]
    held = [(sample.picture, sample.box) for sample in listing.val]
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "other"))
    assert [(sample.picture, sample.box) for sample in found.listing(tmp_path).val] == held, "whatever the cache's place"


def test_samples_of_a_trial_are_drawn_by_picture(openmmlab, cells):
    """Those in the bank behind them do not count."""
    from mmengine.registry import DATASETS, DefaultScope

    from harness.compose.bare import _placed

    root, _, said = cells
    write(root, "three", [("b", 10, 8, 20, 18)])
    said |= lists(root, train=["one"], test=["two", "three"])
    for family in ("classification", "frozen-features"):
        found = bench(family, **said)
        config = found.config({})
        with DefaultScope.overwrite_default_scope(config["default_scope"]):
            dataset = DATASETS.build(_placed(config["test_dataloader"]["dataset"], {DATA: str(root)}))
        assert dataset.metainfo["belonging"] == [0, 0, 0, 0, 1], family
        assert len(dataset) == {"classification": 5, "frozen-features": 9}[family]


def test_a_metric_hands_on_what_samples_belong_to(openmmlab):
    import torch

    from harness.benchmarks.classification.mm import TopAccuracy

    for belonging in ([0, 0, 1], None):
        metric = TopAccuracy([1])
        metric.dataset_meta = {"classes": ("a", "b"), "belonging": belonging}
        results = [{"pred_score": torch.tensor([0.2, 0.8]), "gt_label": torch.tensor([label])} for label in (0, 1, 1)]
        metric.compute_metrics(results)
        assert metric.per_sample.get("group", np.array(None)).tolist() == belonging


def test_the_fingerprint_is_that_of_pictures_and_annotations(cells, tmp_path, monkeypatch):
    root, pixels, said = cells
    found = bench(**said)
    known = of_folder(found, root)
    assert of_folder(bench(**said, context=0.3, most=1), root) == known, "of the files"
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "elsewhere"))
    assert of_folder(found, root) == known
    listing = found.listing(root)
    read = {file.relative_to(root).as_posix() for file in listing.read()}
    names = [f"{folder}/{name}" for folder, end in (("images", "png"), ("annotations", "xml")) for name in (f"one.{end}", f"two.{end}")]
    assert read == {*names, "train.txt", "test.txt"}
    (before,) = listing.unpacked
    seen = {known}
    image = pixels.copy()
    image[29, 39] ^= 1  # in no crop without context
    Image.fromarray(image).save(root / "images/one.png")
    seen.add(of_folder(found, root))
    file = root / "annotations/one.xml"
    file.write_text(file.read_text().replace("<xmin>11</xmin>", "<xmin>12</xmin>"))
    seen.add(of_folder(found, root))
    (root / "train.txt").write_text("one\ntwo\n")
    seen.add(of_folder(found, root))
    assert len(seen) == 4 and found.listing(root).unpacked != [before]


def test_an_edit_is_seen_by_the_datasets_of_a_trial(cells):
    root, _, said = cells
    found = bench(**said)
    options = {**found.data.model_dump(mode="json", exclude={"root"})}
    _, first = found.family.listing(root, options)
    assert found.family.listing(root, options)[1] is first
    turned = read_rgb(root / "images/one.png")[::-1]
    Image.fromarray(turned).save(root / "images/one.png")
    os.utime(root / "images/one.png", ns=(1, 1))
    _, second = found.family.listing(root, options)
    np.testing.assert_array_equal(read_rgb(second.image(second.train[0])), turned[7:19, 9:21])


def test_a_picture_is_cropped_as_it_is_shown(cells):
    root, pixels, said = cells
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(np.ascontiguousarray(pixels[::-1, ::-1])).save(root / "images/one.png", exif=exif.tobytes())
    np.testing.assert_array_equal(crops(bench(**said, exif="apply"), root)[0], pixels[7:19, 9:21])
    np.testing.assert_array_equal(crops(bench(**said), root)[0], pixels[::-1, ::-1][7:19, 9:21])
    assert any("1 of 2 images carry an EXIF orientation" in problem.what for problem in bench(**said).check(root))


def test_pictures_of_16_bits_keep_them(cells):
    import cv2

    root, _, said = cells
    deep = np.random.default_rng(0).integers(0, 4096, (2, 30, 40, 3)).astype(np.uint16)
    for name, pixels in zip(("one", "two"), deep, strict=True):
        (root / f"images/{name}.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    found = bench(**said)
    listing = found.listing(root)
    assert listing.bits == 12 and not any(problem.fatal for problem in found.check(root))
    np.testing.assert_array_equal(cv2.imread(str(listing.train[0].file), cv2.IMREAD_UNCHANGED), deep[0, 7:19, 9:21])


def _picture_missing(root: Path) -> None:
    (root / "images/one.png").unlink()


def _broken_xml(root: Path) -> None:
    (root / "annotations/one.xml").write_text("<annotation><object>")


def _unknown_class(root: Path) -> None:
    write(root, "one", [("cow", 10, 8, 20, 18)])


def _no_list(root: Path) -> None:
    (root / "train.txt").unlink()


def _size(root: Path) -> None:
    file = root / "annotations/one.xml"
    file.write_text(file.read_text().replace("<object>", "<size><width>30</width><height>40</height></size><object>", 1))


@pytest.mark.parametrize("damage", [_picture_missing, _broken_xml, _unknown_class, _no_list, _size])
def test_what_is_wrong_is_told_as_in_detection(cells, damage):
    root, _, said = cells
    damage(root)
    del said["val_share"]
    data = {"format": "voc-xml", "root": "r", "classes": ["a", "b"], **said}
    theirs = [problem for problem in task(Benchmark(id="d", family="detection", data=data)).check(root) if problem.fatal]
    ours = [problem for problem in bench(**said).check(root) if problem.fatal]
    assert theirs and all(problem in ours for problem in theirs)
    assert all(str(root) not in problem.sentences for problem in ours)


def test_every_damaged_picture_is_named_and_nothing_is_kept_of_the_others(cells, tmp_path, monkeypatch):
    root, pixels, said = cells
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for name in ("one", "two"):
        (root / f"images/{name}.png").unlink()
        Image.fromarray(pixels).save(root / f"images/{name}.jpg")
        file = root / f"images/{name}.jpg"
        file.write_bytes(file.read_bytes()[:-400])
    problems = [problem for problem in bench(**said).check(root) if problem.fatal]
    assert [problem.where for problem in problems if "cannot be read" in problem.what] == ["images/one.jpg", "images/two.jpg"]
    assert [*(tmp_path / "cache/unpacked").iterdir()] == []


def test_a_picture_in_both_splits_is_told_even_if_its_boxes_differ(cells):
    root, pixels, said = cells
    write(root, "two", [("a", 3, 3, 13, 13), ("b", 20, 10, 31, 20)], pixels)
    problems = [problem for problem in bench(**said).check(root) if problem.fatal]
    assert [problem.where for problem in problems] == ["splits"] and "images/two.png, the same picture as images/one.png" in problems[
        0
    ].what


@pytest.mark.parametrize("fails", ["full", "file", "read-only"])
def test_a_cache_that_cannot_be_written_is_told_and_leaves_nothing(cells, tmp_path, monkeypatch, fails):
    root, _, said = cells
    cache = tmp_path / "cache"
    monkeypatch.setenv("HARNESS_CACHE", str(cache))

    def full(file: Path, *_: Any) -> None:
        file.write_bytes(b"\x89PNG")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def read_only(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(cache / "unpacked"))

    reason = {"full": "No space left", "file": "Not a directory", "read-only": "Read-only"}[fails]
    with monkeypatch.context() as patch:
        if fails == "full":
            patch.setattr(voc_crops, "write_image", full)
        elif fails == "read-only":
            patch.setattr(Path, "mkdir", read_only)
        else:
            cache.write_text("")
        listing = bench(**said).listing(root)
        (problem,) = [problem for problem in listing.problems if "cannot be written" in problem.what]
    assert problem.fatal and problem.where == "images" and reason in problem.what and str(cache) in problem.what
    assert "HARNESS_CACHE" in problem.mend and not listing.train
    if fails == "full":
        assert [*(cache / "unpacked").iterdir()] == []
    if fails != "file":
        assert len(bench(**said).listing(root).train) == 4


def test_a_folder_is_made_once_and_again_after_the_cache_was_emptied(cells, tmp_path, monkeypatch):
    import shutil

    root, _, said = cells
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (folder,) = bench(**said).listing(root).unpacked
    assert len([*folder.iterdir()]) == 8
    with monkeypatch.context() as patch:
        patch.setattr(voc_crops, "write_image", lambda *_: pytest.fail("cut out already"))
        assert bench("frozen-features", **said).listing(root).unpacked == [folder]
    shutil.rmtree(tmp_path / "cache")
    assert bench(**said).listing(root).unpacked == [folder] and folder.is_dir()
    assert isinstance(bench(**said).listing(root), Crops)


def test_pictures_of_one_name_in_two_folders(tmp_path, monkeypatch):
    for folder, number in (("x", 0), ("y", 1)):
        write(tmp_path, "one", [("ab"[number], 10, 8, 20, 18)], np.full((30, 40, 3), 40 * number, np.uint8))
        for kind, end in (("images", "png"), ("annotations", "xml")):
            (tmp_path / kind / folder).mkdir()
            (tmp_path / kind / f"one.{end}").rename(tmp_path / kind / folder / f"one.{end}")
    found = bench(**lists(tmp_path, train=["x/one"], test=["y/one"]))
    assert [image.mean() for split in ("train", "test") for image in crops(found, tmp_path, split)] == [0, 40]
    both = voc_xml(tmp_path / "far")
    assert len(bench(**{**both["data"], "format": "voc-crops", "size": 16}).listing(tmp_path / "far").train) == 5


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"train": "train.txt"}, "give both train and test"),
        ({"classes": ["a", "a"]}, "a class is listed twice"),
        ({"context": -1}, "context"),
    ],
)
def test_options_that_cannot_be_are_refused(data, said):
    with pytest.raises(UsageError, match=said):
        bench(**data)
