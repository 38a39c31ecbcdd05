"""A file is there whole, or as it was before."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest

from harness.files import whole, write_whole


@pytest.fixture
def full_disk():
    """``full_disk(n)``: from now on no file can get longer than ``n`` bytes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("content", ["Übung\n", b"\0\xff"])
def test_what_was_written_is_there_and_nothing_else(tmp_path: Path, content: str | bytes, durable: bool):
    file = tmp_path / "a.txt"
    for _ in range(2):
        write_whole(file, content, durable=durable)
        assert file.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("how", ["full disk", "error", "interruption"])
def test_a_failure_in_the_middle_leaves_what_was_there(tmp_path: Path, full_disk, how: str, there: bool):
    file = tmp_path / "a.txt"
    if there:
        file.write_text("before")
    expected = {"full disk": OSError, "error": ValueError, "interruption": KeyboardInterrupt}[how]
    if how == "full disk":
        full_disk(10_000)
    with pytest.raises(expected), whole(file) as stream:
        stream.write("x" * 20_000)
        if how != "full disk":
            raise expected
    assert [path.read_text() for path in tmp_path.iterdir()] == (["before"] if there else [])


def test_readers_see_the_old_text_until_the_end(tmp_path: Path):
    file = tmp_path / "a.txt"
    file.write_text("before")
    with whole(file) as stream:
        stream.write("after")
        stream.flush()
        assert file.read_text() == "before"
    assert file.read_text() == "after"


def test_permissions_are_the_users_own_or_stay_as_they_were(tmp_path: Path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "new", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o604)
    write_whole(tmp_path / "new", "again")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o604


def test_a_link_still_leads_to_its_file(tmp_path: Path):
    (tmp_path / "real").write_text("before")
    (tmp_path / "link").symlink_to("real")
    write_whole(tmp_path / "link", "after")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "after"


def test_a_pipe_is_written_to(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_whole(tmp_path / "pipe", "through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)


def test_a_folder_that_is_missing_is_an_os_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "no" / "file", "")


def test_a_checkpoint_on_a_full_disk_is_done_without(openmmlab, tmp_path: Path, full_disk):
    from types import SimpleNamespace

    import torch

    from harness.engine.checkpoint import Checkpoint
    from harness.engine.hooks import Curves

    said = []
    runner = SimpleNamespace(
        model=torch.nn.Linear(100, 100),
        optim_wrapper=SimpleNamespace(state_dict=dict),
        param_schedulers=[],
        train_dataloader=range(3),
        epoch=1,
        iter=3,
        max_epochs=9,
        hooks=[],
        logger=SimpleNamespace(warning=said.append),
    )
    full_disk(10_000)
    Checkpoint(tmp_path / "checkpoint.pth", Curves([]), every=0.0).before_train_epoch(runner)
    assert len(said) == 1 and "checkpoint not written" in said[0] and [*tmp_path.iterdir()] == []
