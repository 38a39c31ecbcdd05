"""COCO key points as people and tools write them: the right value, or a sentence that names cause and mend."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.benchmarks import task
from harness.benchmarks.base import Listing
from harness.catalog import Benchmark
from harness.errors import DataError

COUNTS = {"train": 5, "test": 4}
WIDTH, HEIGHT = 96, 64


def corner(number: int) -> tuple[int, int]:
    """Upper left corner of the bright box of 30x20 pixels in an image; its corners are the key points."""
    return 4 + 11 * number, 3 + 9 * number


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Images of 96x64 pixels; in ``train_turned`` stored sideways, with the tag that turns them back."""
    root = tmp_path_factory.mktemp("pictures")
    for split, count in COUNTS.items():
        for number in range(count):
            image = np.full((HEIGHT, WIDTH, 3), len(split) + number, np.uint8)
            (x, y), tag = corner(number), Image.Exif()
            image[y : y + 20, x : x + 30] = 250
            tag[0x0112] = 6
            for folder, pixels, exif in ((split, image, Image.Exif()), (f"{split}_turned", np.rot90(image, 1), tag)):
                (root / folder).mkdir(exist_ok=True)
                Image.fromarray(pixels).save(root / folder / f"{number}.png", exif=exif)
    return root


def content(split: str) -> dict[str, list[dict[str, Any]]]:
    images, annotations = [], []
    for number in range(COUNTS[split]):
        x, y = corner(number)
        images.append({"id": number + 1, "file_name": f"{number}.png", "width": WIDTH, "height": HEIGHT})
        points = [x, y, 2, x + 29, y + 19, 2]
        annotations.append({"id": number + 1, "image_id": number + 1, "category_id": 1, "bbox": [x, y, 30, 20], "keypoints": points})
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "box", "keypoints": ["tl", "br"]}]}


@pytest.fixture
def listed(pictures, tmp_path):
    """Lists what a change of both files gives."""

    def go(change=lambda content: None, *, only: str | None = None, **data) -> Listing[Any]:
        shutil.copytree(pictures, tmp_path, dirs_exist_ok=True)
        (tmp_path / "annotations").mkdir(exist_ok=True)
        for split in COUNTS:
            made = content(split)
            if only in (None, split):
                change(made)
            (tmp_path / "annotations" / f"{split}.json").write_text(json.dumps(made), encoding="utf-8")
        entry = Benchmark(id="b", family="keypoint", data={"format": "coco", "root": "r", "keypoints": ["tl", "br"], **data})
        return task(entry).listing(tmp_path)

    return go


def said(listing: Listing[Any], *, fatal: bool) -> str:
    return " ".join(problem.sentences for problem in listing.problems if problem.fatal == fatal)


def as_expected(listing: Listing[Any]) -> None:
    """Every image with its pose, at its place."""
    for split, poses in (("train", listing.train), ("test", listing.test)):
        assert [pose.file.name for pose in poses] == [f"{number}.png" for number in range(COUNTS[split])]
        for number, pose in enumerate(poses):
            x, y = corner(number)
            assert pose.points.tolist() == [[x, y], [x + 29, y + 19]]
            assert pose.visible.tolist() == [2, 2]
            assert pose.box == (x, y, x + 30, y + 20)
            assert pose.annotation_id == pose.image_id == number + 1
    assert not said(listing, fatal=True)


def each(part: str, **values):
    """A change of every image or annotation; a value may be a function of it."""

    def change(content):
        for item in content[part]:
            for name, value in values.items():
                item[name] = value(item) if callable(value) else value
                if item[name] is Ellipsis:
                    del item[name]

    return change


def both(*changes):
    def change(content):
        for one in changes:
            one(content)

    return change


def triples(item):
    points = item["keypoints"]
    return [points[:3], points[3:]]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: None,
        both(each("images", id=lambda i: f"{i['id']:06d}"), each("annotations", image_id=lambda a: f"{a['image_id']:06d}")),
        each("images", id=lambda i: f"{i['id']:06d}"),
        each("annotations", image_id=lambda a: str(a["image_id"])),
        each("annotations", image_id=lambda a: f"{a['image_id']}.0"),
        both(each("images", id=lambda i: float(i["id"])), each("annotations", category_id="01")),
        both(each("images", id=lambda i: f"im{i['id']}"), each("annotations", image_id=lambda a: f"im{a['image_id']} ")),
        each("annotations", id=lambda a: f"a{a['id']}"),
        each("annotations", id=lambda a: a["id"] + 0.5),
        each("annotations", id=...),
        each("annotations", id=None, iscrowd="0", area="600", num_keypoints=None),
        each("annotations", keypoints=triples),
        each("annotations", keypoints=lambda a: [float(value) for value in a["keypoints"]]),
        each("annotations", keypoints=lambda a: [True if k % 3 == 2 else value for k, value in enumerate(a["keypoints"])]),
        each("images", width=0, height=0),
        each("images", width=..., height=None),
        each("images", width=str(WIDTH), height=f"{HEIGHT}.0"),
        each("images", width="unknown"),
    ],
)
def test_what_means_the_same_is_read_the_same(listed, change):
    found = listed(change)
    as_expected(found)
    assert found.problems == [] and found.left_out == {}


@pytest.mark.parametrize(
    "name", ["C:\\data\\train\\{}", "/somewhere/else/{}", "\\\\server\\share\\{}", "images/{}", "https://host/a/{}", "../train_images/{}"]
)
def test_paths_of_another_machine_lead_to_the_image_by_their_end(listed, name):
    found = listed(each("images", file_name=lambda i: name.format(i["file_name"])))
    as_expected(found)
    assert "found by the end of their path: 5 of 5" in said(found, fatal=False)


def test_ends_that_two_names_share_lead_nowhere(listed):
    def change(content):
        for number, item in enumerate(content["images"]):
            item["file_name"] = f"/there/{number // 2}/{number % 2}.png"

    found = listed(change)
    assert "images of different names that lead to one file: 3 of 5" in said(found, fatal=True)
    assert "'/there/0/0.png' and '/there/1/0.png' are both 0.png" in said(found, fatal=True)


# --- names


def reorder(content):
    """The same file with its key points in another order."""
    content["categories"][0]["keypoints"].reverse()
    for annotation in content["annotations"]:
        annotation["keypoints"] = annotation["keypoints"][3:] + annotation["keypoints"][:3]


@pytest.mark.parametrize("only", [None, "train", "test"])
@pytest.mark.parametrize("keypoints", [["tl", "br"], ["br", "tl"], 2])
def test_key_points_are_matched_by_name(listed, only, keypoints):
    found = listed(reorder, only=only, keypoints=keypoints)
    assert found.problems == []
    assert len(found.train) == 5 and len(found.test) == 4
    for pose in (*found.train, *found.test):
        at = dict(zip(found.names, pose.points.tolist(), strict=True))
        x, y = corner(int(pose.file.stem))
        assert at == {"tl": [x, y], "br": [x + 29, y + 19]}


def test_several_categories_have_an_order_each(listed):
    def change(content):
        content["categories"].append({"id": "2", "name": "other", "keypoints": ["br", "tl"]})
        for annotation in content["annotations"][1:]:
            annotation["category_id"] = 2
            annotation["keypoints"] = annotation["keypoints"][3:] + annotation["keypoints"][:3]

    as_expected(listed(change))
    for category in (2, "other", "2"):
        found = listed(change, category=category)
        assert [pose.file.name for pose in found.test] == ["1.png", "2.png", "3.png"]
        assert found.left_out["annotations of other categories"] == 2
    assert "Did you mean 'other'?" in said(listed(change, category="othr"), fatal=True)


def _two_categories(first: str | None, second: str | None):
    """The first annotation is of the category 1, the others are of the category 2."""

    def change(content):
        points = content["categories"][0]["keypoints"]
        content["categories"] = [{"id": 1, "name": first, "keypoints": points}, {"id": 2, "name": second, "keypoints": points}]
        for annotation in content["annotations"][1:]:
            annotation["category_id"] = 2

    return change


@pytest.mark.parametrize(
    "names, others, category, tested, words",
    [
        (("box", "cat"), ("box", "cat"), 1, [0], ""),
        (("box", "cat"), ("cat", "box"), 1, [1, 2, 3], ""),
        (("box", "cat"), ("cat", "box"), "box", [1, 2, 3], ""),
        (("box", "box"), ("box", "box"), 2, [1, 2, 3], ""),
        (("box", "cat"), ("Box ", "cat"), 1, [0], ""),
        (("box", "cat"), ("dog", "cat"), 1, [0], "error: category 1 is 'dog' here, and is 'box' in annotations/train.json"),
        (("box", "cat"), (None, None), 1, [0], "category 1 has no name here, and is 'box' in annotations/train.json"),
        ((None, "cat"), ("box", "cat"), 1, [0], "category 1 is 'box' here, and has no name in annotations/train.json"),
        ((None, None), (None, None), 1, [0], ""),
        (("box", "cat"), ("dog", "cat"), "box", [], "error: unknown data.category 'box'"),
    ],
)
def test_a_category_is_the_same_in_every_file_whatever_its_number(listed, names, others, category, tested, words):
    def change(content):
        _two_categories(*(names if len(content["images"]) == COUNTS["train"] else others))(content)

    found = listed(change, category=category)
    assert [int(pose.file.stem) for pose in found.test] == tested
    problems = [f"{'error: ' * problem.fatal}{problem.what}" for problem in found.problems if "no usable" not in problem.what]
    assert len(problems) == bool(words) and all(words in problem for problem in problems)


@pytest.mark.parametrize("keypoints", [["tl", "br"], 2])
def test_other_names_are_refused(listed, keypoints):
    def change(content):
        content["categories"][0]["keypoints"] = ["tl", "bottom"]

    assert "the keypoints of category 1 are tl, bottom" in said(listed(change, only="test", keypoints=keypoints), fatal=True)
    assert "Write data.keypoints: 2, or [tl, br]" in said(listed(keypoints=3), fatal=True)


@pytest.mark.parametrize("categories", [[], [{"id": 1, "name": "box"}], [{"id": 1, "name": "box", "keypoints": []}], None])
def test_unnamed_key_points_are_taken_in_order_and_told(listed, categories):
    found = listed(lambda content: content.update(categories=categories))
    as_expected(found)
    assert "they are taken in the order tl, br" in said(found, fatal=False)


# --- what cannot be right


def two(content):
    more = copy.deepcopy(content["annotations"])
    for annotation in more:
        annotation.update(id=annotation["id"] + 100, bbox=[5, 5, 15, 15], keypoints=[5, 5, 2, 20, 20, 2])
    content["annotations"] += more


def fractions(item):
    return [value if k % 3 == 2 else value / (WIDTH, HEIGHT)[k % 3] for k, value in enumerate(item["keypoints"])]


def corners(item):
    x, y, width, height = item["bbox"]
    return [x, y, x + width, y + height]


def doubled(item):
    return [value if k % 3 == 2 else 2 * value for k, value in enumerate(item["keypoints"])]


@pytest.mark.parametrize(
    ("change", "data", "words"),
    [
        (each("annotations", keypoints=fractions), {}, "fractions of the image: 5 of 5"),
        (each("annotations", keypoints=fractions), {"box": "image"}, "multiply x by the image's width"),
        (each("annotations", bbox=lambda a: [value / 96 for value in a["bbox"]]), {}, "boxes beside the points of their instance"),
        (each("annotations", bbox=corners), {}, "the boxes are corners: 2 of 5 boxes leave their image"),
        (
            each("annotations", bbox=lambda a: [a["bbox"][0] + 15, a["bbox"][1] + 10, 30, 20]),
            {},
            "boxes beside the points of their instance",
        ),
        (each("annotations", bbox=lambda a: [a["bbox"][0] + 30, a["bbox"][1] + 20, -30, -20]), {}, "no box (x, y, width, height)"),
        (each("annotations", bbox=...), {}, "annotations with no box: 5 of 5, e.g. annotations[0]. Write data.box: points"),
        (two, {"box": "image"}, "9 of 9 images hold several instances, e.g. train/0.png (2)"),
        (each("images", width=2 * WIDTH, height=2 * HEIGHT), {}, "is said to have 192x128 pixels, but the file has 96x64"),
        (each("annotations", keypoints=doubled, bbox=...), {"box": "image"}, "beyond the right or lower edge of their image"),
        (each("annotations", image_id=lambda a: a["image_id"] + 50), {}, "image_id 51 is not among the images"),
        (each("images", file_name=lambda i: f"gone/{i['id']}x.png"), {}, "images that are missing: 5 of 5"),
        (each("annotations", keypoints=lambda a: a["keypoints"][:2] + a["keypoints"][3:5]), {}, "flags are missing (2 visible, 1 covered"),
        (each("annotations", keypoints=lambda a: [point[:2] for point in triples(a)]), {}, "a point has 2 keypoint values"),
        (each("annotations", keypoints=lambda a: [0.87 if v == 2 else v for v in a["keypoints"]]), {}, "not 0, 1 or 2 but 0.87"),
        (each("annotations", keypoints=lambda a: [0] * 6), {}, "no usable annotated image"),
        (each("annotations", keypoints=...), {}, "no usable annotated image"),
        (each("annotations", iscrowd=1), {}, "no usable annotated image"),
        (
            both(
                lambda content: content["images"].append({**content["images"][0], "id": "01"}),
                each("annotations", image_id=lambda a: f"00{a['image_id']}"),
            ),
            {},
            "image_id '001' is that of several images: 1 and '01'",
        ),
    ],
)
def test_a_file_that_would_give_wrong_numbers_is_refused(listed, change, data, words):
    found = listed(change, **data)
    assert words in said(found, fatal=True), found.problems
    assert all(problem.mend for problem in found.problems)
    with pytest.raises(DataError):
        found.split("train")


def first(**values):
    return lambda content: content["annotations"][0].update(values)


def repeat(content):
    content["annotations"].append({**content["annotations"][0], "id": 9})


@pytest.mark.parametrize(
    ("change", "kind", "poses"),
    [
        (first(keypoints=[0] * 6), "annotations with no labelled point", 3),
        (first(keypoints=[0.2, 0.3, 2, 0.4, 0.5, 2]), "instances whose points are fractions of the image", 3),
        (first(keypoints=[5, 5, 2, None, None, 2]), "points with a coordinate that is no finite number", 4),
        (first(keypoints=[5, 5, 2, -9, 4, 2]), "points left of their image or above it", 4),
        (first(keypoints=[5, 5, 2, 9, 99, 1]), "points beyond the right or lower edge of their image", 4),
        (first(bbox=None), "annotations with no box", 3),
        (first(iscrowd=True), "annotations of crowds", 3),
        (first(ignore=1), "annotations marked 'ignore'", 3),
        (first(keypoints=None), "annotations without 'keypoints'", 3),
        (lambda content: content["images"][0].update(width=97), "images of another size than annotated", 3),
        (lambda content: content["images"][0].update(file_name="gone.png"), "images that are missing", 3),
        (lambda content: content["annotations"].pop(0), "images without an annotation that is read", 3),
        (repeat, "annotations that repeat another one of their image", 4),
    ],
)  # fmt: skip
def test_what_is_left_out_is_counted(listed, change, kind, poses):
    found = listed(change, only="test")
    assert found.left_out[kind] == 1
    assert len(found.test) == poses and len(found.train) == 5
    assert not said(found, fatal=True)


@pytest.mark.parametrize(
    ("area", "read", "told"),
    [(600, 600, ""), (350.5, 350.5, ""), (600 / 96 / 64, 318, "areas far smaller than their boxes"), (8.1, 8.1, "")],
)
def test_an_area_as_a_share_of_the_image_is_not_believed(listed, area, read, told):
    found = listed(each("annotations", area=area))
    assert [pose.area for pose in found.test] == pytest.approx([read] * 4)
    assert told in said(found, fatal=False) and bool(told) == bool(found.problems)


@pytest.mark.parametrize(
    ("place", "many", "box", "labelled", "told"),
    [
        ([0, 0, 2], True, [4, 3, 30, 20], 0, "points at (0, 0) or (-1, -1), taken as not labelled: 5 of 10"),
        ([-1, -1, 1], True, ..., 0, "taken as not labelled: 5 of 10"),
        ([0, 0, 2], False, [4, 3, 30, 20], 1, "points at (0, 0) or (-1, -1), flagged as labelled: 1 of 10"),
        ([0, 0, 2], True, [0, 0, 90, 60], 5, "flagged as labelled: 5 of 10"),
        ([0, 1, 2], True, [4, 3, 30, 20], 5, ""),
    ],
)
def test_points_in_the_very_corner_are_no_labels(listed, place, many, box, labelled, told):
    def change(content):
        for item in content["annotations"][: None if many else 1]:
            item["keypoints"][:3] = place
        each("annotations", bbox=box)(content)

    found = listed(change, only="train", box="image")
    assert sum(int(pose.visible[0] > 0) for pose in found.train) == labelled + (0 if many else 4)
    assert len(found.train) == 5 and told in said(found, fatal=False) and bool(told) == bool(found.problems)


def test_null_coordinates_of_unlabelled_points_are_no_problem(listed):
    found = listed(first(keypoints=[5, 5, 2, None, None, 0]))
    assert found.problems == []
    assert found.train[0].visible.tolist() == [2, 0] and found.train[0].points.tolist() == [[5, 5], [0, 0]]


def test_coordinates_flagged_as_not_labelled_are_told(listed):
    found = listed(each("annotations", keypoints=lambda a: [*a["keypoints"][:5], 0]))
    assert "flagged 0, not labelled: 5 of 5" in said(found, fatal=False)
    assert {tuple(pose.visible.tolist()) for pose in found.train} == {(2, 0)}


def test_an_image_listed_twice_is_one(listed):
    def change(content):
        content["images"].append({**content["images"][0], "id": 77})
        content["annotations"].append({**content["annotations"][0], "id": 99, "image_id": 77, "keypoints": [5, 5, 2, 9, 9, 1]})

    found = listed(change, only="test")
    assert "listed twice: 1 of 5" in said(found, fatal=False)
    assert [pose.image_id for pose in found.test] == [1, 2, 3, 4, 1]
    assert "several instances" in said(listed(change, only="test", box="image"), fatal=True)


def test_several_instances_of_an_image_have_a_box_each(listed):
    found = listed(two)
    assert len(found.train) == 10 and found.problems == []
    around = listed(two, box="points").train[0]
    x, y = corner(0)
    assert around.box == pytest.approx((x - 2.9, y - 2.9, x + 31.9, y + 21.9))


def test_corners_that_leave_no_image_are_doubted(listed):
    found = listed(
        both(
            lambda content: content["annotations"].pop(), each("annotations", bbox=lambda a: [4, 3, 34, 23], keypoints=[9, 9, 2, 30, 20, 2])
        )
    )
    assert not said(found, fatal=False)
    far = listed(each("annotations", bbox=[20, 14, 50, 34], keypoints=[20, 14, 2, 49, 33, 2]))
    assert "hold their points as x0, y0, x1, y1, too" in said(far, fatal=False) and not said(far, fatal=True)


def test_images_annotated_as_they_are_shown_need_the_orientation_applied(listed):
    turned = {"train_images": "train_turned", "test_images": "test_turned"}
    found = listed(**turned)
    assert "They carry an EXIF orientation: write data.exif: apply" in said(found, fatal=True)
    as_expected(listed(**turned, exif="apply"))
    unsized = listed(each("images", width=None), **turned)
    assert "write data.exif: apply" in said(unsized, fatal=False)


@pytest.mark.parametrize("form", ["coco", "mmpose"])
@pytest.mark.parametrize(("folder", "exif"), [("train", "ignore"), ("train_turned", "apply")])
def test_the_point_lies_on_its_pixel_in_training(openmmlab, pictures, tmp_path, form, folder, exif):
    """Through the dataset and the transform that a trial uses, of the harness and of mmpose."""
    from mmengine.registry import DATASETS

    shutil.copytree(pictures / folder, tmp_path / folder)
    made = content("train")
    made["annotations"] = [annotation | {"keypoints": annotation["keypoints"][:3] + [0] * 48} for annotation in made["annotations"]]
    made["categories"] = []
    for name in ("train.json", "test.json"):
        (tmp_path / name).write_text(json.dumps(made))
    files = {"ann_file": "train.json", "images": folder}
    splits = {"type": "CocoDataset", "train": files, "test": files} if form == "mmpose" else {
        "train": "train.json", "test": "test.json", "train_images": folder, "test_images": folder,
    }  # fmt: skip
    entry = task(Benchmark(id="b", family="keypoint", data={"format": form, "root": "r", "keypoints": 17, "exif": exif, **splits}))
    reading = entry.config({})["train_dataloader"]["dataset"]["pipeline"][0]["transforms"][0]
    dataset = DATASETS.build(entry.data.dataset("train", [reading], str(tmp_path)))
    listing = entry.listing(tmp_path)
    assert len(dataset) == len(listing.train) == 5
    for index, pose in enumerate(listing.train):
        sample = dataset[index]
        x, y = (int(value) for value in sample["keypoints"][0, 0])
        assert (x, y) == corner(index) == tuple(pose.points[0]) and pose.size == (WIDTH, HEIGHT)
        assert (sample["img"][y, x] == 250).all() and (sample["img"][y - 1, x - 1] < 50).all()


def test_an_mmpose_class_reads_deep_pictures_only_as_said(openmmlab, tmp_path):
    import cv2

    made = content("train")
    for split, start in (("train", 0), ("test", 9)):
        (tmp_path / split).mkdir()
        for number in range(COUNTS["train"]):
            cv2.imwrite(str(tmp_path / split / f"{number}.png"), np.full((HEIGHT, WIDTH), 4000 + start + number, np.uint16))
    made["annotations"] = [annotation | {"keypoints": annotation["keypoints"][:3] + [0] * 48} for annotation in made["annotations"]]
    (tmp_path / "a.json").write_text(json.dumps(made))
    splits = {split: {"ann_file": "a.json", "images": split} for split in ("train", "test")}
    data = {"format": "mmpose", "root": "r", "type": "CocoDataset", "keypoints": 17, **splits}
    found = task(Benchmark(id="b", family="keypoint", data=data)).listing(tmp_path)
    assert "Write data.bits: 12" in said(found, fatal=True)
    assert not said(task(Benchmark(id="b", family="keypoint", data={**data, "bits": 12})).listing(tmp_path), fatal=True)
