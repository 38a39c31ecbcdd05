"""Segmentation masks as people bring them: read right by everyone, or refused with the mend."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiffs import WHITE_IS_ZERO
from tiffs import save as save_tiff

from harness.benchmarks import task
from harness.benchmarks.report import describe
from harness.benchmarks.segmentation.edges import Seams
from harness.catalog import Benchmark
from harness.errors import UsageError

LABEL = np.zeros((24, 32), np.uint8)
LABEL[6:18, 8:24] = 1


def bench(**data) -> Benchmark:
    return Benchmark(id="seg", family="segmentation", data={"format": "mmseg-folder", "root": "x", "classes": ["bg", "fg"], **data})


def _image(split: str, index: int) -> Image.Image:
    rng = np.random.default_rng([len(split), index])
    return Image.fromarray((rng.integers(0, 60, (24, 32, 3)) + 180 * LABEL[..., None]).astype(np.uint8))


@pytest.fixture
def write(tmp_path):
    """``write(label)``: two training and two test images, their label maps made by ``label(LABEL) -> Pillow image``."""

    def make(label=Image.fromarray, suffix: str = ".png", image_suffix: str = ".png", **options) -> Path:
        for split in ("train", "val"):
            for part in ("img_dir", "ann_dir"):
                (tmp_path / part / split).mkdir(parents=True, exist_ok=True)
            for index in range(2):
                _image(split, index).save(tmp_path / f"img_dir/{split}/{index}{image_suffix}")
                made = label(LABEL)
                made.save(tmp_path / f"ann_dir/{split}/{index}{suffix}", **options)
        return tmp_path

    return make


def trained(entry: Benchmark, root: Path) -> list[np.ndarray]:
    """The label maps that a trial's training dataset yields."""
    from mmengine.registry import DATASETS

    config = task(entry).config({})["train_dataloader"]["dataset"]
    dataset = DATASETS.build({**config, "data_root": str(root), "pipeline": [{"type": "ReadImage"}, {"type": "ReadLabel"}]})
    return [item["gt_seg_map"] for item in dataset]


COLOURS = {"20,0,200": "bg", "#80FF00": "fg"}


def _coloured(label):
    return Image.fromarray(np.where(label[..., None], (128, 255, 0), (20, 0, 200)).astype(np.uint8))


@pytest.mark.parametrize(
    ("label", "data"),
    [
        (Image.fromarray, {}),
        (lambda a: Image.fromarray(a * 255), {"labels": {0: "bg", 255: "fg"}}),
        (lambda a: Image.fromarray(a + 1), {"labels": {"1": "bg", "2": "fg"}}),
        (lambda a: Image.fromarray(a + 1), {"reduce_zero_label": True}),
        (lambda a: Image.fromarray(a.astype(bool)), {}),
        (lambda a: Image.fromarray(a.astype(np.uint16)), {}),
        (lambda a: Image.fromarray(a.astype(np.float32)), {"label_suffix": ".tif"}),
        (_coloured, {"labels": COLOURS}),
        (lambda a: _coloured(a).quantize(2), {"labels": COLOURS}),
    ],
    ids=["plain", "0 and 255", "from 1 by labels", "from 1", "one bit", "16 bits", "floating point", "colours", "colours of a palette"],
)
def test_everyone_reads_the_same_labels(openmmlab, write, label, data):
    root = write(label, suffix=data.get("label_suffix", ".png"))
    entry = bench(**data)
    assert task(entry).check(root) == []
    assert all((read == LABEL).all() for read in trained(entry, root))
    assert task(entry).floor(root)["aAcc"] == pytest.approx(100 * (LABEL == 0).mean())
    assert [sample.caption for sample in task(entry).samples(root, 2)] == ["bg, fg"] * 2


@pytest.mark.parametrize(
    ("label", "options", "says"),
    [
        (lambda a: Image.fromarray(a * 255), {}, "data.labels: {0: CLASS, 255: CLASS}"),
        (lambda a: Image.fromarray(a * 255), {"suffix": ".jpg", "quality": 75}, "is JPEG, which changes labels"),
        (lambda a: Image.fromarray(a), {"suffix": ".jpg", "quality": 100}, "is JPEG, which changes labels"),
        (lambda a: Image.merge("LA", [Image.fromarray(a)] * 2), {}, "mode LA, but all grey"),
        (lambda a: Image.fromarray(np.stack([a] * 3, -1)), {}, "mode RGB, but all grey. Write one channel"),
        (lambda a: Image.fromarray(np.stack([a, a * 0, a], -1)), {}, "data.labels: {'128,0,0': CLASS"),
        (lambda a: Image.fromarray(a * np.float32(0.5)), {"suffix": ".tif"}, "holds fractions or NaN"),
        (lambda a: Image.fromarray(np.where(a, np.float32("nan"), 0)), {"suffix": ".tif"}, "holds fractions or NaN"),
        (lambda a: Image.fromarray(a * 7), {}, "labels 7 are outside the classes 0 to 1"),
        (lambda a: Image.fromarray(a * 0), {}, "no training pixel of fg"),
        (lambda a: Image.fromarray(a.T.copy()), {}, "Image and label map must have the same size"),
    ],
    ids=[
        "0 and 255",
        "JPEG",
        "JPEG of 0 and 1",
        "alpha",
        "grey in colours",
        "colours",
        "fractions",
        "NaN",
        "other values",
        "one class",
        "turned",
    ],
)
def test_what_would_fit_by_accident_is_refused_with_the_mend(write, label, options, says):
    root = write(label, **options)
    found = [problem.sentences for problem in task(bench(label_suffix=options.get("suffix", ".png"))).check(root) if problem.fatal]
    assert any(says in sentence for sentence in found), found


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({"0": "bg", "1": "cat"}, "names cat"),
        ({"0": "bg"}, "gives no value to fg"),
        ({"0": "bg", "1,1": "fg"}, "neither a value"),
        ({"0": "bg", "1,1,1": "fg"}, "mixed"),
        ({"300,0,0": "bg", "1,1,1": "fg"}, "no colour"),
        ({"0,0,0": "bg", "128,0,0": "fg", "#800000": "bg"}, "'128,0,0' and '#800000' are the same colour"),
        ({"0": "bg", "1": "fg", "01": "bg"}, "'1' and '01' are the same value"),
    ],
)
def test_labels_that_mean_nothing_are_refused(write, labels, says):
    with pytest.raises(UsageError, match=says):
        task(bench(labels=labels)).listing(write())


def test_any_values_can_be_ignored_whatever_classes_count_from(openmmlab, write):
    def corners(label):
        made = label + 1
        made[0, 0], made[0, 1] = 9, 255
        return Image.fromarray(made)

    root = write(corners)
    entry = bench(reduce_zero_label=True, ignore=[9])
    assert task(entry).check(root) == []
    (read, _) = trained(entry, root)
    assert read[0, :2].tolist() == [255, 255] and (read[1:] == LABEL[1:]).all()


@pytest.mark.parametrize(
    "text",
    [
        "0\n1\n",
        "\ufeff0\n\n1\n",
        "0.png\n1.png\n",
        "# all\n0 3\n1 4\n",
        "img_dir/train/0.png\n/data/me/img_dir/train/1.png /x/1.png\n",
        "0\r\n1\r\n",
    ],
    ids=["plain", "mark and blank", "suffix", "columns", "folders", "windows"],
)
def test_lists_are_read_as_people_write_them(openmmlab, write, text):
    root = write()
    (root / "train.txt").write_text(text, encoding="utf-8", newline="")
    entry = bench(train={"images": "img_dir/train", "labels": "ann_dir/train", "list": "train.txt"})
    assert task(entry).check(root) == []
    assert len(trained(entry, root)) == len(task(entry).listing(root).train) == 2


def test_linked_folders_are_read_once_and_hidden_ones_never(openmmlab, write, tmp_path):
    root = write()
    for part in ("img_dir", "ann_dir"):
        (root / "store" / part).mkdir(parents=True)
        for place in (".cache", "@eaDir"):
            (root / part / "train" / place).mkdir()
            Image.fromarray(LABEL).save(root / part / "train" / place / "9.png")
        os.symlink(root / "store" / part, root / part / "train" / "city")
        os.symlink(root / part / "train", root / part / "train" / "loop")
    _image("deep", 0).save(root / "store/img_dir/7.png")
    Image.fromarray(LABEL).save(root / "store/ann_dir/7.png")
    entry = bench()
    listing = task(entry).listing(root)
    assert [pair.name for pair in listing.train] == ["img_dir/train/0", "img_dir/train/1", "img_dir/train/city/7"]
    assert len(trained(entry, root)) == 3 and task(entry).check(root) == []
    assert listing.left_out == {"hidden or system folders": 2, "links to folders that are read already": 1}


def test_suffixes_in_capitals_are_the_same_suffix(openmmlab, write):
    root = write(suffix=".PNG", image_suffix=".PNG")
    assert task(bench()).check(root) == [] and len(trained(bench(), root)) == 2


OUTER, INNER = [[0, 0, 32, 0, 32, 24, 0, 24]], [[8, 6, 24, 6, 24, 18, 8, 18]]


def coco(root: Path, **changes) -> Benchmark:
    square = [8, 6, 24, 6, 24, 18, 8, 18]
    rle = {"size": [24, 32], "counts": [8 * 24 + 6, 12] + [12, 12] * 15 + [12 * 1 - 6 + 7 * 24 + 6]}
    rle["counts"][-1] = 24 * 32 - sum(rle["counts"][:-1])
    for split in ("train", "val"):
        images = [{"id": f"{index:03d}", "file_name": f"{index}.png", "width": 32, "height": 24} for index in range(2)]
        annotations = [
            {"id": index, "image_id": f"{index:03d}", "category_id": 5, "segmentation": [square] if index else rle, "area": 192}
            for index in range(2)
        ]
        content = {"images": images, "annotations": annotations, "categories": [{"id": 5, "name": "fg"}, {"id": 2, "name": "other"}]}
        (root / f"{split}.json").write_text(json.dumps(content | changes))
    splits = {name: {"annotations": f"{split}.json", "images": f"img_dir/{split}"} for name, split in (("train", "train"), ("test", "val"))}
    return Benchmark(id="c", family="segmentation", data={"format": "coco", "root": "x", "classes": ["fg"], **splits})


def test_outlines_and_runs_become_the_same_label_map(openmmlab, write):
    root = write()
    entry = coco(root)
    assert task(entry).check(root) == []
    assert all((read == LABEL).all() for read in trained(entry, root))
    assert task(entry).floor(root)["aAcc"] == pytest.approx(75.0)


def test_coco_files_of_windows_and_images_without_annotation(write):
    root = write()
    images = [{"id": f"{index:03d}", "file_name": f"img_dir\\{{}}\\{index}.png", "width": 32, "height": 24} for index in range(2)]
    entry = coco(root, images=images, annotations=[{"image_id": "001", "category_id": 5, "segmentation": INNER}])
    for split in ("train", "val"):
        (root / f"{split}.json").write_text((root / f"{split}.json").read_text().replace("{}", split))
    splits = {name: {**entry.data[name], "images": "."} for name in ("train", "test")}
    problems = task(entry.model_copy(update={"data": entry.data | splits})).check(root)
    assert [problem.where for problem in problems] == ["train.json", "val.json"] and not any(problem.fatal for problem in problems)
    assert all("1 of 2 images have no annotation, e.g. img_dir" in problem.what for problem in problems)


def test_coco_ids_of_another_type_and_outlines_of_nothing_are_read(write):
    """As by detection and localization: ``[[]]`` is an annotation without a segmentation."""
    one = {"image_id": "0.0", "category_id": "5.0", "segmentation": [[], *INNER]}
    other = {"image_id": 1, "category_id": 5, "segmentation": [[]]}
    root = write()
    found = task(coco(root, annotations=[one, other]))
    listing = found.listing(root)
    assert not listing.problems and listing.left_out["annotations without a segmentation"] == 2
    assert [len(pair.objects) for pair in listing.test] == [1, 0]
    assert not any(problem.fatal and "drawn" in problem.what for problem in found.check(root))


def test_coco_has_no_values_to_ignore(write):
    entry = coco(write())
    with pytest.raises(UsageError, match=r"background: null ignores"):
        task(entry.model_copy(update={"data": entry.data | {"ignore": [0]}}))
    task(entry.model_copy(update={"data": entry.data | {"ignore": [255]}}))


def test_coco_files_that_do_not_fit_are_named(write):
    root = write()
    entry = coco(root, categories=[{"id": 5, "name": "cell"}])
    assert any("there is no category 'fg'" in problem.what for problem in task(entry).check(root))
    entry = coco(root, annotations=[{"image_id": 77, "category_id": 5, "segmentation": [[0, 0, 4, 0, 4, 4]]}])
    assert any("1 image ids of annotations are not among the images, e.g. 77" in problem.what for problem in task(entry).check(root))
    entry = coco(root, annotations=[{"image_id": "000", "category_id": 5, "segmentation": [[0, 0, 4]]}])
    assert any("cannot be drawn" in problem.what for problem in task(entry).check(root))


@pytest.mark.parametrize(("said", "fatal"), [({"area": 192}, True), ({"bbox": [8, 6, 16, 12]}, True), ({}, True), ({"area": 0.5}, False)])
def test_coco_outlines_as_fractions_are_refused(write, said, fatal):
    """One is enough where box or area say that it is larger; a speck among many is none."""
    share = [0.25, 0.25, 0.75, 0.25, 0.75, 0.75]
    plain = {"image_id": "001", "category_id": 5, "segmentation": [[8, 6, 24, 6, 24, 18, 8, 18]], "bbox": [8, 6, 16, 12]}
    root = write()
    entry = coco(
        root, annotations=[{"image_id": "000", "category_id": 5, "segmentation": [share], **said}, *[plain] * (1 if fatal else 10)]
    )
    problems = task(entry).check(root)
    assert any(problem.fatal and "as if they were fractions" in problem.what for problem in problems) == fatal


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": [{"id": "000", "file_name": "0.png", "width": 10**6, "height": 10**6}]}, "says that 0.png has 1000000 x 1000000"),
        ({"annotations": [{"image_id": "000", "category_id": 5, "segmentation": [[0, 0, 1e11, 0, 4, 4]]}]}, "far outside the image"),
        (
            {"annotations": [{"image_id": "000", "category_id": 5, "segmentation": [[0, 0, float("nan"), 0, 4, 4]]}]},
            "far outside the image",
        ),
        (
            {"annotations": [{"image_id": "000", "category_id": 5, "segmentation": {"size": [10**6, 10**6], "counts": [10**12]}}]},
            "its size is [1000000, 1000000]",
        ),
    ],
)
def test_numbers_that_would_take_all_memory_are_refused(write, changes, words):
    root = write()
    entry = coco(root, **changes)
    assert any(words in problem.what for problem in task(entry).check(root))


@pytest.mark.parametrize("area", [{}, {"area": 1}, {"area": "large"}], ids=str)
@pytest.mark.parametrize("order", [(OUTER, INNER), (INNER, OUTER)], ids=["outer first", "inner first"])
def test_the_smaller_object_is_seen_whatever_the_file_says_of_areas(openmmlab, write, order, area):
    root = write()
    objects = [
        {"id": index, "image_id": image, "category_id": 5 if outline is INNER else 2, "segmentation": outline, "iscrowd": "0", **area}
        for image in ("000", "001")
        for index, outline in enumerate(order)
    ]
    entry = coco(root, annotations=objects)
    entry = entry.model_copy(update={"data": entry.data | {"classes": ["fg", "other"]}})
    assert not any(problem.fatal for problem in task(entry).check(root))
    for read in trained(entry, root):
        assert (read == np.where(LABEL == 1, 1, 2)).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": [{"id": 7, "file_name": f"{index}.png", "width": 32, "height": 24} for index in range(2)]}, "two images have the id 7"),
        (
            {"images": [{"id": index, "file_name": "0.png", "width": 32, "height": 24} for index in range(2)]},
            "two images have the file_name",
        ),
        (
            {"images": [{"id": index, "file_name": "./" * index + "0.png", "width": 32, "height": 24} for index in range(2)]},
            "two images have the file_name",
        ),
        ({"annotations": [{"image_id": "000", "category_id": [5], "segmentation": [[0, 0, 4, 0, 4, 4]]}]}, "category [5] is not among"),
    ],
)
def test_coco_ids_that_mean_two_things_are_refused(write, changes, words):
    root = write()
    entry = coco(root, **changes)
    assert any(words in problem.what and problem.fatal for problem in task(entry).check(root))


def _mask(index: int):
    """0 and 1 in some files, 0 and 255 in the others."""
    return Image.fromarray(LABEL * (255 if index else 1))


@pytest.mark.parametrize(
    ("which", "words"),
    [
        (lambda split, index: split == "val", "test split: every pixel is bg or ignored (label 255)"),
        (lambda split, index: split == "train", "train split: every pixel is bg or ignored (label 255)"),
        (lambda split, index: index == 1, "label maps: 2 label maps hold bg and ignored pixels (label 255) only"),
        (lambda split, index: True, "label maps: every pixel is bg or ignored (label 255)"),
    ],
)
def test_masks_of_0_and_255_are_found_wherever_they_are(write, which, words):
    root = write()
    for split in ("train", "val"):
        for index in range(2):
            _mask(which(split, index)).save(root / f"ann_dir/{split}/{index}.png")
    fatal = [f"{problem.where}: {problem.what}" for problem in task(bench()).check(root) if problem.fatal]
    assert len(fatal) == 1 and fatal[0].startswith(words)
    assert not any(problem.fatal for problem in task(bench(labels={"0": "bg", "1": "fg", "255": "fg"})).check(root))


@pytest.mark.parametrize(
    "told", [{}, {"ignore": [7]}, {"labels": {"0": "bg", "1": "fg"}}, {"labels": {"9,9,9": "bg", "200,0,0": "fg"}}], ids=str
)
def test_palettes_that_contradict_one_another_are_refused_unless_explained(write, told):
    root = write()
    for split in ("train", "val"):
        for index, (values, colours) in enumerate([(LABEL, [9, 9, 9, 200, 0, 0]), (1 - LABEL, [200, 0, 0, 9, 9, 9])]):
            picture = Image.fromarray(values).convert("P")
            picture.putpalette(colours)
            picture.save(root / f"ann_dir/{split}/{index}.png")
    said = "the colour 200,0,0 is label 1 in ann_dir/train/0.png and 0 in ann_dir/train/1.png"
    assert [problem.what for problem in task(bench(**told)).check(root) if problem.fatal] == ([said] if "labels" not in told else [])


@pytest.mark.parametrize("exif", ["ignore", "apply"])
def test_label_maps_are_turned_as_their_images_are(openmmlab, write, exif):
    root = write(suffix=".tif", image_suffix=".tif", tiffinfo={0x0112: 6})
    for file in (root / "img_dir").rglob("*.tif"):
        image = Image.open(file)
        image.load()
        image.save(file, tiffinfo={0x0112: 6})
    entry = bench(image_suffix=".tif", label_suffix=".tif", exif=exif)
    assert [problem.what for problem in task(entry).check(root) if problem.fatal] == []
    expected = np.rot90(LABEL, -1) if exif == "apply" else LABEL
    for label in trained(entry, root):
        np.testing.assert_array_equal(label, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("order", ["<", ">"])
def test_values_are_those_that_are_stored_whichever_is_shown_white(openmmlab, write, dtype, order):
    root = write(suffix=".tif")
    for file in (root / "ann_dir").rglob("1.tif"):  # as ImageJ has them where masks are shown black
        save_tiff(file, (255 * LABEL[..., None]).astype(dtype), photometric=WHITE_IS_ZERO, order=order)
    for file in (root / "ann_dir").rglob("0.tif"):
        Image.fromarray(255 * LABEL).save(file)
    entry = bench(label_suffix=".tif", labels={0: "bg", 255: "fg"})
    assert task(entry).check(root) == []
    assert all((read == LABEL).all() for read in trained(entry, root))


def test_label_maps_of_single_bits_are_what_is_seen(write):
    """Facsimiles call 0 white, and what writes them turns black and white for that."""
    root = write(lambda a: Image.fromarray(a == 0), suffix=".tif")
    for file in (root / "ann_dir").rglob("*.tif"):
        black, white = (struct.pack("<HHIHH", 262, 3, 1, zero, 0) for zero in (1, 0))
        file.write_bytes(file.read_bytes().replace(black, white))
    listing = task(bench(label_suffix=".tif")).listing(root)
    assert listing.test and all((pair.read(listing.labels) == LABEL).all() for pair in listing.test)


def _resized(how: Image.Resampling):
    """Of twice the size, two classes whose edges lie between the pixels of the smaller map, and a third in a corner."""

    def label(values: np.ndarray) -> Image.Image:
        large = np.roll(2 * values.repeat(2, 0).repeat(2, 1), 1, (0, 1))
        large[-8:, -8:] = 1
        return Image.fromarray(large).resize((32, 24), how)

    return label


@pytest.mark.parametrize("how", [Image.Resampling.NEAREST, Image.Resampling.BOX, Image.Resampling.BILINEAR], ids=str)
@pytest.mark.parametrize("told", [{}, {"labels": {0: "bg", 1: "edge", 2: "fg"}}, {"labels": {0: "fg", 1: "bg", 2: "edge"}}], ids=str)
def test_label_maps_that_were_resized_with_interpolation_are_told(write, how, told):
    root = write(_resized(how))
    said = [problem for problem in task(bench(classes=["bg", "edge", "fg"], **told)).check(root) if "between" in problem.what]
    assert [problem.fatal for problem in said] == [False] * (how != Image.Resampling.NEAREST and told.get("labels", {0: "bg"})[0] == "bg")
    assert all("do it anew with nearest neighbour" in problem.mend for problem in said)


def test_seams_of_what_is_ignored_are_none():
    seams = Seams()
    ring = np.full((40, 40), 5, np.uint8)
    ring[10:30, 10:30], ring[11:29, 11:29] = 255, 7  # as PASCAL VOC draws borders
    seams.add(ring, 255, Path("a.png"))
    assert (seams.edges, seams.seams) == (0, 0)
    ring[ring == 255] = 6
    seams.add(ring, 255, Path("b.png"))
    assert seams.seams == 4 * 18 and seams.interpolated and seams.most == (72, Path("b.png"))
    seams.add(np.kron(np.array([[0, 3] * 30] * 60, np.uint8), np.ones((4, 4), np.uint8)), 255, Path("c.png"))
    assert not seams.interpolated


def test_further_pages_of_images_are_told(write):
    root, found = write(image_suffix=".tif"), task(bench(image_suffix=".tif"))
    for file in (root / "img_dir").rglob("1.tif"):
        save_tiff(file, *np.moveaxis(np.asarray(Image.open(file)), -1, 0)[..., None])  # as tifffile has (3, H, W)
    listing = found.listing(root)
    for _ in range(2):
        told = describe(found, listing, found.check_listing(root, listing))
        assert [line for line in told if "pages" in line] == [
            "not used: 2 TIFFs' further pages: of a stack, or of channels stored as pages, the first is the picture"
        ]


@pytest.mark.parametrize(
    "suffixes", [(".tif", "_mask.tif"), ("_image.png", ".png"), (".png", "_MASK.PNG"), (".jpg", "_mask.png"), (".jpg", ".png")], ids=str
)
def test_images_and_label_maps_may_lie_in_one_folder(tmp_path, suffixes):
    image_suffix, label_suffix = suffixes
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        for index in range(2):
            _image(split, index).save(tmp_path / f"{split}/{index}{image_suffix.lower()}")
            Image.fromarray(LABEL).save(tmp_path / f"{split}/{index}{label_suffix.lower()}")
    folders = {"train": [{"images": "train", "labels": "train"}], "test": {"images": "val", "labels": "./val"}}
    entry = bench(image_suffix=image_suffix, label_suffix=label_suffix, **folders)
    assert task(entry).check(tmp_path) == []
    listing = task(entry).listing(tmp_path)
    assert [pair.name for pair in listing.test] == ["val/0", "val/1"]
    assert all((pair.read(listing.labels) == LABEL).all() for pair in listing.test)
