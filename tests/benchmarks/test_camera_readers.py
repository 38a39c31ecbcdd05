"""Camera-localization readers: every trap of every format, on files made here."""

from __future__ import annotations

import json
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from harness.benchmarks import Task, task
from harness.benchmarks.camera_localization import scores
from harness.catalog import Benchmark
from harness.errors import DataError

FRAMES = 6
CENTRES = np.random.default_rng(0).normal(size=(FRAMES, 3)) * 2
CAMERA_TO_WORLD = Rotation.random(FRAMES, rng=np.random.default_rng(1))
"""The truth behind every file: camera centres and camera-to-world rotations, OpenCV axes."""


def bench(format: str, **data) -> Task:
    return task(Benchmark(id="b", family="camera-localization", data={"format": format, "root": "r", **data}))


def frames(root: Path, split: str, format: str, **data) -> list:
    return bench(format, **data).listing(root).split(split)


def check(root: Path, format: str, **data) -> list[str]:
    return [f"{problem.where}: {problem.what}" for problem in bench(format, **data).check(root)]


def image(file: Path, size: tuple[int, int] = (40, 30)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    seed = zlib.crc32(str(file).encode())  # no two pictures alike
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)).save(file)


def pose(n: int) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = CAMERA_TO_WORLD[n].as_matrix(), CENTRES[n]
    return matrix


def assert_truth(frames, order: list[int]) -> None:
    assert len(frames) == len(order)
    for frame, n in zip(frames, order, strict=True):
        assert np.abs(frame.position - CENTRES[n]).max() < 1e-6
        true = CAMERA_TO_WORLD[n].as_quat(scalar_first=True)
        assert scores.orientation_errors(frame.quaternion[None], true[None])[0] < 0.05
        assert np.linalg.norm(frame.quaternion) == pytest.approx(1)


# --- 7-Scenes


def seven_scenes(root: Path, suffix: str = "png") -> Path:
    for n in range(FRAMES):
        stem = root / f"seq-{1 + n // 2:02d}" / f"frame-{n:06d}"
        image(stem.with_name(f"{stem.name}.color.{suffix}"))
        image(stem.with_name(f"{stem.name}.depth.png"))
        np.savetxt(f"{stem}.pose.txt", pose(n), fmt="%.9e")
    (root / "TrainSplit.txt").write_text("sequence1\nsequence3\n")
    (root / "TestSplit.txt").write_text("sequence2\n")
    return root


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_seven_scenes(tmp_path, suffix):
    seven_scenes(tmp_path, suffix)
    assert_truth(frames(tmp_path, "train", "7scenes"), [0, 1, 4, 5])
    assert_truth(frames(tmp_path, "test", "7scenes"), [2, 3])
    assert check(tmp_path, "7scenes") == []


def test_several_scenes_keep_their_order_and_indices(tmp_path):
    for name in ("stairs", "chess"):
        seven_scenes(tmp_path / name)
    found = frames(tmp_path, "test", "7scenes", scenes=["stairs", "chess"])
    assert [(frame.scene, frame.image.split("/")[0]) for frame in found] == [(0, "stairs")] * 2 + [(1, "chess")] * 2


def test_rotations_off_by_rounding_are_made_orthonormal(tmp_path):
    seven_scenes(tmp_path)
    matrix = pose(0)
    matrix[:3, :3] += np.random.default_rng(2).uniform(-4e-4, 4e-4, (3, 3))
    np.savetxt(tmp_path / "seq-01/frame-000000.pose.txt", matrix)
    assert_truth(frames(tmp_path, "train", "7scenes"), [0, 1, 4, 5])


def _spoil_pose(content: str):
    return lambda root: (root / "seq-01/frame-000000.pose.txt").write_text(content)


def _matrix(change) -> str:
    matrix = pose(0)
    change(matrix)
    return "\n".join(" ".join(map(str, row)) for row in matrix)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda root: (root / "seq-01/frame-000000.color.png").unlink(), "a pose but no image"),
        (lambda root: (root / "seq-01/frame-000000.pose.txt").unlink(), "an image but no pose"),
        (_spoil_pose(_matrix(lambda m: m.__setitem__((0, 3), np.nan))), "NaN"),
        (_spoil_pose(_matrix(lambda m: m.__setitem__((0, 3), 1e308))), "1e+308 m from the origin"),
        (_spoil_pose(_matrix(lambda m: m.__imul__(2))), "last row"),
        (_spoil_pose(_matrix(lambda m: m[:3, :3].__imul__(1.1))), "off a rotation"),
        (_spoil_pose(_matrix(lambda m: m[:3, 0].__imul__(-1))), "reflection"),
        (_spoil_pose("1 0 0 0\n0 1 0 0"), "shape"),
        (_spoil_pose("1 0 0 0\n0 1 0"), "not a matrix of numbers"),
        (_spoil_pose("\x00\x01"), "not a matrix of numbers"),
        (_spoil_pose(""), "shape"),
        (lambda root: (root / "seq-01/frame-000000.color.png").write_bytes(b"no image"), "the file is no image"),
        (lambda root: _truncate(root / "seq-01/frame-000000.color.png"), "cannot be read (image file is truncated"),
        (lambda root: image(root / "seq-01/frame-000000.color.png", (3, 3)), "only 3x3"),
        (lambda root: (root / "TrainSplit.txt").unlink(), "cannot be read"),
        (lambda root: (root / "TrainSplit.txt").write_text("sequence9"), "folder is missing"),
        (lambda root: (root / "TrainSplit.txt").write_text("garbage"), "names no sequence"),
        (lambda root: (root / "TrainSplit.txt").write_text(""), "no train frames"),
        (lambda root: (root / "TestSplit.txt").write_text("sequence1"), "for training and for testing"),
        (lambda root: (root / "seq-04").mkdir() or (root / "TrainSplit.txt").write_text("sequence4"), "holds no frames"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, spoil, says):
    spoil(seven_scenes(tmp_path))
    problems = check(tmp_path, "7scenes")
    assert any(says in problem for problem in problems), problems


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


def test_all_problems_are_listed_and_loading_names_the_first(tmp_path):
    seven_scenes(tmp_path)
    for n in (0, 1, 4):
        next(tmp_path.glob(f"*/frame-{n:06d}.pose.txt")).write_text("nan")
    assert len(check(tmp_path, "7scenes")) == 3
    with pytest.raises(DataError, match=r"frame-000000.*2 more"):
        frames(tmp_path, "train", "7scenes")


def test_counts_of_the_protocol(tmp_path):
    seven_scenes(tmp_path / "chess")
    assert check(tmp_path, "7scenes", scenes=["chess"], counts={"chess": [4, 2]}) == []
    problems = check(tmp_path, "7scenes", scenes=["chess"], counts={"chess": [4000, 2]})
    assert problems == ["chess: 4 usable train frames, the protocol has 4000"]


def test_a_missing_scene(tmp_path):
    assert "the scene's folder is missing" in check(tmp_path, "7scenes", scenes=["fire"])[0]


# --- Cambridge Landmarks


def cambridge(root: Path) -> Path:
    for split, frames in (("train", [0, 1, 2, 3]), ("test", [4, 5])):
        lines = ["Visual Landmark Dataset V1", "ImageFile, Camera Position [X Y Z W P Q R]", ""]
        for n in frames:
            image(root / f"seq{n}" / "frame00001.png")
            numbers = [*CENTRES[n], *CAMERA_TO_WORLD[n].inv().as_quat(scalar_first=True)]
            lines.append(f"seq{n}/frame00001.png " + " ".join(f"{number:.9f}" for number in numbers))
        (root / f"dataset_{split}.txt").write_text("\n".join(lines) + "\n")
    return root


def test_cambridge(tmp_path):
    cambridge(tmp_path / "ShopFacade")
    assert_truth(frames(tmp_path, "train", "cambridge", scenes=["ShopFacade"]), [0, 1, 2, 3])
    assert_truth(frames(tmp_path, "test", "cambridge", scenes=["ShopFacade"]), [4, 5])
    assert bench("cambridge").data.pairs[0] == (1.0, 5.0)
    assert check(tmp_path, "cambridge", scenes=["ShopFacade"]) == []


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda lines: lines.__delitem__(slice(0, 3)), "header lines are missing"),
        (lambda lines: lines.__setitem__(3, lines[3].rsplit(" ", 1)[0]), "image x y z w p q r"),
        (lambda lines: lines.__setitem__(3, "seq0/frame00001.png 1 2 3 2 0 0 0"), "length 2"),
        (lambda lines: lines.__setitem__(3, "seq0/frame00001.png 1 nan 3 1 0 0 0"), "NaN"),
        (lambda lines: lines.__setitem__(3, "seq0/frame00001.png 1 2e7 3 1 0 0 0"), "2e+07 m from the origin"),
        (lambda lines: lines.append(lines[3]), "listed twice for train"),
        (lambda lines: lines.__setitem__(3, "nowhere.png 1 2 3 1 0 0 0"), "nowhere.png is missing"),
    ],
)
def test_wrong_lines_of_cambridge(tmp_path, spoil, says):
    file = cambridge(tmp_path) / "dataset_train.txt"
    lines = file.read_text().splitlines()
    spoil(lines)
    file.write_text("\n".join(lines))
    assert any(says in problem for problem in check(tmp_path, "cambridge"))


# --- transforms.json


def transforms(root: Path, name: str = "transforms.json", frames: range = range(FRAMES), suffix: str = ".png", **more) -> Path:
    entries = []
    for n in frames:
        image(root / "images" / f"{n:03d}.png")
        opengl = pose(n) @ np.diag([1, -1, -1, 1])
        entries.append({"file_path": f"./images/{n:03d}{suffix}", "transform_matrix": opengl.tolist()})
    (root / name).write_text(json.dumps({"camera_angle_x": 0.7, "frames": entries, **more}))
    return root


@pytest.mark.parametrize("suffix", [".png", ""])
def test_transforms_json(tmp_path, suffix):
    transforms(tmp_path, suffix=suffix)
    assert_truth(frames(tmp_path, "train", "transforms", test_share=0.3), [0, 1, 2, 3])
    assert_truth(frames(tmp_path, "test", "transforms", test_share=0.3), [4, 5])
    assert check(tmp_path, "transforms") == []


def test_transforms_of_two_files_and_of_listed_names(tmp_path):
    transforms(tmp_path / "two", "transforms_train.json", range(4))
    transforms(tmp_path / "two", "transforms_test.json", range(4, 6))
    assert_truth(frames(tmp_path / "two", "test", "transforms"), [4, 5])
    names = {"train_filenames": [f"images/{n:03d}.png" for n in (0, 2, 4)], "test_filenames": ["./images/001.png"]}
    transforms(tmp_path / "named", **names)
    assert_truth(frames(tmp_path / "named", "train", "transforms"), [0, 2, 4])
    assert_truth(frames(tmp_path / "named", "test", "transforms"), [1])


def test_listed_names_without_a_frame_are_told(tmp_path):
    transforms(tmp_path, train_filenames=["images/000.png"], test_filenames=["images/001.png", "images/017.png", "images/018.png"])
    (problem,) = [one for one in bench("transforms").listing(tmp_path).problems if "names in" in one.what]
    assert "2 of the 3 names in test_filenames" in problem.what and "017" in problem.what and not problem.fatal
    transforms(tmp_path, train_filenames=["images/000.png"], test_filenames=["images/017.png"])
    assert any("1 of the 1 names" in message for message in check(tmp_path, "transforms"))


def test_a_validation_split_without_frames_is_refused(tmp_path):
    """Rather than held out of training, as where there is none."""
    for split, some in (("train", range(4)), ("test", range(4, 6)), ("val", range(0))):
        transforms(tmp_path / "files", f"transforms_{split}.json", some)
    assert any("transforms_val.json: its list `frames` is empty" in message for message in check(tmp_path / "files", "transforms"))
    names = {"train_filenames": ["images/000.png"], "test_filenames": ["images/001.png"], "val_filenames": []}
    transforms(tmp_path / "named", **names)
    assert any("its list val_filenames is empty" in message for message in check(tmp_path / "named", "transforms"))


@pytest.mark.parametrize("lists", [("train", "val"), ("val", "test"), ("val",), ("test",)])
def test_lists_without_training_or_test_are_refused(tmp_path, lists):
    transforms(tmp_path, **{f"{split}_filenames": [f"images/{n:03d}.png"] for n, split in enumerate(lists)})
    lacking = next(split for split in ("train", "test") if split not in lists)
    (problem,) = [one for one in bench("transforms").listing(tmp_path).problems if one.fatal][:1]
    assert f"no {lacking}_filenames" in problem.what


def test_an_image_that_only_the_end_of_its_path_finds_is_told(tmp_path):
    transforms(tmp_path)
    (tmp_path / "images/002.png").rename(tmp_path / "002.png")
    (problem,) = bench("transforms").listing(tmp_path).problems
    assert "images/002.png as 002.png" in problem.what and not problem.fatal


def test_entries_without_image_are_dropped_and_reported(tmp_path):
    transforms(tmp_path)
    (tmp_path / "images/002.png").unlink()
    listing = bench("transforms").listing(tmp_path)
    assert_truth(listing.split("train"), [0, 1, 3, 4])
    assert [(p.where, p.fatal) for p in listing.problems] == [("transforms.json:frames[2]", False)]
    assert len(check(tmp_path, "transforms")) == 1


def test_no_entry_with_an_image_is_no_dataset(tmp_path):
    transforms(tmp_path)
    for file in (tmp_path / "images").iterdir():
        file.unlink()
    assert {"transforms.json:frames[0]: the image images/000.png is missing; the entry is left out", ".: no train frames"} <= set(
        check(tmp_path, "transforms")
    )
    with pytest.raises(DataError, match="no train frames"):
        frames(tmp_path, "train", "transforms")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not JSON"),
        ("[1]", "no list `frames`"),
        ('{"frames": [{}]}', "no file_path"),
        ('{"frames": [{"file_path": "images/000.png", "transform_matrix": [["a"]]}]}', "4x4"),
        ('{"frames": [{"file_path": "images/000.png", "transform_matrix": [[2,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]}]}', "off a rotation"),
    ],
)
def test_wrong_transforms(tmp_path, content, says):
    transforms(tmp_path)
    (tmp_path / "transforms.json").write_text(content)
    assert any(says in problem for problem in check(tmp_path, "transforms"))


# --- COLMAP


def colmap(root: Path) -> Path:
    lines = ["# Image list with two lines of data per image:", "#   IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME"]
    for n in range(FRAMES):
        name = f"view {n}.jpg"  # names may hold spaces
        image(root / "images" / name)
        inverse = CAMERA_TO_WORLD[n].inv()
        numbers = [*inverse.as_quat(scalar_first=True), *-inverse.apply(CENTRES[n])]
        lines += [f"{n + 1} " + " ".join(f"{v:.12f}" for v in numbers) + f" 1 {name}", "" if n % 2 else "10.0 20.0 -1 30.0 40.0 5"]
    (root / "sparse/0").mkdir(parents=True)
    (root / "sparse/0/images.txt").write_text("\n".join(lines) + "\n")
    return root


def test_colmap(tmp_path):
    colmap(tmp_path)
    assert_truth(frames(tmp_path, "train", "colmap", test_share=0.3), [0, 1, 2, 3])
    assert_truth(frames(tmp_path, "test", "colmap", test_share=0.3), [4, 5])
    assert check(tmp_path, "colmap") == []
    (tmp_path / "images/view 1.jpg").unlink()
    assert check(tmp_path, "colmap") == ["sparse/0/images.txt:5: the image images/view 1.jpg is missing; the entry is left out"]


@pytest.mark.parametrize("write", [cambridge, transforms, colmap], ids=lambda write: write.__name__)
def test_images_may_be_spelled_otherwise_than_their_poses_say(tmp_path, write):
    write(tmp_path)
    options = {} if write is cambridge else {"test": "held.txt"}
    names = [frame.image for frame in bench(write.__name__).listing(tmp_path).train]
    (tmp_path / "held.txt").write_text("".join(f"{name}\n" for name in names[1:3]))
    for file in [*tmp_path.rglob("*.png"), *tmp_path.rglob("*.jpg")]:
        file.rename(file.with_suffix(file.suffix.upper()))
    assert check(tmp_path, write.__name__, **options) == []
    listing = bench(write.__name__, **options).listing(tmp_path)
    assert len(listing.train) == 4 and len(listing.test) == 2
    assert all(file.is_file() for file in listing.files())
    found = {frame.image for frame in listing.test}
    if options:
        assert found == {str(PurePosixPath(name).with_suffix(PurePosixPath(name).suffix.upper())) for name in names[1:3]}


@pytest.mark.parametrize("write", [cambridge, transforms, colmap], ids=lambda write: write.__name__)
def test_an_image_of_another_kind_is_named_where_one_is_missing(tmp_path, write):
    write(tmp_path)
    file = tmp_path / bench(write.__name__).listing(tmp_path).train[0].image
    file.rename(file.with_suffix(".tif"))
    assert any(f"is missing, while {file.stem}.tif lies there" in problem for problem in check(tmp_path, write.__name__))


def test_colmap_models_in_binary_are_named(tmp_path):
    (tmp_path / "images.bin").write_bytes(b"\x00")
    assert "images.bin: there is no text model" in check(tmp_path, "colmap")
