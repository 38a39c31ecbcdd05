"""Background robustness: scores against a slow loop, the official mapping and layout, what the synthetic variants share, and a trial."""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import pytest
from lookalikes import imagenet9

from harness import benchmarks
from harness.benchmarks import scenes
from harness.benchmarks.background_robustness import synthetic
from harness.benchmarks.background_robustness.readers.in9 import GROUPS, In9Data, official_mapping, read
from harness.benchmarks.background_robustness.scores import VARIANTS, judged, metrics, summarise
from harness.catalog import load_catalog


def test_scores_are_those_of_a_loop_over_the_images():
    rng = np.random.default_rng(0)
    mapping = [0, 2, -1, 1, 2]
    guesses, labels, variants = rng.integers(0, 5, 400), rng.integers(0, 3, 400), rng.integers(0, 8, 400)
    right = {name: [] for name in VARIANTS}
    for guess, label, variant in zip(guesses.tolist(), labels.tolist(), variants.tolist(), strict=True):
        right[[*VARIANTS][variant]].append(mapping[guess] == label)
    slow = {name: 100 * math.fsum(found) / len(found) for name, found in right.items()}
    slow["bg_gap"] = slow["mixed_same"] - slow["mixed_rand"]
    found = summarise(judged(guesses, mapping) == labels, variants)
    assert found == pytest.approx(slow, abs=1e-9)
    assert {*found} == {metric.name for metric in metrics(None)}
    assert summarise(np.array([True, False]), np.array([0, 0])) == {"original": 50.0}, "what is not there is not scored"


def test_what_is_taken_for_what_is_told_in_the_classes_of_the_test_images(openmmlab):
    """Training may have other classes, 1000 for nine, say; a guess of one that is none of the nine is no mistake for another."""
    from harness.benchmarks.background_robustness.mm import Backgrounds

    metric = Backgrounds()
    metric.dataset_meta = {"classes": ("p", "q", "r"), "groups": ("dog", "bird"), "mapping": (1, 0, -1), "variants": (0, 0, 3)}
    metric.compute_metrics([(0, 0, 1), (1, 1, 1), (2, 1, 2)])
    assert metric.confusion.classes == ("dog", "bird") and metric.confusion.counts.tolist() == [[1, 0], [1, 0]]


def test_the_mapping_is_that_of_the_release():
    mapping = official_mapping()
    # of in_to_in9.json, as a list
    assert hashlib.sha256(json.dumps(mapping).encode()).hexdigest() == "3634d4a038b7837c29d2df154a7905931e541453f79c3e8711699d2bc2528444"
    assert sum(group >= 0 for group in mapping) == 370 and GROUPS[mapping[151]] == "00_dog" and mapping[269] == 4 and mapping[650] == -1


def test_the_release_is_read_variant_by_variant_and_what_lacks_is_told(tmp_path):
    entry = load_catalog().benchmarks["in9-resnet50"]
    imagenet9(entry, tmp_path)
    data = In9Data.model_validate(entry.data)
    listing = read(tmp_path, data)
    assert listing.problems == [] and len(listing.classes) == 1000
    for sample in listing.test:
        variant, _, group = sample.file.relative_to(tmp_path / "bg_challenge").parts[:3]
        assert [*VARIANTS][sample.variant] == variant and GROUPS[sample.label] == group
    (tmp_path / "bg_challenge/no_fg/val/05_insect").rename(tmp_path / "elsewhere")
    (told,) = read(tmp_path, data).problems
    assert told.where == "bg_challenge/no_fg/val/05_insect" and told.fatal
    (tmp_path / "elsewhere").rename(tmp_path / "bg_challenge/no_fg/val/05_insect")
    more = tmp_path / "bg_challenge/mixed_next/val/00_dog"
    (more / "fg_9.JPEG").write_bytes((more / "fg_0.JPEG").read_bytes())
    task = benchmarks.task(entry.model_copy(update={"data": entry.data | {"official": {}}}))
    (told,) = task.check(tmp_path)
    assert not told.fatal and "'00_dog' has 1 images in original and 2 in mixed_next" in told.what


@pytest.mark.parametrize(
    ("name", "odd"),
    [("n{:08d}", None), ("{:04d}", None), ("{}", "10"), ("class {}", "class 0"), ("n{}", "n0")],
    ids=["WordNet", "zeros", "numbers", "words", "short"],
)
def test_folders_that_are_not_in_imagenets_order_are_refused(tmp_path, name, odd):
    """The mapping counts the 1000 classes by name: in folders 0, 1, 10, 100, ... a dog was a musical instrument."""
    for number in range(1000):
        (tmp_path / "train" / name.format(number)).mkdir(parents=True)
    data = In9Data.model_validate({"format": "in9", "root": "x"})
    told = [problem.what for problem in read(tmp_path, data).problems if "order" in problem.what]
    assert len(told) == bool(odd) and all(f"e.g. '{odd}'" in what for what in told)


def test_training_on_the_nine_classes_needs_no_mapping(tmp_path):
    imagenet9(load_catalog().benchmarks["in9-resnet50"], tmp_path)
    (tmp_path / "bg_challenge/original/val").rename(tmp_path / "nine")
    for variant in VARIANTS:
        target = tmp_path / "bg_challenge" / variant / "val"
        if not target.exists():
            target.symlink_to(tmp_path / "nine")
    listing = read(tmp_path, In9Data(format="in9", root="", classes=9, train="nine"))
    assert listing.problems == [] and listing.classes == [*GROUPS] and listing.mapping == [*range(9)] and len(listing.train) == 9


@pytest.mark.parametrize("label", range(6))
def test_variants_share_what_they_should(label, monkeypatch):
    """The object is the same in all that have it, black or covered where it is taken away, and the rest is that of the original."""
    covered = scenes.cover
    monkeypatch.setattr(scenes, "cover", lambda *shape: covered(*shape).round())  # no background shines through an edge
    rng = np.random.default_rng(label)
    made = synthetic.variants(rng, label, 48, 6, agreement=1.0)
    assert [*made] == [*VARIANTS] and all(image.shape == (48, 48, 3) and image.dtype == np.uint8 for image in made.values())
    black = {name: (image == 0).all(axis=2) for name, image in made.items()}
    outside = black["only_fg"]
    mask = black["no_fg"]
    assert (mask | outside).all() and 0.02 < mask.mean() < 0.3
    for name in ("only_fg", "mixed_same", "mixed_rand", "mixed_next"):
        assert (made[name][mask] == made["original"][mask]).all(), name
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    boxed = np.zeros_like(mask)
    boxed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    assert (black["only_bg_b"] == boxed).all()
    for name in ("no_fg", "only_bg_b", "only_bg_t"):
        assert (made[name][~boxed] == made["original"][~boxed]).all(), name
    assert made["only_bg_t"][boxed].min() > 0
    assert all((made[name][~boxed] != made["original"][~boxed]).any() for name in ("mixed_same", "mixed_rand", "mixed_next"))


@pytest.mark.slow
def test_a_trial_from_scenes_to_leaderboard(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from harness.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))

    def harness(*args: str) -> str:
        done = CliRunner().invoke(main, [*args], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    small = ("--set", "data.train=60", "--set", "data.test=12", "--set", "schedule.epochs=2", "--set", "data.size=32")
    harness("run", "-m", "gap", "-b", "scenes-backgrounds", *small, "--workers", "1", "--device", "cpu", "--db", "sqlite:///a.db")
    rows = json.loads(harness("leaderboard", "--format", "json", "--db", "sqlite:///a.db"))["rows"]
    assert {row["metric"] for row in rows} == {metric.name for metric in metrics(None)}
    found = {row["metric"]: row for row in rows}
    assert found["bg_gap"]["mean"] == pytest.approx(found["mixed_same"]["mean"] - found["mixed_rand"]["mean"])
    assert found["original"]["floor"] == pytest.approx(100 / 6, abs=1e-6) and found["bg_gap"]["floor"] == 0
