"""A listing names the files that it is made of, and no other."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.benchmarks import family, task
from harness.catalog import Benchmark
from harness.catalog.load import load_catalog

GENERATED = sorted(
    bench.id for bench in load_catalog().benchmarks.values() if bench.data["format"] == "synthetic" and bench.id.count("-") < 2
)


@pytest.mark.parametrize("name", GENERATED)
def test_every_file_of_a_dataset_is_named_once_and_a_stranger_never(name, tmp_path):
    found = task(load_catalog().benchmarks[name])
    found.generate(tmp_path)
    there = {file for file in tmp_path.rglob("*") if file.is_file()}
    for stranger in (".DS_Store", "notes.txt", "train/Thumbs.db"):
        (tmp_path / stranger).parent.mkdir(exist_ok=True)
        (tmp_path / stranger).touch()
    listing = found.listing(tmp_path)
    assert len(listing.files()) >= len(listing.train) + len(listing.test) > 0
    # the generator of scenes writes boxes and lists for localization, which others do not read
    pictures = found.family.name in ("classification", "frozen-features", "self-supervised")
    read = {file for file in there if file.suffix == ".png"} if pictures else there
    assert {*listing.files(), *listing.sources} == read


def _named(root: Path, family: str, **data) -> set[str]:
    listing = task(Benchmark(id="b", family=family, data={"root": "r", **data})).listing(root)
    return {file.relative_to(root).as_posix() for file in listing.sources}


def test_a_missing_source_is_named_too(tmp_path):
    for folder in ("lists", "images", "labels"):
        (tmp_path / folder).mkdir()
    folders = {"images": "images", "labels": "labels"}
    split = {"train": [{**folders, "list": "lists/a.txt"}], "test": {**folders, "list": "lists/b.txt"}}
    assert _named(tmp_path, "segmentation", format="mmseg-folder", classes=["a", "b"], **split) == {"lists/a.txt", "lists/b.txt"}
    splits = {split: {"annotations": f"{split}.json", "images": "."} for split in ("train", "test")}
    assert _named(tmp_path, "object-localization", format="coco", **splits) == {"train.json", "test.json"}
    assert _named(tmp_path, "keypoint", format="coco", keypoints=2) == {"annotations/train.json", "annotations/test.json"}
    assert _named(tmp_path, "camera-localization", format="cambridge") == {"dataset_train.txt", "dataset_test.txt"}


def test_training_and_test_of_a_trial_list_once_and_see_every_edit(tmp_path, monkeypatch):
    found = task(load_catalog().benchmarks["rooms"])
    found.generate(tmp_path)
    options = found.data.model_dump(mode="json", exclude={"root"})
    calls, kind = [], type(found.format)
    real = kind.listing
    monkeypatch.setattr(kind, "listing", lambda *given: calls.append(1) or real(*given))

    def frames() -> int:
        return len(found.family.listing(tmp_path, options)[1].train)

    before = frames()
    assert frames() == before and len(calls) == 1
    (tmp_path / "room-1/TrainSplit.txt").write_text("sequence1\n")
    assert frames() == before - 60 and len(calls) == 2
    for suffix in ("color.png", "pose.txt"):
        (tmp_path / f"room-1/seq-01/frame-000000.{suffix}").unlink()
    assert frames() == before - 61
    (tmp_path / "room-1/seq-01/frame-000001.pose.txt").unlink()
    assert any(problem.fatal for problem in found.family.listing(tmp_path, options)[1].problems)
    assert len(found.family.listing(tmp_path, options | {"skip_lost": True})[1].train) == before - 62


def test_a_split_without_a_sample_is_an_error_whatever_the_reader(tmp_path, monkeypatch):
    from harness.benchmarks.classification.readers import image_list

    for split, lines in (("train", "a 1\nb 2\n"), ("test", "c 1\nd 2\n")):
        (tmp_path / f"{split}.txt").write_text(lines)
    for name in "abcd":
        Image.new("RGB", (9, 9)).save(tmp_path / f"{name}.png")
    data = {"root": "r", "format": "image-list", "images": ".", "classes": ["a", "b"]}
    entry = Benchmark(id="b", family="classification", data=data)
    assert task(entry).listing(tmp_path).problems == []
    sound = image_list.FORMAT
    emptied = replace(sound, read=lambda root, data: replace(sound.read(root, data), test=[]))
    monkeypatch.setattr(image_list, "FORMAT", emptied)
    (problem,) = task(entry).listing(tmp_path).problems
    assert problem.fatal and problem.sentences.startswith("test split: it has no sample.")


def test_a_figure_far_from_its_image_is_left_out_and_told(tmp_path):
    from harness.benchmarks.keypoint.readers.pose import Pose, Poses

    def pose(x: float, box: float = 9.0) -> Pose:
        return Pose(tmp_path / "a.png", (40, 30), (0.0, 0.0, box, 9.0), np.array([[x, 1.0], [1e30, 1.0]]), np.array([2, 0]), 9.0, 1, 1)

    listing = Poses(root=tmp_path, train=[pose(1.0), pose(1e18), pose(-300.0)], test=[pose(1.0), pose(1.0, math.inf), pose(1.0, 1e30)])
    listing._leave_out_far()
    assert (len(listing.train), len(listing.test)) == (2, 1)
    assert [problem.fatal for problem in listing.problems] == [False, False] and "1 training figures lie more" in listing.problems[0].what


def test_families_that_share_a_format_list_a_dataset_once(tmp_path):
    """A run lists by the benchmark's family before it forks, and the dataset class in its trials may be another's."""
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / split / name).mkdir(parents=True)
            Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / split / name / "0.png")
    options = {"format": "image-folder", "classes": 2}
    assert family("frozen-features").listing(tmp_path, options)[1] is family("classification").listing(tmp_path, options)[1]
