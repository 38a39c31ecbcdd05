"""Keypoints: generator, readers, check, floor, metrics, and a trial from end to end."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.benchmarks import task
from harness.benchmarks.base import undeclared
from harness.benchmarks.keypoint import figures, scores
from harness.benchmarks.keypoint.oks import COCO_NAMES, COCO_SIGMAS
from harness.benchmarks.keypoint.readers.coco import CocoData
from harness.catalog import Benchmark, load_catalog
from harness.errors import DataError, UsageError


def bench(**data) -> Benchmark:
    return Benchmark(id="b", family="keypoint", data=data, schedule={"epochs": 1, "batch_size": 4})


# --- generated figures


def test_generation_is_deterministic_and_passes_its_own_check(tmp_path):
    entry = bench(format="synthetic", train=6, test=4)
    written = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        task(entry).generate(tmp_path / name)
        files = sorted(file for file in (tmp_path / name).rglob("*") if file.is_file())
        written.append([(file.relative_to(tmp_path / name), hashlib.sha256(file.read_bytes()).hexdigest()) for file in files])
    assert written[0] == written[1]
    assert len(written[0]) == 15
    assert task(entry).check(tmp_path / "a") == []


def test_limbs_mirror_each_other_and_covered_joints_are_flagged(tmp_path):
    figures.generate_figures(tmp_path, {"train": 1, "test": 30, "val": 1}, size=(64, 48))
    poses = task(bench(format="synthetic")).listing(tmp_path).split("test")
    at = {name: np.stack([pose.points[i] for pose in poses]) for i, name in enumerate(figures.NAMES)}
    axis = at["neck"] - at["hip"]
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    for joint in ("elbow", "hand", "knee", "foot"):
        left = at[f"left_{joint}"] - at["hip"]
        reflected = 2 * (left * axis).sum(axis=1, keepdims=True) * axis - left + at["hip"]
        np.testing.assert_allclose(reflected, at[f"right_{joint}"], atol=0.05)
    flags = np.stack([pose.visible for pose in poses])
    assert set(np.unique(flags)) == {1, 2}
    hands = flags[:, [figures.NAMES.index("left_hand"), figures.NAMES.index("right_hand")]]
    assert (hands == 1).any(axis=1).mean() > 0.9


def test_unmirrored_limbs_do_not_tell_of_their_partners(tmp_path):
    figures.generate_figures(tmp_path, {"train": 1, "test": 30, "val": 1}, size=(64, 64), mirrored=False)
    poses = task(bench(format="synthetic")).listing(tmp_path).split("test")
    points = {name: np.stack([pose.points[i] for pose in poses]) for i, name in enumerate(figures.NAMES)}
    spans = [np.linalg.norm(points[f"{side}_hand"] - points["hip"], axis=1) for side in ("left", "right")]
    assert np.abs(spans[0] - spans[1]).max() > 5


def test_of_two_figures_the_banner_names_the_one_that_counts(tmp_path):
    figures.generate_figures(tmp_path, {"train": 1, "test": 60, "val": 1}, size=(88, 56), pair=True)
    poses = list(task(bench(format="synthetic", size=[88, 56], pair=True)).listing(tmp_path).split("test"))
    blue, banners, sides = [], [], []
    for pose in poses:
        image = np.asarray(Image.open(pose.file), np.int64)
        named = max((image[:, 2], image[:, -3]), key=lambda column: np.ptp(column.mean(axis=0)))
        x, y = pose.points.T.round().astype(int)
        seen = pose.visible == 2
        body = image[y[seen], x[seen]]
        far = [name not in ("head",) for name, is_seen in zip(figures.NAMES, seen, strict=True) if is_seen]
        limbs = body[np.array(far)]
        banners.append(named[:, 2].mean() > named[:, 0].mean())
        blue.append(np.median(limbs[:, 2] - limbs[:, 0]) > 0)
        sides.append(pose.points[:, 0].mean() > 44)
    assert blue == banners
    assert 10 < sum(banners) < 50 and 10 < sum(sides) < 50
    assert 10 < sum(a == b for a, b in zip(banners, sides, strict=True)) < 50, "the colour tells nothing of the place"


def test_two_figures_need_a_wide_image():
    with pytest.raises(UsageError, match=r"1\.4 times as wide"):
        task(bench(format="synthetic", size=[64, 64], pair=True))


# --- DeepLabCut


def label_file(root: Path, body: str, *, images: int = 5) -> Benchmark:
    """A project of ``images`` images of 40x30 pixels with the label file ``body``."""
    (root / "v").mkdir(parents=True, exist_ok=True)
    for i in range(images):
        Image.fromarray(np.full((30, 40), 20 * i, np.uint8)).save(root / "v" / f"{i}.png")
    (root / "CollectedData.csv").write_text(body, encoding="utf-8")
    return bench(format="deeplabcut", root="r", keypoints=["nose", "tail"], size=[32, 32])


HEAD = "scorer,me,me,me,me\nbodyparts,nose,nose,tail,tail\ncoords,x,y,x,y\n"
ROWS = "v/0.png,1,2,3,4\nv/1.png,5,6,,\nv/2.png,7,8,9,10\nv/3.png,11,12,13,14\nv/4.png,15,16,NaN,nan\n"


def test_deeplabcut_labels_split_by_order(tmp_path):
    entry = label_file(tmp_path, HEAD + ROWS)
    listing = task(entry).listing(tmp_path)
    assert listing.problems == []
    assert [pose.file.name for pose in listing.train] == ["0.png", "1.png", "2.png", "3.png"]
    assert [pose.file.name for pose in listing.test] == ["4.png"]
    assert listing.train[1].visible.tolist() == [2, 0]
    assert listing.train[2].points.tolist() == [[7, 8], [9, 10]]
    assert listing.train[0].box == (0, 0, 40, 30)


def test_deeplabcut_paths_in_three_columns(tmp_path):
    head = "scorer,,,me,me,me,me\nbodyparts,,,nose,nose,tail,tail\ncoords,,,x,y,x,y\n"
    entry = label_file(tmp_path / "d" / "e", head + "d,e/v,0.png,1,2,3,4\nd,e/v,1.png,5,6,7,8\n")
    assert [pose.file.name for pose in task(entry).listing(tmp_path).train] == ["0.png"]


@pytest.mark.parametrize(
    ("body", "words", "fatal"),
    [
        ("", "start with nothing", True),
        ("a,b\n1,2\n", "not with scorer", True),
        (HEAD.replace("bodyparts", "individuals") + ROWS, "not with scorer, bodyparts", True),
        (HEAD.replace("tail,tail", "nose,nose") + ROWS, "stands there twice", True),
        (HEAD.replace("x,y,x,y", "x,y,y,x") + ROWS, "pair up", True),
        (HEAD.replace("x,y,x,y", "x,y,likelihood,y") + ROWS, "pair up", True),
        (HEAD.replace("tail", "tale") + ROWS, "data.keypoints says nose, tail", True),
        (HEAD, "no usable annotated image", True),
        (HEAD + ROWS + "v/0.png,1,2,3\n", "4 cells, 5 expected", True),
        (HEAD + ROWS.replace("13", "abc"), "'abc' is no number", True),
        (HEAD + ROWS.replace("v/2.png,7", "v/2.png,"), "no finite number", False),
        (HEAD + ROWS.replace("v/2.png,7", "v/2.png,inf"), "no finite number", False),
        (HEAD + ROWS.replace("v/2.png,7", "v/2.png,400"), "outside the image of 40x30", False),
        (HEAD + ROWS.replace("v/2.png,7", "v/2.png,-30"), "outside the image", False),
        (HEAD + ROWS + "v/0.png,1,2,3,4\n", "labelled before", False),
        (HEAD + ROWS + "v/9.png,1,2,3,4\n", "missing", False),
        (HEAD + ROWS + "../x.png,1,2,3,4\n", "outside the dataset's folder", False),
        (HEAD + ROWS.replace("5,6,,", ",,,"), "no usable point", False),
    ],
)
def test_check_of_malformed_label_files(tmp_path, body, words, fatal):
    problems = task(label_file(tmp_path, body)).check(tmp_path)
    assert [problem for problem in problems if words in problem.what and problem.fatal == fatal], problems
    assert all(problem.mend for problem in problems)
    if fatal:
        with pytest.raises(DataError):
            task(label_file(tmp_path, body)).floor(tmp_path)


def test_check_of_a_project_without_labels(tmp_path):
    assert "no label file" in task(bench(format="deeplabcut", root="r", keypoints=2)).check(tmp_path)[0].what
    named = bench(format="deeplabcut", root="r", keypoints=2, csv="labels.csv")
    assert task(named).check(tmp_path)[0].where == "labels.csv"
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00\x80")
    assert "UTF-8" in task(named).check(tmp_path)[0].what


@pytest.mark.parametrize("damage", [b"", b"no image"])
def test_an_unreadable_image_drops_its_row(tmp_path, damage):
    entry = label_file(tmp_path, HEAD + ROWS)
    (tmp_path / "v" / "2.png").write_bytes(damage)
    problems = task(entry).check(tmp_path)
    assert [problem.fatal for problem in problems] == [False]
    assert len(task(entry).listing(tmp_path).train) == 3


def test_a_truncated_image_is_found(tmp_path):
    entry = label_file(tmp_path, HEAD + ROWS)
    rng = np.random.default_rng(0)
    file = tmp_path / "v" / "2.png"
    Image.fromarray(rng.integers(0, 255, (30, 40), dtype=np.uint8)).save(file)
    file.write_bytes(file.read_bytes()[:-300])
    assert [(problem.where, problem.fatal) for problem in task(entry).check(tmp_path)] == [("v/2.png", True)]


# --- COCO


def coco_files(root: Path, points: int = 2, first_id: int = 0, train: int = 2) -> tuple[Benchmark, dict[str, dict]]:
    """Two training images (or more) and one test image of 40x30 pixels, one instance each."""
    written = {}
    names = [f"p{i}" for i in range(points)]
    for split, count in (("train", train), ("test", 1)):
        (root / split).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            Image.fromarray(np.full((30, 40, 3), (60 * i + 7 * len(split)) % 256, np.uint8)).save(root / split / f"{i}.png")
        written[split] = {
            "images": [{"id": i, "file_name": f"{i}.png", "width": 40, "height": 30} for i in range(count)],
            "annotations": [
                {
                    "id": first_id + i, "image_id": i, "category_id": 1, "bbox": [4, 4, 30, 20], "area": 300.0, "iscrowd": 0,
                    "num_keypoints": points, "keypoints": [v for k in range(points) for v in (5 + i % 10 + k, 6 + k, 2)],
                }
                for i in range(count)
            ],
            "categories": [{"id": 1, "name": "thing", "keypoints": names}],
        }  # fmt: skip
    save(root, written)
    return bench(format="coco", root="r", keypoints=names, size=[32, 32]), written


def save(root: Path, written: dict[str, dict]) -> None:
    (root / "annotations").mkdir(exist_ok=True)
    for split, content in written.items():
        (root / "annotations" / f"{split}.json").write_text(json.dumps(content), encoding="utf-8")


def test_coco_boxes_and_flags(tmp_path):
    entry, written = coco_files(tmp_path)
    written["train"]["annotations"][0]["keypoints"][3:] = [0, 0, 0]
    save(tmp_path, written)
    assert task(entry).check(tmp_path) == []
    pose = task(entry).listing(tmp_path).train[0]
    assert pose.box == (4, 4, 34, 24)
    assert pose.visible.tolist() == [2, 0]
    whole = bench(**{**entry.data, "box": "image"})
    assert task(whole).listing(tmp_path).train[0].box == (0, 0, 40, 30)


def change(**values):
    return lambda content: content["annotations"][0].update(values)


def change_image(**values):
    return lambda content: content["images"][0].update(values)


@pytest.mark.parametrize(
    ("damage", "words", "fatal"),
    [
        (lambda content: content.pop("annotations"), "no list 'annotations'", True),
        (lambda content: content.update(images={}), "no list 'images'", True),
        (lambda content: content["annotations"].insert(0, "x"), "not a mapping", True),
        (lambda content: content["annotations"].append(copy.deepcopy(content["annotations"][0])), "used twice", True),
        (lambda content: content["images"].append(copy.deepcopy(content["images"][0])), "used twice", True),
        (lambda content: content["images"][0].pop("file_name"), "file_name", True),
        (lambda content: content["categories"][0].update(keypoints=["p0", "p0"]), "names a keypoint twice", True),
        (lambda content: content["categories"][0].update(keypoints=["p1", "p2"]), "data.keypoints says p0, p1", True),
        (change(image_id=77), "not among the images", True),
        (change(keypoints=[1, 2, 2]), "3 keypoint values, 6 expected", True),
        (change(keypoints="x"), "no keypoint values", True),
        (change(keypoints=[1, 2, 2, 3, "4", 2]), "no number", True),
        (change(keypoints=[1, 2, 2, 3, 4, 5]), "flag is not 0, 1 or 2", True),
        (change(keypoints=[1, 2, 2, float("nan"), 4, 2]), "no finite number", False),
        (change(keypoints=[1, 2, 2, 3, 400, 2]), "outside the image", False),
        (change(bbox=[100, 100, 5, 5]), "no box", False),
        (change(bbox=None), "no box", False),
        (change_image(file_name="9.png"), "missing", False),
        (change_image(file_name="../../9.png"), "outside the dataset's folder", False),
        (change_image(width=99), "99x30 pixels, but the file has 40x30", False),
    ],
)
def test_check_of_malformed_coco(tmp_path, damage, words, fatal):
    entry, written = coco_files(tmp_path)
    damage(written["train"])
    save(tmp_path, written)
    problems = task(entry).check(tmp_path)
    assert [problem for problem in problems if words in problem.what and problem.fatal == fatal], problems


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"images": 1}', "[" * 100_000])
def test_annotation_files_that_are_no_coco(tmp_path, text):
    entry, _ = coco_files(tmp_path)
    (tmp_path / "annotations" / "train.json").write_text(text)
    (tmp_path / "annotations" / "test.json").unlink()
    assert {problem.where for problem in task(entry).check(tmp_path)} == {"annotations/train.json", "annotations/test.json"}


def test_images_in_both_splits_are_refused(tmp_path):
    entry, _ = coco_files(tmp_path)
    leaking = bench(**{**entry.data, "test": "annotations/train.json", "test_images": "train"})
    assert any("in the training and in the test split" in problem.what for problem in task(leaking).check(tmp_path))


@pytest.mark.parametrize("data", [{"keypoints": 0}, {"keypoints": []}, {"size": [30, 32]}, {"size": 64}, {"sigmas": [0.1]}, {"nope": 1}])
def test_malformed_options_are_refused(data):
    with pytest.raises(UsageError, match="data"):
        task(bench(**{"format": "coco", "root": "r", "keypoints": 2, **data}))


def test_a_backbone_given_by_hand_says_its_stride():
    given = {"type": "mmpretrain.ResNet", "depth": 18, "_channels": 512}
    entry = Benchmark(id="b", family="keypoint", data={"format": "synthetic"}, model={"backbone": given})
    with pytest.raises(UsageError, match="_stride"):
        task(entry).config({})


# --- scores


def slow_pck(predicted, truth, flags, lengths) -> float:
    joints = []
    for k in range(truth.shape[1]):
        hits = [
            bool(np.hypot(*(predicted[n, k] - truth[n, k])) < 0.05 * lengths[n]) for n in range(len(truth)) if flags[n, k] > 0
        ]  # fmt: skip
        if hits:
            joints.append(sum(hits) / len(hits))
    return 100 * sum(joints) / len(joints)


def random_scores(seed: int):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 100, (9, 5, 2))
    predicted = truth + rng.normal(0, 4, truth.shape)
    flags = rng.integers(0, 3, (9, 5))
    flags[:, 2] = 0  # a joint that is labelled nowhere
    flags[4] = 0  # an image without labels
    return predicted, truth, flags, rng.uniform(60, 140, 9)


def test_scores_agree_with_a_slow_reference():
    predicted, truth, flags, lengths = random_scores(0)
    predicted[1, 1] = np.nan
    flags[1, 1] = 2
    truth[4] = np.nan
    far = scores.distances(predicted, truth, flags, lengths)
    metrics, per_sample = scores.summary(far, flags, lengths)
    assert metrics[scores.PCK] == pytest.approx(slow_pck(predicted, truth, flags, lengths))
    for name, flag in scores.FLAGS.items():
        assert metrics[f"{scores.PCK}/{name}"] == pytest.approx(slow_pck(predicted, truth, flags == flag, lengths))
    each = [
        [np.hypot(*(predicted[n, k] - truth[n, k])) if np.isfinite(predicted[n, k]).all() else lengths[n] for k in range(5) if flags[n, k]]
        for n in range(9)
    ]
    assert metrics["median_px"] == pytest.approx(np.median(np.concatenate(each)))
    for n, errors in enumerate(each):
        assert per_sample["mean_px"][n] == pytest.approx(np.mean(errors) if errors else np.nan, nan_ok=True, rel=1e-5)


def test_scores_without_any_label():
    far = scores.distances(np.zeros((2, 3, 2)), np.zeros((2, 3, 2)), np.zeros((2, 3), int), np.ones(2))
    metrics, per_sample = scores.summary(far, np.zeros((2, 3), int), np.ones(2))
    assert np.isnan(list(metrics.values())).all()
    assert np.isnan(per_sample[scores.PCK]).all()


def test_metric_agrees_with_mmpose_and_the_floors_scores(openmmlab):
    from mmengine.registry import METRICS

    predicted, truth, flags, lengths = random_scores(1)
    metric = METRICS.build({"type": "KeypointAccuracy"})
    for n in range(len(truth)):
        raw = np.concatenate([truth[n], flags[n][:, None]], axis=1).ravel().tolist()
        labels = {
            "keypoints": truth[n][None],
            "keypoints_visible": (flags[n][None] > 0).astype(float),
            "bboxes": np.array([[0, 0, lengths[n], 9]]),
        }
        sample = {"pred_instances": {"keypoints": predicted[n][None]}, "gt_instances": labels, "raw_ann_info": {"keypoints": raw}}
        sample["img_id"] = 7 - n // 2
        metric.process(None, [sample])
    expected, per_sample = scores.summary(scores.distances(predicted, truth, flags, lengths), flags, lengths)
    assert metric.evaluate(len(truth)) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(metric.per_sample["mean_px"], per_sample["mean_px"], rtol=1e-5)
    image = metric.per_sample["group"]
    assert all((image[a] == image[b]) == (a // 2 == b // 2) for a in range(len(truth)) for b in range(len(truth)))


def test_average_precision_of_perfect_and_of_wrong_predictions(tmp_path):
    entry, _ = coco_files(tmp_path, points=17)
    poses = task(entry).listing(tmp_path).train
    perfect = np.stack([pose.points for pose in poses])
    assert scores.average_precision(perfect, poses, COCO_SIGMAS) == {"AP": pytest.approx(100), "AP50": pytest.approx(100)}
    assert scores.average_precision(perfect + 500, poses, COCO_SIGMAS)["AP"] == pytest.approx(0)


@pytest.mark.parametrize("labelled", [1.0, 0.6])
def test_a_trials_average_precision_is_that_of_the_reference(openmmlab, labelled):
    """Through mmpose's metric, against pycocotools and against the floor's own: poses off by 0 to 3 fall-offs, some points unlabelled."""
    from mmengine.registry import METRICS
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    from harness.benchmarks.keypoint.readers.pose import Pose

    rng, count, points = np.random.default_rng(0), 24, 17
    poses, predicted = [], []
    for n in range(count):
        truth, flags = rng.uniform(10, 90, (points, 2)), 2 * (rng.random(points) < labelled).astype(int)
        poses.append(Pose(Path("x.png"), (100, 100), (5.0, 5.0, 95.0, 95.0), truth, flags, 5000.0, n // 2 + 1, n + 1))
        predicted.append(truth + n / count * 3 * rng.normal(size=(points, 2)) * np.array(COCO_SIGMAS)[:, None] * 5000**0.5)
    predicted = np.stack(predicted)

    metric = METRICS.build({"type": "KeypointAP"})
    metric.dataset_meta = {
        "sigmas": np.array(COCO_SIGMAS, np.float32),
        "num_keypoints": points,
        "CLASSES": [{"id": 1}],
        "dataset_name": "x",
    }
    sure = rng.uniform(0.5, 1, count)
    for pose, guess, score in zip(poses, predicted, sure, strict=True):
        sample = {
            "id": pose.annotation_id, "img_id": pose.image_id, "category_id": 1, "raw_ann_info": scores.coco_annotation(pose),
            "ori_shape": (100, 100), "gt_instances": {"bbox_scores": np.array([score])},
            "pred_instances": {"keypoints": guess[None], "keypoint_scores": np.ones((1, points)), "bbox_scores": np.array([score])},
        }  # fmt: skip
        metric.process(None, [sample])
    found = metric.evaluate(count)

    def reference(sure: np.ndarray) -> dict[str, float]:
        truth = COCO()
        truth.dataset = {
            "images": [{"id": n} for n in range(1, count // 2 + 1)], "annotations": [scores.coco_annotation(p) for p in poses],
            "categories": [{"id": 1}], "info": {},
        }  # fmt: skip
        truth.createIndex()
        results = [
            {"image_id": p.image_id, "category_id": 1, "score": s, "keypoints": np.c_[g, np.ones(points)].ravel().tolist()}
            for p, g, s in zip(poses, predicted, sure, strict=True)
        ]
        evaluation = COCOeval(truth, truth.loadRes(results), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(COCO_SIGMAS)
        for step in (evaluation.evaluate, evaluation.accumulate, evaluation.summarize):
            step()
        return {"AP": 100 * evaluation.stats[0], "AP50": 100 * evaluation.stats[1]}

    assert 20 < reference(sure)["AP"] < 80
    assert found == pytest.approx(reference(sure), abs=1e-3)
    assert scores.average_precision(predicted, poses, COCO_SIGMAS) == pytest.approx(reference(np.ones(count)), abs=1e-3)


def test_floor_is_the_mean_pose(tmp_path):
    entry, _ = coco_files(tmp_path)
    # mean of (5, 6) and (6, 6) against (5, 6), of (6, 7) and (7, 7) against (6, 7)
    joints = {f"{scores.PCK}/p{k}": pytest.approx(100) for k in range(2)}
    assert task(entry).floor(tmp_path) == {scores.PCK: pytest.approx(100), "median_px": pytest.approx(0.5), **joints}


def test_samples_are_drawn(tmp_path):
    entry, _ = coco_files(tmp_path)
    (sample,) = task(entry).samples(tmp_path, 3)
    assert sample.image.shape == (30, 40, 3)
    assert (sample.annotated != 0).any()
    assert sample.caption == "2 of 2 points"


def test_ap_only_where_fall_offs_are_known():
    def has_ap(keypoints, **data) -> bool:
        return "AP" in [metric.name for metric in task(bench(format="coco", root="r", keypoints=keypoints, **data)).metrics]

    assert has_ap([*COCO_NAMES])
    assert has_ap(17, sigmas="coco")
    assert not has_ap(17)
    assert not has_ap(2)
    assert CocoData(format="coco", root="r", keypoints=1, sigmas=[0.1]).has_ap


# --- trials


def trial(entry: Benchmark, data: Path, work: Path):
    from harness.catalog.plugins import discover, load_plugins
    from harness.catalog.schema import Filling, Method
    from harness.compose import compose
    from harness.engine.trial import run_trial

    work.mkdir()
    files = discover()
    load_plugins({"identity"}, files)
    method = Method(id="identity", title="identity", slots={"block": Filling(plugin="identity")})
    return run_trial(compose(method, task(entry), 0, "f", files), data=data, work_dir=work)


def test_a_trial_from_end_to_end(openmmlab, tmp_path):
    entry = bench(format="synthetic", train=8, test=6, size=[48, 32], augment="affine")
    (tmp_path / "data").mkdir()
    task(entry).generate(tmp_path / "data")
    outcome = trial(entry, tmp_path / "data", tmp_path / "work")
    assert list(undeclared(outcome.metrics, task(entry).metrics)) == []
    assert outcome.per_sample[scores.PCK].shape == outcome.per_sample["mean_px"].shape == (6,)


def test_coco_and_an_mmpose_class_read_the_same(openmmlab, tmp_path):
    """The same files through our reader and through mmpose's CocoDataset: the same poses, floor, scores and validation."""
    # COCO's evaluation, and so mmpose's, overlooks an annotation with id 0; our reader numbers anew
    entry, _ = coco_files(tmp_path, points=17, first_id=1, train=24)
    splits = {split: {"ann_file": f"annotations/{split}.json", "images": split} for split in ("train", "test")}
    other = bench(format="mmpose", root="r", type="CocoDataset", keypoints=17, size=[32, 32], **splits)
    unnamed = bench(**{**entry.data, "keypoints": 17, "sigmas": "coco"})
    ours, theirs = (task(e).listing(tmp_path) for e in (unnamed, other))
    assert theirs.problems == task(other).check(tmp_path) == []
    assert (len(ours.train), len(ours.val)) == (20, 4)
    for mine, its in zip(ours.train + ours.val + ours.test, theirs.train + theirs.val + theirs.test, strict=True):
        assert mine.box == its.box
        np.testing.assert_array_equal(mine.points, its.points)
        np.testing.assert_array_equal(mine.visible, its.visible)
    floors = [task(e).floor(tmp_path) for e in (unnamed, other)]
    every = [name for name in scores.COCO_STATS if name not in ("AP", "AP50")]
    more = [floors[1].pop(name) for name in every]
    assert np.isnan(more[1]) and not np.isnan(more[0]), "no figure here has 32 pixels and more"
    assert sorted(floors[0].values()) == sorted(floors[1].values())
    outcomes = [trial(e, tmp_path, tmp_path / f"work{i}") for i, e in enumerate((unnamed, other))]
    found = [{name: value for name, value in outcome.metrics.items() if "/" not in name} for outcome in outcomes]
    assert not np.isnan(found[1]["AP75"]) and np.isnan(found[1]["APM"]) and 0 <= found[1]["AR"] <= 100
    assert found[0] == pytest.approx({name: value for name, value in found[1].items() if name not in every})
    for name, points in outcomes[0].curves.items():
        np.testing.assert_allclose(points, outcomes[1].curves[name], rtol=1e-5)
    assert "val/AP" in outcomes[0].curves
    assert set(found[0]) == {scores.PCK, "median_px", "AP", "AP50"}
    # the two name the joints differently
    joints = [sorted(value for name, value in outcome.metrics.items() if "/" in name) for outcome in outcomes]
    assert joints[0] == pytest.approx(joints[1]) and len(joints[0]) == 17


def test_mmpose_classes_and_files_that_do_not_exist(openmmlab, tmp_path):
    splits = {split: {"ann_file": f"{split}.json"} for split in ("train", "test")}
    with pytest.raises(UsageError, match="CocoDataset"):
        task(bench(format="mmpose", root="r", type="CocoDataset2", keypoints=17, **splits))
    entry = bench(format="mmpose", root="r", type="CocoDataset", keypoints=17, **splits)
    assert {problem.where for problem in task(entry).check(tmp_path)} == {"train.json", "test.json"}
    (tmp_path / "train.json").write_text("{")
    assert any("cannot read it" in problem.what for problem in task(entry).check(tmp_path))


@pytest.mark.real
@pytest.mark.parametrize(("name", "floor"), [("openfield", 137), ("mirror-mouse", 33)])
def test_real_label_files(name, floor):
    entry = load_catalog().benchmarks[name]
    root = Path(os.environ["HARNESS_DATA"]) / entry.data["root"]
    assert [problem for problem in task(entry).check(root) if problem.fatal] == []
    assert task(entry).floor(root)["median_px"] == pytest.approx(floor, abs=1)
