"""Every entry of the paper tier is what its source says, knows its data from a part of it, and runs."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from lookalikes import box, picture, write
from PIL import Image

from harness import benchmarks
from harness.catalog import load_catalog

PAPER = {name: entry for name, entry in load_catalog().benchmarks.items() if entry.tier == "paper"}

READ = {json.dumps(entry.data, sort_keys=True): name for name, entry in reversed([*PAPER.items()])}
"""What is read in one way -> the first entry that reads it."""


def _on_part(entry):
    """The entry without what it says of the size of its splits."""
    data = entry.data | {"official": {}} | ({"counts": {}} if "counts" in entry.data else {})
    if data["format"] in ("imagenet", "wsol", "revisited"):
        data |= {"classes": 2 if data["format"] == "wsol" else 3}
    if "per_class" in data:
        data |= {"per_class": 1}
    return entry.model_copy(update={"data": data})


@pytest.mark.parametrize("name", sorted(READ.values()))
def test_a_part_of_the_data_is_told_from_all_of_it(openmmlab, tmp_path, name):
    """A look-alike in the official layout is read without a complaint but for its size, which no protocol has."""
    write(PAPER[name], tmp_path)
    part = benchmarks.task(_on_part(PAPER[name]))
    assert [problem for problem in part.check(tmp_path) if problem.fatal] == []
    listing = part.listing(tmp_path)
    assert len(listing.train) >= 2 and len(listing.test) >= 2
    floor = part.floor(tmp_path)
    assert part.primary in floor
    whole = benchmarks.task(PAPER[name])
    refused = [problem for problem in whole.check(tmp_path) if problem.fatal]
    sizes = {"training": whole.data.official.get("train"), "test": whole.data.official.get("test")}
    for split, size in sizes.items() if whole.data.official else ():
        assert any(f"{split} samples, where the official split has {size:,}" in problem.what for problem in refused)
    assert whole.data.official or all("frames" in problem.what for problem in refused if problem.where in PAPER[name].data["scenes"])
    assert refused


def test_every_entry_knows_how_large_its_splits_are():
    for name, entry in PAPER.items():
        data = benchmarks.task(entry).data
        assert {*data.official} >= {"train", "test"} or {*data.counts} == {*data.scenes}, name


# ---------------------------------------------------------------- trials

SMALL = {
    "classification": {"data": {"size": 32, "resize": 36}},
    "frozen-features": {"data": {"size": 32}},
    "background-robustness": {"data": {"size": 32}},
    "self-supervised": {"data": {"size": 32, "resize": 36}, "model": {"views": {"local_size": 16, "locals": 2}}},
    "image-retrieval": {"data": {"size": 32, "resize": 36, "longest": 40}},
    "mask-propagation": {"data": {"size": 64}},
    "object-localization": {"data": {"size": 48}, "model": {"taus": 20}},
    "segmentation": {"model": {"input": {"size": [48, 72], "crop": [40, 40]}}},
    "keypoint": {"data": {"size": [64, 96]}},
    "camera-localization": {"data": {"resize": 40, "crop": 32}},
    "detection": {"model": {"input": {"size": [64, 96]}, "regions": {"proposed": 20, "trained": 16}}},
}
"""What makes a trial of a family's entries short; networks, losses, augmentation and schedules stay."""

METHODS = {
    "classification": "gap",
    "frozen-features": "simpool",
    "background-robustness": "gap",
    "self-supervised": "attmask-high",
    "image-retrieval": "simpool",
    "mask-propagation": "identity",
    "object-localization": "gap",
    "segmentation": "dnl-add-disentangled-key",
    "keypoint": "psa-polarized-sequential",
    "camera-localization": "qk-alignment-plus-fixed-pe",
    "detection": "gc-block",
    "coco-dnl": "dnl-add-disentangled-key",
    "coco-relation-fpn": "relation-networks",
    "coco-relation-c5": "relation-soft-nms",
    "coco-detr": "qk-alignment-plus-fixed-pe",
}
"""Of a family, and of entries whose papers have another."""

QUICK = ("cifar10-resnet18", "mpii-res50", "coco-detr")


def _small(entry, weights=None):
    """The entry on a part of its data, for one epoch of batches of two, without pretrained weights or with made-up ones."""
    entry = _on_part(entry)
    merged = {part: dict(getattr(entry, part)) for part in ("data", "model", "schedule")}
    for part, values in SMALL[entry.family].items():
        for key, value in values.items():
            if isinstance(value, dict):
                value = merged[part].get(key, {}) | value
            if key != "resize" or "resize" in merged[part] or entry.family == "camera-localization":
                merged[part][key] = value
    # Tiny-ImageNet has no fewer than 200 classes, and what is mapped to ImageNet-9 no fewer than 1000
    if benchmarks.family(entry.family).schedule.model_fields:  # of what trains
        merged["schedule"] |= {"epochs": 1, "batch_size": 50 if entry.data["format"] in ("tiny-imagenet", "in9") else 2}
    if "finetune" in merged["schedule"]:
        merged["schedule"]["finetune"] = merged["schedule"]["finetune"] | {"epochs": 1}
    model = merged["model"]
    model["weights"] = weights
    if "slide" in model.get("input", {}):
        model["input"] = model["input"] | {"slide": [40, 40]}
    if "ohem" in model:
        model["ohem"] = {"threshold": 0.7, "at_least": 50}
    if "img_size" in model.get("backbone", {}):
        model["backbone"] = model["backbone"] | {"img_size": 32}
    return entry.model_copy(update=merged)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow, pytest.mark.timeout(900)]) for name in PAPER]
)
def test_an_entry_runs_from_end_to_end(openmmlab, tmp_path, name):
    """On a look-alike: trained, tested, scored as its family declares, with everything of the entry but sizes and weights."""
    from mmengine.registry import MODELS

    from harness.catalog.plugins import discover, load_plugins
    from harness.compose import compose
    from harness.engine.trial import run_trial

    write(PAPER[name], tmp_path / "data")
    entry = _small(PAPER[name])
    if PAPER[name].model.get("frozen"):
        import torch

        bare = entry.model_copy(update={"model": entry.model | {"frozen": False}})
        backbone = benchmarks.task(bare).config({})["model"]["model"]["backbone"]
        torch.save(MODELS.build(backbone).state_dict(), tmp_path / "weights.pth")
        entry = _small(PAPER[name], {"file": str(tmp_path / "weights.pth")})
    task, files = benchmarks.task(entry), discover()
    method = load_catalog().methods[METHODS.get(name, METHODS[entry.family])]
    trial = compose(method, task, 0, "fingerprint", files)
    load_plugins({*trial.plugins}, files)
    work = tmp_path / "work"
    work.mkdir()
    outcome = run_trial(trial, data=tmp_path / "data", work_dir=work)
    declared = {metric.name for metric in task.metrics}
    assert {metric.partition("/")[0] for metric in outcome.metrics} == declared and task.primary in outcome.metrics
    assert outcome.cost.params > 0
    if task.data.format == "mmseg" and task.data.predictions:
        written = sorted((work / "artifacts/predictions").glob("*.png"))
        assert len(written) == len(task.listing(tmp_path / "data").test) and math.isnan(outcome.metrics["mIoU"])
        ids = np.unique([np.asarray(Image.open(file)) for file in written])
        assert set(ids.tolist()) <= {7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33}
    else:
        assert all(value >= 0 for value in outcome.metrics.values() if not math.isnan(value))


# ---------------------------------------------------------------- parts that only the paper tier needs


def test_the_loss_is_that_of_the_authors_of_dnl(openmmlab):
    """Weighted by class over labelled pixels; of hard pixels the plain mean, as in their ``OhemCELoss``."""
    import torch
    from torch.nn import functional as F

    from harness.benchmarks.segmentation.mm.loss import KeptCrossEntropy

    torch.manual_seed(0)
    logits, label, weights = 3 * torch.randn(2, 4, 5, 6), torch.randint(0, 4, (2, 5, 6)), (0.5, 1.0, 1.5, 2.0)
    label[0, :2] = 255
    found = KeptCrossEntropy(0.4, weights)(logits, label)
    torch.testing.assert_close(found, 0.4 * F.cross_entropy(logits, label, torch.tensor(weights), ignore_index=255))
    hard = [
        (image, row, column)
        for image in range(2)
        for row in range(5)
        for column in range(6)
        if label[image, row, column] != 255 and logits[image, :, row, column].softmax(0)[label[image, row, column]] < 0.7
    ]
    losses = [weights[label[place]] * -logits[place[0], :, place[1], place[2]].log_softmax(0)[label[place]] for place in hard]
    mask = torch.zeros(2, 5, 6)
    for place in hard:
        mask[place] = 1
    torch.testing.assert_close(KeptCrossEntropy(1.0, weights)(logits, label, weight=mask), torch.stack(losses).mean())
    assert KeptCrossEntropy()(logits, torch.full_like(label, 255)) == 0


def test_scales_and_flips_average_probabilities(openmmlab):
    """Of a network that answers with its input: the mean over scales of what is resized there and back, mirrored or not."""
    import torch
    from torch.nn import functional as F

    from harness.benchmarks.segmentation.mm.scales import ScalesAndFlips

    class Echo(ScalesAndFlips):
        def __init__(self):
            torch.nn.Module.__init__(self)
            self.scales, self.mirrored, self.align_corners = (0.5, 1.0, 2.0), (False, True), False

        def inference(self, inputs, batch_img_metas):
            assert all(meta["img_shape"] == tuple(inputs.shape[2:]) for meta in batch_img_metas)
            return inputs + torch.arange(inputs.shape[3])  # not the same for an image and its mirror

        def postprocess_result(self, logits, data_samples):
            return logits

    image = torch.randn(2, 3, 8, 12)
    expected = []
    for size in ((4, 6), (8, 12), (16, 24)):
        seen = F.interpolate(image, size=size, mode="bilinear")
        for answer in (seen + torch.arange(size[1]), (seen.flip(3) + torch.arange(size[1])).flip(3)):
            expected.append(F.interpolate(answer, size=(8, 12), mode="bilinear").softmax(1))
    torch.testing.assert_close(Echo().predict(image).exp(), torch.stack(expected).mean(0))


def test_antialiased_resizing_is_torchvisions(openmmlab):
    """In the scenes as in the authors' code: ``transforms.Resize`` of a PIL image."""
    from mmengine.registry import TRANSFORMS

    from harness.benchmarks.camera_localization.readers.seven_scenes import SevenScenesData

    pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    data = SevenScenesData(format="7scenes", root=".", antialias=True)
    step = TRANSFORMS.build({"type": "mmpretrain.ResizeEdge", "scale": 24, "edge": "short", **data.resizing})
    expected = np.asarray(Image.fromarray(pixels).resize((32, 24), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(step({"img": pixels})["img"], expected)
    plain = TRANSFORMS.build({"type": "mmpretrain.ResizeEdge", "scale": 24, "edge": "short"})
    assert np.abs(plain({"img": pixels})["img"].astype(int) - expected).mean() > 10


def test_mpii_is_scored_as_mmpose_scores_it(openmmlab, tmp_path):
    """Against ``MpiiPCKAccuracy``, which counts predictions from 0 and the truth from 1."""
    from mmengine.structures import InstanceData
    from mmpose.evaluation import MpiiPCKAccuracy

    from harness.benchmarks.keypoint.mm.metric import HeadAccuracy
    from harness.benchmarks.keypoint.readers.mpii import JOINTS

    rng = np.random.default_rng(0)
    ours, theirs = HeadAccuracy(), MpiiPCKAccuracy()
    ours.dataset_meta = {"keypoint_id2name": dict(enumerate(JOINTS))}
    for _ in range(30):
        truth, head = rng.uniform(0, 90, (1, 16, 2)), rng.uniform(10, 30, (1, 1))
        visible, predicted = rng.integers(0, 2, (1, 16, 1)), truth + rng.normal(0, 8, truth.shape)
        for metric, shift in ((ours, 0), (theirs, 1)):
            given = InstanceData(keypoints=truth + shift, keypoints_visible=visible[..., 0], head_size=head)
            answer = InstanceData(keypoints=predicted)
            metric.process([{"inputs": None}], [{"gt_instances": given.to_dict(), "pred_instances": answer.to_dict()}])
    mine, other = ours.compute_metrics(ours.results), theirs.compute_metrics(theirs.results)
    assert mine["PCKh@0.5"] == pytest.approx(other["PCK"], rel=1e-5) and mine["PCKh@0.1"] == pytest.approx(other["PCK@0.1"], rel=1e-5)
    assert mine["PCKh@0.5/head_top"] == pytest.approx(other["Head PCK"])
    wrists = (mine["PCKh@0.5/left_wrist"] + mine["PCKh@0.5/right_wrist"]) / 2
    assert wrists == pytest.approx(other["Wrist PCK"])
    assert len(ours.per_sample["PCKh@0.5"]) == 30
    write(PAPER["mpii-res50"], tmp_path)
    listing = benchmarks.task(_on_part(PAPER["mpii-res50"])).listing(tmp_path)
    assert listing.test[0].head == pytest.approx(0.6 * np.hypot(12, 16)) and listing.train[0].head is None
    # the boxes are squares around the figure, moved down by 15 of each 200 pixels, and points count from 0
    x0, y0, x1, y1 = box(4)
    left, top, right, bottom = listing.test[0].box
    side = y1 - y0
    assert (right - left, bottom - top) == pytest.approx((side, side))
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx(((x0 + x1) / 2, (y0 + y1) / 2 + 0.075 * side))
    assert (listing.test[0].points >= 0).all() and listing.test[0].points[:15, 0].min() >= x0


def test_cifars_records_are_its_pictures(tmp_path):
    """Whatever the cache's place, the fingerprint is that of the binary files; a file that is cut off is told."""
    from harness import fingerprints
    from harness.images import Decoding, read_rgb

    for name in ("cifar10-resnet18", "cifar100-resnet50"):
        root = tmp_path / name
        write(PAPER[name], root)
        task = benchmarks.task(_on_part(PAPER[name]))
        listing = task.listing(root)
        pictures = 5 * 4 if name.startswith("cifar10-") else 4
        assert (len(listing.train), len(listing.test)) == (pictures, 3)
        assert [sample.label for sample in listing.train[:4]] == [0, 1, 2, 0]
        np.testing.assert_array_equal(read_rgb(listing.train[1].file, Decoding(False, 8)), np.asarray(picture(1, (32, 32))))
        assert all(not name.startswith("/") for name in fingerprints._files(task, root, listing))
        test = root / ("test_batch.bin" if name.startswith("cifar10-") else "test.bin")
        test.write_bytes(test.read_bytes()[:-1])
        assert any("are no records" in problem.what for problem in task.check(root))


def test_which_of_cifars_records_are_held_out_does_not_depend_on_the_caches_place(tmp_path, monkeypatch):
    name = "cifar10-resnet18"
    write(PAPER[name], tmp_path / "d")
    entry = _on_part(PAPER[name])
    task = benchmarks.task(entry.model_copy(update={"data": entry.data | {"val_share": 0.4}}))
    held = []
    for place in "abc":
        monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / place))
        held.append([sample.file.relative_to(tmp_path / place) for sample in task.listing(tmp_path / "d").val])
    assert held[0] and held[0] == held[1] == held[2]


def test_imagenets_validation_images_are_found_in_folders_and_by_the_development_kit(tmp_path):
    write(PAPER["imagenet-resnet50"], tmp_path)
    task = benchmarks.task(_on_part(PAPER["imagenet-resnet50"]))
    flat = [sample.label for sample in task.listing(tmp_path).test]
    assert flat == [0, 1, 2], "classes of the development kit are numbered 3, 2, 1"
    names = ["n01440764", "n01443537", "n02084071"]
    for label, file in zip(flat, sorted((tmp_path / "val").glob("*.JPEG")), strict=True):
        (tmp_path / "val" / names[label]).mkdir()
        file.rename(tmp_path / "val" / names[label] / file.name)
    assert [sample.label for sample in task.listing(tmp_path).test] == flat
    first = benchmarks.task(_on_part(PAPER["imagenet-20-resnet18"])).listing(tmp_path)
    assert [sample.file.stem for sample in first.train] == [f"{name}_{label}" for label, name in enumerate(names)]


def test_an_official_dataset_may_hold_a_picture_twice(tmp_path):
    """Whatever is in both splits of a protocol is told and stops nobody; in a dataset of one's own it does."""
    write(PAPER["imagenet-resnet50"], tmp_path)
    copy = next((tmp_path / "train").rglob("*.JPEG"))
    (tmp_path / "val/ILSVRC2012_val_00000001.JPEG").write_bytes(copy.read_bytes())
    entry = _on_part(PAPER["imagenet-resnet50"])
    for official, fatal in (({}, True), ({"train": 8, "test": 3}, False)):
        task = benchmarks.task(entry.model_copy(update={"data": entry.data | {"official": official}}))
        (problem,) = [problem for problem in task.check(tmp_path) if "training images, too" in problem.what]
        assert problem.fatal == fatal
