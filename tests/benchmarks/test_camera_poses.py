"""Camera poses as people bring them: every frame in its place and unit, or a sentence that names cause and mend."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from harness.benchmarks import Task, task
from harness.benchmarks.camera_localization.readers.frame import natural, number
from harness.catalog import Benchmark
from harness.errors import DataError, UsageError

FRAMES = 12


def bench(format: str, primary: str | None = None, **data) -> Task:
    return task(Benchmark(id="b", family="camera-localization", primary=primary, data={"format": format, "root": "r", **data}))


def check(found: Task, root: Path, *, fatal: bool | None = None) -> list[str]:
    return [problem.sentences for problem in found.check(root) if fatal in (None, problem.fatal)]


def said(sentences: list[str], *words: str) -> bool:
    return any(all(word in sentence for word in words) for sentence in sentences)


def names(found: Task, root: Path) -> list[list[str]]:
    listing = found.listing(root)
    return [[Path(frame.image).name for frame in listing.split(split)] for split in ("train", "test")]


def pose(n: int) -> np.ndarray:
    """Camera to world, OpenCV axes: a path that turns about the vertical."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("YX", [0.1 * n, 0.02 * n]).as_matrix()
    matrix[:3, 3] = 0.1 * n, 0.01 * n, 0.05 * n
    return matrix


def image(file: Path, n: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(n).integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(file)


def positions(found: Task, root: Path) -> np.ndarray:
    listing = found.listing(root)
    return np.array([frame.position for frame in (*listing.split("train"), *listing.split("test"))])


PATH = np.array([pose(n)[:3, 3] for n in range(FRAMES)])


def test_people_count_2_before_10():
    assert sorted(["10.png", "2.png", "a/1", "02.png", "b", "1.png"], key=natural) == ["1.png", "02.png", "2.png", "10.png", "a/1", "b"]


LOST_NUMBERS = {"-1.#IND00": np.nan, "1.#QNAN": np.nan, "-1.#INF": np.inf, "1.5e-3": 0.0015, "-inf": -np.inf}


@pytest.mark.parametrize(("text", "value"), LOST_NUMBERS.items())
def test_numbers_that_are_none(text, value):
    assert np.array_equal(number(text), value, equal_nan=True)
    with pytest.raises(ValueError, match="could not convert"):
        number("1.#x y")


# --- COLMAP


def line(pose: np.ndarray, number: int, name: str, *, scalar_last: bool = False) -> str:
    world_to_camera = Rotation.from_matrix(pose[:3, :3]).inv()
    quaternion = world_to_camera.as_quat(scalar_first=not scalar_last)
    return " ".join(map(str, [number, *quaternion, *-world_to_camera.apply(pose[:3, 3]), 1, name]))


def colmap(root: Path, points=lambda n: "", name: str = "{:03d}.png", pose=pose, **how) -> Path:
    lines = ["# Image list with two lines of data per image:"]
    for n in range(FRAMES):
        image(root / "images" / name.format(n), n)
        lines += [line(pose(n), n + 1, name.format(n), **how)] + ([] if (more := points(n)) is None else [more])
    root.joinpath("images.txt").write_text("\n".join(lines) + "\n")
    return root


POINTS = {
    "empty lines": lambda n: "",
    "none at all": lambda n: None,
    "some without": lambda n: "12.5 7.25 -1 30.5 20.0 17" if n % 3 else None,
    "some empty": lambda n: "12.5 7.25 -1 30.5 20.0 17" if n % 3 else "",
    "whole numbers, as many as an image has": lambda n: "12 7 -1 30 20 17 12 7 -1 30 20 17",
}


@pytest.mark.parametrize("name", ["{:03d}.png", "view {}.png", "left 1/2 {}.png"])
@pytest.mark.parametrize("case", POINTS)
def test_every_frame_of_colmap_is_read_with_or_without_points(tmp_path, case, name):
    colmap(tmp_path, POINTS[case], name)
    found = bench("colmap")
    assert [len(part) for part in names(found, tmp_path)] == [10, 2]
    assert np.abs(positions(found, tmp_path) - PATH).max() < 1e-9
    assert check(found, tmp_path) == []


def test_lines_that_are_neither_image_nor_points(tmp_path):
    text = colmap(tmp_path).joinpath("images.txt").read_text().splitlines()
    for wrong in ("3 0.5 0.5 0.5 0.5 1 2 3 1", "12.5 7.25", "1 2 3 4 x.png"):
        (tmp_path / "images.txt").write_text("\n".join([*text, "", wrong]))
        assert said(check(bench("colmap"), tmp_path, fatal=True), f"images.txt:{len(text) + 2}", "the line is not `ID QW")
    (tmp_path / "images.txt").write_text("\n".join(["12.5 7.25 -1", *text]))
    assert said(check(bench("colmap"), tmp_path, fatal=True), "images.txt:1", "no image stands before it")


def _beside(n: int) -> np.ndarray:
    """A camera that looks about beside the origin."""
    matrix = pose(n)
    matrix[:3, :3] = Rotation.from_euler("YXZ", [np.sin(0.6 * n), 1 + 0.3 * np.sin(n), 0.1]).as_matrix()
    matrix[:3, 3] += (1, 2, 3)
    return matrix


def _level(n: int) -> np.ndarray:
    """A camera that turns about the vertical alone."""
    matrix = pose(n)
    matrix[:3, :3] = Rotation.from_euler("Y", 0.1 * n).as_matrix()
    return matrix


@pytest.mark.parametrize("path", [_beside, _level])
def test_scalar_last_quaternions_are_warned_of(tmp_path, path):
    assert said(check(bench("colmap"), colmap(tmp_path / "a", pose=path, scalar_last=True), fatal=False), "scalar-last", "QW QX QY QZ")
    assert check(bench("colmap"), colmap(tmp_path / "b", pose=path)) == []


def test_frames_are_held_out_as_people_count(tmp_path):
    train, test = names(bench("colmap", test_share=0.25), colmap(tmp_path, name="{}.png"))
    assert (train, test) == ([f"{n}.png" for n in range(9)], [f"{n}.png" for n in range(9, 12)])


@pytest.mark.parametrize("entry", ["{}.png", "images/{}.png", "{}", "/home/me/images/{}.png", "{}.png 0.1 0.2"])
@pytest.mark.parametrize(("file", "option"), [("test.txt", {}), ("list_test.txt", {}), ("my.txt", {"test": "my.txt"})])
def test_a_list_says_which_frames_are_for_testing(tmp_path, entry, file, option):
    colmap(tmp_path, name="{}.png")
    (tmp_path / file).write_text("# query\n" + "\n\n".join(entry.format(n) for n in (3, 10)), encoding="utf-8-sig")
    train, test = names(bench("colmap", **option), tmp_path)
    assert test == ["3.png", "10.png"] and len(train) == 10
    assert tmp_path / file in bench("colmap", **option).listing(tmp_path).sources


@pytest.mark.parametrize("folder", ["sparse/0", "sparse"])
def test_a_list_beside_the_model_says_which_frames_are_for_testing(tmp_path, folder):
    colmap(tmp_path)
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "images.txt").rename(tmp_path / folder / "images.txt")
    (tmp_path / folder / "test.txt").write_text("003.png\n010.png\n")
    assert names(bench("colmap"), tmp_path)[1] == ["003.png", "010.png"]
    assert tmp_path / folder / "test.txt" in bench("colmap").listing(tmp_path).sources
    (tmp_path / "test.txt").write_text("004.png\n")
    assert names(bench("colmap"), tmp_path)[1] == ["004.png"]
    assert said(check(bench("colmap"), tmp_path, fatal=False), f"{folder}/test.txt", "something else than test.txt, which is read")


def test_a_list_of_another_model_is_not_read(tmp_path):
    colmap(tmp_path)
    (tmp_path / "sparse/0").mkdir(parents=True)
    (tmp_path / "sparse/0/test.txt").write_text("003.png\n")
    assert names(bench("colmap"), tmp_path)[1] == ["010.png", "011.png"]


def _sequences(root: Path, folders: dict[str, np.ndarray], lacking: tuple[str, ...] = ()) -> Path:
    """A camera's path in each folder, moved by what stands there as the camera sees it."""
    lines = []
    for folder, beside in folders.items():
        for n in range(FRAMES):
            matrix = pose(n)
            matrix[:3, 3] += matrix[:3, :3] @ beside[n % len(beside)]
            if (name := f"{folder}{n}.png") not in lacking:
                image(root / "images" / name, len(lines))
                lines.append(line(matrix, len(lines) + 1, name))
    root.joinpath("images.txt").write_text("\n\n".join(lines) + "\n")
    return root


RIGID = {"left": np.zeros((1, 3)), "right": np.array([[0.02, 0, 0]])}
ELSEWHERE = np.random.default_rng(0).normal(size=(FRAMES, 3))


@pytest.mark.parametrize(
    ("folders", "lacking", "held"),
    [
        ({"left/": RIGID["left"], "right/": RIGID["right"]}, (), ["left/10", "left/11", "right/10", "right/11"]),
        ({"left/": RIGID["left"], "right/": RIGID["right"]}, ("left/10.png",), ["left/11", "right/10", "right/11"]),
        ({"left_": RIGID["left"], "right_": RIGID["right"]}, (), ["left_10", "left_11", "right_10", "right_11"]),
        ({"seq1/": RIGID["left"], "seq2/": ELSEWHERE}, (), [f"seq2/{n}" for n in (7, 8, 9, 10, 11)]),
        ({"left/a": RIGID["left"], "right/b": ELSEWHERE}, (), [f"right/b{n}" for n in (7, 8, 9, 10, 11)]),
    ],
)
def test_cameras_of_a_rig_are_held_out_together(tmp_path, folders, lacking, held):
    found = bench("colmap").listing(_sequences(tmp_path, folders, lacking))
    assert bool(found.val) == (len(found.train) + len(found.val) >= 20)
    assert [frame.image for frame in found.test] == [f"images/{name}.png" for name in held]
    train, val, test = ({frame.moment or frame.image for frame in part} for part in (found.train, found.val, found.test))
    assert not (train & test or val & test or train & val)


def test_a_list_that_parts_a_rig_is_told(tmp_path):
    _sequences(tmp_path, {f"{name}/": beside for name, beside in RIGID.items()})
    (tmp_path / "test.txt").write_text("right/10.png\nright/11.png\nleft/11.png\n")
    words = "1 of 3 test frames were taken together with a training frame by a rig, e.g. images/right/10.png and images/left/10.png"
    assert said(check(bench("colmap"), tmp_path, fatal=False), "test.txt", words)


def test_a_list_whose_names_are_no_frames(tmp_path):
    colmap(tmp_path)
    (tmp_path / "test.txt").write_text("003.png\n900.png\n901.png\n")
    assert names(bench("colmap"), tmp_path)[1] == ["003.png"]
    assert said(check(bench("colmap"), tmp_path, fatal=False), "test.txt", "2 of the names it lists have no pose", "'900.png'")
    (tmp_path / "test.txt").write_text("900.png\n")
    assert said(check(bench("colmap"), tmp_path, fatal=True), "test.txt", "1 of the names it lists have no pose")
    assert said(check(bench("colmap", test="gone.txt"), tmp_path, fatal=True), "gone.txt", "cannot read the list")


def test_images_without_pose_and_other_models_are_told(tmp_path):
    colmap(tmp_path)
    for n in (90, 91):
        image(tmp_path / f"images/{n}.png", n)
    image(tmp_path / "images/.thumbs/000.png", 92)
    for model in ("0", "1"):
        (tmp_path / "sparse" / model).mkdir(parents=True)
        (tmp_path / "sparse" / model / "images.txt").write_text((tmp_path / "images.txt").read_text())
    (tmp_path / "images.txt").unlink()
    assert [len(part) for part in names(bench("colmap"), tmp_path)] == [10, 2]
    told = check(bench("colmap"), tmp_path)
    assert len(told) == 2 and said(told, "2 of 14 images have no pose", "images/90.png")
    assert said(told, "sparse/0/images.txt", "not read, e.g. sparse/1/images.txt")


@pytest.mark.parametrize(
    ("images", "newer", "moved", "told"),
    [
        (FRAMES, 60, 0.0, ""),
        (FRAMES, -60, 0.5, ""),
        (FRAMES, 60, 0.5, f"images.bin beside it is newer and has other poses of {FRAMES} images, e.g. images/000.png"),
        (FRAMES - 1, -60, 0.0, f"it has {FRAMES} images, images.bin beside it {FRAMES - 1}"),
        (0, 60, 0.0, "images.bin beside it cannot be read"),
    ],
)
def test_a_binary_model_that_says_something_else_is_told(tmp_path, images, newer, moved, told):
    text = colmap(tmp_path) / "images.txt"
    content = struct.pack("<Q", images or FRAMES)
    for entry in text.read_text().splitlines()[1 : 2 * images : 2]:
        number, *values, camera, name = entry.split()
        pose = [float(value) + moved * (place == 5) for place, value in enumerate(values)]
        content += struct.pack("<I7dI", int(number), *pose, int(camera)) + name.encode() + b"\0" + struct.pack("<Qddq", 1, 2.5, 3.5, -1)
    text.with_suffix(".bin").write_bytes(content)
    os.utime(text.with_suffix(".bin"), (0, text.stat().st_mtime + newer))
    found = check(bench("colmap"), tmp_path)
    assert said(found, "images.txt", told, "run colmap model_converter") if told else found == []


def test_the_sign_of_a_quaternion_makes_no_difference(tmp_path):
    text = colmap(tmp_path).joinpath("images.txt").read_text().splitlines()
    before = [frame.quaternion for frame in bench("colmap").listing(tmp_path).train]
    number, *quaternion = text[3].split()[:5]
    text[3] = " ".join([number, *(str(-float(part)) for part in quaternion), *text[3].split()[5:]])
    (tmp_path / "images.txt").write_text("\n".join(text))
    assert np.allclose([frame.quaternion for frame in bench("colmap").listing(tmp_path).train], before, atol=1e-12)


# --- units


def test_a_scale_that_nobody_knows_is_not_called_metres(tmp_path):
    found = bench("colmap")
    units = {metric.name: metric.unit for metric in found.metrics}
    assert units == {"position_median": "scene units", "orientation_median_deg": "deg", "scene_accuracy": "%"}
    assert found.primary == "position_median"
    floor = found.floor(colmap(tmp_path))
    assert "position_median" in floor and not any(
        "_m" in name.split("/")[0].removeprefix("position_median") for name in floor if "deg" not in name
    )
    assert "scene units, turned by" in found.samples(tmp_path, 1)[0].caption
    named = bench("colmap", thresholds=[[0.5, 10]])
    assert [metric.name for metric in named.metrics][3:] == ["recall_0.5_10deg", "recall_0.5_10deg_scene_mean"]
    assert named.floor(tmp_path)["recall_0.5_10deg"] == 100 * np.mean(
        np.linalg.norm(PATH[10:] - np.median(PATH[:10], axis=0), axis=1) <= 0.5
    )
    evaluator = named.config({})["test_evaluator"]
    assert evaluator["length"] == "scene units" and evaluator["thresholds"] == [[0.5, 10.0]]


def test_a_scale_that_is_known_is_named(tmp_path):
    colmap(tmp_path)
    for unit, factor in (("m", 1), ("mm", 1e-3), ("scene units", 1)):
        assert np.allclose(positions(bench("colmap", unit=unit), tmp_path), PATH * factor)
    metres = bench("colmap", unit="mm")
    assert metres.primary == metres.metrics[0].name == "position_median_m" and metres.metrics[0].unit == "m"
    assert [metric.name for metric in metres.metrics][3] == "recall_0.2m_5deg"
    assert bench("7scenes").primary == "position_median_m" and bench("transforms").primary == "position_median"
    with pytest.raises(UsageError, match=r"position_median_m.*Did you mean 'position_median'"):
        bench("colmap", primary="position_median_m")
    with pytest.raises(UsageError, match="scene units"):
        bench("colmap", unit="metres")


# --- 7-Scenes


def seven_scenes(root: Path, spoil=lambda n, matrix: matrix) -> Path:
    for n in range(FRAMES):
        stem = root / f"seq-{1 + n // 6:02d}/frame-{n % 6:06d}"
        image(Path(f"{stem}.color.png"), n)
        text = spoil(n, pose(n))
        rows = text if isinstance(text, str) else "\n".join("\t".join(f"{value:.7e}" for value in row) for row in text)
        Path(f"{stem}.pose.txt").write_text(rows + "\n")
    (root / "TrainSplit.txt").write_text("sequence1\n")
    (root / "TestSplit.txt").write_text("sequence2\n")
    return root


def rows_of(word: str) -> str:
    return "\n".join(["\t".join([word] * 4)] * 4)


LOST = {
    "nan": rows_of("nan"),
    "minus infinity": rows_of("-inf"),
    "what Windows writes": rows_of("-1.#IND00"),
    "zero": rows_of("0"),
}


@pytest.mark.parametrize("case", LOST)
def test_lost_frames_are_left_out_where_it_is_asked_for(tmp_path, case):
    seven_scenes(tmp_path, lambda n, matrix: LOST[case] if n in (3, 4, 9) else matrix)
    with pytest.raises(DataError, match=r"seq-01/frame-000003.pose.txt.*skip_lost: true.*2 more"):
        names(bench("7scenes"), tmp_path)
    found = bench("7scenes", skip_lost=True)
    assert [len(part) for part in names(found, tmp_path)] == [4, 5]
    assert check(found, tmp_path, fatal=True) == []
    assert said(check(found, tmp_path, fatal=False), "3 frames have no pose and are left out", "frame-000003.pose.txt")


def test_a_frame_without_pose_file_is_lost_too(tmp_path):
    (seven_scenes(tmp_path) / "seq-02/frame-000002.pose.txt").unlink()
    assert said(check(bench("7scenes"), tmp_path, fatal=True), "an image but no pose", "skip_lost")
    assert [len(part) for part in names(bench("7scenes", skip_lost=True), tmp_path)] == [6, 5]


def test_lost_frames_of_other_formats(tmp_path):
    text = colmap(tmp_path / "c").joinpath("images.txt").read_text().splitlines()
    text[5] = "3 nan nan nan nan 0 0 0 1 002.png"
    text[7] = "4 0 0 0 0 0 0 0 1 003.png"
    (tmp_path / "c/images.txt").write_text("\n".join(text))
    assert len(check(bench("colmap"), tmp_path / "c", fatal=True)) == 2
    assert sum(map(len, names(bench("colmap", skip_lost=True), tmp_path / "c"))) == FRAMES - 2
    transforms(tmp_path / "t", matrix=lambda n, matrix: matrix * np.nan if n == 3 else matrix)
    assert sum(map(len, names(bench("transforms", skip_lost=True), tmp_path / "t"))) == FRAMES - 1


def test_wrong_matrices_are_named(tmp_path):
    def with_rotation(change):
        return lambda n, matrix: np.block([[change(matrix[:3, :3]), matrix[:3, 3:]], [np.array([[0, 0, 0, 1]])]])

    spoilt = {
        "transposed": (lambda n, matrix: matrix.T, ("0 0 0 1 is its last column", "row by row")),
        "scaled": (with_rotation(lambda rotation: 1.5 * rotation), ("scaled by 1.5", "divide")),
        "mirrored": (with_rotation(lambda rotation: rotation * (-1, 1, 1)), ("reflection",)),
        "sheared": (with_rotation(lambda rotation: rotation + 0.2), ("off a rotation by",)),
    }
    for name, (spoil, words) in spoilt.items():
        problems = check(bench("7scenes"), seven_scenes(tmp_path / name, spoil), fatal=True)
        assert any(all(word in problem.lower() for word in words) for problem in problems), (name, problems)


def test_millimetres_are_asked_about_until_the_entry_says_so(tmp_path):
    def longer(_, matrix):
        matrix[:3, 3] *= 1000
        return matrix

    seven_scenes(tmp_path, longer)
    assert said(check(bench("7scenes"), tmp_path, fatal=True), "1100 m apart", "data.unit: cm or mm")
    for unit, factor in (("m", 1000), ("cm", 10), ("mm", 1)):
        assert check(bench("7scenes", unit=unit), tmp_path) == []
        assert np.allclose(positions(bench("7scenes", unit=unit), tmp_path), PATH * factor)


def test_a_room_in_centimetres_is_no_room_in_metres(tmp_path):
    def longer(_, matrix):
        matrix[:3, 3] *= 100
        return matrix

    seven_scenes(tmp_path, longer)
    assert said(check(bench("7scenes"), tmp_path, fatal=True), "110 m apart", "data.unit: cm or mm")


def test_a_frame_in_both_splits_is_refused(tmp_path):
    (seven_scenes(tmp_path) / "TestSplit.txt").write_text("sequence1\n")
    with pytest.raises(DataError, match=r"6 frames are for training and for testing, e.g. seq-01/frame-000000.color.png"):
        names(bench("7scenes"), tmp_path)


# --- transforms.json


def transforms(root: Path, path="images/{:03d}.png".format, matrix=lambda n, matrix: matrix, **more) -> Path:
    entries = []
    for n in range(FRAMES):
        image(root / f"images/{n:03d}.png", n)
        entries.append({"file_path": path(n), "transform_matrix": (matrix(n, pose(n)) @ np.diag([1, -1, -1, 1])).tolist()})
    (root / "transforms.json").write_text(json.dumps({"frames": entries, **more}))
    return root


@pytest.mark.parametrize(("beside", "told"), [(RIGID["right"], True), (ELSEWHERE, False)])
def test_files_of_the_splits_that_part_a_rig_are_told(tmp_path, beside, told):
    def moved(n: int, matrix: np.ndarray) -> np.ndarray:
        return np.block([[matrix[:3, :3], matrix[:3, 3:] + matrix[:3, :3] @ beside[n % len(beside)][:, None]], [matrix[3:]]])

    for split, folder, placed in (("train", "left", lambda n, matrix: matrix), ("test", "right", moved)):
        transforms(tmp_path, f"{folder}/{{:03d}}.png".format, placed)
        (tmp_path / "images").rename(tmp_path / folder)
        (tmp_path / "transforms.json").rename(tmp_path / f"transforms_{split}.json")
    words = f"{FRAMES} of {FRAMES} test frames were taken together with a training frame by a rig, e.g. right/000.png and left/000.png"
    assert bool(said(check(bench("transforms"), tmp_path, fatal=False), "transforms_test.json", words)) == told
    assert names(bench("transforms"), tmp_path)[1][0] == "000.png"


@pytest.mark.parametrize(
    "path",
    ["./images/{:03d}.png", ".\\images\\{:03d}.png", "/home/me/scan/images/{:03d}.png", "D:\\scan\\images\\{:03d}", "../images/{:03d}"],
)
def test_paths_of_another_machine_lead_to_the_images_beside_the_file(tmp_path, path):
    found = bench("transforms")
    transforms(tmp_path, path.format)
    assert names(found, tmp_path)[1] == ["010.png", "011.png"] and np.allclose(positions(found, tmp_path), PATH)
    assert check(found, tmp_path) == []
    lists = {f"{split}_filenames": [path.format(n) for n in chosen] for split, chosen in (("train", (0, 2)), ("test", (1,)))}
    transforms(tmp_path, path.format, **lists)
    assert names(found, tmp_path) == [["000.png", "002.png"], ["001.png"]]
    assert said(check(found, tmp_path, fatal=False), "9 frames are in neither train_filenames nor test_filenames")


def _scannetpp(root: Path, testing: tuple[int, ...] = (3, 7), bad: tuple[int, ...] = (5, 7), **more) -> Path:
    """``transforms.json`` as in ScanNet++: the frames for testing in a list of their own, blurred ones marked."""
    transforms(root)
    entries = [
        {**one, "is_bad": int(n in bad) if n % 2 else n in bad}
        for n, one in enumerate(json.loads((root / "transforms.json").read_text())["frames"])
    ]
    parts = {"frames": [one for n, one in enumerate(entries) if n not in testing], "test_frames": [entries[n] for n in testing]}
    (root / "transforms.json").write_text(json.dumps({**parts, **more}))
    return root


def test_frames_for_testing_in_a_list_of_their_own(tmp_path):
    found = bench("transforms")
    listing = found.listing(_scannetpp(tmp_path))
    assert names(found, tmp_path) == [[f"{n:03d}.png" for n in range(FRAMES) if n not in (3, 5, 7)], ["003.png", "007.png"]]
    assert np.allclose([frame.position for frame in listing.test], PATH[[3, 7]])
    assert listing.left_out["frames marked is_bad"] == 1
    assert check(found, tmp_path) == []
    _scannetpp(tmp_path, more_frames=[{"file_path": "images/000.png", "transform_matrix": np.eye(4).tolist()}])
    assert said(check(found, tmp_path, fatal=False), "transforms.json", "the 1 frames listed in `more_frames` are not read")
    _scannetpp(tmp_path, test_filenames=["images/000.png"])
    assert said(
        check(found, tmp_path, fatal=True), "transforms.json", "its list test_frames says what is tested, and so does test_filenames"
    )
    assert names(bench("transforms"), _scannetpp(tmp_path, testing=(), bad=()))[1] == ["010.png", "011.png"]


def test_frames_listed_twice_count_once_and_two_poses_of_one_image_never(tmp_path):
    content = json.loads(transforms(tmp_path).joinpath("transforms.json").read_text())
    content["frames"].append(content["frames"][5])
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    assert [len(part) for part in names(bench("transforms"), tmp_path)] == [10, 2]
    assert said(check(bench("transforms"), tmp_path, fatal=False), "images/005.png", "listed twice for train; it counts once")
    content["frames"][-1] = {**content["frames"][5], "transform_matrix": content["frames"][0]["transform_matrix"]}
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    assert said(check(bench("transforms"), tmp_path, fatal=True), "images/005.png", "with different poses")


def test_positions_that_were_transformed_are_said_to_be(tmp_path):
    transforms(tmp_path, applied_scale=0.1, applied_transform=[[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0]])
    assert said(check(bench("transforms"), tmp_path, fatal=False), "0.1 times as long as the originals")
    assert check(bench("transforms"), tmp_path, fatal=True) == []
    assert said(check(bench("transforms", unit="m"), tmp_path, fatal=True), "divide them by 0.1", "scene units")
    transforms(tmp_path, matrix=lambda n, matrix: matrix.astype(str) if n < 0 else matrix)
    assert check(bench("transforms"), tmp_path) == []


def test_predictions_are_scored_and_drawn_in_the_unit_of_the_scene(openmmlab, tmp_path):
    from harness.benchmarks.camera_localization.mm import PoseMetric, plots

    metric = PoseMetric(["a"], [], length="scene units")
    rng = np.random.default_rng(0)
    poses = [{"position": p, "quaternion": np.eye(4)[0], "scene": np.array(0)} for p in PATH]
    results = [pose | {f"pred_{name}": value + 0.1 * rng.normal() * (name != "scene") for name, value in pose.items()} for pose in poses]
    results = [pose | {"folder": np.array(f"seq{index // 5}")} for index, pose in enumerate(results)]
    metrics = metric.compute_metrics(results)
    assert {name for name in metrics if "/" not in name} == {metric.name for metric in bench("colmap").metrics}
    assert metrics["position_median"] == pytest.approx(float(np.median(metric.per_sample["position_error"])))
    assert metric.per_sample["group"].tolist() == [index // 5 for index in range(len(PATH))] and "folder" not in metric.predictions
    assert all(file.is_file() for file in plots.draw(metric.predictions, ["a"], [], tmp_path, "scene units"))
