"""What is printed when nobody reads any more (``harness run ... | head``) is dropped: a command ends as if all of it had been read."""

from __future__ import annotations

import io
import os
import sys
from typing import Any


class _Output(io.FileIO):
    """A file descriptor that becomes the null device when the reader of its pipe has gone."""

    def write(self, content: Any) -> int:
        try:
            return super().write(content) or 0
        except BrokenPipeError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self.fileno())  # so do the processes that are started from here on
            os.close(nothing)
            return len(memoryview(content).cast("B"))


def outlive_readers() -> None:
    """Exchange the streams of this process, unless somebody else has (a test, a notebook)."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper) or stream is not getattr(sys, f"__{name}__"):
            continue
        stream.flush()
        raw = io.BufferedWriter(_Output(stream.fileno(), "w", closefd=False))
        text = io.TextIOWrapper(raw, stream.encoding, stream.errors, None, stream.line_buffering, stream.write_through)
        setattr(sys, name, text)
