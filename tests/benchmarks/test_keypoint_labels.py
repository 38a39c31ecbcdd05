"""DeepLabCut's label files as projects have them: the right value, or a sentence that names cause and mend."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.benchmarks import task
from harness.benchmarks.base import Listing
from harness.catalog import Benchmark

VIDEOS = ("mouseA", "mouseB")
FRAMES = (2, 9, 10, 100)
"""In the order of their numbers, which is not that of their letters."""
NAMES = ["snout", "tail"]


def places(video: str, frame: int) -> list[list[float]]:
    """Where snout and tail are."""
    start = 5 + 10 * FRAMES.index(frame) + 3 * VIDEOS.index(video)
    return [[start, 8.5], [start + 19, 17.25]]


def image_name(frame: int) -> str:
    return f"img{frame}.png"


@pytest.fixture
def project(tmp_path) -> Path:
    """Images of 80x48 pixels of two videos."""
    for video in VIDEOS:
        folder = tmp_path / "labeled-data" / video
        folder.mkdir(parents=True)
        for frame in FRAMES:
            Image.fromarray(np.full((48, 80), frame + len(VIDEOS) * VIDEOS.index(video), np.uint8)).save(folder / image_name(frame))
    return tmp_path


def table(
    video: str | None = None,
    *,
    parts=("snout", "tail"),
    head=("scorer", "bodyparts", "coords"),
    path=lambda video, name: [f"labeled-data/{video}/{name}"],
    scorer="me",
    moved=0.0,
) -> list[list[str]]:
    """The cells of a label file of one video, or of all."""
    blank = [""] * (len(path("v", "n")) - 1)
    rows = {
        "scorer": [scorer] * 2 * len(parts),
        "bodyparts": [part for part in parts for _ in "xy"],
        "coords": ["x", "y"] * len(parts),
    }
    lines = [[name, *blank, *rows[name]] for name in head]
    for one in VIDEOS if video is None else (video,):
        for frame in FRAMES:
            at = dict(zip(("snout", "tail"), places(one, frame), strict=True))
            values = [f"{value + moved:.2f}" for part in parts for value in at.get(part, at["tail"])]
            lines.append([*path(one, image_name(frame)), *values])
    return lines


def text(lines: list[list[str]], delimiter: str = ",", end: str = "\n") -> str:
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator=end).writerows(lines)
    return stream.getvalue()


def write(project: Path, change=lambda lines: lines, name: str = "CollectedData_me.csv", as_text=text, encoding="utf-8", **kind) -> None:
    """A label file beside the images of each video."""
    for video in VIDEOS:
        lines = change(table(video, **kind))
        (project / "labeled-data" / video / name).write_bytes(as_text(lines).encode(encoding))


def listing(project: Path, **data) -> Listing[Any]:
    entry = {"format": "deeplabcut", "root": "r", "keypoints": NAMES, "split": 0.75, **data}
    return task(Benchmark(id="b", family="keypoint", data=entry)).listing(project)


def said(found: Listing[Any], *, fatal: bool) -> str:
    return " ".join(problem.sentences for problem in found.problems if problem.fatal == fatal)


def as_expected(found: Listing[Any]) -> None:
    """All images in natural order, the last quarter for the test, each with its points by name."""
    every = [(video, image_name(frame)) for video in VIDEOS for frame in FRAMES]
    assert [(pose.file.parent.name, pose.file.name) for pose in (*found.train, *found.test)] == every
    assert len(found.test) == 2
    for pose, (video, name) in zip((*found.train, *found.test), every, strict=True):
        at = dict(zip(found.names, pose.points.tolist(), strict=True))
        assert at == dict(zip(NAMES, places(video, int(name[3:-4])), strict=True))
        assert pose.visible.tolist() == [2, 2]
    assert not said(found, fatal=True)


@pytest.mark.parametrize(
    "path",
    [
        lambda video, name: [f"labeled-data/{video}/{name}"],
        lambda video, name: ["labeled-data", video, name],
        lambda video, name: [f"labeled-data\\{video}\\{name}"],
        lambda video, name: [f"/home/else/project/labeled-data/{video}/{name}"],
        lambda video, name: [f"C:\\work\\project\\labeled-data\\{video}\\{name}"],
        lambda video, name: [f"{video}/{name}"],
        lambda video, name: [name],
        lambda video, name: [f" ./labeled-data/{video}/{name} "],
        lambda video, name: ["7", f"labeled-data/{video}/{name}"],
        lambda video, name: ["7", name],
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_paths_lead_to_the_image_whatever_machine_they_are_of(project, path, inside):
    if inside:  # the dataset's folder may lie above the project's
        (project / "p").mkdir()
        (project / "labeled-data").rename(project / "p" / "labeled-data")
        write(project / "p", path=path)
    else:
        write(project, path=path)
    found = listing(project)
    as_expected(found)
    assert found.problems == [] and found.left_out == {}


def test_an_image_of_the_same_name_in_another_video_is_another_image(project):
    write(project, path=lambda video, name: [f"labeled-data/mouse{video[-1].lower()}/{name}"])
    assert "rows whose image is missing: 4 of 4" in said(listing(project), fatal=True)


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ({"as_text": lambda lines: text(lines, ";")}, {}),
        ({"as_text": lambda lines: text(lines, "\t")}, {}),
        ({"as_text": lambda lines: text(lines, end="\r\n")}, {}),
        ({"as_text": lambda lines: "\n\n" + text(lines)}, {}),
        ({"encoding": "utf-8-sig"}, {}),
        ({"encoding": "latin-1"}, {"scorer": "Zoé"}),
        ({"change": lambda lines: [[*row, "", ""] for row in lines]}, {}),
        ({"change": lambda lines: [*lines[:3], [""] * 5, *lines[3:], [""] * 5]}, {}),
        ({"change": lambda lines: [[*row, ["", "comment", "comment"][i] if i < 3 else "blurred"] for i, row in enumerate(lines)]}, {}),
        ({"change": lambda lines: [["" if i < 3 else str(i), *row] for i, row in enumerate(lines)]}, {}),
        ({"change": lambda lines: [[cell or f"Unnamed: {i}_level_0" for i, cell in enumerate(row)] for row in lines]},
         {"path": lambda video, name: ["labeled-data", video, name]}),
        ({"change": lambda lines: [[cell.upper() if i < 1 else cell for cell in row] for i, row in enumerate(lines)]}, {}),
        ({}, {"head": ("bodyparts", "coords")}),
        ({}, {"parts": ("tail", "snout")}),
        ({"name": "CollectedData.csv"}, {}),
    ],
)  # fmt: skip
def test_dialects_are_read_the_same(project, how, kind):
    write(project, **how, **kind)
    found = listing(project)
    as_expected(found)
    assert found.problems == []


def test_decimal_commas(project):
    write(project, lambda lines: [[row[0], *(cell.replace(".", ",") for cell in row[1:])] for row in lines], as_text=lambda x: text(x, ";"))
    as_expected(listing(project))
    # between commas, 1,234 may be a thousand
    write(project, lambda lines: [[row[0], *(cell.replace(".", ",") for cell in row[1:])] for row in lines])
    assert "'5,00' is no number" in said(listing(project), fatal=True)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["1,012", "512", "998", "1,004"], "'1,012' is 1012 with a mark between thousands"),
        (["1.012", "512", "", "NaN"], "'1.012' is 1012 with a mark between thousands"),
        (["12,125", "30,250", "41,000", "9,875"], ""),  # three decimals
        (["12,125", "30,250", "0", "-1"], ""),  # and a point that is not visible
        (["212,125", "30", "41", "9,875"], ""),
        (["12,125", "30", "41", "9,5"], ""),
        (["12,125", "1030", "41", "9,875"], ""),
    ],
)
def test_marks_between_thousands_are_no_decimal_marks(project, cells, told):
    write(project, lambda lines: [*lines[:3], *([row[0], *cells] for row in lines[3:])], as_text=lambda x: text(x, ";"))
    assert (told in said(listing(project), fatal=True)) if told else "thousands" not in said(listing(project), fatal=True)


# --- names


@pytest.mark.parametrize("keypoints", [NAMES, NAMES[::-1], 2])
def test_body_parts_are_matched_by_name(project, keypoints):
    write(project)
    lines = table("mouseB", parts=("tail", "snout"))
    (project / "labeled-data" / "mouseB" / "CollectedData_me.csv").write_text(text(lines))
    found = listing(project, keypoints=keypoints)
    as_expected(found)
    assert found.names == (NAMES if keypoints == 2 else keypoints)


@pytest.mark.parametrize("keypoints", [NAMES, 2])
def test_other_body_parts_are_refused(project, keypoints):
    write(project)
    (project / "labeled-data" / "mouseB" / "CollectedData_me.csv").write_text(text(table("mouseB", parts=("snout", "leftear"))))
    told = said(listing(project, keypoints=keypoints), fatal=True)
    assert "the bodyparts are snout, leftear; " in told and "snout, tail" in told
    assert "write data.keypoints: 2, or [snout, tail]".lower() in said(listing(project, keypoints=3), fatal=True).lower()


# --- who labelled


def test_two_scorers_are_refused_until_one_is_chosen(project):
    write(project, name="CollectedData_Me.csv", scorer="Me")
    write(project, name="CollectedData_Aa.csv", scorer="Me", moved=10)
    assert "Say whose labels count: data.scorer: Aa or Me" in said(listing(project), fatal=True)
    as_expected(listing(project, scorer="Me"))
    other = listing(project, scorer="Aa")
    assert other.train[0].points.tolist() == [[x + 10, y + 10] for x, y in places("mouseA", 2)]
    assert other.left_out["label files of other scorers"] == 2
    assert "Did you mean 'Me'" in said(listing(project, scorer="Mee"), fatal=True)


def test_two_scorers_in_one_file_are_refused_until_one_is_chosen(project):
    def beside(lines):
        for number, row in enumerate(lines):
            row += ["Aa"] * 4 if number == 0 else row[1:] if number < 3 else [f"{float(cell) + 1:.2f}" for cell in row[1:]]
        return lines

    write(project, beside)
    assert "several scorers: me, Aa. Write data.scorer: me or Aa" in said(listing(project), fatal=True)
    as_expected(listing(project, scorer="me"))
    assert listing(project, scorer="Aa").train[0].points.tolist() == [[x + 1, y + 1] for x, y in places("mouseA", 2)]


def test_scorers_who_labelled_other_images_belong_together(project):
    for video, scorer in zip(VIDEOS, ("Me", "Aa"), strict=True):
        (project / "labeled-data" / video / f"CollectedData_{scorer}.csv").write_text(text(table(video, scorer=scorer)))
    as_expected(listing(project))


def test_a_row_that_contradicts_another_is_refused_and_one_that_repeats_it_is_not(project):
    write(project, lambda lines: [*lines, lines[-1]])
    found = listing(project)
    as_expected(found)
    assert found.left_out == {"rows that repeat another": 2}
    write(project, lambda lines: [*lines, [*lines[-1][:-1], "1"]])
    assert "rows that contradict another one on the same image" in said(listing(project), fatal=True)


def test_copies_under_training_datasets_and_network_labels_are_not_read(project):
    write(project)
    write(project, name="machinelabels-iter0.csv", moved=3)
    copied = project / "training-datasets" / "iteration-0"
    copied.mkdir(parents=True)
    (copied / "CollectedData_me.csv").write_text(text(table(moved=2)))
    for hidden in (".ipynb_checkpoints/CollectedData_me.csv", "labeled-data/mouseA/._CollectedData_me.csv"):
        (project / hidden).parent.mkdir(exist_ok=True)
        (project / hidden).write_text("junk")
    found = listing(project)
    as_expected(found)
    assert sorted(found.left_out.values()) == [1, 2]
    for video in VIDEOS:
        (project / "labeled-data" / video / "CollectedData_me.csv").unlink()
    assert len(listing(project).train) == 6


# --- what is not labelled


def cells(change):
    """A change of the coordinates of every second row."""

    def apply(lines):
        for row in lines[3::2]:
            row[1:] = change(row[1:])
        return lines

    return apply


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda row: [*row[:2], "0", "0.0"], "points at (0, 0) or (-1, -1), taken as not labelled"),
        (lambda row: [*row[:2], "-1", "-1"], "points at (0, 0) or (-1, -1), taken as not labelled"),
        (lambda row: [*row[:2], "-5", "-5"], "points left of their image or above it"),
        (lambda row: [*row[:2], "", "5"], "points with a coordinate that is no finite number"),
        (lambda row: [*row[:2], "", ""], None),
        (lambda row: [*row[:2], "NaN", "nan"], None),
    ],
)
def test_points_that_are_not_labelled_are_told(project, change, kind):
    write(project, cells(change))
    found = listing(project)
    assert [pose.visible.tolist() for pose in found.train] == [[2, 0], [2, 2]] * 3
    assert found.left_out == ({kind: 4} if kind else {})
    assert not said(found, fatal=True)


def test_images_without_labels_are_counted(project):
    write(project, lambda lines: [*cells(lambda row: [""] * 4)(lines)[:-1]])
    found = listing(project)
    assert [pose.file.name for pose in found.train] == ["img9.png"]
    assert found.left_out == {"images with no usable point": 4, "images without a row": 2}


def test_likelihoods_are_refused_until_a_smallest_is_chosen(project):
    def likely(lines):
        for number, row in enumerate(lines):
            values = row[1:]
            marks = [values[0], values[2]] if number < 2 else ["likelihood"] * 2 if number == 2 else ["0.99", "0.2"]
            row[1:] = [*values[:2], marks[0], *values[2:], marks[1]]
        return lines

    write(project, likely)
    assert "write data.likelihood: 0.6" in said(listing(project), fatal=True).lower()
    as_expected(listing(project, likelihood=0))
    found = listing(project, likelihood=0.6)
    assert {tuple(pose.visible.tolist()) for pose in found.train} == {(2, 0)}
    assert found.left_out == {"points below data.likelihood": 8}


# --- several animals


def animals(second=lambda row: [f"{float(cell) + 4:.2f}" for cell in row]):
    """A change to a project of two animals, ``m1`` and ``m2``; the columns of the latter are made from those of the first."""

    def apply(lines):
        made = []
        for number, row in enumerate(lines):
            made.append([*row, *(row[1:] if number < 3 else second(row[1:]))])
            if number == 0:
                made.append(["individuals", *["m1"] * 4, *["m2"] * 4])
        return made

    return apply


def test_a_second_animal_that_is_nowhere_changes_nothing(project):
    write(project, animals(lambda row: [""] * 4))
    as_expected(listing(project))


def test_several_animals_have_a_pose_each(project):
    write(project, animals())
    assert "8 of 8 images hold several instances" in said(listing(project), fatal=True)
    assert "Write data.box: points" in said(listing(project), fatal=True)
    found = listing(project, box="points")
    assert found.problems == [] and len(found.train) == 12 and len(found.test) == 4
    assert {pose.file for pose in found.train}.isdisjoint(pose.file for pose in found.test)
    first, second = found.train[:2]
    assert first.image_id == second.image_id and (second.points - first.points).tolist() == [[4, 4], [4, 4]]
    (x0, y0), (x1, y1) = places("mouseA", 2)
    assert first.box == pytest.approx((x0 - 1.9, y0 - 1.9, x1 + 1.9, y1 + 1.9))


def test_individuals_of_other_body_parts_are_told(project):
    def unique(lines):
        made = animals()(lines)
        made[1][5:] = ["single"] * 4
        made[2][5:] = ["corner", "corner", "lamp", "lamp"]
        return made

    write(project, unique)
    found = listing(project)
    as_expected(found)
    assert "'single' with corner, lamp" in said(found, fatal=False)


# --- other tables


def test_a_table_of_another_name_is_pointed_to(project):
    (project / "tracks.csv").write_text("track,frame_idx,instance.score,snout.x,snout.y,snout.score\ntrack_0,0,0.9,1,2,0.8\n")
    assert "data.csv, e.g. tracks.csv" in said(listing(project), fatal=True)
    (project / "tracks.csv").unlink()
    (project / "CollectedData_me.h5").touch()
    assert "Only .h5 files are there" in said(listing(project), fatal=True)


def sleap(project: Path, score: str = "", track: str = "", change=lambda lines: lines) -> list[str]:
    """SLEAP's table of each video, beside its images; the names of the tables."""
    names = []
    for video in VIDEOS:
        lines = [["track", "frame_idx", "instance.score", "tail.x", "tail.y", "tail.score", "snout.x", "snout.y", "snout.score"]]
        for frame in reversed(FRAMES):
            snout, tail = places(video, frame)
            lines.append([track, str(frame), score, *map(str, tail), score, *map(str, snout), score])
        names.append(f"labeled-data/{video}/{video}.analysis.csv")
        (project / names[-1]).write_text(text(change(lines)))
    return names


@pytest.mark.parametrize("track", ["", "mouse"])
def test_sleap_names_frames_by_number(project, track):
    as_expected(listing(project, csv=sleap(project, track=track)))


def test_sleap_scores_are_likelihoods(project):
    assert "a network found these points" in said(listing(project, csv=sleap(project, "0.9")), fatal=True)
    as_expected(listing(project, csv=sleap(project, "0.9"), likelihood=0.6))
    assert len([*listing(project, csv=sleap(project, "0.5"), likelihood=0.6).train]) == 0


def test_two_sleap_instances_of_a_frame_are_two_poses(project):
    found = listing(project, csv=sleap(project, change=lambda lines: [lines[0], *(line for line in lines[1:] for _ in "ab")]), box="points")
    assert len([*found.train, *found.test]) == 2 * len(VIDEOS) * len(FRAMES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: [*lines, ["", "77", "", "1", "2", "", "3", "4", ""]], "frame 77 in line 6"),
        (lambda lines: [*lines, ["", "1.5", "", "1", "2", "", "3", "4", ""]], "'1.5' as frame_idx is no number"),
        (lambda lines: [*lines, ["", "9", "", "1", "2"]], "5 cells, 9 expected"),
        (lambda lines: [*lines, ["", "9", "", "1", "left", "", "3", "4", ""]], "'left' is no number"),
        (lambda lines: [[*lines[0][:4], "x", *lines[0][5:]], *lines[1:]], "column 'tail.y' is missing"),
        (lambda lines: [*lines, ["m", "9", "", *"12345", ""], ["m", "9", "", *"12345", ""]], "has two instances of track 'm'"),
    ],
)
def test_sleap_tables_that_do_not_fit_are_named(project, change, words):
    found = listing(project, csv=sleap(project, change=change))
    assert words in said(found, fatal=False) + said(found, fatal=True)


def test_a_frame_that_two_images_could_be_is_refused(project):
    names = sleap(project)
    (project / "labeled-data" / VIDEOS[0] / "other-9.png").write_bytes((project / "labeled-data" / VIDEOS[0] / "img9.png").read_bytes())
    assert "frames that several images could be" in said(listing(project, csv=names), fatal=True)


@pytest.mark.parametrize("where", [("v1/f", "v2/f"), ("v1_", "v2_"), ("v1/f", "v1/f")])
def test_images_of_another_video_do_not_fill_the_gaps(project, where):
    (project / "t.csv").write_text("frame_idx,snout.x,snout.y,tail.x,tail.y\n" + "".join(f"{n},2,5,3,4\n" for n in range(4)))
    for n in range(4):
        file = project / f"{where[n % 2]}{n}.png"
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (20, 10), (n, 0, 0)).save(file)
    for image in (project / "labeled-data").rglob("*.png"):
        image.unlink()
    assert ("as those of several videos are" in said(listing(project, csv="t.csv"), fatal=True)) == (len({*where}) == 2)


@pytest.mark.parametrize("first", [0, 1])
def test_sleap_frames_whose_images_are_counted_from_1_are_refused(project, first):
    folder = project / "labeled-data" / VIDEOS[0]
    for image in folder.glob("*.png"):
        image.unlink()
    rows = [f"{frame},{frame + 2},5" for frame in range(4)]
    (folder / "t.csv").write_text("\n".join(["frame_idx,snout.x,snout.y,tail.x,tail.y", *(f"{row},3,4" for row in rows)]))
    for frame in range(4):
        Image.new("RGB", (20, 10), (frame, 0, 0)).save(folder / f"f{frame + first:04d}.png")
    words = said(listing(project, csv=f"labeled-data/{VIDEOS[0]}/t.csv"), fatal=True)
    assert ("counted from 1" in words) == (first == 1)


def test_lightning_pose_keeps_one_file_for_all_videos(project):
    (project / "CollectedData.csv").write_text(text(table()))
    as_expected(listing(project))


def _with_new(project: Path, name: str = "CollectedData", scorer: str = "me") -> None:
    """One table for the first video, and a second for the other one, as Lightning Pose has them."""
    (project / f"{name}.csv").write_text(text(table(VIDEOS[0])))
    (project / f"{name}_new.csv").write_text(text(table(VIDEOS[1], scorer=scorer)))


def videos_of(found: Listing[Any]) -> list[set[str]]:
    return [{pose.file.parent.name for pose in part} for part in (found.train, found.test)]


@pytest.mark.parametrize("scorer", [None, "me"])
def test_a_table_of_images_for_testing(project, scorer):
    _with_new(project)
    found = listing(project, csv="CollectedData.csv", test_csv="CollectedData_new.csv", scorer=None)
    assert videos_of(found) == [{VIDEOS[0]}, {VIDEOS[1]}] and len(found.train) == len(found.test) == len(FRAMES)
    assert videos_of(listing(project, test_csv=["CollectedData_new.csv"], scorer=scorer)) == [{VIDEOS[0]}, {VIDEOS[1]}]
    assert found.sources == [project / "CollectedData.csv", project / "CollectedData_new.csv"] and found.problems == []
    (project / "CollectedData_new.csv").write_text(text(table()))
    assert "data.test_csv: 4 of the 8 images for testing" in said(listing(project, test_csv="CollectedData_new.csv"), fatal=True)
    assert "correct data.test_csv" in said(listing(project, test_csv="none.csv"), fatal=True)


@pytest.mark.parametrize("name", ["CollectedData", "CollectedData_top"])
def test_what_lightning_pose_tests_on_is_not_trained_on(project, name):
    _with_new(project, name)
    found = listing(project)
    assert videos_of(found) == [{VIDEOS[0]}] * 2
    assert f"data.test_csv: {name}_new.csv to test on it" in said(found, fatal=False)
    both = listing(project, csv=[f"{name}.csv", f"{name}_new.csv"])
    assert {*VIDEOS} == set.union(*videos_of(both)) and both.problems == []


@pytest.mark.parametrize(("name", "scorer"), [("CollectedData", "new"), ("CollectedData_me", "me_new")])
def test_a_scorer_who_is_called_new_is_one(project, name, scorer):
    _with_new(project, name, scorer)
    assert {*VIDEOS} == set.union(*videos_of(listing(project)))
