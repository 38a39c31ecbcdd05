"""How torch computes while a trial runs: TF32, which kernels a GPU takes, whether they are deterministic."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
_NO_FORM = re.compile(r"^(\S+) does not have a deterministic implementation")


@dataclass
class Computing:
    """What was asked for, and what turned out."""

    device: str
    """``cpu`` or ``cuda[:N]``."""
    tf32: bool = False
    deterministic: bool = False
    undetermined: set[str] = field(default_factory=set)
    """Operations that had no deterministic form, by torch's names."""

    def report(self) -> dict[str, Any]:
        """For the record: nothing on a CPU, whose results are reproducible as they are."""
        if not self.device.startswith("cuda"):
            return {}
        told: dict[str, Any] = {"tf32": self.tf32, "deterministic": self.deterministic}
        if self.deterministic:
            told |= {"cublas_workspace": os.environ.get(_WORKSPACE, ""), "not_deterministic": sorted(self.undetermined)}
        return told

    def notes(self) -> list[str]:
        """For readers."""
        if not self.undetermined:
            return []
        return [f"not deterministic, since these operations have no such form on a GPU: {', '.join(sorted(self.undetermined))}"]


@contextmanager
def computing(device: str, *, tf32: bool = False, deterministic: bool = False) -> Iterator[Computing]:
    """Have torch compute so; on a CPU nothing changes.

    Deterministic kernels must be asked for before the process uses cuBLAS. Otherwise cuDNN tries its algorithms for each shape of a
    training batch (:class:`harness.engine.hooks.TryAlgorithms`) and takes the fastest.
    """
    found = Computing(device, tf32, deterministic)
    if not device.startswith("cuda"):
        yield found
        return
    backends = torch.backends
    before = backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32, backends.cudnn.deterministic, backends.cudnn.benchmark
    backends.cuda.matmul.allow_tf32 = backends.cudnn.allow_tf32 = tf32
    try:
        if not deterministic:
            yield found
            return
        os.environ.setdefault(_WORKSPACE, ":4096:8")
        backends.cudnn.deterministic, backends.cudnn.benchmark = True, False
        torch.use_deterministic_algorithms(True, warn_only=True)
        with _listening(found.undetermined):
            yield found
    finally:
        if deterministic:
            torch.use_deterministic_algorithms(False)
        backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32, backends.cudnn.deterministic, backends.cudnn.benchmark = before


@contextmanager
def _listening(heard: set[str]) -> Iterator[None]:
    """Collect the operations that torch warns of, and pass every other warning on."""
    show = warnings.showwarning

    def listen(message: Warning | str, *rest: Any, **options: Any) -> None:
        if said := _NO_FORM.match(str(message)):
            heard.add(said[1])
        else:
            show(message, *rest, **options)

    with warnings.catch_warnings():
        warnings.filterwarnings("always", message=_NO_FORM.pattern)
        warnings.showwarning = listen
        yield
