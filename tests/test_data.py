"""Generated data: whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from harness import benchmarks, data
from harness.catalog import load_catalog
from harness.errors import DataError

GENERATED = [bench for bench in load_catalog().benchmarks.values() if benchmarks.task(bench).is_generated]


@pytest.mark.parametrize("bench", GENERATED, ids=[bench.id for bench in GENERATED])
def test_a_disk_that_fills_up_leaves_no_dataset(bench, tmp_path, monkeypatch):
    """Some writes fail and later ones succeed, as when somebody else frees the disk: no image may be missing unnoticed."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    count, write, open_ = 0, Path.write_bytes, Path.open

    def full() -> None:
        nonlocal count
        count += 1
        if count == 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", lambda path, content: full() or write(path, content))
    monkeypatch.setattr("PIL.Image.Image.save", lambda image, file: full() or open_(file, "wb").close())
    with pytest.raises(DataError, match=f"the data of '{bench.id}' cannot be written to .*No space left on device"):
        data.ensure(benchmarks.task(bench), None)
    assert count == 5 and not [path for path in tmp_path.rglob("*") if path.is_file()]
