"""Segmentation: scores against a slow reference, readers and checks on sound and malformed datasets, one real trial."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.benchmarks import task
from harness.benchmarks.segmentation.scores import counts, per_image, summarise
from harness.catalog import Benchmark, load_catalog
from harness.errors import UsageError

CLASSES = ["a", "b", "c"]


def bench(data: dict, **parts) -> Benchmark:
    return Benchmark(id="seg", family="segmentation", data=data, **parts)


def folder_bench(**data) -> Benchmark:
    layout = {"train": {"images": "train", "labels": "trainannot"}, "test": {"images": "test", "labels": "testannot"}}
    return bench({"format": "mmseg-folder", "root": "x", "classes": CLASSES, **layout, **data})


# ---------------------------------------------------------------- scores


def slow_scores(pairs, classes, ignore):
    """Every definition as it is written: sets of pixels per class over the whole dataset."""
    iou, accuracy = {}, {}
    points = []
    for n, (prediction, label) in enumerate(pairs):
        points += [(n, i, p, t) for i, (p, t) in enumerate(zip(prediction.flat, label.flat, strict=True)) if t != ignore]
    for c in range(classes):
        predicted, labelled = {(n, i) for n, i, p, _ in points if p == c}, {(n, i) for n, i, _, t in points if t == c}
        if predicted | labelled:
            iou[c] = len(predicted & labelled) / len(predicted | labelled)
        if labelled:
            accuracy[c] = len(predicted & labelled) / len(labelled)

    def mean(values):
        return sum(values) / len(values) if values else float("nan")

    return mean(iou.values()), mean(accuracy.values()), mean([p == t for _, _, p, t in points]), iou


@pytest.mark.parametrize("present", [(0, 1, 2, 3), (0, 2, 255), (1,), (255,)], ids=["all", "absent-class", "one-class", "all-ignored"])
def test_scores_equal_a_slow_reference(present):
    rng = np.random.default_rng(len(present))
    pairs = [(rng.integers(0, 3, shape), rng.choice(present, shape)) for shape in ((4, 5), (7, 3), (1, 1))]
    images = np.stack([counts(p, t, 4, 255) for p, t in pairs])
    got = summarise(images.sum(0), ["a", "b", "c", "d"])
    miou, macc, aacc, iou = slow_scores(pairs, 4, 255)
    np.testing.assert_allclose([got["mIoU"], got["mAcc"], got["aAcc"]], np.multiply([miou, macc, aacc], 100))
    assert {k: v for k, v in got.items() if "/" in k} == pytest.approx({f"IoU/{'abcd'[c]}": 100 * v for c, v in iou.items()})
    alone = per_image(images)
    for n, pair in enumerate(pairs):
        miou, _, aacc, _ = slow_scores([pair], 4, 255)
        np.testing.assert_allclose([alone["mIoU"][n], alone["aAcc"][n]], [100 * miou, 100 * aacc], rtol=1e-6)


def test_the_metric_counts_like_the_floor_and_is_exact_where_float32_is_not(openmmlab):
    import torch
    from mmengine.registry import METRICS

    metric = METRICS.build({"type": "SegmentationScores", "ignore_index": 255})
    metric.dataset_meta = {"classes": CLASSES}
    rng = np.random.default_rng(0)
    pairs = [(rng.integers(0, 3, (6, 7)), rng.choice([0, 1, 2, 255], (6, 7))) for _ in range(5)]
    for p, t in pairs:
        metric.process({}, [{"pred_sem_seg": {"data": torch.tensor(p)[None]}, "gt_sem_seg": {"data": torch.tensor(t)[None]}}])
    images = np.stack([counts(p, t, 3, 255) for p, t in pairs])
    assert metric.evaluate(5) == pytest.approx(summarise(images.sum(0), CLASSES))
    assert {k: v.shape for k, v in metric.per_sample.items()} == {"mIoU": (5,), "aAcc": (5,)}
    np.testing.assert_array_equal(metric.per_sample["aAcc"], per_image(images)["aAcc"])
    correct, predicted, labelled = images.sum(0)
    taken = metric.confusion.counts
    assert taken.diagonal().tolist() == correct.tolist() and metric.confusion.classes == (*CLASSES,)
    assert taken.sum(0).tolist() == predicted.tolist() and taken.sum(1).tolist() == labelled.tolist()
    # 2^24 + 1 is no float32: summed as mmseg does, the single wrong pixel vanishes
    big = [
        torch.tensor([2.0**24, 0, 0]),
        torch.zeros(3),
        torch.tensor([2.0**24, 0, 0]),
        torch.tensor([2.0**24, 0, 0]),
        torch.tensor([[0], [2**24]]),
    ]
    one = [torch.zeros(3), torch.zeros(3), torch.tensor([0, 1.0, 0]), torch.tensor([1.0, 0, 0]), torch.tensor([[1], [1]])]
    assert metric.compute_metrics([big, one])["aAcc"] < 100


# ---------------------------------------------------------------- datasets on disk


@pytest.fixture()
def dataset(tmp_path):
    """Two training and two test images of 8 x 6 pixels with three classes and ignored pixels."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("one", "two"):
            for part, pixels in ((split, rng.integers(0, 256, (6, 8, 3))), (f"{split}annot", np.arange(48).reshape(6, 8) % 4)):
                (tmp_path / part).mkdir(exist_ok=True)
                Image.fromarray(np.where(pixels == 3, 255, pixels).astype(np.uint8)).save(tmp_path / part / f"{name}.png")
    return tmp_path


def test_a_sound_dataset_has_no_problem(dataset):
    assert task(folder_bench()).check(dataset) == []


def _write(path: str, array) -> callable:
    return lambda root: Image.fromarray(np.asarray(array)).save(root / path)


def _truncate(path: str) -> callable:
    return lambda root: (root / path).write_bytes((root / path).read_bytes()[:45])


_MALFORMED = {
    "label map missing": (lambda root: (root / "trainannot/one.png").unlink(), "trainannot/one.png", "missing"),
    "label folder missing": (lambda root: shutil.rmtree(root / "testannot"), "testannot/one.png", "missing"),
    "image folder missing": (lambda root: shutil.rmtree(root / "test"), "test split", "no folder test"),
    "split empty": (lambda root: [p.unlink() for p in (root / "train").iterdir()], "train", "no image"),
    "image truncated": (_truncate("test/two.png"), "test/two.png", "cannot be read"),
    "image is text": (lambda root: (root / "train/one.png").write_text("no image"), "train/one.png", "no image"),
    "image empty": (lambda root: (root / "train/two.png").write_bytes(b""), "train/two.png", "is empty"),
    "label map truncated": (_truncate("testannot/two.png"), "testannot/two.png", "cannot read"),
    "label map is a folder": (
        lambda root: ((root / "testannot/two.png").unlink(), (root / "testannot/two.png").mkdir()), "testannot/two.png", "cannot read",
    ),
    "label map in colours": (_write("trainannot/two.png", np.zeros((6, 8, 3), np.uint8)), "trainannot/two.png", "mode RGB"),
    "label map of 16 bits": (_write("trainannot/two.png", np.full((6, 8), 300, np.uint16)), "trainannot/two.png", "beyond 0 to 255"),
    "label map with alpha": (_write("trainannot/two.png", np.zeros((6, 8, 4), np.uint8)), "trainannot/two.png", "mode RGBA"),
    "label outside the classes": (_write("testannot/one.png", np.full((6, 8), 7, np.uint8)), "testannot/one.png", "labels 7 are outside"),
    "sizes differ": (_write("trainannot/one.png", np.zeros((8, 6), np.uint8)), "trainannot/one.png", "6 x 8 pixels, its image 8 x 6"),
    "all ignored": (
        lambda root: [_write(f"testannot/{n}.png", np.full((6, 8), 255, np.uint8))(root) for n in ("one", "two")],
        "test split", "no pixel of any label map has a class",
    ),
    "a bomb": (
        lambda root: (root / "test/one.png").write_bytes(
            b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x0f\xff\xff\x00\x0f\xff\xff\x08\x02\x00\x00\x00\x00\x00\x00\x00"
        ),
        "test/one.png", "no image",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", _MALFORMED)
def test_malformed_datasets_are_named(dataset, case):
    damage, where, what = _MALFORMED[case]
    damage(dataset)
    fatal = [p for p in task(folder_bench()).check(dataset) if p.fatal]
    assert any(where in p.where and what in p.what for p in fatal), fatal


def test_what_only_the_owner_can_judge_is_told_but_not_fatal(dataset):
    (dataset / "train/one.png").unlink()
    for name in ("one", "two"):
        _write(f"testannot/{name}.png", np.zeros((6, 8), np.uint8))(dataset)
    told = task(folder_bench()).check(dataset)
    assert not any(p.fatal for p in told)
    expected = {("trainannot/one.png", "label map without an image in train"), ("test split", "no pixel of b, c")}
    assert {(p.where, p.what) for p in told} == expected


def test_one_folder_for_both_splits_is_a_leak(dataset):
    found = task(folder_bench(test={"images": "train", "labels": "trainannot"})).check(dataset)
    (leak,) = found
    assert leak.fatal and leak.what == "2 test images are training images, too, e.g. train/one.png"


def test_a_folder_that_is_named_twice_is_refused(dataset):
    folder = {"images": "train", "labels": "trainannot"}
    (twice,) = [one for one in task(folder_bench(train=[folder, folder])).check(dataset) if one.fatal]
    assert twice.where == "train split" and "train is named twice" in twice.what


def test_reduced_zero_label_shifts_classes_and_names_the_labels_of_the_file(dataset):
    data = folder_bench(reduce_zero_label=True)
    assert task(data).check(dataset)[-1].what == "no training pixel of c"
    _write("testannot/one.png", np.full((6, 8), 4, np.uint8))(dataset)
    assert any("labels 4 are outside the classes 1 to 3" in p.what for p in task(data).check(dataset))
    _write("testannot/one.png", np.full((6, 8), 3, np.uint8))(dataset)
    assert task(data).floor(dataset)["IoU/c"] == 0


def test_nested_folders_are_listed_like_mmseg_does(dataset, openmmlab):
    from mmengine.registry import DATASETS, init_default_scope

    init_default_scope("mmseg")
    for part in ("train", "trainannot"):
        (dataset / part / "deep").mkdir()
        shutil.copy(dataset / part / "one.png", dataset / part / "deep" / "three.png")
    prefix = {"img_path": "train", "seg_map_path": "trainannot"}
    plain = {
        "type": "mmseg.BaseSegDataset",
        "img_suffix": ".png",
        "seg_map_suffix": ".png",
        "metainfo": {"classes": CLASSES},
        "pipeline": [],
    }
    theirs = DATASETS.build({**plain, "data_root": str(dataset), "data_prefix": prefix})
    ours = [(str(pair.image), str(pair.label)) for pair in task(folder_bench()).listing(dataset).split("train")]
    assert ours == [(info["img_path"], info["seg_map_path"]) for info in map(theirs.get_data_info, range(len(theirs)))]


@pytest.mark.parametrize(
    "data, named",
    [
        ({"format": "mmseg-folder", "classes": ["a"]}, "data.classes"),
        ({"format": "mmseg-folder", "classes": ["a", "b", "a"]}, "given twice: a"),
        ({"format": "mmseg-folder", "classes": ["a", "b"], "palette": [[1, 2, 3]]}, "1 colours for 2 classes"),
        ({"format": "mmseg-folder", "classes": ["a", "b"], "reduce_zero_label": True, "ignore_index": 11}, "ignore_index must be 255"),
        ({"format": "mmseg-folder", "classes": ["a", "b"], "image_sufix": ".jpg"}, "image_sufix"),
        ({"format": "mmseg", "type": "CityscapesDataset", "train": {}, "test": {}}, "num_classes"),
        ({"format": "mmseg-folders"}, "mmseg-folder"),
        ({"format": "synthetic", "size": 8}, "data.size"),
    ],
)
def test_wrong_entries_are_named(data, named):
    with pytest.raises(UsageError, match=named):
        task(bench(data))


@pytest.mark.parametrize(
    "model, named", [({"levels": [9]}, "no level 9"), ({"backbone": {"type": "mmpretrain.ResNet", "_channels": "wide"}}, "_channels")]
)
def test_wrong_models_are_named(model, named):
    with pytest.raises(UsageError, match=named):
        task(bench({"format": "synthetic"}, model=model)).config({})


def test_samples_show_labels_and_leave_ignored_pixels_alone(dataset):
    (one, two) = task(folder_bench(palette=[[255, 0, 0], [0, 255, 0], [0, 0, 255]])).samples(dataset, 5)
    assert one.name == "test/one" and one.caption == "a, b, c" and two.image.shape == (6, 8, 3)
    label = np.arange(48).reshape(6, 8) % 4
    assert (one.annotated[label == 3] == one.image[label == 3]).all()
    assert (one.annotated[label == 0][:, 0] >= 140).all()


# ---------------------------------------------------------------- synthetic scenes


def test_scenes_are_the_same_bytes_each_time_and_sound(tmp_path):
    entry = bench({"format": "synthetic", "train": 6, "test": 4})
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        task(entry).generate(tmp_path / name)
    files = sorted(p.relative_to(tmp_path / "first") for p in (tmp_path / "first").rglob("*.png"))
    assert len(files) == 24
    assert all((tmp_path / "first" / f).read_bytes() == (tmp_path / "second" / f).read_bytes() for f in files)
    assert task(entry).check(tmp_path / "first") == []


def test_fields_lie_beyond_the_receptive_field_and_look_alike(tmp_path):
    from harness.benchmarks.segmentation.synthetic import GAP

    entry = bench({"format": "synthetic", "train": 60, "test": 1})
    task(entry).generate(tmp_path)
    colours = {2: [], 3: []}
    for file in sorted((tmp_path / "trainannot").iterdir()):
        label = np.asarray(Image.open(file))
        image = np.asarray(Image.open(tmp_path / "train" / file.name)).astype(float)
        banner, fields = np.argwhere(label == 4), np.argwhere((label == 2) | (label == 3))
        gap = np.abs(banner[:, None] - fields[None]).max(-1).min()
        assert gap >= GAP
        (crop,) = set(label[(label == 2) | (label == 3)])
        colours[crop].append(image[label == crop].mean(0))
    wheat, rye = np.array(colours[2]), np.array(colours[3])
    spread = np.sqrt(wheat.var(0) / len(wheat) + rye.var(0) / len(rye))
    assert (np.abs(wheat.mean(0) - rye.mean(0)) < 4 * spread).all()


@pytest.mark.parametrize("plugin, sees", [("identity", False), ("psanet", True)])
def test_the_benchmarks_local_head_cannot_see_the_banner_from_a_field(openmmlab, tmp_path, plugin, sees):
    import torch
    import torch.nn.functional as F
    from mmengine.registry import MODELS, init_default_scope

    from harness.catalog import Filling
    from harness.catalog.plugins import discover, load_plugins

    init_default_scope("mmseg")
    load_plugins({plugin}, discover())
    entry = load_catalog().benchmarks["scenes-segmentation"]
    model = MODELS.build(task(entry).config({"context": Filling(plugin=plugin)})["model"]).double().eval()
    (sample,) = task(entry).samples(_generated(tmp_path), 1)
    label = torch.from_numpy(np.asarray(Image.open(tmp_path / "testannot" / "00000.png")).copy())
    image = torch.from_numpy(sample.image.copy()).permute(2, 0, 1)[None].double().requires_grad_()
    logits = F.interpolate(model(image, mode="tensor"), size=label.shape, mode="bilinear", align_corners=False)
    (gradient,) = torch.autograd.grad(logits[0, :, (label == 2) | (label == 3)].square().sum(), image)
    assert bool(gradient[0, :, label == 4].any()) == sees


def _generated(out: Path) -> Path:
    task(bench({"format": "synthetic", "train": 1, "test": 2})).generate(out)
    return out


def test_blocks_go_to_the_head_unless_the_benchmark_places_them():
    scenes = {"format": "synthetic"}
    assert task(bench(scenes)).slots == ("context",)
    assert task(bench(scenes, model={"block_at": [{"path": "backbone.layer1"}]})).slots == ("block", "context")


def test_any_mmseg_dataset_class_is_read_checked_and_configured(openmmlab, tmp_path):
    from mmengine.registry import DATASETS, init_default_scope

    init_default_scope("mmseg")
    entry = load_catalog().benchmarks["ade20k"]
    entry = entry.model_copy(update={"data": entry.data | {"official": {}}})
    for split in ("training", "validation"):
        for part, pixels in (("images", np.full((6, 8, 3), len(split))), ("annotations", np.arange(48).reshape(6, 8))):
            (tmp_path / part / split).mkdir(parents=True)
            suffix = ".jpg" if part == "images" else ".png"
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / part / split / f"{split}{suffix}")
    assert not [p for p in task(entry).check(tmp_path) if p.fatal]
    floor = task(entry).floor(tmp_path)
    assert floor["aAcc"] == pytest.approx(100 / 47) and "IoU/wall" in floor
    (sample,) = task(entry).samples(tmp_path, 3)
    assert sample.caption.startswith("wall, building")
    config = task(entry).config({})["test_dataloader"]["dataset"]
    (item,) = DATASETS.build({**config, "data_root": str(tmp_path), "pipeline": [{"type": "ReadImage"}, {"type": "ReadLabel"}]})
    assert item["gt_seg_map"].ravel()[:3].tolist() == [255, 0, 1] and item["img"].shape == (6, 8, 3)
    wrong = entry.model_copy(update={"data": {**entry.data, "num_classes": 149}})
    assert any(p.where == "data.num_classes" and "has 150 classes" in p.what for p in task(wrong).check(tmp_path))
    unknown = entry.model_copy(update={"data": {**entry.data, "type": "ADE20Dataset"}})
    with pytest.raises(UsageError, match="ADE20KDataset"):
        task(unknown).check(tmp_path)


# ---------------------------------------------------------------- trials


def _trial(entry: Benchmark, plugin: str, tmp_path: Path, **params):
    from harness import data
    from harness.catalog import Method
    from harness.catalog.plugins import discover, load_plugins
    from harness.compose import compose
    from harness.engine.trial import run_trial

    files = discover()
    load_plugins({plugin}, files)
    method = Method(id="m", title="m", slots={"context": {"plugin": plugin, **params}})
    trial = compose(method, task(entry), 0, "fingerprint", files)
    return run_trial(trial, data=data.ensure(task(entry), None), work_dir=tmp_path)


@pytest.mark.parametrize(
    "plugin, model",
    [
        ("ocrnet", {"levels": [0], "channels": 16}),
        ("ann", {"levels": [0, 1], "channels": 16, "fuse": "last", "auxiliary": 0.4, "input": {"size": [32, 32], "flip": 0.5}}),
        ("identity", {"backbone": {"type": "mmseg.HRNet", "norm_cfg": {"type": "BN"}, "_channels": [8, 16], "extra": {
            "stage1": {"num_modules": 1, "num_branches": 1, "block": "BOTTLENECK", "num_blocks": [1], "num_channels": [8]},
            "stage2": {"num_modules": 1, "num_branches": 2, "block": "BASIC", "num_blocks": [1, 1], "num_channels": [8, 16]},
            "stage3": {"num_modules": 1, "num_branches": 2, "block": "BASIC", "num_blocks": [1, 1], "num_channels": [8, 16]},
            "stage4": {"num_modules": 1, "num_branches": 2, "block": "BASIC", "num_blocks": [1, 1], "num_channels": [8, 16]},
        }}, "channels": 16}),
    ],
    ids=["auxiliary-logits", "two-levels", "hrnet"],
)  # fmt: skip
def test_a_trial_yields_every_metric_and_a_score_per_image(openmmlab, tmp_path, plugin, model):
    entry = bench({"format": "synthetic", "train": 4, "test": 3}, tier="synthetic", model=model, schedule={"epochs": 1, "batch_size": 2})
    outcome = _trial(entry, plugin, tmp_path)
    names = {m.name for m in task(entry).metrics if not m.per_scene}
    assert names <= set(outcome.metrics) and any(name.startswith("IoU/") for name in outcome.metrics)
    assert all(len(values) == 3 for values in outcome.per_sample.values())


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_camvid_reaches_the_published_prototype(openmmlab, tmp_path):
    import os

    from harness import data
    from harness.catalog import Method
    from harness.catalog.plugins import discover, load_plugins
    from harness.compose import compose
    from harness.engine.trial import run_trial

    entry, files = load_catalog().benchmarks["camvid"], discover()
    load_plugins({"identity"}, files)
    folder = data.locate(entry, Path(os.environ["HARNESS_DATA"]))
    assert not [p for p in task(entry).check(folder) if p.fatal]
    trial = compose(Method(id="m", title="m", slots={"context": {"plugin": "identity"}}), entry, 0, "fingerprint", files)
    assert run_trial(trial, data=folder, work_dir=tmp_path).metrics["aAcc"] >= 68
