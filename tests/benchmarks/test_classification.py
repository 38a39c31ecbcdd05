"""Classification: generators, reader, check, floor, metric, and a trial from end to end."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from harness.benchmarks import scenes, task
from harness.benchmarks.base import undeclared
from harness.catalog import Benchmark
from harness.errors import DataError, UsageError


def bench(**data) -> Benchmark:
    return Benchmark(id="b", family="classification", data=data, schedule={"epochs": 1, "batch_size": 8})


def folder(**data) -> Benchmark:
    return bench(**{"format": "image-folder", "root": "r", "classes": 2, "size": 16, **data})


def content(root: Path) -> dict[str, str]:
    return {f.relative_to(root).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(root.rglob("*")) if f.is_file()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes, 3 + 2 training and 1 + 2 test images."""
    rng = np.random.default_rng(0)
    for split, counts in (("train", {"cat": 3, "dog": 2}), ("test", {"cat": 1, "dog": 2})):
        for name, count in counts.items():
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(count):
                Image.fromarray(rng.integers(0, 255, (20, 24, 3), dtype=np.uint8)).save(tmp_path / split / name / f"{i}.jpg")
    return tmp_path


@pytest.mark.parametrize("data", [{"format": "synthetic", "train": 12, "test": 8}, {"format": "digits"}], ids=["scenes", "digits"])
def test_generation_is_deterministic_and_passes_its_own_check(tmp_path, data):
    entry = bench(**data)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        task(entry).generate(tmp_path / name)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert task(entry).check(tmp_path / "a") == []


def test_another_seed_gives_other_scenes_and_more_images_keep_the_first(tmp_path):
    for name, train, seed in (("a", 12, 0), ("seed", 12, 1), ("more", 24, 0)):
        scenes.generate_scenes(tmp_path / name, {"train": train, "test": 8, "val": 4}, size=48, classes=4, seed=seed)
    first, other, more = (content(tmp_path / name) for name in ("a", "seed", "more"))
    images = [name for name in first if name.endswith(".png")]
    assert all(first[name] != other[name] for name in images)
    assert all(first[name] == more[name] for name in images)


def test_the_ring_alone_tells_the_target(tmp_path):
    """Without the cue an image differs inside the annotated box only, and the box's class is the folder's."""
    for name, cue in (("with", True), ("without", False)):
        scenes.generate_scenes(tmp_path / name, {"train": 8, "test": 8}, size=64, classes=8, cue=cue)
    for file in (tmp_path / "with").rglob("*.png"):
        tree = ElementTree.parse(tmp_path / "with" / "Annotations" / f"{file.stem}.xml")
        assert tree.findtext("object/name") == file.parent.name
        x0, y0, x1, y1 = (int(tree.findtext(f"object/bndbox/{tag}")) - 1 for tag in ("xmin", "ymin", "xmax", "ymax"))
        assert 0 <= x0 < x1 < 64 and 0 <= y0 < y1 < 64
        plain = tmp_path / "without" / file.relative_to(tmp_path / "with")
        differs = (np.asarray(Image.open(file)) != np.asarray(Image.open(plain))).any(axis=2)
        assert differs[y0 : y1 + 1, x0 : x1 + 1].any()
        differs[y0 : y1 + 1, x0 : x1 + 1] = False
        assert not differs.any()


def test_digits_are_scikit_learns(tmp_path):
    from sklearn.datasets import load_digits

    task(bench(format="digits", train=1000)).generate(tmp_path)
    files = sorted(tmp_path.rglob("*.png"), key=lambda file: file.name)
    digits = load_digits()
    assert [int(file.parent.name) for file in files] == digits.target.tolist()
    assert [file.parent.parent.name for file in files].count("train") == 1000
    stored = np.stack([np.asarray(Image.open(file)) for file in files[:50]])
    assert np.abs(stored / 255 * 16 - digits.images[:50]).max() < 0.05


def test_classes_may_be_a_subset_in_any_order(root):
    listing = task(folder(classes=["dog", "cat"])).listing(root)
    train = listing.split("train")
    assert [listing.classes[sample.label] for sample in train] == ["dog", "dog", "cat", "cat", "cat"]
    assert [sample.file.name for sample in train] == ["0.jpg", "1.jpg", "0.jpg", "1.jpg", "2.jpg"]
    with pytest.raises(DataError, match="bird"):
        task(folder(classes=["cat", "bird"])).listing(root).split("train")


def test_floor_is_the_majority_class(root):
    assert task(folder()).floor(root) == {"top1": pytest.approx(100 / 3)}  # of the guessed class it would be perfect


def test_top5_only_where_five_guesses_are_not_all():
    assert [metric.name for metric in task(bench(format="synthetic", classes=5)).metrics] == ["top1"]
    assert [metric.name for metric in task(bench(format="synthetic", classes=6)).metrics] == ["top1", "top5"]


def test_samples_show_every_class(root):
    samples = task(folder()).samples(root, 2)
    assert [sample.caption for sample in samples] == ["cat", "dog"]
    assert samples[0].image.shape == (20, 24, 3)
    assert samples[0].annotated.shape[0] > 100


def _break(root: Path, how: str) -> None:
    image = root / "train" / "cat" / "0.jpg"
    match how:
        case "no train":
            shutil.rmtree(root / "train")
        case "no test":
            shutil.rmtree(root / "test")
        case "nothing":
            shutil.rmtree(root / "train")
            shutil.rmtree(root / "test")
        case "class missing in test":
            shutil.rmtree(root / "test" / "dog")
        case "class renamed in test":
            (root / "test" / "dog").rename(root / "test" / "dogs")
        case "class empty":
            for file in (root / "test" / "dog").iterdir():
                file.unlink()
        case "one class too many":
            shutil.copytree(root / "train" / "dog", root / "train" / "eel")
        case "one class too few":
            shutil.rmtree(root / "train" / "dog")
        case "truncated":
            image.write_bytes(image.read_bytes()[:-200])
        case "empty file":
            image.write_bytes(b"")
        case "text":
            image.write_text("not an image")
        case "a pickle":
            image.write_bytes(b"\x80\x04cos\nsystem\n.")
        case "a folder named like an image":
            image.unlink()
            image.mkdir()
            (root / "train" / "cat" / "1.jpg").write_bytes(b"")
        case "dangling link":
            image.unlink()
            image.symlink_to(root / "nowhere.jpg")
        case "class only in test":
            shutil.copytree(root / "test" / "dog", root / "test" / "eel")
        case "copies":
            for name in ("copy.jpg", "another.jpg"):
                shutil.copy(root / "test" / "cat" / "0.jpg", root / "test" / "cat" / name)
        case "loose images":
            shutil.copy(image, root / "train" / "loose.jpg")


@pytest.mark.parametrize(
    ("how", "where", "fatal"),
    [
        ("no train", "train", True),
        ("no test", "test", True),
        ("nothing", "test", True),
        ("class missing in test", "test/dog", False),
        ("class renamed in test", "test/dog", True),
        ("class empty", "test/dog", False),
        ("one class too many", "train", True),
        ("one class too few", "train", True),
        ("truncated", "train/cat/0.jpg", True),
        ("empty file", "train/cat/0.jpg", True),
        ("text", "train/cat/0.jpg", True),
        ("a pickle", "train/cat/0.jpg", True),
        ("a folder named like an image", "train/cat/1.jpg", True),
        ("dangling link", "train/cat/0.jpg", True),
        ("class only in test", "test/eel", False),
        ("copies", "test split", False),
        ("loose images", "train", False),
    ],
)
def test_check_names_what_is_wrong(root, how, where, fatal):
    _break(root, how)
    problems = task(folder()).check(root)
    found = [problem for problem in problems if problem.where == where and problem.fatal == fatal]
    assert found, problems
    assert all(problem.what and problem.mend for problem in problems)


def test_check_does_not_stop_at_the_first_problem(root):
    _break(root, "truncated")
    _break(root, "class empty")
    assert {problem.where for problem in task(folder()).check(root)} == {"train/cat/0.jpg", "test/dog"}


def test_a_class_that_the_test_lacks_is_trained_on_and_told(root):
    shutil.rmtree(root / "test" / "dog")
    found = task(folder()).listing(root)
    assert found.classes == ["cat", "dog"] and {sample.label for sample in found.train} == {0, 1}
    (told,) = found.problems
    assert (told.where, told.what, told.fatal) == ("test/dog", "no test image shows the class", False)
    assert "data.classes" not in told.mend
    assert task(folder()).floor(root) == {"top1": 100.0}
    (root / "test/hound").mkdir()
    (told,) = (one for one in task(folder()).check(root) if one.fatal)
    assert told.where == "test/dog" and told.mend.startswith("rename the folder that shows it (hound?)")
    assert not [one for one in task(folder(classes=["cat", "eel"])).check(root) if one.where == "test/eel" and "dog" in one.mend]


def test_check_of_listed_classes(root):
    wheres = {problem.where for problem in task(folder(classes=["cat", "eel"])).check(root)}
    assert wheres == {"train/eel", "test/eel"}
    assert task(folder(classes=["cat", "cat"])).check(root)[0].where == "data.classes"
    assert any("same folder" in problem.what for problem in task(folder(test="train")).check(root))


@pytest.mark.parametrize("data", [{"classes": 1}, {"classes": ["cat"]}, {"klasses": 3}, {"size": 0}, {"classes": None}])
def test_malformed_options_are_refused(data):
    with pytest.raises(UsageError, match="data"):
        task(folder(**data))


def test_metric_agrees_with_a_slow_reference(openmmlab):
    import torch
    from mmengine.registry import METRICS

    rng = np.random.default_rng(0)
    scores, labels = rng.random((23, 7)), rng.integers(0, 7, 23)
    scores[0] = 0.0  # underflown everywhere but for one: still a guess
    scores[0, labels[0]] = 1e-45
    metric = METRICS.build({"type": "TopAccuracy", "topk": [1, 5]})
    metric.dataset_meta = {"classes": "abcdefg"}
    for score, label in zip(scores, labels, strict=True):
        metric.process(None, [{"pred_score": torch.tensor(score, dtype=torch.float32), "gt_label": torch.tensor([label])}])
    metrics = metric.evaluate(23)
    assert not list(undeclared(metrics, task(bench(format="synthetic", classes=7)).metrics))
    for k in (1, 5):
        hits = [label in sorted(range(7), key=lambda c: -np.float32(score[c]))[:k] for score, label in zip(scores, labels, strict=True)]
        assert metrics[f"top{k}"] == pytest.approx(100 * np.mean(hits))
        assert metric.per_sample[f"top{k}"].tolist() == [100.0 * hit for hit in hits]


def test_a_trial_from_end_to_end(openmmlab, tmp_path):
    from harness.catalog.plugins import discover, load_plugins
    from harness.catalog.schema import Filling, Method
    from harness.compose import compose
    from harness.engine.trial import run_trial

    entry = Benchmark(
        id="b",
        family="classification",
        data={"format": "synthetic", "train": 16, "test": 12, "size": 32, "augment": "crop-flip"},
        schedule={"epochs": 1, "batch_size": 8},
    )
    data, work = tmp_path / "data", tmp_path / "work"
    data.mkdir()
    work.mkdir()
    task(entry).generate(data)
    files = discover()
    load_plugins({"gap"}, files)
    method = Method(id="gap", title="gap", slots={"pooling": Filling(plugin="gap")})
    outcome = run_trial(compose(method, task(entry), 0, "f", files), data=data, work_dir=work)
    assert {name.partition("/")[0] for name in outcome.metrics} == {metric.name for metric in task(entry).metrics}
    assert np.mean([value for name, value in outcome.metrics.items() if "/" in name]) == pytest.approx(outcome.metrics["top1"], abs=1e-3)
    assert outcome.per_sample["top1"].shape == (12,)
    assert outcome.per_sample["top1"].mean() == pytest.approx(outcome.metrics["top1"], abs=1e-3)


VIT = {
    "type": "mmpretrain.VisionTransformer",
    "arch": {"embed_dims": 24, "num_layers": 1, "num_heads": 2, "feedforward_channels": 48},
    "img_size": 32,
    "patch_size": 16,
    "out_type": "featmap",
    "_channels": 24,
    "_stride": 16,
}


@pytest.mark.parametrize(("backbone", "params", "gamma"), [("resnet-narrow", {}, 2.0), (VIT, {}, 1.25), (VIT, {"gamma": None}, None)])
def test_simpools_exponent_is_the_authors_for_the_backbone(openmmlab, backbone, params, gamma):
    from mmengine.registry import MODELS

    from harness.catalog.plugins import discover, load_plugins
    from harness.catalog.schema import Filling

    load_plugins({"simpool"}, discover())
    entry = bench(format="synthetic", size=32).model_copy(update={"model": {"backbone": backbone}})
    model = MODELS.build(task(entry).config({"pooling": Filling(plugin="simpool", **params)})["model"])
    assert model.neck.method.gamma == gamma
