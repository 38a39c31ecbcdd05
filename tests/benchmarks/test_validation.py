"""What is held out of training where a dataset brings no validation split."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from formats import image_folder
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.benchmarks import task
from harness.benchmarks.base import Listing, Problem
from harness.benchmarks.classification.readers.labelled import Labelled, Labels
from harness.benchmarks.groups import group_of
from harness.benchmarks.neighbours import parted
from harness.benchmarks.object_localization.readers.picture import Picture, Pictures
from harness.benchmarks.report import describe
from harness.benchmarks.validation import FEWEST, hold_out
from harness.catalog import Benchmark
from harness.errors import UsageError

ROOT = Path("/nowhere")


@dataclass
class Videos(Listing[Path]):
    videos: bool = True

    def files_of(self, sample: Path) -> tuple[Path, ...]:
        return (ROOT / sample,)


def held(listing: Listing) -> Listing:
    listing.root = ROOT
    return listing


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    share=st.floats(0.01, 0.49),
    tested=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_of_each_class_a_share_by_names_alone(counts, share, tested, seed):
    rng = np.random.default_rng(seed)
    train = [Labelled(ROOT / f"{label}/{name:08x}.png", label) for label, n in enumerate(counts) for name in rng.choice(1 << 30, n, False)]
    test = [sample for sample in train[:tested]]
    listing = held(Labels(train=[*train], test=test))
    hold_out(listing, share)
    assert not {*listing.val} & {*test}
    assert [sample for sample in train if sample not in listing.val] == listing.train
    assert len(train) == len(listing.train) + len(listing.val)
    if len(train) < FEWEST:
        assert listing.val == []
        return
    for label, count in enumerate(counts):
        free = sum(sample.label == label and sample not in test for sample in train)
        found = Counter(sample.label for sample in listing.val)[label]
        assert found == min(free, int(share * count + 0.5)) or abs(found - share * count) <= 0.5 + 1e-9
        assert count - found >= 1
    other = held(Labels(train=[train[place] for place in rng.permutation(len(train))], test=test))
    hold_out(other, share)
    assert {*other.val} == {*listing.val}
    # a class more moves nothing of the others
    third = held(Labels(train=[*train, *(Labelled(ROOT / f"9/{n}.png", 9) for n in range(30))], test=test))
    hold_out(third, share)
    assert {sample for sample in third.val if sample.label < 9} == {*listing.val}


def test_of_videos_whole_sequences_or_else_the_last_block():
    frames = [Path(f"seq{video}/{frame}.png") for video in range(10) for frame in range(12)]
    listing = held(Videos(train=[*frames]))
    hold_out(listing, 0.2)
    sequences = {frame.parent for frame in listing.val}
    assert len(sequences) == 2 and listing.val == [frame for frame in frames if frame.parent in sequences]

    frames = [Path(f"one/{frame}.png") for frame in (*range(0, 120, 2), *range(1, 120, 2))]
    listing = held(Videos(train=[*frames]))
    hold_out(listing, 0.2)
    assert sorted(int(frame.stem) for frame in listing.val) == [*range(96, 120)]


def test_copies_of_a_picture_are_not_parted(tmp_path):
    train = []
    for number in range(60):
        file = tmp_path / f"{number}.png"
        file.write_bytes(bytes([number // 2]) * 100)  # two of each
        train.append(Labelled(file, 0))
    listing = Labels(train=[*train], root=tmp_path)
    hold_out(listing, 0.4)
    contents = [{sample.file.read_bytes() for sample in some} for some in (listing.train, listing.val)]
    assert listing.val and not contents[0] & contents[1]


@pytest.mark.parametrize(
    ("name", "pattern", "group"),
    [
        ("a/IMG_1_jpg.rf.0b1f2a3c4d5e6f70.jpg", None, "a/IMG_1_jpg"),
        ("a/IMG_1.rf.jpg", None, None),
        ("P0001__1__64___0.png", None, "P0001"),
        ("P0001__0.5__64___0.png", None, "P0001"),
        ("my__1__2.png", None, None),
        ("drive3_frame_07.png", None, None),
        ("x/drive3_frame_07.png", r"(drive\d+)_", "drive3"),
        ("x/other.png", r"(drive\d+)_", None),
        ("P0001__1__64___0.png", r"(drive\d+)_", "P0001"),
    ],
)
def test_names_say_what_belongs_together(name, pattern, group):
    assert group_of(name, pattern) == group


@pytest.mark.parametrize(("name", "pattern"), [("{0}_jpg.rf.{1:012x}.jpg", None), ("{0}_{1}.png", r"(\d+)_")])
def test_versions_of_a_picture_are_not_parted(name, pattern):
    train = [Labelled(ROOT / name.format(number // 3, number), 0) for number in range(90)]
    listing = held(Labels(train=[*train]))
    hold_out(listing, 0.2, pattern)
    pictures = [{sample.file.name.partition("_")[0] for sample in some} for some in (listing.train, listing.val)]
    assert len(listing.val) == 18 and not pictures[0] & pictures[1]


@pytest.mark.parametrize(("pattern", "says"), [("drive", "has no group"), ("(drive", "is no regular expression")])
def test_a_pattern_that_says_nothing_is_refused(pattern, says):
    with pytest.raises(UsageError, match=f"data.together.*{says}"):
        task(Benchmark(id="b", family="classification", data={"format": "image-folder", "root": "r", "classes": 2, "together": pattern}))


@pytest.mark.parametrize(("video", "every", "told"), [(True, 2, 45), (True, 30, 0), (False, 2, 0)], ids=["parted", "last", "photos"])
def test_neighbours_that_are_parted_are_told_where_they_look_alike(video, every, told):
    """Every second frame of a video, its last block, and photographs."""
    rng = np.random.default_rng(0)
    frames = np.cumsum(rng.normal(0, 4, (90, 16, 16)), axis=0) if video else rng.normal(0, 60, (90, 16, 16))
    thumbs = {ROOT / f"{place}.png": np.clip(128 + frame, 0, 255).astype(np.uint8) for place, frame in enumerate(frames)}
    files = [*thumbs]
    others = files[1::2] if every == 2 else files[-every:]
    assert parted([file for file in files if file not in others], others, thumbs) == told


def test_where_few_can_be_scored_most_of_them_stay():
    boxed = [Picture(f"{number}.png", (number % 2,), ((0, 0, 9, 9),)) for number in range(20)]
    others = [Picture(f"{number}.png", (number % 2,)) for number in range(20, 400)]
    listing = held(Pictures(train=[*boxed, *others]))
    hold_out(listing, 0.2)
    assert len(listing.val) == 4 and {*listing.val} < {*boxed}
    assert len(listing.calibrating(100)) == 16


def test_one_of_its_own_is_left_alone():
    train = [Labelled(ROOT / f"{number}.png", 0) for number in range(50)]
    own = [replace(train[0], file=ROOT / "own.png")]
    listing = held(Labels(train=[*train], val=own))
    hold_out(listing, 0.3)
    assert (listing.train, listing.val) == (train, own)
    listing = held(Labels(train=[*train]))
    hold_out(listing, 0)
    assert listing.val == []


@pytest.mark.parametrize(
    ("said", "copied", "told"),
    [
        ("val", "test/a/0.png", r"1 test images are validation images, too"),
        ("val", "train/a/0.png", r"1 validation images are training images, too"),
        ("test", "", r"validation and test are the same folder"),
        ("val", "", ""),
        ("empty", "", r"validation split: it has no sample"),
        ("other", "", r"other/a: no validation image shows the class"),
    ],
)
def test_what_stands_in_two_splits_is_refused(tmp_path, said, copied, told):
    content = image_folder(tmp_path)
    for number, name in enumerate("ab"):
        (tmp_path / "val" / name).mkdir(parents=True)
        (tmp_path / "val" / name / "x.png").write_bytes((tmp_path / f"train/{name}/{number}.png").read_bytes() + b" ")
    (tmp_path / "empty").mkdir()
    for name in "AB":
        (tmp_path / "other" / name).mkdir(parents=True)
        (tmp_path / "other" / name / "x.png").write_bytes((tmp_path / "train/a/0.png").read_bytes() + b"  ")
    if copied:
        (tmp_path / "val/a/copy.png").write_bytes((tmp_path / copied).read_bytes())
    found = task(Benchmark(id="b", family="classification", data={**content["data"], "root": "r", "val": said}))
    fatal = [problem.sentences for problem in found.check(tmp_path) if problem.fatal]
    assert any(told in sentence for sentence in fatal) if told else not fatal


def test_what_has_no_validation_split_says_so(tmp_path):
    content = image_folder(tmp_path)
    for share, reason in ((0.15, "fewer than 20"), (0, "has none")):
        found = task(Benchmark(id="b", family="classification", data={**content["data"], "root": "r", "val_share": share}))
        told = describe(found, found.listing(tmp_path), [])
        assert told[0] == "5 training, 0 validation and 4 test samples, 2 classes"
        assert told[1].startswith("no validation split: ") and reason in told[1]
        fatal = Problem("train", "is empty", "Fill it", fatal=True)
        assert not any(line.startswith("no validation split") for line in describe(found, found.listing(tmp_path), [fatal]))


@pytest.mark.parametrize(
    ("pattern", "fatal", "told"),
    [
        (r"(ride\d)_", False, None),
        (r"^(ride\d)_", True, "fits none of 36 images, e.g. 'test/a/other0_0.png'. It is searched in paths from the dataset's folder on"),
        (r"(Ride\d)_", True, "fits none of 36 images"),
        (r"(train|test)/", False, None),
        (r"(\.png)", True, "all 36 images hang together, as '.png'"),
        (r"(ride[012])_", False, "fits 12 of 24 images, and not 'train/a/ride3_0.png'"),
        (r"(_\d)\.", False, "2 of 2 groups are in training and test, e.g. '_0' with 'train/a/ride0_0.png' and 'test/a/other0_0.png'"),
    ],
)
def test_a_pattern_that_fits_too_little_or_too_much_is_told(tmp_path, pattern, fatal, told):
    for name in "ab":
        for split, stem, count in (("train", "ride", 6), ("test", "other", 3)):
            (tmp_path / split / name).mkdir(parents=True)
            for number in range(2 * count):
                file = tmp_path / split / name / f"{stem}{number // 2}_{number % 2}.png"
                Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(file)
    data = {"format": "image-folder", "root": "r", "classes": 2, "together": pattern}
    listing = task(Benchmark(id="b", family="classification", data=data)).listing(tmp_path)
    found = [problem for problem in listing.problems if problem.where == "data.together"]
    assert [problem.fatal for problem in found] == [fatal] * bool(told)
    assert all(told in problem.sentences for problem in found)


def test_groups_that_are_too_large_are_a_reason_to_hold_out_none():
    train = [Labelled(ROOT / f"ride{number // 10}_{number}.png", 0) for number in range(30)]
    listing = held(Labels(train=[*train]))
    hold_out(listing, 0.15, r"(ride\d)_")
    assert listing.val == []
    found = task(Benchmark(id="b", family="classification", data={"format": "image-folder", "root": "r", "classes": 2}))
    assert "in groups that are too large for data.val_share (15%)" in describe(found, listing, [])[1]
