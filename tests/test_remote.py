"""What lies elsewhere is copied whole, and once."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from harness import benchmarks, data, paths, remote
from harness.analysis import artifacts
from harness.catalog import Benchmark
from harness.errors import DataError, UsageError

DIGEST = "ab12"


@pytest.fixture
def left(tmp_path) -> Path:
    """A trial's folder."""
    folder = tmp_path / "here" / "trials" / DIGEST
    (folder / "artifacts" / "predictions").mkdir(parents=True)
    (folder / "log.txt").write_text("begins\nends\n")
    (folder / "checkpoint.pth").write_text("of this machine only")
    (folder / "artifacts" / "attention-0.jpg").write_bytes(b"picture")
    (folder / "artifacts" / "weights.safetensors").write_bytes(b"weights")
    (folder / "artifacts" / "predictions" / "0.png").write_bytes(b"label map")
    return folder


@pytest.fixture(params=["file", "memory"])
def url(request, tmp_path) -> str:
    """Of a folder, and of a file system without files, buckets say."""
    return (tmp_path / "else where").as_uri() if request.param == "file" else f"memory://{uuid.uuid4().hex}/runs"


def test_what_a_trial_left_is_found_from_elsewhere(left, url, tmp_path, monkeypatch):
    remote.put(url, left, DIGEST)
    remote.put(url, left, DIGEST)  # a trial that was tried again
    monkeypatch.setenv("HARNESS_ARTIFACTS", url)
    assert remote.trials(url) == {DIGEST} and remote.trials(f"{url}/nowhere") == set()
    there = f"sqlite:///{tmp_path}/there/harness.db"
    assert artifacts.log_tail(there, DIGEST, 1) == "ends"
    assert [(picture.name, picture.file.read_bytes()) for picture in artifacts.pictures(there, DIGEST)] == [("attention-0.jpg", b"picture")]
    assert artifacts.find(there, DIGEST, "artifacts/weights.safetensors").read_bytes() == b"weights"
    for nothing in ((DIGEST, "checkpoint.pth"), ("cd34", "log.txt"), ("../here", "log.txt")):
        assert artifacts.find(there, *nothing) is None
    assert artifacts.pictures(there, "cd34") == []
    monkeypatch.delenv("HARNESS_ARTIFACTS")
    assert artifacts.find(there, DIGEST, "log.txt") is None and artifacts.log_tail(there, DIGEST) == ""


def test_a_copy_is_taken_once_and_anew_when_the_file_changed(left, url):
    remote.put(url, left, DIGEST)
    first = remote.get(url, DIGEST, "log.txt")
    first.write_text("from the copy")
    assert remote.get(url, DIGEST, "log.txt").read_text() == "from the copy"
    (left / "log.txt").write_text("tried again, and longer")
    remote.put(url, left, DIGEST)
    assert remote.get(url, DIGEST, "log.txt").read_text() == "tried again, and longer"
    assert not [*paths.cache_dir().rglob("*.part")]


def test_urls_that_nothing_opens_are_explained():
    for text, says in (("nosuch://bucket", "Give a URL that fsspec opens"), ("memory://runs", "memory is gone"), ("a::s3://b", "chains")):
        with pytest.raises(UsageError, match=says):
            remote.checked(text)
    assert remote.checked("runs/") == (Path.cwd() / "runs").as_uri()
    assert remote.shown("ftp://me:secret@host/runs") == "ftp://host/runs"


def test_what_cannot_be_read_is_an_error_with_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(remote.RemoteError, match="Is it reachable from here"):
        remote.put((tmp_path / "file").as_uri(), _trial(tmp_path), DIGEST)


def _trial(folder: Path) -> Path:
    (folder / "trial").mkdir()
    (folder / "trial" / "log.txt").write_text("log")
    return folder / "trial"


def _photos(folder: Path) -> None:
    import numpy as np
    from PIL import Image

    for split in ("train", "test"):
        for label in ("cat", "dog"):
            place = folder / split / label
            place.mkdir(parents=True)
            for number in range(4):
                pixels = np.random.default_rng([len(split), ord(label[0]), number]).integers(0, 255, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")


def _task(root: str = "photos") -> benchmarks.Task:
    return benchmarks.task(
        Benchmark(id="photos", family="classification", data={"format": "image-folder", "root": root, "classes": ["cat", "dog"]})
    )


def test_a_dataset_is_copied_to_this_machine_once_and_is_the_same(tmp_path, monkeypatch):
    _photos(tmp_path / "sets" / "photos")
    url, task = (tmp_path / "sets").as_uri(), _task()
    here = data.fingerprint(task, tmp_path / "sets")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataError, match=r"not copied from file://.* yet"):
        data.locate(task, remote.mirror(url))
    assert data.fingerprint(task, remote.mirror(url)) == here
    folder = data.locate(task, remote.mirror(url))
    assert folder.is_relative_to(tmp_path / "cache") and len([*folder.rglob("*.png")]) == 16
    (tmp_path / "sets" / "photos" / "train" / "cat" / "0.png").unlink()
    assert data.fingerprint(task, remote.mirror(url)) == here, "it is copied once"
    monkeypatch.setenv("HARNESS_DATA", url)
    assert data.locate(task, None) == folder == data.locate(_task(f"{url}/photos"), None)
    with pytest.raises(DataError, match=r"no dataset at file://.*/nowhere\. Put it there"):
        data.ensure(_task("nowhere"), None)
    assert remote.source(tmp_path / "sets") is None and remote.source(folder.parent) == url
