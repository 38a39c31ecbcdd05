"""Detection: COCO's numbers, mmdet's networks with their slots, and detectors that run from images to scores."""

from __future__ import annotations

import contextlib
import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness import slots
from harness.benchmarks import task
from harness.benchmarks.config import in_encoder
from harness.benchmarks.detection import scores
from harness.benchmarks.detection.config import compose
from harness.benchmarks.detection.floor import floor
from harness.benchmarks.detection.options import DetectionModel
from harness.benchmarks.detection.readers.picture import Object, Picture, Pictures, box_area
from harness.benchmarks.detection.synthetic import SyntheticData
from harness.benchmarks.options import ScheduleOptions
from harness.catalog import Benchmark, Filling, load_catalog
from harness.catalog.plugins import discover, load_plugins
from harness.compose.trial import plugins_in
from harness.errors import UsageError

CLASSES = list("abcd")


def _random(seed: int, *, masks: bool = False, images: int = 25) -> tuple[list[Picture], list[scores.Found]]:
    """Objects of all sizes with crowds, images with none, and detections: near misses, doubles and inventions with equal scores."""
    rng = np.random.default_rng(seed)

    def boxes(count: int) -> np.ndarray:
        corner = rng.uniform(0, 200, (count, 2))
        return np.concatenate([corner, corner + rng.uniform(8, 150, (count, 2))], axis=1)

    def outline(box: np.ndarray) -> list[list[float]]:
        x0, y0, x1, y1 = box.tolist()
        return [[x0, y0, x1, y0, x1, y1, (x0 + x1) / 2, y1 + 5, x0, y1]]

    pictures, found = [], []
    for number in range(images):
        true = boxes(rng.integers(0, 9)) if number % 5 else boxes(0)
        objects = []
        for box in true:
            label, crowd = int(rng.integers(4)), bool(rng.random() < 0.15)
            area = float(box_area(box)) * 0.8
            objects.append(Object(label, tuple(box.tolist()), area, crowd, outline(box) if masks else None))
        pictures.append(Picture(number, Path("x"), tuple(objects), (400, 400)))
        near = np.concatenate([true + rng.uniform(-2, 2, true.shape), true + rng.uniform(-3.5, 3.5, true.shape), boxes(rng.integers(0, 5))])
        labels = [item.label for item in objects] * 2
        labels += rng.integers(0, 4, len(near) - len(labels)).tolist()
        said = rng.random(len(near)).round(1)
        lengths = _lengths([outline(box) for box in near]) if masks else ()
        found.append(scores.Found(near, said, np.array(labels, int), lengths))
    return pictures, found


def _lengths(outlines):
    from faster_coco_eval.core import mask

    return [mask.merge(mask.frPyObjects(outline, 400, 400)) for outline in outlines]


@pytest.mark.parametrize("kind", ["bbox", "segm"])
@pytest.mark.parametrize("seed", range(3))
def test_coco_numbers_are_those_of_pycocotools(kind, seed):
    """Crowds, images without objects or detections, and equal scores among them."""
    coco, cocoeval = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    masks = kind == "segm"
    pictures, found = _random(seed, masks=masks)
    mine = scores.summarise(pictures, found, CLASSES, masks=masks)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        images = [{"id": place, "width": 400, "height": 400} for place in range(len(pictures))]
        truth.dataset = {"images": images, "annotations": scores.truth(pictures), "categories": [{"id": label} for label in range(4)]}
        truth.createIndex()
        wanted = ("image_id", "category_id", "score", "segmentation" if masks else "bbox")
        rows = [{name: row[name] for name in wanted} for row in scores.results(found, kind)]
        evaluation = cocoeval.COCOeval(truth, truth.loadRes(rows), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    before = scores.MASK if masks else ""
    for name, stat in zip(scores.COCO_STATS, evaluation.stats, strict=True):
        assert mine[f"{before}{name}"] == pytest.approx(100 * stat, abs=1e-6), name
    for label, name in enumerate(CLASSES):
        precision = evaluation.eval["precision"][:, :, label, 0, 2]
        assert mine[f"{before}AP/{name}"] == pytest.approx(100 * precision[precision > -1].mean(), abs=1e-6)


def test_an_image_scores_what_coco_gives_it_alone():
    pictures, found = _random(7, images=40)
    for picture, one, score in zip(pictures, found, scores.per_image(pictures, found), strict=True):
        alone = scores.summarise([picture], [one], CLASSES)["AP"]
        assert score == pytest.approx(alone, abs=1e-3, nan_ok=True)


def _loop(pictures: list[Picture], found: list[scores.Found], threshold: float, label: int) -> float:
    """Average precision of a class at one overlap, a box at a time."""
    marks, total = [], 0
    for picture, one in zip(pictures, found, strict=True):
        objects = [item for item in picture.objects if item.label == label]
        total += sum(not (item.crowd or item.difficult) for item in objects)
        rows = [(score, box) for box, score, kind in zip(one.boxes.tolist(), one.scores.tolist(), one.labels, strict=True) if kind == label]
        taken: set[int] = set()
        for score, box in sorted(rows, key=lambda row: -row[0])[:100]:
            best, over, passed = threshold, None, False
            for place, item in enumerate(objects):
                sides = [max(0.0, min(box[axis + 2], item.box[axis + 2]) - max(box[axis], item.box[axis])) for axis in (0, 1)]
                common, mine = sides[0] * sides[1], box_area(box)
                overlap = common / (mine if item.crowd else mine + box_area(item.box) - common)
                if item.crowd or item.difficult:
                    passed |= overlap >= threshold
                elif place not in taken and overlap >= best:
                    best, over = overlap, place
            if over is not None:
                taken.add(over)
            if over is not None or not passed:
                marks.append((score, over is not None))
    if not total:
        return math.nan
    hits, points = 0, []
    for count, (_, hit) in enumerate(sorted(marks, key=lambda mark: -mark[0]), 1):
        hits += hit
        points.append((hits / total, hits / count))
    return sum(max((precise for recall, precise in points if recall >= wanted), default=0.0) for wanted in np.linspace(0, 1, 101)) / 101


@pytest.mark.parametrize("seed", range(3))
def test_difficult_objects_are_neither_hits_nor_mistakes(seed):
    """Against a loop, beside crowds; and as an image of its own."""
    pictures, found = _random(seed, images=40)
    rng = np.random.default_rng(seed)
    for place, (picture, one) in enumerate(zip(pictures, found, strict=True)):
        some = [replace(item, difficult=True) if not item.crowd and rng.random() < 0.3 else item for item in picture.objects]
        pictures[place] = replace(picture, objects=tuple(some))
        # what lies within an object, and overlaps it by less than a half
        parts = np.array([item.box for item in some]).reshape(-1, 4)
        parts[:, 2:] = parts[:, :2] + 0.6 * (parts[:, 2:] - parts[:, :2])
        labels = np.append(one.labels, [item.label for item in some]).astype(int)
        said = np.append(one.scores, rng.random(len(parts)).round(1))
        found[place] = scores.Found(np.concatenate([one.boxes, parts]), said, labels)
    mine = scores.summarise(pictures, found, CLASSES)
    expected = {name: [_loop(pictures, found, 0.5 + 0.05 * step, label) for step in range(10)] for label, name in enumerate(CLASSES)}
    for name, values in expected.items():
        assert mine[f"AP/{name}"] == pytest.approx(100 * np.mean(values), abs=1e-6)
    assert mine["AP50"] == pytest.approx(100 * np.mean([values[0] for values in expected.values()]), abs=1e-6)
    as_crowds = [
        replace(one, objects=tuple(replace(item, crowd=item.optional, difficult=False) for item in one.objects)) for one in pictures
    ]
    assert scores.summarise(as_crowds, found, CLASSES)["AP"] != pytest.approx(mine["AP"], abs=0.01), "a crowd is something else"
    for picture, one, score in zip(pictures, found, scores.per_image(pictures, found), strict=True):
        alone = scores.summarise([picture], [one], CLASSES)["AP"]
        assert score == pytest.approx(alone, abs=1e-3, nan_ok=True)


def test_two_boxes_on_a_difficult_object_are_no_mistake_and_a_small_one_in_it_is():
    plain, hard = (0.0, 0.0, 50.0, 50.0), (100.0, 100.0, 200.0, 200.0)
    picture = Picture(0, Path("x"), (Object(0, plain, 2500.0), Object(0, hard, 10000.0, difficult=True)), (400, 400))

    def score(*boxes):
        found = scores.Found(np.array([*boxes, plain]), np.linspace(0.9, 0.5, len(boxes) + 1), np.zeros(len(boxes) + 1, int))
        return scores.summarise([picture], [found], ["a"])["AP"]

    assert score() == score(hard) == score(hard, hard) == pytest.approx(100)
    assert score((110.0, 110.0, 130.0, 130.0)) == pytest.approx(50), "of a crowd it would be a part"


def test_masks_on_a_difficult_object_are_no_mistake_and_a_small_one_in_it_is():
    shapes = [[[0, 0, 50, 0, 50, 50, 0, 50]], [[100, 100, 200, 100, 200, 200, 100, 200]], [[110, 110, 130, 110, 130, 130, 110, 130]]]
    boxes = [(float(one[0][0]), float(one[0][1]), float(one[0][4]), float(one[0][5])) for one in shapes]
    boxes[2] = boxes[1]  # what the box says must not count
    objects = (Object(0, boxes[0], 2500.0, mask=shapes[0]), Object(0, boxes[1], 1e4, mask=shapes[1], difficult=True))
    picture = Picture(0, Path("x"), objects, (400, 400))

    def score(*chosen):
        chosen = (*chosen, 0)
        masks = tuple(_lengths([shapes[place] for place in chosen]))
        found = scores.Found(
            np.array([boxes[place] for place in chosen]), np.linspace(0.9, 0.5, len(chosen)), np.zeros(len(chosen), int), masks
        )
        return scores.summarise([picture], [found], ["a"], masks=True)["mask_AP"]

    assert score() == score(1) == score(1, 1) == pytest.approx(100)
    assert score(2) == score(1, 2) == pytest.approx(50), "of a crowd it would be a part"


def test_finding_nothing_is_zero_and_nothing_to_find_no_number():
    pictures, _ = _random(0)
    nothing = [scores.Found(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int)) for _ in pictures]
    values = scores.summarise(pictures, nothing, [*CLASSES, "never"])
    assert values["AP"] == values["AR100"] == values["AP/a"] == 0 and "AP/never" not in values
    large = [Picture(0, Path("x"), (Object(0, (0.0, 0.0, 200.0, 200.0), 40000.0),), (400, 400))]
    exact = scores.summarise(large, [scores.Found(np.array([[0.0, 0, 200, 200]]), np.ones(1), np.zeros(1, int))], ["a"])
    assert exact["AP"] == exact["APl"] == pytest.approx(100) and math.isnan(exact["APs"])


def test_the_floor_is_the_boxes_that_training_has_most():
    """One class sits in one place in half of the images, the other twice as often in another; the test has both."""

    def picture(number, *objects, size=(100, 100)):
        found = tuple(Object(label, box, box_area(box)) for label, box in objects)
        return Picture(number, Path(f"{number}.png"), found, size)

    left, right = (10.0, 10.0, 40.0, 40.0), (60.0, 50.0, 90.0, 90.0)
    train = [picture(n, (1, right), *([(0, left)] if n % 2 else [])) for n in range(10)]
    twice = tuple(2 * value for value in left), tuple(2 * value for value in right)
    listing = Pictures(train=train, test=[picture(0, (0, twice[0]), (1, twice[1]), size=(200, 200))], classes=["a", "b"])

    class Data:
        class_count = 2

    assert floor(Path(), Data(), listing)["AP"] == pytest.approx(100)  # shares of the image, so at its own size


SMALL = {
    "backbone": "resnet-local-s4",
    "channels": 16,
    "outputs": 1,
    "scales": [2.5, 4.5],
    "ratios": [1.0],
    "regions": {"proposed": 30, "before": 100, "trained": 32, "anchors_trained": 32, "width": 32, "bins": 3},
    "layers": 1,
    "queries": 12,
    "feedforward": 32,
}


def _config(model: dict, fillings: dict[str, Filling] | None = None, **data) -> dict:
    return compose(
        SyntheticData(format="synthetic", **data), DetectionModel.model_validate(model), ScheduleOptions(batch_size=2), fillings or {}
    )


def _build(model: dict, fillings: dict[str, Filling] | None = None):
    from mmengine.registry import MODELS, DefaultScope

    load_plugins({"nms", "roi-align", *(filling.plugin for filling in (fillings or {}).values())}, discover())
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmdet"):
        return MODELS.build(_config(model, fillings)["model"])


def _batch(model, *, train: bool):
    """Two images of noise with an object of each of two classes, behind the model's preprocessor."""
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randint(0, 255, (3, 64, 64), generator=generator, dtype=torch.uint8) for _ in range(2)]
    samples = []
    for _ in inputs:
        sample = DetDataSample(metainfo={"img_shape": (64, 64), "ori_shape": (128, 128), "scale_factor": (0.5, 0.5), "img_id": 0})
        sample.gt_instances = InstanceData(bboxes=torch.tensor([[4.0, 4, 18, 18], [30, 30, 50, 48]]), labels=torch.tensor([0, 4]))
        sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
        samples.append(sample)
    return model.data_preprocessor({"inputs": inputs, "data_samples": samples}, train)


STOCK = {
    "faster-rcnn": ("faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py", {"levels": [0, 1, 2, 3]}),
    "mask-rcnn": ("mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py", {"levels": [0, 1, 2, 3]}),
    "retinanet": ("retinanet/retinanet_r50_fpn_1x_coco.py", {"levels": [1, 2, 3], "scales": [4.0]}),
    "detr": ("detr/detr_r50_8xb2-150e_coco.py", {"levels": [3]}),
    "deformable-detr": ("deformable_detr/deformable-detr_r50_16xb2-50e_coco.py",
                        {"levels": [1, 2, 3], "outputs": 4, "queries": 300, "feedforward": 1024}),
}  # fmt: skip
"""Detector -> mmdet's config of it, and what an entry says beside its name."""


@pytest.fixture(scope="module")
def coco_data():
    from harness.benchmarks.detection.readers.coco import CocoData, CocoSplit

    split = CocoSplit(annotations="a.json", images="i")
    return CocoData(format="coco", root="coco", masks=True, train=split, test=split)


def _stock(name: str, coco_data, *, agnostic: bool = False):
    """mmdet's model and ours, built; if so with one correction of a region's box for all classes."""
    import mmdet
    from mmengine.config import Config
    from mmengine.registry import MODELS, DefaultScope

    file, said = STOCK[name]
    theirs = Config.fromfile(Path(mmdet.__file__).parent / ".mim/configs" / file).model
    theirs.backbone.init_cfg = None
    if agnostic:
        theirs.roi_head.bbox_head.reg_class_agnostic, said = True, {**said, "regions": {"agnostic": True}}
    options = DetectionModel.model_validate({"detector": name, "backbone": "resnet50", **said})
    ours = compose(coco_data, options, ScheduleOptions(), {})["model"]["model"]
    load_plugins({"nms", "roi-align"}, discover())
    with DefaultScope.overwrite_default_scope("mmdet"):
        from mmengine.config import ConfigDict

        return MODELS.build(theirs), MODELS.build(ConfigDict(ours))


@pytest.mark.parametrize("name", STOCK)
def test_weights_of_mmdet_fit(openmmlab, coco_data, name):
    theirs, ours = _stock(name, coco_data)
    expected, found = ({key: value.shape for key, value in model.state_dict().items()} for model in (theirs, ours))
    assert found == expected


@pytest.mark.parametrize(("name", "agnostic"), [("faster-rcnn", False), ("faster-rcnn", True), ("mask-rcnn", False)])
def test_with_the_weights_of_mmdet_it_computes_what_mmdet_does(openmmlab, coco_data, name, agnostic):
    """Losses and detections, through our features of regions, box head and suppression."""
    theirs, ours = _stock(name, coco_data, agnostic=agnostic)
    torch.manual_seed(1)
    for module in theirs.modules():
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
            torch.nn.init.normal_(module.weight, std=(1.5 / module.weight[0].numel()) ** 0.5)
    ours.load_state_dict(theirs.state_dict())
    data = _batch(ours, train=False)
    found = []
    for model in (theirs, ours):
        with torch.no_grad():
            found.append(model.eval().predict(data["inputs"], [sample.clone() for sample in data["data_samples"]]))
    for one, other in zip(*found, strict=True):
        assert len(one.pred_instances) > 5
        for key in ("bboxes", "scores", "labels", *(("masks",) if name == "mask-rcnn" else ())):
            torch.testing.assert_close(one.pred_instances[key], other.pred_instances[key], rtol=1e-4, atol=1e-3)
    if name == "faster-rcnn":
        losses = []
        for model in (theirs, ours):
            torch.manual_seed(2)
            model.train().backbone.eval()  # mmdet's keeps its statistics in training
            losses.append(model.loss(data["inputs"], [sample.clone() for sample in data["data_samples"]]))
        for key, value in losses[0].items():
            torch.testing.assert_close(losses[1][key], value, rtol=1e-4, atol=1e-5)


def test_convolutions_before_the_layers_of_the_box_head_are_mmdets(openmmlab, coco_data):
    from mmdet.models.roi_heads.bbox_heads import Shared4Conv1FCBBoxHead
    from mmengine.registry import MODELS, DefaultScope

    said = {**SMALL, "detector": "mask-rcnn", "norm": True, "regions": {**SMALL["regions"], "convolutions": 4}}
    config = compose(coco_data, DetectionModel.model_validate(said), ScheduleOptions(), {})["model"]["model"]
    assert config["neck"]["norm_cfg"] == config["roi_head"]["mask_head"]["norm_cfg"] == {"type": "BN", "requires_grad": True}
    head = config["roi_head"]["bbox_head"]
    with DefaultScope.overwrite_default_scope("mmdet"):
        ours = MODELS.build(head)
        left = ("type", "relation", "num_shared_convs", "num_shared_fcs")
        theirs = Shared4Conv1FCBBoxHead(**{name: value for name, value in head.items() if name not in left})
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(5, 16, 3, 3)
    for mine, other in zip(ours.eval()(x), theirs.eval()(x), strict=True):
        torch.testing.assert_close(mine, other)


def test_blocks_of_gcnet_stand_where_mmdet_has_them(openmmlab):
    """The entry's backbone with its blocks is mmdet's of ``gcb-r16-c3-c5``, where nothing is zero."""
    import mmdet
    from mmengine.config import Config
    from mmengine.registry import MODELS, DefaultScope

    file = Path(mmdet.__file__).parent / ".mim/configs/gcnet/mask-rcnn_r50-syncbn-gcb-r16-c3-c5_fpn_1x_coco.py"
    theirs = Config.fromfile(file).model.backbone
    theirs.init_cfg, theirs.norm_cfg.type = None, "BN"
    catalog = load_catalog()
    entry = catalog.benchmarks["coco-gcnet-r50"]
    small = {**entry.model, "weights": None, "input": {"size": [64, 96]}}
    found = task(entry.model_copy(update={"model": small}))
    config = found.config(catalog.methods["gc-block"].fill(found.slots))
    load_plugins({"nms", "roi-align", "gc-block"}, discover())
    with DefaultScope.overwrite_default_scope("mmdet"):
        backbone, ours = MODELS.build(theirs), MODELS.build(config["model"])
    torch.manual_seed(0)
    state = {name: 0.05 * torch.randn_like(value) if value.dim() > 1 else value for name, value in backbone.state_dict().items()}
    backbone.load_state_dict(state)
    ours.backbone.load_state_dict({name: value for name, value in state.items() if "context_block" not in name})
    moved = {
        "backbone-" + name.replace(".context_block", ".bn3@0", 1).replace(".", "-", 2): value
        for name, value in state.items()
        if "context_block" in name
    }
    ours.attention_blocks.load_state_dict(moved)
    assert len(ours.attention_blocks) == 4 + 6 + 3
    image = torch.randn(1, 3, 64, 96)
    for one in (ours, backbone):
        one.train(False)
    with torch.no_grad():
        for mine, other in zip(ours.backbone(image), backbone(image), strict=True):
            torch.testing.assert_close(mine, other)


@pytest.mark.parametrize(
    ("detector", "regions"),
    [("faster-rcnn", {}), ("faster-rcnn", {"hard": True}), ("retinanet", {}), ("detr", {}), ("deformable-detr", {})],
)
def test_every_detector_takes_a_step_and_detects(openmmlab, detector, regions):
    model = _build({**SMALL, "detector": detector, "regions": {**SMALL["regions"], **regions}})
    data = _batch(model, train=True)
    losses = model.loss(data["inputs"], data["data_samples"])
    total, values = model.parse_losses(losses)
    total.backward()
    assert math.isfinite(float(values["loss"])) and all(p.grad is not None for p in model.backbone.parameters())
    with torch.no_grad():
        found = model.eval().predict(data["inputs"], data["data_samples"])
    assert all({"bboxes", "scores", "labels"} <= set(sample.pred_instances.keys()) for sample in found)


class _Spied(torch.nn.Module):
    """Remembers what it was called with."""

    def __init__(self, **given):
        super().__init__()
        self.given, self.calls = given, []


@pytest.fixture
def plugins(openmmlab):
    """Plugins of the slots of regions, registered for a test."""

    class Relation(_Spied):
        def __init__(self, channels):
            super().__init__(channels=channels)
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, features, boxes):
            self.calls.append((features, boxes))
            return features * self.scale

    class Corner(_Spied):
        def __init__(self, channels, size, stride):
            super().__init__(channels=channels, size=size, stride=stride)

        def forward(self, x, rois):
            self.calls.append((x, rois))
            return x[rois[:, 0].long()].mean((2, 3), keepdim=True).expand(-1, -1, self.given["size"], self.given["size"])

    class KeepThird(_Spied):
        def __init__(self, channels):
            super().__init__(channels=channels)
            self.rate = torch.nn.Parameter(torch.ones(()))

        def forward(self, features, boxes, scores):
            self.calls.append((features, boxes, scores))
            kept = torch.zeros_like(scores)
            kept[2] = self.rate * (scores[2] + 0.5)
            return kept

        def loss(self, features, boxes, scores, gt_boxes, gt_labels):
            self.calls.append((features, boxes, scores, gt_boxes, gt_labels))
            return {"loss_kept": (self.rate * scores).sum()}

    named = {
        "spy-relation": ("relation", Relation),
        "spy-regions": ("region_features", Corner),
        "spy-keep": ("duplicate_removal", KeepThird),
    }
    for name, (slot, cls) in named.items():
        slots.attention_method(name, slot=slot)(cls)
    yield
    for name in named:
        slots.registry().module_dict.pop(name)


def _with(monkeypatch, **filled: str):
    """A small Faster R-CNN with spies in slots."""
    from mmengine.registry import MODELS, DefaultScope

    load_plugins({"nms", "roi-align"}, discover())
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmdet"):
        return MODELS.build(_config(SMALL, {slot: Filling(plugin=name) for slot, name in filled.items()})["model"])


def test_a_relation_sees_the_regions_of_one_image_behind_each_layer(plugins, monkeypatch):
    model = _with(monkeypatch, relation="spy-relation")
    head = model.roi_head.bbox_head
    assert [relation.given for relation in head.relations] == [{"channels": 32}] * 2
    data = _batch(model, train=True)
    losses = model.loss(data["inputs"], data["data_samples"])
    model.parse_losses(losses)[0].backward()
    for relation in head.relations:
        assert [features.shape == (len(boxes), 32) and boxes.shape[1] == 4 for features, boxes in relation.calls] == [True, True]
        assert relation.scale.grad is not None and not relation.calls[0][1].requires_grad
    # with the identity in both places it is mmdet's head
    x, rois = torch.randn(5, 16, 3, 3), torch.tensor([[0.0, 1, 1, 5, 5]] * 3 + [[1.0, 2, 2, 9, 9]] * 2)
    plain = head.fc_cls(torch.relu(head.shared_fcs[1](torch.relu(head.shared_fcs[0](x.flatten(1))))))
    torch.testing.assert_close(head(x, rois)[0], plain)


def _masked(coco_data, **filled: str):
    """A small Mask R-CNN with spies in slots, and a batch for it whose objects fill their boxes."""
    from mmdet.structures.mask import BitmapMasks
    from mmengine.registry import MODELS, DefaultScope

    load_plugins({"nms", "roi-align"}, discover())
    torch.manual_seed(0)
    fillings = {slot: Filling(plugin=name) for slot, name in filled.items()}
    options = DetectionModel.model_validate({**SMALL, "detector": "mask-rcnn", "input": {"size": [64, 64]}})
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(compose(coco_data, options, ScheduleOptions(), fillings)["model"])
    data = _batch(model, train=True)
    for sample in data["data_samples"]:
        masks = np.zeros((2, 64, 64), np.uint8)
        for mask, (x0, y0, x1, y1) in zip(masks, sample.gt_instances.bboxes.int().tolist(), strict=True):
            mask[y0:y1, x0:x1] = 1
        sample.gt_instances.masks = BitmapMasks(masks, 64, 64)
    return model, data


def test_a_relation_stands_in_the_mask_head_too(plugins, coco_data):
    model, data = _masked(coco_data, relation="spy-relation")
    head = model.roi_head.mask_head
    spy = head.relation
    assert spy.given == {"channels": 16}
    model.parse_losses(model.loss(data["inputs"], data["data_samples"]))[0].backward()
    assert spy.scale.grad is not None and len(spy.calls) == 2, "once for the regions of each image"
    assert all(features.shape == (len(boxes), 16) and boxes.shape[1] == 4 for features, boxes in spy.calls)
    with torch.no_grad():
        found = model.eval().predict(data["inputs"], data["data_samples"])
    assert all(len(sample.pred_instances.masks) == len(sample.pred_instances) for sample in found)
    # the mean of a region's map is that of the relation, what is left of the map is its own; with the identity it is mmdet's head
    x, rois = torch.randn(5, 16, 6, 6), torch.tensor([[0.0, 1, 1, 5, 5]] * 3 + [[1.0, 2, 2, 9, 9]] * 2)
    plain = x
    for convolution in head.convs:
        plain = convolution(plain)
    torch.testing.assert_close(head(x, rois), head(x))
    torch.testing.assert_close(head(x, rois), head.conv_logits(head.relu(head.upsample(plain))))
    spy.scale.data.fill_(3.0)
    moved = plain + 2 * plain.mean((2, 3), keepdim=True)
    torch.testing.assert_close(head(x, rois), head.conv_logits(head.relu(head.upsample(moved))))
    assert head(x[:0], rois[:0]).shape == (0, 80, 12, 12)


def test_blocks_stand_behind_the_features_of_regions(openmmlab, coco_data):
    """One for those of boxes and one for those of masks, on all regions as a batch; without regions there is nothing to do."""
    from mmengine.registry import MODELS, DefaultScope

    load_plugins({"nms", "roi-align", "gc-block"}, discover())
    places = [{"path": "roi_head.*_roi_extractor"}]
    options = DetectionModel.model_validate({**SMALL, "detector": "mask-rcnn", "input": {"size": [64, 96]}, "block_at": places})
    with DefaultScope.overwrite_default_scope("mmdet"):
        built = compose(coco_data, options, ScheduleOptions(), {"block": Filling(plugin="gc-block")})["model"]
        model, plain = MODELS.build(built), MODELS.build({**built, "blocks": []})
    plain.load_state_dict({name: value for name, value in model.state_dict().items() if not name.startswith("attention_blocks")})
    rois = torch.tensor([[0.0, 0, 0, 20, 20], [0, 4, 8, 40, 30], [0, 10, 0, 60, 60]])
    for name, size in (("bbox", 3), ("mask", 6)):
        block = model.attention_blocks[f"roi_head-{name}_roi_extractor@0"]
        for parameter in block.parameters():
            torch.nn.init.normal_(parameter)
        read, alone = (getattr(one.roi_head, f"{name}_roi_extractor") for one in (model, plain))
        levels = [torch.randn(1, 16, 16, 24)]
        assert read(levels, rois).shape == (3, 16, size, size)
        torch.testing.assert_close(read(levels, rois), block(alone(levels, rois)))
        assert not torch.allclose(read(levels, rois), alone(levels, rois))
        assert read(levels, rois[:0]).shape == (0, 16, size, size)


def test_region_features_are_read_from_each_level(plugins, monkeypatch):
    model = _with(monkeypatch, region_features="spy-regions")
    (layer,) = model.roi_head.bbox_roi_extractor.roi_layers
    assert layer.given == {"channels": 16, "size": 3, "stride": 4}
    data = _batch(model, train=True)
    model.loss(data["inputs"], data["data_samples"])
    (x, rois), *_ = layer.calls
    assert x.shape == (2, 16, 16, 16) and rois.shape[1] == 5 and set(rois[:, 0].tolist()) == {0.0, 1.0}


def test_regions_go_to_the_level_of_their_size(openmmlab):
    from mmengine.registry import MODELS

    load_plugins({"roi-align"}, discover())
    config = {"type": "PluginRegions", "plugin": "roi-align", "params": {}, "size": 2, "out_channels": 1, "featmap_strides": [4, 8]}
    extractor = MODELS.build(config)
    levels = [torch.full((1, 1, 40, 40), 1.0), torch.full((1, 1, 20, 20), 2.0)]
    rois = torch.tensor(
        [[0.0, 0, 0, 150, 150], [0, 0, 0, 20, 20], [0, 0, 0, 140, 140]]
    )  # beyond 112 pixels a region is one of the second level
    assert extractor(levels, rois)[:, 0, 0, 0].tolist() == [2, 1, 2]
    assert extractor(levels, rois[:0]).shape == (0, 1, 2, 2)


def test_duplicate_removal_decides_what_is_found(plugins, monkeypatch):
    model = _with(monkeypatch, duplicate_removal="spy-keep")
    data = _batch(model, train=False)
    with torch.no_grad():
        found = model.eval().predict(data["inputs"], data["data_samples"])
    spy = model.roi_head.duplicates
    assert spy.given == {"channels": 32} and len(spy.calls) == 2
    for sample, (features, boxes, said) in zip(found, spy.calls, strict=True):
        count = len(features)
        assert features.shape == (count, 32) and boxes.shape == (count, 5, 4) and said.shape == (count, 5)
        assert ((said == 0) | (said > 0.05)).all()
        kept = sample.pred_instances
        assert (kept.scores[:-1] >= kept.scores[1:]).all() and sorted(kept.labels.tolist()) == [0, 1, 2, 3, 4]
        # boxes come in the pixels of the network's input, and leave in those of the image, which is twice as large
        torch.testing.assert_close(kept.bboxes, 2 * boxes[2][kept.labels])


def test_duplicate_removal_is_trained_on_what_a_test_would_find(plugins, monkeypatch):
    model = _with(monkeypatch, duplicate_removal="spy-keep")
    data = _batch(model, train=True)
    losses = model.loss(data["inputs"], data["data_samples"])
    assert "loss_kept" in losses
    total, _ = model.parse_losses(losses)
    total.backward()
    spy = model.roi_head.duplicates
    assert spy.rate.grad is not None and len(spy.calls) == 2
    features, boxes, said, gt_boxes, gt_labels = spy.calls[0]
    assert len(features) == len(boxes) == len(said) <= 30 and not boxes.requires_grad and features.requires_grad
    assert gt_boxes.tolist() == [[4, 4, 18, 18], [30, 30, 50, 48]] and gt_labels.tolist() == [0, 4]


@pytest.mark.parametrize("further", [0, 1])
def test_a_detector_of_its_own_is_matched_one_to_one(openmmlab, further):
    """It says the truth: the losses of boxes vanish and it finds what is there; with one class more as of a softmax, else of sigmoids."""

    class Knows(torch.nn.Module):
        def __init__(self, channels, classes):
            super().__init__()
            self.classes = classes
            self.rate = torch.nn.Parameter(torch.ones(()))

        def forward(self, maps, padding):
            assert padding.shape == (2, 64, 64) and not padding.any() and len(maps) == 1
            boxes = torch.tensor([[40, 39, 20, 18], [11, 11, 14, 14], [5, 5, 3, 3]]) / 64
            logits = torch.full((1, 2, 3, self.classes + further), -9.0)
            logits[:, :, 0, 4] = logits[:, :, 1, 0] = 9.0
            if further:
                logits[:, :, 2, -1] = 9.0
            return logits * self.rate, boxes.expand(1, 2, 3, 4) * self.rate

    slots.attention_method("knows", slot="detector")(Knows)
    try:
        model = _with(None, detector="knows")
        data = _batch(model, train=True)
        losses = model.loss(data["inputs"], data["data_samples"])
        assert losses["loss_bbox"] < 1e-6 and losses["loss_iou"] < 1e-5 and losses["loss_cls"] < 0.01
        with torch.no_grad():
            found = model.eval().predict(data["inputs"], data["data_samples"])
        sure = found[0].pred_instances[found[0].pred_instances.scores > 0.9]
        assert sorted(sure.labels.tolist()) == [0, 4]
        torch.testing.assert_close(sure.bboxes[sure.labels == 0], torch.tensor([[8.0, 8, 36, 36]]))
    finally:
        slots.registry().module_dict.pop("knows")


@pytest.mark.parametrize(
    ("model", "data", "says"),
    [
        ({"detector": "mask-rcnn"}, {}, "trained on masks"),
        ({"backbone": {"type": "mmpretrain.ResNet", "depth": 18, "_channels": 512}}, {}, "_stride"),
    ],
)
def test_what_does_not_go_together(model, data, says):
    with pytest.raises(UsageError, match=says):
        _config(model, **data)


def test_only_two_stages_have_slots_of_regions_and_only_detr_those_of_an_encoder():
    entry, regions = load_catalog().benchmarks["teams-detection"], {"relation", "region_features", "duplicate_removal"}
    encoder = {"encoder_attention", "position_encoding", "attention_loss"}
    beside = {"faster-rcnn": regions, "mask-rcnn": regions, "retinanet": set(), "detr": encoder, "deformable-detr": set()}
    for detector, some in beside.items():
        one = Benchmark.model_validate({**entry.model_dump(), "model": {**entry.model, "detector": detector}})
        assert set(task(one).slots) == {"block", "detector"} | some


def test_a_position_alone_names_the_layer_that_takes_it():
    """So that a trial imports it, and has its code in the digest."""
    alone, other = Filling(plugin="learnable-pe"), Filling(plugin="sigma-reparam")
    assert plugins_in(in_encoder({"position_encoding": alone}, "encoder.layers")) == {"learnable-pe", "encoder-layer"}
    assert plugins_in(in_encoder({"position_encoding": alone, "encoder_attention": other}, "l")) == {"learnable-pe", "sigma-reparam"}
    assert plugins_in(in_encoder({"attention_loss": Filling(plugin="qk-alignment")}, "l")) == {"qk-alignment"}


IN_ENCODER = [
    name
    for name, method in load_catalog().methods.items()
    if {"encoder_attention", "position_encoding", "attention_loss"} & {*method.slots}
]


@pytest.mark.parametrize("name", IN_ENCODER)
def test_methods_of_a_transformers_encoder_run_in_that_of_detr(openmmlab, name):
    """Every one of the registry: two layers are trained with it, and it detects; there is nothing in the model that gets no gradient."""
    model = {**SMALL, "channels": 32, "layers": 2, "detector": "detr"}
    method = load_catalog().methods[name]
    fillings = method.fill(
        task(Benchmark.model_validate({**load_catalog().benchmarks["teams-detection"].model_dump(), "model": model})).slots
    )
    assert set(fillings) == {*method.slots}
    built = _build(model, fillings)
    data = _batch(built, train=True)
    losses = built.loss(data["inputs"], data["data_samples"])
    built.parse_losses(losses)[0].backward()
    assert ("loss_attention" in losses) == ("attention_loss" in fillings)
    named = [found for found, parameter in built.named_parameters() if parameter.requires_grad and parameter.grad is None]
    assert not named
    with torch.no_grad():
        assert len(built.eval().predict(data["inputs"], data["data_samples"])[0].pred_instances) == 12


@pytest.mark.parametrize("name", [None, *IN_ENCODER])
def test_padding_in_a_batch_changes_nothing(openmmlab, name):
    """Boxes of a smaller image beside a larger one are those that it has alone, as of mmdet's own encoder (the first case)."""
    from mmdet.structures import DetDataSample

    model = {**SMALL, "channels": 32, "layers": 2, "detector": "detr"}
    entry = load_catalog().benchmarks["teams-detection"].model_dump()
    found = task(Benchmark.model_validate({**entry, "model": model}))
    built = _build(model, load_catalog().methods[name].fill(found.slots) if name else {}).eval().double()
    # cells that do not overlap: other convolutions would see the padding at an image's edge, whatever the encoder does
    built.backbone = torch.nn.Sequential(torch.nn.Conv2d(3, built.neck.convs[0].conv.in_channels, 8, 8), _Tuple()).double()
    for parameter in built.parameters():
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, std=0.5)
    generator = torch.Generator().manual_seed(0)
    images = [torch.rand(3, *size, generator=generator, dtype=torch.float64) for size in ((40, 56), (64, 48), (40, 56))]

    def boxes(some):
        samples = [
            DetDataSample(metainfo={"img_shape": one.shape[1:], "ori_shape": one.shape[1:], "scale_factor": (1.0, 1.0)}) for one in some
        ]
        height, width = (max(one.shape[axis] for one in some) for axis in (1, 2))
        batch = torch.stack([torch.nn.functional.pad(one, (0, width - one.shape[2], 0, height - one.shape[1])) for one in some])
        for sample in samples:
            sample.set_metainfo({"batch_input_shape": (height, width)})
        with torch.no_grad():
            return [sample.pred_instances for sample in built.predict(batch, samples)]

    for together, image in zip(boxes(images), images, strict=True):
        (alone,) = boxes([image])
        torch.testing.assert_close(together.scores, alone.scores)
        torch.testing.assert_close(together.bboxes, alone.bboxes, rtol=1e-6, atol=1e-5)


class _Tuple(torch.nn.Module):
    def forward(self, x):
        return (x,)


def test_gloves_are_far_from_the_player_and_look_alike(tmp_path):
    """Whose they are no patch around them tells: they and their distances are drawn before the team matters."""
    from harness.benchmarks.detection import teams
    from harness.benchmarks.detection.teams import _scene

    near, overlapping = [], 0
    for index in range(60):
        red, blue = (_scene(np.random.default_rng([0, index]), 96, team=team, cue=True, pairs=0.5) for team in (0, 1))
        assert [box for _, box in red[1]] == [box for _, box in blue[1]]
        for (label, box), (other, _) in zip(red[1], blue[1], strict=True):
            x0, y0, x1, y1 = (round(value) for value in box)
            if label != teams.CLASSES.index("red-player"):
                assert np.array_equal(red[0][y0:y1, x0:x1], blue[0][y0:y1, x0:x1])
            if label == teams.CLASSES.index("red-glove"):
                assert other == teams.CLASSES.index("blue-glove")
                players = [player for kind, player in red[1] if kind == teams.CLASSES.index("red-player")]
                near += [max(box[0] - p[2], p[0] - box[2], box[1] - p[3], p[1] - box[3]) for p in players]
        coins = np.array([box for label, box in red[1] if label == teams.CLASSES.index("coin")]).reshape(-1, 4)
        overlapping += int((np.triu(scores.overlaps(coins, coins), 1) > 0.5).sum())
    assert min(near) > teams.GAP - 1 and overlapping > 30


def test_pasted_digits_are_scikit_learns_where_their_boxes_are(tmp_path):
    """What lies in a box looks like no digit as much as like one of its class, of the split's own; the same arguments write the same."""
    import cv2
    from sklearn.datasets import load_digits

    from harness.benchmarks.detection.readers.digits import NAMES
    from harness.images import Decoding, read_rgb

    entry = load_catalog().benchmarks["digits-detection"]
    found = task(entry.model_copy(update={"data": {"format": "digits", "train": 12, "test": 12, "val": 6}}))
    roots = [tmp_path / name for name in ("a", "b")]
    for root in roots:
        root.mkdir()
        found.generate(root)
    files = [sorted(file.relative_to(root) for file in root.rglob("*.*") if file.is_file()) for root in roots]
    assert files[0] == files[1] and all((roots[0] / file).read_bytes() == (roots[1] / file).read_bytes() for file in files[0])
    listing, digits = found.listing(roots[0]), load_digits()
    assert listing.classes == [*NAMES] and [len(listing.of(name)) for name in ("train", "val", "test")] == [12, 6, 12]
    known = []
    for image in digits.images:
        rows, columns = ((image >= 2).any(axis).nonzero()[0] for axis in (1, 0))
        known.append(cv2.resize(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], (12, 12)).ravel())
    known = np.array(known) - np.mean(known, axis=1, keepdims=True)
    known /= np.linalg.norm(known, axis=1, keepdims=True)
    right = []
    for name, (first, end) in {"train": (0, 850), "val": (850, 1000), "test": (1000, 1797)}.items():
        for picture in listing.of(name):
            grey = read_rgb(picture.file, Decoding(False, 8))[..., 0].astype(float)
            assert 1 <= len(picture.objects) <= 6
            for item in picture.objects:
                x0, y0, x1, y1 = map(int, item.box)
                seen = cv2.resize(grey[y0:y1, x0:x1], (12, 12), interpolation=cv2.INTER_AREA).ravel()
                best = int((known @ (seen - seen.mean())).argmax())
                right.append(digits.target[best] == item.label and first <= best < end)
    assert len(right) > 80 and np.mean(right) > 0.9


@pytest.mark.parametrize("plugin", ["identity"])
def test_the_plain_detector_does_not_see_the_player(openmmlab, plugin):
    """No gradient runs from what it says of a glove to the player's pixels."""
    entry = load_catalog().benchmarks["teams-detection"]
    model = _build(entry.model)
    from harness.benchmarks.detection.teams import _scene

    image, objects = _scene(np.random.default_rng(3), 96, team=0, cue=True, pairs=0.5)
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float().div(64).requires_grad_()
    model.eval()
    gloves = torch.tensor([[0.0, *box] for label, box in objects if label == 2])
    read = model.roi_head._bbox_forward(model.extract_feat(x), gloves)
    (gradient,) = torch.autograd.grad(read["cls_score"].square().sum(), x)
    x0, y0, x1, y1 = (int(value) for value in objects[0][1])
    assert gradient.abs().max() > 0 and not gradient[..., y0:y1, x0:x1].any()


@pytest.mark.parametrize(
    "images",
    [
        {"size": [120, 160], "flip": 0.5},
        {"size": [120, 200], "flip": 0.5, "keep_ratio": True, "scales": [90, 120]},
        {"size": [400, 700], "flip": 0.5, "keep_ratio": True, "scales": [300, 400], "crop": True},
    ],
    ids=["flipped", "scaled", "cut"],
)
@pytest.mark.parametrize("masks", [False, True])
def test_boxes_follow_their_image_in_every_epoch(openmmlab, tmp_path, masks, images):
    """Flipped, scaled or cut, drawn anew each time: a box lies around the one bright object, and a mask in its box."""
    import json

    from mmengine.registry import DATASETS, DefaultScope
    from PIL import Image

    from harness.benchmarks.detection.readers.coco import CocoData

    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[20:30, 8:24] = 255
    (tmp_path / "i").mkdir()
    Image.fromarray(pixels).save(tmp_path / "i/0.png")
    one = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [8, 20, 16, 10], "area": 160, "segmentation": [[8, 20, 24, 20, 24, 30, 8, 30]]}
    content = {
        "images": [{"id": 1, "file_name": "0.png", "width": 80, "height": 60}],
        "annotations": [one],
        "categories": [{"id": 1, "name": "a"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    split = {"annotations": "a.json", "images": "i"}
    data = CocoData.model_validate({"format": "coco", "root": str(tmp_path), "classes": 1, "masks": masks, "train": split, "test": split})
    options = {"detector": "mask-rcnn" if masks else "faster-rcnn", "input": images}
    composed = compose(data, DetectionModel.model_validate({**SMALL, **options}), ScheduleOptions(), {})
    with DefaultScope.overwrite_default_scope("mmdet"):
        dataset = DATASETS.build({**composed["train_dataloader"]["dataset"], "data_root": str(tmp_path)})
    np.random.seed(0)
    found = set()
    for _ in range(12):
        sample = dataset[0]
        rows, columns = np.nonzero(sample["inputs"][0].numpy() > 128)
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        instances = sample["data_samples"].gt_instances
        assert len(instances) == 1
        assert np.abs(np.array(instances.bboxes.tensor[0]) - seen).max() <= 3
        if masks:
            rows, columns = np.nonzero(instances.masks.to_ndarray()[0])
            assert np.abs(np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) - seen).max() <= 3
        found.add(int(seen[0]))
    assert len(found) > 1, "both sides are drawn"


def test_a_trial_from_images_to_scores(openmmlab, tmp_path):
    """One epoch on a few scenes: every number that is declared, a score for each test image, and a picture."""
    from harness.compose import compose as plan_trial
    from harness.diagnostics.maps import FILE, load
    from harness.engine.trial import run_trial

    catalog, files = load_catalog(), discover()
    entry = catalog.benchmarks["teams-detection"]
    small = entry.model_copy(
        update={
            "data": {**entry.data, "train": 12, "test": 6},
            "model": {**entry.model, **{key: SMALL[key] for key in ("channels", "regions")}, "score": 0.0},
            "schedule": {**entry.schedule, "epochs": 1, "batch_size": 4},
        }
    )
    found = task(small)
    folder = tmp_path / "data"
    folder.mkdir()
    found.generate(folder)
    trial = plan_trial(catalog.methods["non-local-embedded-gaussian"], found, 0, "fingerprint", files)
    load_plugins({*trial.plugins}, files)
    work = tmp_path / "work"
    work.mkdir()
    outcome = run_trial(trial, data=folder, work_dir=work)
    assert {metric.name for metric in found.metrics} == {name.partition("/")[0] for name in outcome.metrics}
    assert {f"AP/{name}" for name in found.listing(folder).classes} <= set(outcome.metrics)
    assert outcome.per_sample["AP"].shape == (6,) and outcome.cost.params > 0 and outcome.cost.flops > 0
    assert set(found.floor(folder)) == set(outcome.metrics)
    (first, *_) = load(work / "artifacts" / FILE)
    assert first.true.boxes is not None and first.true.kinds is not None and len(first.true.boxes) == len(first.true.kinds)
    assert first.predicted.scores is not None and first.true.boxes.min() >= 0 and first.true.boxes.max() <= 1


@pytest.mark.parametrize("marks", ["true", "predicted"])
def test_boxes_are_kept_with_scores_and_classes_and_drawn_in_their_colours(tmp_path, marks):
    from harness.diagnostics.maps import Marks, Pictured, load, save
    from harness.diagnostics.overlays import colour_of, marked

    boxes = Marks(boxes=np.array([[0.1, 0.2, 0.5, 0.9]]), scores=np.array([0.75]), kinds=np.array([2]), text="one")
    image = np.zeros((60, 80, 3), np.uint8)
    save(tmp_path / "a.npz", [Pictured(0, image, {}, true=boxes, predicted=boxes)])
    kept = getattr(load(tmp_path / "a.npz")[0], marks)
    assert kept.scores.tolist() == [0.75] and kept.kinds.tolist() == [2] and kept.text == "one"
    drawn = marked(image, kept, true=marks == "true")
    assert (drawn == colour_of(2)).all(axis=2).sum() > 20 and not drawn[30:40, 15:35].any()
