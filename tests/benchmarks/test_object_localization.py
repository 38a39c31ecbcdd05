"""Object localization: readers, check, floor, samples, where maps come from, and a trial's model and metric."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.benchmarks import task
from harness.benchmarks.base import undeclared
from harness.catalog import Benchmark, Filling
from harness.errors import DataError, UsageError


def bench(model: dict | None = None, **data) -> Benchmark:
    return Benchmark(id="b", family="object-localization", data=data, model=model or {}, schedule={"epochs": 1, "batch_size": 8})


def picture(file: Path, size: tuple[int, int] = (60, 40), seed: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file)


def annotation(file: Path, *objects: tuple[str, int, int, int, int], name: str = "", size: tuple[int, int] = (60, 40)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    boxes = "".join(
        f"<object><name>{kind}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for kind, a, b, c, d in objects
    )
    text = f"<filename>{name}</filename><size><width>{size[0]}</width><height>{size[1]}</height></size>{boxes}"
    file.write_text(f"<annotation>{text}</annotation>")


VOC = {"format": "voc-xml", "root": "r", "classes": ["cat", "dog"], "size": 32, "train": "train.txt", "test": "test.txt"}


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Six images of two classes, the first four for training; image 4 has two boxes."""
    for index in range(6):
        picture(tmp_path / f"images/{index}.png", seed=index)
        more = [("cat", 1, 1, 10, 10)] if index == 4 else []
        annotation(tmp_path / f"annotations/{index}.xml", (("cat", "dog")[index % 2], 11, 5, 40, 30), *more, name=f"{index}.png")
    (tmp_path / "train.txt").write_text("0\n1\n2\n3\n")
    (tmp_path / "test.txt").write_text("4\n5\n")
    return tmp_path


def test_voc_boxes_are_extents_counted_from_zero(voc):
    train, test = (task(bench(**VOC)).listing(voc).split(split) for split in ("train", "test"))
    assert [(p.file, p.labels) for p in train] == [(f"images/{i}.png", (i % 2,)) for i in range(4)]
    assert test[0].boxes == ((10, 4, 40, 30), (0, 0, 10, 10)) and test[0].size == (60, 40)
    assert task(bench(**VOC)).check(voc) == []
    assert [p.file for p in task(bench(**VOC)).listing(voc).calibrating(2)] == ["images/0.png", "images/2.png"]


def test_devkit_trains_and_scores_the_same_images_with_all_their_labels(tmp_path):
    for index in range(3):
        picture(tmp_path / f"JPEGImages/{index}.jpg", seed=index)
        annotation(tmp_path / f"Annotations/{index}.xml", ("dog", 1, 1, 20, 20), ("person", 5, 5, 30, 30), name=f"{index}.jpg")
    (tmp_path / "ImageSets/Main").mkdir(parents=True)
    (tmp_path / "ImageSets/Main/trainval.txt").write_text("0\n1 1\n2 -1\n")
    entry = bench(format="voc", root="r", full_resolution=True)
    test = task(entry).listing(tmp_path).split("test")
    assert [p.labels for p in test] == [(11, 14)] * 3 and len(test[0].boxes) == 2
    assert [p for p in task(entry).check(tmp_path) if p.fatal] == []
    head = task(entry).config({})["model"]["model"]["head"]
    assert head["type"] == "mmpretrain.MultiLabelLinearClsHead" and head["num_classes"] == 20


def test_split_by_fraction_keeps_copies_together_and_does_not_depend_on_names(tmp_path):
    for index in range(20):
        picture(tmp_path / f"images/{index:02}.png", seed=index % 17)  # three exact copies
        annotation(tmp_path / f"annotations/{index:02}.xml", ("cat", 5, 5, 20, 20), name=f"{index:02}.png")
    entry = bench(format="voc-xml", root="r", classes=["cat"], size=32, test_fraction=0.4)

    def content(split: str) -> set[bytes]:
        return {(tmp_path / p.file).read_bytes() for p in task(entry).listing(tmp_path).split(split)}

    test = content("test")
    assert not content("train") & test
    assert 7 <= len(task(entry).listing(tmp_path).split("test")) <= 9
    for file in (tmp_path / "images/03.png", tmp_path / "annotations/03.xml"):
        file.rename(file.with_stem("renamed"))
    assert content("test") == test


@pytest.mark.parametrize(("name", "options"), [("{}_jpg.rf.{:012x}", {}), ("{}_{}", {"together": r"(\d+)_"})])
def test_split_by_fraction_keeps_versions_of_a_picture_together(tmp_path, name, options):
    """Of two groups that share a copy, both."""
    for index in range(24):
        stem = name.format(index // 3, index)
        picture(tmp_path / f"images/{stem}.png", seed=2 if index == 3 else index)
        annotation(tmp_path / f"annotations/{stem}.xml", ("cat", 5, 5, 20, 20), name=f"{stem}.png")
    for seed in range(3):
        listing = task(bench(format="voc-xml", root="r", classes=["cat"], size=32, val_share=0, seed=seed, **options)).listing(tmp_path)
        pictures = [{Path(one.file).name.partition("_")[0] for one in some} for some in (listing.train, listing.test)]
        assert not pictures[0] & pictures[1] and 9 <= len(listing.test) <= 15
        assert len({*"01"} & pictures[0]) != 1


@pytest.mark.parametrize(("pattern", "told"), [("(ride)", "all 24 images hang together"), ("^(ride)", "fits none of 24 images")])
def test_split_by_fraction_tells_a_pattern_that_splits_nothing(tmp_path, pattern, told):
    for index in range(24):
        picture(tmp_path / f"images/ride{index}.png", seed=index)
        annotation(tmp_path / f"annotations/ride{index}.xml", ("cat", 5, 5, 20, 20))
    found = task(bench(format="voc-xml", root="r", classes=["cat"], size=32, together=pattern)).listing(tmp_path).problems
    assert [(problem.where, problem.fatal) for problem in found] == [("data.together", True)] and told in found[0].what


def test_a_single_class_gets_background_crops_that_avoid_its_boxes(tmp_path):
    picture(tmp_path / "images/0.png", (200, 100))
    annotation(tmp_path / "annotations/0.xml", ("cat", 101, 11, 150, 90), ("cat", 121, 11, 190, 60), size=(200, 100))
    for name in ("train", "test"):
        (tmp_path / f"{name}.txt").write_text("0\n")
    whole, crop = task(bench(**VOC | {"classes": ["cat"]})).listing(tmp_path).split("train")
    assert (whole.labels, whole.crop) == ((0,), None)
    assert (crop.labels, crop.crop) == ((1,), (0, 0, 100, 100))


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def wsol(tmp_path: Path) -> Path:
    for split, ids in (("train", "ab"), ("val", "c"), ("test", "de")):
        for name in ids:
            picture(tmp_path / f"images/{split}/{name}.jpg", seed=ord(name))
        each = [f"{split}/{name}.jpg" for name in ids]
        folder = f"metadata/{split}"
        write(tmp_path, {
            f"{folder}/image_ids.txt": "".join(f"{i}\n" for i in each),
            f"{folder}/class_labels.txt": "".join(f"{i},{n % 2}\n" for n, i in enumerate(each)),
            f"{folder}/image_sizes.txt": "".join(f"{i},60,40\n" for i in each),
        })  # fmt: skip
        if split != "train":
            write(tmp_path, {f"{folder}/localization.txt": "".join(f"{i},3,4,30,35\n" for i in each) + f"{each[0]},1,1,9,9\n"})
    return tmp_path


WSOL = {"format": "wsol", "root": "r", "classes": 2, "images": "images", "calibration": "val", "size": 32}


def test_wsol_metadata_is_taken_as_it_stands(wsol):
    listing = task(bench(**WSOL)).listing(wsol)
    test = listing.split("test")
    assert test[0].boxes == ((3, 4, 30, 35), (1, 1, 9, 9)) and test[1].labels == (1,)
    assert [p.file for p in listing.calibrating(100)] == ["images/val/c.jpg"]
    assert len(listing.split("train")) == 2
    assert task(bench(**WSOL)).check(wsol) == []
    ids = wsol / "metadata/test/image_ids.txt"
    ids.write_text(ids.read_text(), encoding="utf-8-sig")  # as some editors save it
    assert task(bench(**WSOL)).check(wsol) == []


def test_cub_official_files(tmp_path):
    for name in ("001.A/x.jpg", "200.Z/y z.jpg"):
        picture(tmp_path / "images" / name)
    write(tmp_path, {
        "images.txt": "1 001.A/x.jpg\n2 200.Z/y z.jpg\n",
        "image_class_labels.txt": "1 1\n2 200\n",
        "train_test_split.txt": "1 1\n2 0\n",
        "bounding_boxes.txt": "1 6.0 2.0 25.0 30.0\n2 1.0 1.0 5.0 5.0\n",
    })  # fmt: skip
    (train,), (test,) = (task(bench(format="cub", root="r")).listing(tmp_path).split(split) for split in ("train", "test"))
    assert train.boxes == ((6, 2, 31, 32),)
    assert test.file == "images/200.Z/y z.jpg" and test.labels == (199,)
    for name, line in (("image_class_labels.txt", "1 2"), ("bounding_boxes.txt", "1 0 0 3 3"), ("images.txt", "1 200.Z/y z.jpg")):
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text + line + "\n")
        (problem,) = (one for one in task(bench(format="cub", root="r")).listing(tmp_path).problems if one.fatal)
        assert problem.where == name and "'1' stands there 2 times" in problem.what
        (tmp_path / name).write_text(text)


def coco(root: Path, **changes) -> dict:
    for index in range(3):
        picture(root / f"train2014/{index}.jpg", seed=index)
    content = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 60, "height": 40} for i in range(3)],
        "categories": [{"id": 7, "name": "cat"}, {"id": 90, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 90, "bbox": [5, 5, 10, 10], "iscrowd": 0},
            {"id": 2, "image_id": 0, "category_id": 7, "bbox": [0, 0, 20, 20], "iscrowd": 0},
            {"id": 3, "image_id": 1, "category_id": 7, "bbox": [0, 0, 50, 30], "iscrowd": 1},
            {"id": 4, "image_id": 2, "category_id": 7, "bbox": [0, 0, 50, 30], "iscrowd": 0},
        ],
    } | changes
    (root / "i.json").write_text(json.dumps(content))
    (root / "subset.txt").write_text("train2014/2.jpg\ntrain2014/0.jpg\ntrain2014/1.jpg\n")
    split = {"annotations": "i.json", "images": "train2014", "subset": "subset.txt"}
    return {"format": "coco", "root": "r", "classes": 2, "train": split, "test": split}


def test_coco_drops_crowds_and_keeps_the_order_of_the_subset(tmp_path):
    test = task(bench(**coco(tmp_path))).listing(tmp_path).split("test")
    assert [(p.file, p.labels) for p in test] == [("train2014/2.jpg", (0,)), ("train2014/0.jpg", (0, 1))]
    assert test[1].boxes == ((5, 5, 15, 15), (0, 0, 20, 20))


def test_difficult_objects_count(tmp_path):
    """As in CorLoc's reference, valeoai/LOST."""
    picture(tmp_path / "JPEGImages/0.jpg")
    annotation(tmp_path / "Annotations/0.xml", ("dog", 1, 1, 20, 20), ("dog", 31, 11, 50, 30))
    file = tmp_path / "Annotations/0.xml"
    file.write_text(file.read_text().replace("<name>dog</name>", "<name>dog</name><difficult>1</difficult>", 1))
    write(tmp_path, {"ImageSets/Main/trainval.txt": "0\n"})
    (item,) = task(bench(format="voc", root="r")).listing(tmp_path).split("test")
    assert item.boxes == ((0, 0, 20, 20), (30, 10, 50, 30))


def test_coco_corners_are_rounded_as_in_the_reference_of_corloc(tmp_path):
    boxes = [[0.5, 1.5, 10.2, 10.0], [3.4, 3.4, 0.2, 9.0]]  # halves to even; what loses its area stays a box that nothing hits
    found = [{"id": n, "image_id": 0, "category_id": 7, "bbox": box} for n, box in enumerate(boxes)]
    entry = bench(**coco(tmp_path, annotations=found))
    assert [p.boxes for p in task(entry).listing(tmp_path).split("test")] == [((0, 2, 11, 12), (3, 3, 4, 12))]
    entry = bench(**coco(tmp_path, annotations=[found[0], {**found[1], "bbox": [3.6, 3.4, 0.2, 9.0]}]))
    assert task(entry).listing(tmp_path).split("test")[0].boxes[1] == (4, 3, 4, 12)
    assert [p for p in task(entry).check(tmp_path) if p.fatal] == []


def _voc_file(text: str):
    return lambda root: (root / "annotations/4.xml").write_text(text)


MALFORMED = {
    "no image folder": (lambda r: shutil.rmtree(r / "images"), "the folder is missing"),
    "no annotation folder": (lambda r: shutil.rmtree(r / "annotations"), "the folder is missing"),
    "no split file": (lambda r: (r / "test.txt").unlink(), "cannot read the list"),
    "empty split file": (lambda r: (r / "test.txt").write_text("\n"), "is empty"),
    "listed twice": (lambda r: (r / "test.txt").write_text("4\n4\n5\n"), "listed twice"),
    "no annotation": (lambda r: (r / "annotations/4.xml").unlink(), "annotation is missing"),
    "no image": (lambda r: (r / "images/4.png").unlink(), "'4.png' is missing"),
    "truncated image": (lambda r: (r / "images/4.png").write_bytes((r / "images/4.png").read_bytes()[:300]), "cannot be read"),
    "empty image": (lambda r: (r / "images/4.png").write_bytes(b""), "empty"),
    "no image at all": (lambda r: (r / "images/4.png").write_text("hello"), "no image"),
    "broken xml": (_voc_file("<annotation><object>"), "malformed"),
    "empty xml": (_voc_file(""), "malformed"),
    "entity bomb": (_voc_file('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>'), "refused"),
    "external entity": (_voc_file('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>'), "refused"),
    "unknown class": (lambda r: annotation(r / "annotations/4.xml", ("cow", 1, 1, 9, 9)), "unknown class 'cow'"),
    "inverted box": (lambda r: annotation(r / "annotations/4.xml", ("cat", 30, 1, 9, 9)), "inverted"),
    "box without area": (lambda r: annotation(r / "annotations/4.xml", ("cat", 10, 1, 9, 9)), "inverted"),
    "box outside": (lambda r: annotation(r / "annotations/4.xml", ("cat", 70, 1, 90, 9)), "outside the image"),
    "box beyond": (lambda r: annotation(r / "annotations/4.xml", ("cat", 50, 1, 90, 9)), "reaches out"),
    "nan box": (lambda r: annotation(r / "annotations/4.xml", ("cat", "nan", 1, 9, 9)), "not finite"),
    "no number": (lambda r: annotation(r / "annotations/4.xml", ("cat", "x", 1, 9, 9)), "not four numbers"),
    "no object": (lambda r: annotation(r / "annotations/4.xml"), "shows no object"),
    "another size": (lambda r: annotation(r / "annotations/4.xml", ("cat", 1, 1, 9, 9), size=(64, 40)), "60 x 40"),
    "in both splits": (lambda r: (r / "test.txt").write_text("3\n4\n5\n"), "test images are training images"),
}  # fmt: skip


@pytest.mark.parametrize("case", MALFORMED)
def test_check_names_what_is_wrong(voc, case):
    damage, expected = MALFORMED[case]
    damage(voc)
    found = task(bench(**VOC)).check(voc)
    assert any(expected in problem.what for problem in found), found
    assert all(problem.where and problem.mend for problem in found)


def test_check_lists_all_problems_and_training_stops_at_the_first(voc):
    _voc_file("<annotation>")(voc)
    annotation(voc / "annotations/5.xml", ("cow", 1, 1, 9, 9), ("dog", 9, 9, 1, 1))
    assert len([p for p in task(bench(**VOC)).check(voc) if p.fatal]) >= 3
    with pytest.raises(DataError, match=r"4\.xml.*malformed"):
        task(bench(**VOC)).listing(voc).split("train")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"annotations": 3}, "no list 'annotations'"),
        ({"categories": [{"id": 1}]}, "there are 1 categories"),
        ({"annotations": [{"image_id": 0, "category_id": 5, "bbox": [0, 0, 1, 1]}]}, "unknown category 5"),
        ({"annotations": [{"image_id": 0, "category_id": 7, "bbox": [0, 0]}]}, "not x, y, width, height"),
        ({"images": [{"id": 0, "file_name": "../../0.jpg"}]}, "outside the dataset"),
    ],
)  # fmt: skip
def test_malformed_coco(tmp_path, changes, expected):
    entry = bench(**coco(tmp_path, **changes))
    assert any(expected in problem.what for problem in task(entry).check(tmp_path))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("metadata/test/class_labels.txt", "test/d.jpg,7\ntest/e.jpg,0\n", "'7' is not one of 0 to 1"),
        ("metadata/test/class_labels.txt", "test/d.jpg,0\ntest/e.jpg,1\ntest/d.jpg,1\n", "'test/d.jpg' stands there 2 times, as 0 and 1"),
        ("metadata/test/image_sizes.txt", "test/d.jpg,60,40\ntest/e.jpg,60,40\ntest/d.jpg,40,60\n", "as 60,40 and 40,60"),
        ("metadata/test/localization.txt", "test/d.jpg,3,4\n", "columns"),
        ("metadata/test/localization.txt", "test/d.jpg,9,4,3,35\n", "inverted"),
        ("metadata/test/image_sizes.txt", "test/d.jpg,60,-1\n", "width,height"),
        ("metadata/test/image_ids.txt", "test/d.jpg\ntest/f.jpg\n", "has no class"),
        ("metadata/test/image_ids.txt", "test/d.jpg\ntest/e.jpg\ntest/d.jpg\n", "'test/d.jpg' is listed twice"),
    ],
)  # fmt: skip
def test_malformed_wsol(wsol, name, text, expected):
    (wsol / name).write_text(text)
    assert any(expected in problem.what for problem in task(bench(**WSOL)).check(wsol))


def test_options_are_explained():
    for data in ({"format": "voc-xml", "root": "r", "classes": ["a", "a"]}, {**VOC, "test": None}, {"format": "voc-xml", "root": "r"}):
        with pytest.raises(UsageError, match="data"):
            task(bench(**data))


def test_scenes_are_read_by_the_voc_reader_and_the_centre_box_is_no_help(tmp_path):
    entry = bench(format="synthetic", train=12, test=12, size=48)
    task(entry).generate(tmp_path)
    assert task(entry).check(tmp_path) == []
    floor = task(entry).floor(tmp_path)
    assert list(undeclared(floor, task(entry).metrics)) == []
    assert floor["corloc"] == 0 and floor["top1"] == pytest.approx(100 / 6)
    shown = task(entry).samples(tmp_path, 2)
    assert len(shown) == 2 and shown[0].annotated.shape[0] > shown[0].image.shape[0] == 48


def test_floor_of_a_box_in_the_middle(voc):
    annotation(voc / "annotations/4.xml", ("cat", 7, 5, 54, 36))  # the centre box itself
    annotation(voc / "annotations/5.xml", ("dog", 1, 1, 6, 6))
    floor = task(bench(**VOC)).floor(voc)
    assert floor["corloc"] == floor["maxboxaccv2"] == floor["maxboxacc"] == 50
    assert floor["top1"] == 50 and floor["top1_loc"] == 50


def _runner(root: Path, work: Path, entry: Benchmark, fillings: dict[str, Filling]):
    from mmengine.config import Config
    from mmengine.runner import Runner

    from harness.catalog.plugins import discover, load_plugins

    load_plugins({filling.plugin for filling in fillings.values()} | {"gap"}, discover())
    text = json.dumps(task(entry).config(fillings)).replace("$DATA", str(root))
    config = json.loads(text) | {"work_dir": str(work), "randomness": {"seed": 0}, "log_level": "ERROR"}
    for name in ("val_dataloader", "val_evaluator", "val_cfg"):  # a bare Runner fails on a validation split without a picture
        del config[name]
    return Runner.from_cfg(Config(config | {"default_hooks": {"checkpoint": None}, "experiment_name": work.name}))


VIT = {
    "type": "mmpretrain.VisionTransformer",
    "arch": {"embed_dims": 24, "num_layers": 1, "num_heads": 2, "feedforward_channels": 48},
    "img_size": 48,
    "patch_size": 16,
    "out_type": "featmap",
    "_channels": 24,
    "_stride": 16,
}


def _random_weights(file: Path) -> Path:
    import torch
    from mmengine.registry import MODELS

    torch.save(MODELS.build({key: value for key, value in VIT.items() if not key.startswith("_")}).state_dict(), file)
    return file


@pytest.mark.parametrize(
    ("model", "fillings", "source"),
    [
        ({}, {}, "class activation"),
        ({}, {"pooling": "simpool"}, "pooling attention"),
        ({"box": "cam"}, {"pooling": "simpool"}, "class activation"),
        ({"box": "dino-seg"}, {"pooling": "simpool"}, "pooling attention"),
        ({"box": "dino-seg"}, {}, "class activation"),
        ({"box": "dino-seg", "backbone": VIT, "frozen": True, "head": 1}, {}, "[CLS] attention"),
        ({"backbone": VIT}, {}, "class activation"),
        ({"box": "dino-seg", "backbone": VIT, "head": 2}, {"pooling": "k-means"}, "pooling attention"),
        ({"box": "lost"}, {}, "LOST on features"),
        ({"box": "lost", "backbone": VIT, "frozen": True}, {}, "LOST on keys"),
        ({"box": "lost", "backbone": VIT, "frozen": True, "lost_features": "last"}, {}, "LOST on features"),
        ({}, {"block": "psa-polarized"}, "spatial gate"),
        ({}, {"block": "gc-block"}, "key map"),
        ({}, {"block": "non-local"}, "mean over queries"),
    ],
)  # fmt: skip
def test_evaluation_says_where_the_map_came_from(openmmlab, tmp_path, model, fillings, source):
    import torch
    from mmengine.registry import MODELS

    if model.get("frozen"):
        state = MODELS.build({key: value for key, value in VIT.items() if not key.startswith("_")}).state_dict()
        torch.save(state, tmp_path / "vit.pth")
        model = {**model, "weights": {"file": str(tmp_path / "vit.pth")}}
    if model.get("frozen"):
        model = model | {"weights": {"file": str(_random_weights(tmp_path / "vit.pth"))}}
    entry = bench(model={"backbone": "resnet-narrow-s8", **model}, format="synthetic", train=12, test=12, size=48, calibrate=4)
    (tmp_path / "d").mkdir()
    task(entry).generate(tmp_path / "d")
    filled = {slot: Filling(plugin=plugin) for slot, plugin in fillings.items()}
    runner = _runner(tmp_path / "d", tmp_path / "w", entry, filled)
    metrics = runner.test()
    metric = runner.test_evaluator.metrics[0]
    assert list(undeclared(metrics, task(entry).metrics)) == []
    assert all(0 <= value <= 100 for value in metrics.values())
    assert metric.labels == {"map": source}
    for name in ("maxboxaccv2", "corloc", "top1"):
        assert metric.per_sample[name].shape == (12,)
        assert metric.per_sample[name].mean() == pytest.approx(metrics[name], abs=1e-3)


@pytest.mark.parametrize("head", [None, 1])
def test_what_the_class_token_attends_to(openmmlab, head):
    import torch
    from mmengine.registry import MODELS
    from torch import nn

    from harness.benchmarks.object_localization.mm.maps import last_attention, recording

    given = {key: value for key, value in VIT.items() if not key.startswith("_")}
    model = nn.Module()
    model.backbone = MODELS.build({**given, "img_size": (48, 64)})
    model.eval()
    attention, seen = last_attention(model.backbone), []
    attention.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    with torch.no_grad(), recording(model, (48, 64), head) as recorder:
        model.backbone(torch.randn(2, 3, 48, 64))
    (x,) = seen
    q, k, _ = attention.qkv(x).view(2, 13, 3, 2, 12).permute(2, 0, 3, 1, 4)
    weights = (q @ k.mT / 12**0.5).softmax(-1)[:, :, 0, 1:].view(2, 2, 3, 4)
    torch.testing.assert_close(recorder.class_token(), weights.mean(1) if head is None else weights[:, head])


def _score(entry: Benchmark, root: Path, work: Path):
    runner = _runner(root, work, entry, {})
    return runner.test(), runner.test_evaluator.metrics[0]


def test_note_says_whether_the_threshold_was_chosen_on_scored_images(openmmlab, tmp_path):
    for index in range(4):
        picture(tmp_path / f"JPEGImages/{index}.jpg", seed=index)
        annotation(tmp_path / f"Annotations/{index}.xml", ("dog", 1, 1, 20, 20))
    write(tmp_path, {"ImageSets/Main/trainval.txt": "0\n1\n2\n3\n", "a.txt": "0\n1\n", "b.txt": "2\n3\n"})
    data = {"format": "voc", "root": "r", "size": 32, "calibrate": 2}
    for splits, expected in (({}, "2 of which are scored too"), ({"train": "a.txt", "test": "b.txt"}, "none of which is scored")):
        _, metric = _score(bench(model={"backbone": "resnet-narrow-s8"}, **data | splits), tmp_path, tmp_path / "w")
        assert "chosen on 2 images of the training or validation split, " + expected in metric.notes[0]


@pytest.mark.parametrize(("box", "outside"), [("lost", False), ("dino-seg", True)])
def test_box_of_lost_ends_with_the_image_and_that_of_dino_seg_with_the_padding(openmmlab, tmp_path, monkeypatch, box, outside):
    """As in main_lost.py of valeoai/LOST."""
    from harness.benchmarks.object_localization.mm import model

    whole = lambda score: np.array([0, 0, score.shape[-1], score.shape[-2]])  # noqa: E731
    monkeypatch.setattr(model, "lost", lambda features, **_: (whole(features), features[0]))
    monkeypatch.setattr(model, "dino_seg", lambda score, **_: whole(score))
    picture(tmp_path / "JPEGImages/0.jpg", (17, 33))
    annotation(tmp_path / "Annotations/0.xml", ("dog", 1, 1, 17, 33), size=(17, 33))
    write(tmp_path, {"ImageSets/Main/trainval.txt": "0\n"})
    entry = bench(model={"backbone": "resnet-narrow-s8", "box": box}, format="voc", root="r", size=32, full_resolution=True)
    metrics, _ = _score(entry, tmp_path, tmp_path / "w")
    assert metrics["corloc"] == (0 if outside else 100)  # 17 x 33 of 32 x 48 pixels


def test_padded_images_of_full_size_and_several_labels(openmmlab, tmp_path):
    for index, size in enumerate(((50, 70), (64, 33))):
        picture(tmp_path / f"JPEGImages/{index}.jpg", size, seed=index)
        annotation(tmp_path / f"Annotations/{index}.xml", ("dog", 1, 1, 20, 20), ("person", 5, 5, 30, 30), size=size)
    write(tmp_path, {"ImageSets/Main/trainval.txt": "0\n1\n"})
    entry = bench(model={"backbone": "resnet-narrow-s8", "box": "lost"}, format="voc", root="r", size=32, full_resolution=True)
    runner = _runner(tmp_path, tmp_path / "w", entry, {})
    runner.train()
    assert 0 <= runner.test()["corloc"] <= 100


def test_maps_that_share_the_positions_out_evenly_are_taken_at_their_largest(openmmlab):
    """The mean of an optimal-transport plan over its references is uniform by construction."""
    import torch

    from harness import slots
    from harness.benchmarks.object_localization.mm.maps import MapRecorder, own_maps
    from harness.catalog.plugins import discover, load_plugins

    load_plugins({"otk", "simpool"}, discover())
    torch.manual_seed(0)
    x, plans = torch.randn(2, 16, 5, 3), []
    pool = slots.build("otk", {"eps": 1.0, "iterations": 100}, channels=16).eval()
    recorder = MapRecorder((5, 3))
    with slots.observing(lambda module, values: (recorder(module, values), plans.append(values["map"]()))):
        pool(x)
    assert (plans[0].mean(dim=1) - 1 / 15).abs().max() < 1e-3 / 15
    for image, (values, source) in enumerate(own_maps(recorder, 2)):
        torch.testing.assert_close(values, plans[0][image].amax(dim=0).detach())
        assert source == "pooling attention"
    alone = slots.build("otk", {"k": 1}, channels=16).eval()  # uniform itself
    recorder = MapRecorder((5, 3))
    with slots.observing(recorder):
        alone(x)
    assert own_maps(recorder, 2) == [None, None]


def test_one_head_can_be_chosen(openmmlab):
    import torch

    from harness.benchmarks.object_localization.mm.maps import MapRecorder
    from harness.errors import TrialError

    maps, attention, module = torch.rand(2, 3, 4, 5), torch.rand(2, 3, 6, 20), torch.nn.Identity()
    recorder = MapRecorder((4, 5), head=2)
    recorder(module, {"map": maps, "attention": attention})
    torch.testing.assert_close(recorder.maps[0][0], attention[:, 2].mean(dim=1).view(2, 4, 5))
    torch.testing.assert_close(recorder.maps[1][0], maps[:, 2])
    recorder(module, {"map": maps[:, :1]})  # a single map has no other
    torch.testing.assert_close(recorder.maps[2][0], maps[:, 0])
    with pytest.raises(TrialError, match="has 3 maps"):
        MapRecorder((4, 5), head=3)(module, {"map": maps})


def test_uniform_maps_give_way_to_class_activation_and_keys_lie_on_their_grid(openmmlab):
    import torch

    from harness.benchmarks.object_localization.mm.maps import MapRecorder, own_maps

    recorder = MapRecorder((48, 64))
    module = type("Attention", (), {"plugin_name": "some"})()
    queries = torch.rand(2, 2, 5, 13)  # a class token and a 3 x 4 grid of keys
    recorder(module, {"attention": lambda: queries})
    recorder(module, {"map": torch.full((2, 1, 3, 4), 1 / 12)})
    chosen = own_maps(recorder, 2)
    torch.testing.assert_close(chosen[1][0], queries[1].mean(dim=(0, 1))[1:].view(3, 4))
    recorder.maps.pop(0)
    assert own_maps(recorder, 2) == [None, None]
    almost = torch.full((2, 1, 3, 4), 1 / 12)
    almost[1, 0, 0, 0] *= 1.0005  # optimal transport before it has converged
    recorder(module, {"map": almost})
    assert own_maps(recorder, 2) == [None, None]
