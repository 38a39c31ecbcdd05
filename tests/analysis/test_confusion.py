"""What classifiers take for what."""

from __future__ import annotations

import json

import numpy as np
from click.testing import CliRunner

from harness.analysis import confusion
from harness.benchmarks.scenes import CLASSES
from harness.cli import main
from harness.outcome import Confusion


def test_counts_are_those_of_a_loop_over_images():
    random = np.random.default_rng(0)
    trials = [{name: random.integers(0, 4, 50).astype(np.float32) for name in ("label", "guess", "top1")} for _ in range(3)]
    total = confusion.together(confusion.of_samples([*trials, {"top1": np.ones(5, np.float32)}], {})).counts
    expected = np.zeros((4, 4), int)
    for trial in trials:
        for label, guess in zip(trial["label"], trial["guess"], strict=True):
            expected[int(label), int(guess)] += 1
    assert total.tolist() == expected.tolist()


def test_without_guesses_there_is_none():
    assert confusion.of_samples([{"mIoU": np.ones(3, np.float32)}], {}) == [] and confusion.together([]) is None


def test_trials_that_saw_another_number_of_classes_are_added():
    some, more = Confusion(("0", "1"), np.array([[1, 2], [3, 4]]), "images"), Confusion(("a", "b", "c"), np.eye(3, dtype=int), "images")
    total = confusion.together([some, more])
    assert total.classes == ("a", "b", "c") and total.counts.tolist() == [[2, 2, 0], [3, 5, 0], [0, 0, 1]]


def test_classes_without_a_name_are_numbers():
    def named(**data):
        return confusion.names({"family": "classification", "data": data})

    assert named(format="image-folder", classes=["a", "b"]) == ["a", "b"] and named(format="synthetic", classes=2)[:2] == list(CLASSES[:2])
    assert named(format="image-folder", classes=2) == named(format="elsewhere") == confusion.names({}) == []
    assert Confusion.of_images(np.array([0, 2]), np.array([1, 1]), ["a", "b"]).classes == ("a", "b", "2")


def test_an_image_that_is_taken_for_none_of_the_classes_counts_nowhere():
    found = Confusion.of_images(np.array([0, 1, 1, np.nan]), np.array([0, -1, 0, 1]), ["a", "b"])
    assert found.counts.tolist() == [[1, 0], [1, 0]]
    assert Confusion.of_images(np.array([0.0]), np.array([-1.0]), ["a"]) is None


def test_mistakes_are_told_most_frequent_first_and_hits_never():
    classes, total = ("cat", "dog", "cow"), np.array([[9, 1, 0], [4, 3, 3], [0, 0, 5]])
    told = confusion.mistakes(Confusion(classes, total, "images"))
    assert told == ["cat for dog 4 of 10", "cow for dog 3 of 10", "dog for cat 1 of 10"]
    assert confusion.mistakes(Confusion(classes, total, "pixels"))[0] == "cat for dog 40.0 %"
    assert confusion.mistakes(Confusion(("a", "b"), np.diag([3, 4]), "images")) == []


def test_status_of_a_trial_shows_its_mistakes(measured, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_DB", f"sqlite:///{tmp_path}/results/harness.db")
    digest = measured("gap", 50.0)[0]
    told = CliRunner().invoke(main, ["status", digest])
    assert told.exit_code == 0 and "mistakes" in told.output and "of 2" in told.output
    lines = told.output[told.output.index("test images by class and first guess") :].splitlines()[1:10]
    assert lines[0].split() == ["taken", "for", *"01234567"] and [line.split()[0] for line in lines[1:]] == [*"01234567"]
    assert lines[1].split()[2:] == [*"10000000"] and lines[6].split()[2:] == [*"01000000"]
    found = json.loads(CliRunner().invoke(main, ["status", digest, "--json"]).output)["trial"]["confusion"]
    assert [found["counts"][row][column] for row, column in ((0, 0), (1, 1), (1, 0), (5, 1))] == [1, 1, 1, 1]
    assert np.sum(found["counts"]) == 4 and len(found["classes"]) == len(found["counts"]) == len(found["counts"][0]) == 8


def test_a_matrix_that_has_no_room_is_left_out():
    found = Confusion(("cat", "dog"), np.diag([3, 100]), "images")
    assert confusion.table(found, None) == (["", "taken for", "0", "1"], [[0, "cat", "3", "0"], [1, "dog", "0", "100"]])
    assert confusion.table(found, 20)[0] and confusion.table(found, 19) == ([], [])


def test_of_pixels_a_matrix_shows_percents():
    found = Confusion(("sky", "road", "never"), np.array([[98_700, 1_300, 0], [2, 1_000_000, 0], [0, 0, 0]]), "pixels")
    heads, body = confusion.table(found, 40)
    assert heads == ["", "taken for", "0", "1", "2"]
    assert body == [[0, "sky", "99", "1", ""], [1, "road", "0", "100", ""], [2, "never", "", "", ""]]


def test_images_without_a_guess_are_left_out():
    gaps = {"label": np.float32([0, 1, np.nan]), "guess": np.float32([1, np.nan, 0])}
    assert confusion.together(confusion.of_samples([gaps], {})).counts.tolist() == [[0, 1], [0, 0]]
    nothing = np.full(2, np.nan, np.float32)
    assert confusion.of_samples([{"label": nothing, "guess": nothing}], {}) == []
