"""Generated data: whole or not at all. Data of the user's: known by the files that are read."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import stat
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from engine_fakes import make_trial, outcome_of
from PIL import Image

from harness import benchmarks, data, fingerprints, generated
from harness.catalog import Benchmark, load_catalog
from harness.cli import main
from harness.engine.guard import guarded
from harness.errors import DataError

GENERATED = [bench for bench in load_catalog().benchmarks.values() if benchmarks.task(bench).is_generated]


@pytest.mark.parametrize("bench", GENERATED, ids=[bench.id for bench in GENERATED])
def test_a_disk_that_fills_up_leaves_no_dataset(bench, tmp_path, monkeypatch):
    """Some writes fail and later ones succeed, as when somebody else frees the disk: no image may be missing unnoticed."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    count, write, open_, saved = 0, Path.write_bytes, Path.open, Image.Image.save

    def full() -> None:
        nonlocal count
        count += 1
        if count == 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", lambda path, content: full() or write(path, content))

    def save(image: Image.Image, file: Path | io.BytesIO, *kind: str) -> None:
        if isinstance(file, io.BytesIO):
            saved(image, file, *kind)
        else:
            full()
            open_(file, "wb").close()

    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(DataError, match=f"the data of '{bench.id}' cannot be written to .*No space left on device"):
        data.ensure(benchmarks.task(bench), None)
    assert count == 5 and not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A small generated dataset."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    entry = Benchmark(id="b", family="classification", data={"format": "synthetic", "train": 8, "test": 8, "size": 32})
    task = benchmarks.task(entry)
    return task, data.ensure(task, None)


DAMAGE = {
    "cut": lambda picture: picture.write_bytes(picture.read_bytes()[:-7]),
    "changed, with its size and time": lambda picture: os.utime(
        picture, ns=(0, (picture.write_bytes(picture.read_bytes()[::-1]), picture.stat().st_mtime_ns)[1])
    ),
    "lost": lambda picture: picture.unlink(),
    "added": lambda picture: shutil.copy(picture, picture.with_name("more.png")),
    "exchanged": lambda picture: picture.write_bytes(next(f for f in picture.parents[1].rglob("*.png") if f != picture).read_bytes()),
    "its list": lambda picture: (
        next(folder for folder in picture.parents if (folder / ".manifest.json").exists()).joinpath(".manifest.json").write_text("{}")
    ),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_generated_data_are_written_anew_and_fail_a_trial_on_them(made, how):
    task, folder = made
    before = {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    data.unchanged(task, folder, "planned")
    DAMAGE[how](next(file for file in sorted(folder.rglob("*.png"))))
    with pytest.raises(DataError, match="not what was written there"):
        data.unchanged(task, folder, "planned")
    assert data.ensure(task, None) == folder
    assert {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    data.unchanged(task, folder, "planned")
    assert [*folder.parent.iterdir()] == [folder]


def test_sound_data_are_not_read_again_and_those_of_an_earlier_harness_stay(made, monkeypatch):
    task, folder = made
    place = folder.stat().st_ino
    (folder / ".manifest.json").unlink()
    assert data.ensure(task, None) == folder and folder.stat().st_ino == place and (folder / ".manifest.json").is_file()
    data.ensure(task, None)
    monkeypatch.setattr("harness.digests.content", lambda file: pytest.fail("read again"))
    assert data.ensure(task, None) == folder


def test_a_killed_generation_leaves_nothing_behind(made, tmp_path):
    """A process is killed in the middle; another one that is at it is not disturbed."""
    task, folder = made
    shutil.rmtree(folder)
    reader, writer = os.pipe()
    children = []
    for _ in range(2):
        if not (child := os.fork()):
            generated.write(replace(task, format=replace(task.format, generate=lambda _, out: _hang(out, writer))), folder)
        children.append(child)
        assert os.read(reader, 1) == b"."
    halves = {*folder.parent.glob(".*")}
    assert len(halves) == 2 and all((half / "half.png").is_file() for half in halves)
    os.kill(children[0], signal.SIGKILL)
    os.waitpid(children[0], 0)
    data.ensure(task, None)
    assert len(halves & {*folder.parent.iterdir()}) == 1
    os.kill(children[1], signal.SIGKILL)
    os.waitpid(children[1], 0)
    shutil.rmtree(folder)
    data.ensure(task, None)
    assert [*folder.parent.iterdir()] == [folder]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~_umask(), "a cache may be shared"


def _hang(out: Path, pipe: int) -> None:
    (out / "half.png").write_bytes(b"x")
    os.write(pipe, b".")
    while True:
        time.sleep(60)


def _umask() -> int:
    before = os.umask(0)
    os.umask(before)
    return before


def test_a_trial_says_which_files_it_has_read(made, folder):
    """Of generated data the files themselves count, and not only how they came about."""
    task, place = made

    def run(task, place, planned):
        trial = replace(make_trial(benchmark=task.id), dataset=planned)
        function = guarded(lambda trial, **_: outcome_of(trial), {task.id: task})
        return function(trial, data=place, work_dir=Path(), device="cpu", batch_divisor=1)

    said = run(task, place, "planned").labels["data"]
    assert said == run(task, place, "planned").labels["data"]
    other = benchmarks.task(task.entry.model_copy(update={"data": {**task.entry.data, "seed": 1}}))
    assert run(other, data.ensure(other, None), "planned").labels["data"] != said
    mine(folder)
    own = benchmarks.task(load_catalog().benchmarks["mine"])
    planned = data.fingerprint(own, Path())
    outcome = run(own, folder, planned)
    assert outcome.labels["data"] == planned and len(outcome.labels) > 1


def test_a_floor_is_that_of_the_data_that_were_planned_with(made, tmp_path):
    from harness.engine.prepare import _floor
    from harness.store import open_store

    task, folder = made
    url = f"sqlite:///{tmp_path}/floors.db"
    _floor(task, folder, ("b", 1, "planned", "t"), url)
    assert [floor.value > 0 for floor in open_store(url).floors() if floor.metric == "top1"] == [True]
    next(folder.rglob("*.png")).unlink()
    with pytest.raises(DataError, match="not what was written there"):
        _floor(task, folder, ("b", 2, "planned", "t"), url)


# --- what a dataset is known by


def picture(file: Path, seed: int = 0, *, label: bool = False) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    Image.fromarray(draw.integers(0, 3, (32, 32), np.uint8) if label else draw.integers(0, 255, (32, 32, 3), np.uint8)).save(file)


def mine(root: Path, **more) -> None:
    """A registry with a benchmark of folders of images and label maps, and their files."""
    lists = {"list": "lists/train.txt"}
    split = {"images": "img", "labels": "ann"}
    entry = {
        "family": "segmentation",
        "data": {"format": "mmseg-folder", "root": "d", "classes": ["a", "b", "c"], "train": [split | lists], "test": split | more},
        "schedule": {"epochs": 1},
    }
    Path("registry.yaml").write_text(json.dumps({"benchmarks": {"mine": entry}}))
    for number in range(4):
        picture(root / f"img/{number}.png", number)
        picture(root / f"ann/{number}.png", number, label=True)
    picture(root / "test/img/9.png", 9)
    (root / "lists").mkdir(exist_ok=True)
    (root / "lists/train.txt").write_text("0\n1\n")
    (root / "lists/test.txt").write_text("2\n3\n")


def digest(*options: str) -> str:
    """Of the one trial that the command line plans."""
    arguments = ["run", "-m", "identity", "-b", "mine", "--data-root", ".", "--dry-run", *options]
    result = CliRunner().invoke(main, arguments, prog_name="harness")
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()[1].split()[0]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder of a dataset, below the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "d"


@pytest.mark.parametrize("stranger", [".DS_Store", "notes.txt", "lists/other.txt", "thumbs/0.png", "img/.0.png.swp", "img/Thumbs.db"])
def test_what_is_not_read_does_not_count(folder, stranger):
    mine(folder, list="lists/test.txt")
    before = digest()
    (folder / stranger).parent.mkdir(exist_ok=True)
    (folder / stranger).write_bytes(b"x")
    assert digest() == before
    os.utime(folder / "img/0.png", (1, 1))
    assert digest() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda d: picture(d / "img/0.png", 77),
        lambda d: picture(d / "ann/1.png", 77, label=True),
        lambda d: (d / "lists/train.txt").write_text("0\n2\n"),
        lambda d: (d / ".hidden/test.txt").write_text("3\n1\n"),
        lambda d: (d / "img/3.png").unlink(),
    ],
    ids=["image", "label map", "list", "hidden list", "missing image"],
)
def test_what_is_read_counts(folder, change):
    (folder / ".hidden").mkdir(parents=True)
    (folder / ".hidden/test.txt").write_text("3\n2\n")
    mine(folder, list=".hidden/test.txt")
    before = digest()
    change(folder)
    assert digest() != before


def test_a_folder_elsewhere_counts(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    for number in (5, 6):
        picture(elsewhere / f"img/{number}.png", number)
        picture(elsewhere / f"ann/{number}.png", number, label=True)
    mine(folder, images=str(elsewhere / "img"), labels=str(elsewhere / "ann"))
    seen = {digest()}
    picture(elsewhere / "ann/5.png", 50, label=True)
    seen.add(digest())
    picture(elsewhere / "img/6.png", 60)
    seen.add(digest())
    picture(elsewhere / "img/7.png", 7)
    seen.add(digest())
    assert len(seen) == 4
    (elsewhere / "notes.txt").write_text("x")
    assert digest() in seen


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_seen(folder, monkeypatch):
    for whole in (1 << 30, 0):
        monkeypatch.setattr(fingerprints, "_WHOLE", whole)
        mine(folder, list="lists/test.txt")
        file = folder / "lists/train.txt"
        before, status = digest(), file.stat()
        (folder / "new.txt").write_text("1\n0\n")
        os.utime(folder / "new.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
        (folder / "new.txt").replace(file)
        assert file.stat().st_mtime_ns == status.st_mtime_ns and digest() != before


def test_an_unchanged_folder_is_not_read_again(folder, monkeypatch):
    mine(folder, list="lists/test.txt")
    before = digest()
    monkeypatch.setattr(fingerprints, "_of_files", lambda *_: pytest.fail("read again"))
    assert digest() == before


def test_a_folder_is_listed_once_from_the_plan_to_the_check_unless_it_changes(folder):
    mine(folder, list="lists/test.txt")
    task = benchmarks.task(load_catalog().benchmarks["mine"])
    counts: list[int] = []

    def read(root, options):
        found = task.format.read(root, options)
        counts.append(len(found.train))
        return found

    read.__module__ = task.format.read.__module__
    counted = replace(task, format=replace(task.format, read=read))
    data.fingerprint(counted, Path())
    assert data.ready(counted, Path()).report[0].startswith("2 training") and counts == [2]
    assert data.ready(counted, Path()).report[0].startswith("2 training") and counts == [2]
    (folder / "lists/train.txt").write_text("0\n")
    data.fingerprint(counted, Path())
    for place in ("img", "ann"):
        picture(folder / place / "4.png", 4, label=place == "ann")
    (folder / "lists/train.txt").write_text("0\n1\n4\n")
    assert data.ready(counted, Path()).report[0].startswith("3 training") and counts == [2, 1, 3]


def test_what_changes_while_it_is_looked_at_is_not_remembered_for_what_was_there(folder, monkeypatch):
    mine(folder, list="lists/test.txt")
    task = benchmarks.task(load_catalog().benchmarks["mine"])
    listing = fingerprints.listing

    def late(task, place):
        (folder / "lists/train.txt").write_text("0\n")
        return listing(task, place)

    with monkeypatch.context() as patched:
        patched.setattr(fingerprints, "listing", late)
        assert data.ready(task, Path()).report[0].startswith("1 training")
    (folder / "lists/train.txt").write_text("0\n1\n")
    assert data.ready(task, Path()).report[0].startswith("2 training")


def test_links_in_a_circle_end(folder):
    mine(folder, list="lists/test.txt")
    before = digest()
    (folder / "again").symlink_to(folder)
    (folder / "self").symlink_to("self")
    assert digest() == before


def test_data_that_change_under_a_trial_fail_it_with_a_sentence(folder, tmp_path, monkeypatch):
    mine(folder, list="lists/test.txt")

    def function(trial, *, data, work_dir, device, batch_divisor=1):
        if trial.seed == 1:
            picture(data / "img/0.png", int(time.time()))
        return outcome_of(trial)

    monkeypatch.setattr("harness.engine.prepare.trial_function", lambda *_, **__: function)
    arguments = ["run", "-m", "identity", "-b", "mine", "--data-root", ".", "--seeds", "3", "--workers", "1", "--device", "cpu"]
    result = CliRunner().invoke(main, arguments, prog_name="harness")
    assert result.exit_code == 3 and "changed since this trial was planned" in result.stderr, result.output
    assert [line for line in result.stderr.splitlines() if line.startswith("failed: ") and "seed 0" in line] == []
    assert "1 of 3 trials are done" in result.stderr and "Run the same command again" in result.stderr


def test_every_task_has_a_floor_of_its_own(folder, monkeypatch):
    """The floor of changed data options must not become that of the registered entry, whichever came first."""
    mine(folder, list="lists/test.txt")
    monkeypatch.setattr("harness.engine.prepare.trial_function", lambda *_, **__: lambda trial, **_: outcome_of(trial))
    arguments = ["run", "-m", "identity", "-b", "mine", "--data-root", ".", "--workers", "1", "--device", "cpu"]
    for sets in (["--set", "data.ignore_index=2"], ["--set", "schedule.epochs=2"], []):
        result = CliRunner().invoke(main, [*arguments, *sets], prog_name="harness")
        assert result.exit_code == 0, result.output
    from harness.store import open_store

    store = open_store("sqlite:///results/harness.db", read_only=True)
    task_of = {result.overrides: result.task for result in store.results()}
    floors = {(floor.task, floor.metric): floor.value for floor in store.floors()}
    ignoring, longer, registered = task_of[("data.ignore_index=2",)], task_of[("schedule.epochs=2",)], task_of[()]
    assert longer == registered != ignoring and {task for task, _ in floors} == {ignoring, registered}
    assert floors[ignoring, "aAcc"] > 45 > 40 > floors[registered, "aAcc"]


def said(*arguments: str):
    return CliRunner().invoke(main, [*arguments, "--data-root", "."], prog_name="harness")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("place", ["lists/train.txt", "img/0.png", "beside"])
def test_what_cannot_be_read_to_an_end_is_not_opened(folder, place, kind):
    mine(folder, list="lists/test.txt")
    file = folder / place
    file.unlink(missing_ok=True)
    os.mkfifo(file) if kind == "pipe" else file.symlink_to("/dev/zero")
    for result in (said("data", "check", "mine"), said("run", "-m", "identity", "-b", "mine", "--dry-run")):
        assert result.exit_code == 2 and f"{place} is a {kind}, not a file. Delete it." in result.output


@pytest.mark.timeout(60)
def test_links_in_circles_end(folder):
    mine(folder, list="lists/test.txt")
    before, known = said("data", "check", "mine"), digest()
    (folder / "img" / "up").symlink_to("..")
    (folder / "ann" / "itself").symlink_to("itself")
    (folder / "img" / "round").mkdir()
    (folder / "img" / "round" / "about").symlink_to(folder / "img")
    after = said("data", "check", "mine")
    assert (after.exit_code, after.output, digest()) == (before.exit_code, before.output, known)
