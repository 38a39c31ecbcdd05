"""Readers of detection: what people's files have in them, and what a trial would silently be scored on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.benchmarks import Task, task
from harness.benchmarks.detection import FAMILY
from harness.benchmarks.detection.check import problems
from harness.benchmarks.detection.readers.coco import CocoData
from harness.benchmarks.detection.readers.picture import Pictures
from harness.benchmarks.predictions import Predictions
from harness.catalog import Benchmark

WIDTH, HEIGHT = 100, 80
SPLITS = {split: {"annotations": f"{split}.json", "images": split} for split in ("train", "test")}
SQUARE = [[10, 10, 40, 10, 40, 40, 10, 40]]


def _image(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(len(str(file))).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)).save(file)


def _said(listing: Pictures) -> str:
    return " ".join(problem.sentences for problem in listing.problems)


def _annotation(**said: Any) -> dict[str, Any]:
    return {"id": 1, "image_id": 5, "category_id": 9, "bbox": [50, 20, 20, 20], "area": 400, **said}


def _coco(root: Path, annotations: list[dict[str, Any]], images: tuple[str, ...] = ("0.png", "1.png"), **data: Any) -> Pictures:
    """Images with the ids 5, 6, ...; each shows an 'a' at 10, 10, and the first of a split what is given."""
    entries = [{"id": 5 + place, "file_name": name, "width": WIDTH, "height": HEIGHT} for place, name in enumerate(images)]
    square = [
        {"id": 100 + one["id"], "image_id": one["id"], "category_id": 4, "bbox": [10, 10, 30, 30], "area": 900, "segmentation": SQUARE}
        for one in entries
    ]
    for split in ("train", "test"):
        for name in images:
            _image(root / split / name)
        content = {"images": entries, "annotations": square + annotations, "categories": [{"id": 9, "name": "b"}, {"id": 4, "name": "a"}]}
        (root / f"{split}.json").write_text(json.dumps(content), encoding="utf-8")
    _, listing = FAMILY.listing(root, {"format": "coco", "classes": 2, "val_share": 0, **SPLITS, **data})
    return listing


def _one_class(root: Path, family: str, annotations: list[dict[str, Any]]) -> Task:
    """An image of id 5 in each split, with these objects of the class 9."""
    content = {"images": [{"id": 5, "file_name": "0.png", "width": WIDTH, "height": HEIGHT}], "categories": [{"id": 9, "name": "b"}]}
    for split in SPLITS:
        _image(root / split / "0.png")
        (root / f"{split}.json").write_text(json.dumps({**content, "annotations": annotations}), encoding="utf-8")
    classes = ["b"] if family == "segmentation" else 1
    return task(Benchmark(id="b", family=family, data={"format": "coco", "root": "r", "classes": classes, **SPLITS}))


def test_an_image_with_two_ids_is_one_image(tmp_path):
    """With what is annotated under either; an object that was copied with its image counts once."""
    listing = _coco(tmp_path, [_annotation(image_id=6)], images=("0.png", "0.png", "1.png"))
    shown = [(picture.file.name, [item.label for item in picture.objects]) for picture in listing.test]
    assert shown == [("0.png", [0, 1]), ("1.png", [0])]
    assert "each counts once" in _said(listing)


@pytest.mark.parametrize(
    "mask",
    [
        [[]],
        [[50, 20, 70, 40]],
        [[50, 20, 70, 20, 70, "x"]],
        {"size": [HEIGHT, WIDTH], "counts": [10, 20]},
        {"size": [HEIGHT, WIDTH], "counts": ":d0"},
        {"size": [HEIGHT, WIDTH], "counts": "PPYo0"},
        {"size": [40, 40], "counts": [0, 800, 800]},
        {"counts": [0, 800, 800]},
        "mask.png",
    ],
)
def test_an_object_whose_mask_is_none_is_left_out_and_told(tmp_path, mask):
    """Run lengths that end too early would never end the evaluation."""
    listing = _coco(tmp_path, [_annotation(segmentation=mask)], masks=True)
    assert "annotation 1" in _said(listing) and not any(problem.fatal for problem in listing.problems)
    assert [[item.label for item in picture.objects] for picture in listing.test] == [[0], [0]]


@pytest.mark.parametrize("count, empty, told", [(20, 10, "warning"), (20, 9, "remark"), (110, 10, "remark"), (20, 0, "")])
def test_tested_images_without_an_object_are_told(tmp_path, count, empty, told):
    """In a file of all images those that nobody has annotated yet look like those that show nothing; boxes on both are mistakes."""
    _coco(tmp_path, [])
    content = json.loads((tmp_path / "test.json").read_text(encoding="utf-8"))
    content["images"] = [{"id": place, "file_name": f"{place}.png", "width": WIDTH, "height": HEIGHT} for place in range(count)]
    content["annotations"] = [_annotation(id=place, image_id=place) for place in range(empty, count)]
    (tmp_path / "test.json").write_text(json.dumps(content), encoding="utf-8")
    for place in range(count):
        shutil.copy(tmp_path / "train/0.png", tmp_path / f"test/{place}.png")
    found = task(Benchmark(id="b", family="detection", data={"format": "coco", "root": "r", "classes": 2, "val_share": 0, **SPLITS}))
    listing = found.listing(tmp_path)
    said = {
        "warning": [problem.what for problem in problems(tmp_path, found.data, listing) if "test images" in problem.what],
        "remark": found.remarks(tmp_path, listing),
    }
    said = {kind: lines for kind, lines in said.items() if lines}
    line = f"{empty} of {count} test images show no object, e.g. test/0.png; boxes found there count as mistakes"
    assert said == ({told: [line]} if told else {})


def test_masks_as_they_are_found_in_files_are_read(tmp_path):
    from faster_coco_eval.core import mask as lengths

    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    drawn[20:40, 50:70] = 1
    packed = lengths.encode(np.asfortranarray(drawn))
    counts = lengths.frPyObjects({"size": [HEIGHT, WIDTH], "counts": [4020, *[20, 60] * 19, 20, 2440]}, HEIGHT, WIDTH)
    assert counts["counts"] == packed["counts"]
    told = [SQUARE, {"size": [HEIGHT, WIDTH], "counts": packed["counts"].decode()}, {"size": [HEIGHT, WIDTH], "counts": [4020, 20, 3960]}]
    listing = _coco(
        tmp_path, [_annotation(id=place, bbox=[10, 10, 30, 30], area=900, segmentation=mask) for place, mask in enumerate(told)], masks=True
    )
    assert not listing.problems and [item.mask for item in listing.test[0].objects[1:]] == told
    # a part that is no polygon goes, as mmdet leaves it out, and the others stay
    listing = _coco(tmp_path, [_annotation(bbox=[10, 10, 30, 30], segmentation=[[1, 2], *SQUARE])], masks=True)
    assert not listing.problems and listing.test[0].objects[1].mask == SQUARE


def test_copies_of_objects_and_of_names_are_told(tmp_path):
    """A copy is one more object that nobody finds."""
    listing = _coco(tmp_path, [_annotation(), _annotation(id=2), _annotation(id=3, bbox=[1, 1, 5, 5])])
    data = CocoData.model_validate({"format": "coco", "root": str(tmp_path), "classes": 2, **SPLITS})
    listing.classes = ["a", "a"]
    said = [problem.sentences for problem in problems(tmp_path, data, listing)]
    assert sum("1 objects of the" in one and "annotated twice, e.g. in t" in one for one in said) == 2
    assert sum("two classes are called 'a'" in one for one in said) == 1 and len(said) == 3


def test_a_class_that_nothing_is_tested_of_is_told(tmp_path):
    _coco(tmp_path, [_annotation()])
    content = json.loads((tmp_path / "test.json").read_text(encoding="utf-8"))
    content["annotations"].pop()
    (tmp_path / "test.json").write_text(json.dumps(content), encoding="utf-8")
    options = {"format": "coco", "classes": 2, "val_share": 0, **SPLITS}
    data, listing = FAMILY.listing(tmp_path, options)
    assert [problem.what for problem in problems(tmp_path, data, listing)] == ["no test object of the class 'b'; it cannot be scored"]


@pytest.mark.parametrize("area", [None, "400", "none", float("nan"), ...])
def test_an_object_without_a_number_for_its_area_has_that_of_its_box(tmp_path, area):
    one = _annotation(area=area)
    if area is ...:
        del one["area"]
    listing = _coco(tmp_path, [one])
    assert not listing.problems and [item.area for item in listing.test[0].objects] == [900, 400]


@pytest.mark.parametrize(("share", "many"), [(1 / 8000, True), (100, True), (0.001, False), (0.5, True), (1.1, True)], ids=str)
@pytest.mark.parametrize("masks", [False, True])
def test_areas_of_another_unit_are_those_of_boxes_or_masks(tmp_path, share, many, masks):
    """Masks that nearly fill their boxes, halves of them, and a speck among many are what they are."""
    corner = [[50, 20, 70, 20, 50, 40]]
    others = [_annotation(id=place, area=400 * share if many else 400, segmentation=corner) for place in range(2, 9)]
    listing = _coco(tmp_path, [_annotation(area=400 * share, segmentation=corner), *others], masks=masks)
    odd = many and share not in (0.5, 1.1)
    assert [problem.fatal for problem in listing.problems] == [False] * 2 * odd
    assert not odd or "8 of 10 areas are far from those of their boxes" in listing.problems[0].what
    areas = [item.area for item in listing.test[0].objects]
    assert areas == pytest.approx([900, *([200 if masks else 400] * 8 if odd else [400 * share, *(one["area"] for one in others)])])


@pytest.mark.parametrize(
    "zeros, left, words", [(1, 0, "1 objects of area 0 left out"), (6, 6, "6 of 18 objects with a box are said to have no area")]
)
def test_an_area_of_zero_is_no_object_and_many_are_placeholders(tmp_path, zeros, left, words):
    sound = [_annotation(id=place, bbox=[50, 20, 20 + place, 20], area=400 + 20 * place) for place in range(10)]
    listing = _coco(tmp_path, [*sound, *(_annotation(id=20 + place, bbox=[50, 20, 20, 11 + place], area=0) for place in range(zeros))])
    assert words in _said(listing) and not any(problem.fatal for problem in listing.problems)
    assert "thinner than a pixel" not in _said(listing)
    assert [item.area for item in listing.test[0].objects[11:]] == [20 * (11 + place) for place in range(left)]


def test_a_category_spelt_otherwise_is_told_with_those_of_training(tmp_path):
    _coco(tmp_path, [])
    file = tmp_path / "test.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"name": "a"', '"name": "A"'), encoding="utf-8")
    _, listing = FAMILY.listing(tmp_path, {"format": "coco", "classes": 2, "val_share": 0, **SPLITS})
    assert "unknown category 'A', in 2 annotations. The training file has a, b; is it 'a'?" in _said(listing)


@pytest.mark.parametrize("family", ["detection", "object-localization", "segmentation"])
@pytest.mark.parametrize("folder", ["", "val2017"])
def test_lvis_is_read_as_it_is_distributed(tmp_path, family, folder):
    """Its images have no ``file_name``, and lie in the folder that their address ends with."""
    found = _one_class(tmp_path, family, [_annotation(segmentation=SQUARE)])
    content = json.loads((tmp_path / "test.json").read_text(encoding="utf-8"))
    del content["images"][0]["file_name"]
    content["images"][0] |= {"coco_url": "http://images.cocodataset.org/val2017/000000000139.jpg", "neg_category_ids": [3]}
    (tmp_path / "test.json").write_text(json.dumps(content), encoding="utf-8")
    _image(tmp_path / "images/val2017/000000000139.jpg")
    test = {"annotations": "test.json", "images": f"images/{folder}"}
    found = task(found.entry.model_copy(update={"data": found.entry.data | {"test": test}}))
    listing = found.listing(tmp_path)
    assert [listing.image(sample) for sample in listing.test] == [tmp_path / "images/val2017/000000000139.jpg"]
    assert [problem.where for problem in listing.problems if "neg_category_ids" in problem.what and not problem.fatal] == ["test.json"]
    assert not any(problem.fatal for problem in listing.problems)


def test_an_endless_box_is_refused(tmp_path):
    listing = _coco(tmp_path, [_annotation(bbox=[50, 20, float("inf"), 20])])
    assert any(problem.fatal and "four finite numbers" in problem.what for problem in listing.problems)


def test_boxes_as_corners_are_known_by_their_areas(tmp_path):
    """Inside their images, where nothing else speaks against them."""
    others = [_annotation(id=place, bbox=[30 + place, 20, 50 + place, 40]) for place in range(3)]
    assert any(problem.fatal and "looks like x0, y0, x1, y1" in problem.what for problem in _coco(tmp_path, others).problems)


@pytest.mark.parametrize("family", ["detection", "object-localization", "segmentation"])
@pytest.mark.parametrize(("before", "base"), [("sets/train/", "'.'"), ("train/", "'sets'")])
def test_file_names_that_start_from_another_folder_are_one_error(tmp_path, family, before, base):
    """As Label Studio and CVAT write them."""
    names = [f"{number}.png" for number in range(3)]
    objects = [{"id": at, "image_id": at, "category_id": 9, "bbox": [10, 10, 30, 30], "area": 900} for at in range(3)]
    content = {"categories": [{"id": 9, "name": "b"}], "annotations": [{**one, "segmentation": SQUARE} for one in objects]}
    for split in SPLITS:
        entries = [
            {"id": at, "file_name": before.replace("train", split) + name, "width": WIDTH, "height": HEIGHT}
            for at, name in enumerate(names)
        ]
        (tmp_path / f"{split}.json").write_text(json.dumps({**content, "images": entries}), encoding="utf-8")
        for name in names:
            _image(tmp_path / "sets" / split / name)
    splits = {split: {"annotations": f"{split}.json", "images": f"sets/{split}"} for split in SPLITS}
    classes = ["b"] if family == "segmentation" else 1
    found = task(Benchmark(id="b", family=family, data={"format": "coco", "root": "r", "classes": classes, **splits}))
    fatal = [problem for problem in found.check(tmp_path) if problem.fatal]
    assert [problem.where for problem in fatal] == ["train.json", "test.json"]
    assert all(f"start from {base}" in problem.what for problem in fatal)


@pytest.mark.parametrize("family", ["detection", "object-localization", "segmentation"])
@pytest.mark.parametrize(
    ("crowds", "others", "words"),
    [(1, 1, ""), (9, 1, ""), (10, 89, "10 of 99 objects are crowds"), (10, 90, ""), (6, 0, "all 6 objects are crowds")],
)
def test_crowds_are_counted_and_many_are_told(tmp_path, family, crowds, others, words):
    """CVAT and Datumaro mark each object drawn as a mask as one."""
    run = {"size": [HEIGHT, WIDTH], "counts": [4020, 20, HEIGHT * WIDTH - 4040]}
    one = {"bbox": [50, 20, 1, 20], "area": 20, "category_id": 9, "image_id": 5, "segmentation": run}
    items = [{**one, "id": place, "iscrowd": int(place < crowds)} for place in range(crowds + others)]
    found = _one_class(tmp_path, family, items)
    listing = found.listing(tmp_path)
    assert listing.left_out["crowds (iscrowd: 1), which count for nothing"] == 2 * crowds
    told = [problem for problem in listing.problems if "crowds (iscrowd" in problem.what]
    assert len(told) == (2 if words else 0) and all(words in problem.what and problem.fatal == (not others) for problem in told)
    fatal = [
        problem.what for problem in found.check_listing(tmp_path, listing) if problem.fatal and "images are training" not in problem.what
    ]
    assert all("objects are crowds" in what for what in fatal), "of another reason nobody speaks"


@pytest.mark.parametrize(
    ("change", "fatal"),
    [
        (lambda x, y: [x, y, 20, 20], True),
        (lambda x, y: [x - 10, y - 10, 20, 20], False),
        (lambda x, y: [x - 10 + 0.6, y - 10 + 0.6, 20, 20], False),
        (lambda x, y: [x - 9, y - 9, 23, 23], False),
        (lambda x, y: [x, y - 10, 20, 20], False),
    ],
    ids=["centres", "corners", "rounded", "outside on all sides", "to the right only"],
)
@pytest.mark.parametrize("family", ["detection", "object-localization"])
def test_boxes_whose_corner_is_their_centre_are_refused(tmp_path, family, change, fatal):
    rng = np.random.default_rng(0)
    centres = zip(rng.integers(10, WIDTH - 9, 60).tolist(), rng.integers(10, HEIGHT - 9, 60).tolist(), strict=True)
    items = [_annotation(id=place, bbox=change(x, y)) for place, (x, y) in enumerate(centres)]
    found = _one_class(tmp_path, family, items)
    words = "all lie in theirs if x, y is the centre"
    assert [problem.fatal for problem in found.listing(tmp_path).problems if words in problem.what] == [True] * 2 * fatal


def test_an_object_marked_ignore_is_a_difficult_one(tmp_path):
    listing = _coco(tmp_path, [_annotation(ignore=1), _annotation(id=2, bbox=[1, 1, 9, 9], area=81, ignore=0)])
    assert not listing.problems and [item.difficult for item in listing.test[0].objects] == [False, True, False]
    assert dict(listing.left_out) == {"objects marked 'ignore', which count for nothing": 2}


def test_outlines_as_fractions_are_refused(tmp_path):
    outline = [[0.5, 0.25, 0.7, 0.25, 0.7, 0.5, 0.5, 0.5]]
    listing = _coco(tmp_path, [_annotation(segmentation=outline)], masks=True)
    assert any(problem.fatal and "outlines of 1 of 3 objects" in problem.what for problem in listing.problems)
    speck = _annotation(segmentation=outline, bbox=[0, 0, 1, 1], area=1)
    others = [_annotation(id=place, segmentation=[[50, 20, 70, 20, 70, 40, 50, 40]]) for place in range(2, 20)]
    assert not _coco(tmp_path, [speck, *others], masks=True).problems, "a pixel in a corner is an object, too"
    for place in range(10):
        others[place]["segmentation"] = [[100, 40, 140, 40, 140, 80, 100, 80]]
    told = _coco(tmp_path, others, masks=True).problems
    assert [problem.fatal for problem in told] == [False] * 2 and "10 of 20 objects are elsewhere" in told[0].what


def test_difficult_objects_of_voc_are_read_as_such(tmp_path):
    for number in range(2):
        _image(tmp_path / f"images/{number}.png")
        items = "".join(
            f"<object><name>a</name><difficult>{mark}</difficult>"
            f"<bndbox><xmin>{x}</xmin><ymin>11</ymin><xmax>{x + 19}</xmax><ymax>40</ymax></bndbox></object>"
            for mark, x in (((0, 11), (1, 51)), (("False", 11), ("True", 51)))[number]
        )
        (tmp_path / "annotations").mkdir(exist_ok=True)
        size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
        text = f"<annotation><filename>{number}.png</filename>{size}{items}</annotation>"
        (tmp_path / f"annotations/{number}.xml").write_text(text, encoding="utf-8")
    _, listing = FAMILY.listing(tmp_path, {"format": "voc-xml", "classes": ["a"], "val_share": 0})
    for picture in listing.train + listing.test:
        assert [(item.box, item.difficult, item.crowd, item.optional) for item in picture.objects] == [
            ((10.0, 10.0, 30.0, 40.0), False, False, False),
            ((50.0, 10.0, 70.0, 40.0), True, False, True),
        ]


def test_kept_boxes_have_the_ids_of_the_test_file(openmmlab, tmp_path):
    """Whatever the training file calls its classes, and in which order; pycocotools reads them with the user's own annotations."""
    import torch
    from faster_coco_eval.core import mask as lengths
    from mmdet.structures import DetDataSample
    from mmengine.registry import DATASETS
    from mmengine.structures import InstanceData

    _coco(tmp_path, [_annotation()])
    file = tmp_path / "test.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    for one in content["annotations"]:
        one["category_id"] = {9: 70, 4: 80}[one["category_id"]]
    file.write_text(json.dumps({**content, "categories": [{"id": 70, "name": "b"}, {"id": 80, "name": "a"}]}), encoding="utf-8")
    options = {"format": "coco", "classes": 2, "val_share": 0, **SPLITS}
    dataset = DATASETS.build({"type": "DetectionDataset", "data_root": str(tmp_path), "options": options, "split": "test"})
    assert dataset.metainfo["classes"] == ("a", "b")
    sample = DetDataSample(metainfo={"img_id": 5, "img_path": "0.png"})
    drawn = torch.zeros(2, HEIGHT, WIDTH, dtype=torch.bool)
    drawn[1, 3:5] = True
    found = {"bboxes": torch.tensor([[1.0, 2, 4, 6], [0, 3, 100, 5]]), "scores": torch.tensor([0.5, 0.25]), "labels": torch.tensor([0, 1])}
    sample.pred_instances = InstanceData(**found, masks=drawn)
    predictions = Predictions(tmp_path / "out", dataset.metainfo["classes"], dataset.metainfo["ids"])
    predictions.add([sample])
    predictions.write()
    rows = json.loads((tmp_path / "out/results.json").read_text(encoding="utf-8"))
    assert [(row["category_id"], row["image_id"], row["bbox"]) for row in rows] == [(80, 5, [1, 2, 3, 4]), (70, 5, [0, 3, 100, 2])]
    assert [int(lengths.area(row["segmentation"])) for row in rows] == [0, 2 * WIDTH]


def _yolo(root: Path, lines: str, further: dict[str, str] | None = None) -> Pictures:
    for split in ("train", "test"):
        for name in ("0", "1"):
            _image(root / f"images/{split}/{name}.png")
        for name, text in {"0": "0 0.5 0.5 0.2 0.2\n", "1": lines, **(further or {})}.items():
            (root / f"labels/{split}").mkdir(parents=True, exist_ok=True)
            (root / f"labels/{split}/{name}.txt").write_text(text, encoding="utf-8")
    splits = {split: {"images": f"images/{split}", "labels": f"labels/{split}"} for split in ("train", "test")}
    _, listing = FAMILY.listing(root, {"format": "yolo", "classes": ["a", "b"], "val_share": 0, **splits})
    return listing


@pytest.mark.parametrize("line", ["0 0.5 nan 0.2 0.2", "0 nan 0.5 0.2 0.2", "0 0.5 0.5 0.2 nan", "0 0.5 0.5 inf 0.2", "0 1.2 0.5 0.2 0.2"])
def test_a_line_of_yolo_that_is_no_box_is_refused(tmp_path, line):
    listing = _yolo(tmp_path, line)
    assert any(problem.fatal and "no box inside the image" in problem.what for problem in listing.problems)


def test_boxes_thinner_than_a_pixel_are_left_out_of_yolo_as_of_coco(tmp_path):
    listing = _yolo(tmp_path, "0 0.5 0.5 0.001 0.2\n1 0.5 0.5 0.2 0.2")
    assert [item.label for item in listing.test[1].objects] == [1] and "thinner than a pixel" in _said(listing)


def test_classes_of_yolo_may_be_written_with_decimals(tmp_path):
    listing = _yolo(tmp_path, "1.000000 0.5 0.5 0.2 0.2\n1.000e+00 0.3 0.3 0.2 0.2")
    assert not listing.problems and [item.label for item in listing.test[1].objects] == [1, 1]
    for line in ("0.5 0.5 0.5 0.2 0.2", "inf 0.5 0.5 0.2 0.2", "nan 0.5 0.5 0.2 0.2"):
        assert "is not five numbers" in _said(_yolo(tmp_path, line))


def test_text_files_in_another_unicode_form_are_those_of_their_images(tmp_path):
    """As an archive of macOS has them: the two names look the same."""
    _yolo(tmp_path, "1 0.5 0.5 0.2 0.2")
    for split in ("train", "test"):
        (tmp_path / f"images/{split}/1.png").rename(tmp_path / f"images/{split}/v\u00e9lo.1.png")
        (tmp_path / f"labels/{split}/1.txt").rename(tmp_path / f"labels/{split}/ve\u0301lo.1.TXT")
    splits = {split: {"images": f"images/{split}", "labels": f"labels/{split}"} for split in ("train", "test")}
    _, listing = FAMILY.listing(tmp_path, {"format": "yolo", "classes": ["a", "b"], "val_share": 0, **splits})
    assert not listing.problems and [item.label for picture in listing.test for item in picture.objects] == [0, 1]


def test_text_files_of_no_image_are_told(tmp_path):
    """The image that was meant would count as one that shows nothing."""
    listing = _yolo(tmp_path, "1 0.5 0.5 0.2 0.2", {"img_1": "0 0.5 0.5 0.2 0.2", "classes": "a\nb\n"})
    (problem,) = [problem for problem in listing.problems if problem.where == "labels/test"]
    assert not problem.fatal and "img_1.txt" in problem.what and "classes.txt" not in problem.what


@pytest.mark.parametrize(
    ("lists", "labels", "words", "fatal"),
    [
        ({"labels/test/classes.txt": "b\na\n"}, (1, 0), "labels/train: no list says", True),
        ({"labels/train/classes.txt": "a\nb\n", "labels/test/classes.txt": "B\r\nA\r\n"}, (1, 0), "the text files count B, A", False),
        ({"labels/classes.txt": "dog\nb\n"}, (0, 1), "taken to be the same classes in this order", False),
        ({"labels/classes.txt": "dog\na\nb\n"}, (None, 0), "the class 0 is 'dog' in labels/classes.txt", True),
        ({"data.yaml": "names: {0: b, 1: a}\nnc: 2\n"}, (1, 0), "data.yaml: the text files count b, a", False),
        ({"data.yaml": "names: [b, a]\n", "labels/obj.names": "a\nb\n"}, (0, 1), "", False),
        ({"data.yaml": "names: {'0': b, '1': a}\n"}, (1, 0), "data.yaml: the text files count b, a", False),
        ({"data.yaml": "names: {1: b, 2: a}\n"}, (0, 1), "", False),
        ({"wild.yaml": "path: .\nnames: {0: b, 1: a}\n"}, (1, 0), "wild.yaml: the text files count b, a", False),
        ({"wild.yml": "nc: 2\nnames: [b, a]\n", "hyp.yaml": "lr0: 0.01\nnames: [a]\n"}, (1, 0), "wild.yml: the text files", False),
        ({"wild.yaml": "nc: 2\nnames: [b, a]\n", "labels/classes.txt": "a\nb\n"}, (0, 1), "", False),
        ({"x.yaml": "nc: 2\nnames: [b, a]\n", "y.yaml": "nc: 2\nnames: [a, b]\n"}, (0, 1), "x.yaml, y.yaml count the same", False),
        ({"coco.yaml": "nc: 3\nnames: [dog, b, a]\n"}, (0, 1), "", False),
        ({"data.yaml": "names: [a, b, c]\n", "labels/train/data.yaml": "names: a: b: c"}, (0, 1), "", False),
    ],
)
def test_numbers_mean_the_names_of_the_list_beside_them(tmp_path, lists, labels, words, fatal):
    """Which labelImg orders as a session met them."""
    for name, text in lists.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    listing = _yolo(tmp_path, "1 0.5 0.5 0.2 0.2")
    found = [[item.label for item in picture.objects] for picture in listing.test]
    assert found == [[label] if label is not None else [] for label in labels]
    assert words in _said(listing) and bool(words) == bool(listing.problems)
    assert any(problem.fatal for problem in listing.problems) == fatal


def _spread(corners: str) -> str:
    """Twelve boxes of a fifth by a tenth of the image."""
    places = [(0.05 + 0.2 * column, 0.05 + 0.3 * row) for column in range(4) for row in range(3)]
    return "\n".join(corners.format(x=x, y=y, cx=x + 0.1, cy=y + 0.05, x1=x + 0.2, y1=y + 0.1) for x, y in places)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 {x} {y} {x1} {y1}", "lie in theirs as x0, y0, x1, y1"),
        ("0 {x} {y} 0.2 0.1", "are the upper left corner"),
        ("0 {x} {y} 0.9 0.9", ""),
    ],
)
def test_boxes_that_are_not_centre_and_sides_are_known_by_leaving_their_images(tmp_path, line, words):
    (problem, _) = _yolo(tmp_path, _spread(line), {"0": _spread(line)}).problems
    assert problem.fatal and "reach out of their image" in problem.what and words in problem.what


def test_a_box_that_leaves_its_image_is_cut_and_told_but_not_for_rounding(tmp_path):
    centres = _spread("0 {cx:.2f} {cy:.2f} 0.2 0.1")
    assert not _yolo(tmp_path, f"{centres}\n0 0.10 0.5 0.21 0.2").problems
    problem, _ = _yolo(tmp_path, f"{centres}\n0 0.1 0.5 0.3 0.2").problems
    assert not problem.fatal and "1 of 14 boxes reach out of their image" in problem.what and "labels/train/1.txt" in problem.what


def test_text_files_that_are_lost_are_told_for_each_split(tmp_path):
    _yolo(tmp_path, "1 0.5 0.5 0.2 0.2")
    (tmp_path / "labels/test/0.txt").unlink()
    (tmp_path / "labels/test/1.txt").rename(tmp_path / "labels/test/1.TXT")
    splits = {split: {"images": f"images/{split}", "labels": f"labels/{split}"} for split in ("train", "test")}
    options = {"format": "yolo", "classes": ["a", "b"], "val_share": 0, **splits}
    _, listing = FAMILY.listing(tmp_path, options)
    (problem,) = listing.problems
    assert not problem.fatal and problem.where == "labels/test" and "1 of 2 images have no text file" in problem.what
    assert [[item.label for item in picture.objects] for picture in listing.test] == [[], [1]], "a suffix in capitals is one, too"
    _image(tmp_path / "images/test/1.jpg")
    (problem,) = [one for one in FAMILY.listing(tmp_path, options)[1].problems if one.fatal]
    assert "two images, 'images/test/1.jpg' and 'images/test/1.png'" in problem.what
