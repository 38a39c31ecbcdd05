"""Trials that begin with what another one has learned: its weights, found when they are wanted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness import paths, remote
from harness.benchmarks.weights import KEPT
from harness.compose import Trial
from harness.engine.kept import about
from harness.errors import UsageError


def begun(trial: Trial, folder: Path) -> Trial:
    """``trial``, which now says where the weights lie that it begins with.

    Args:
        folder: that of all trials; what machines leave at ``HARNESS_ARTIFACTS`` is looked for, too.

    Raises:
        UsageError: they were not kept, or are another trial's.
        RemoteError: that place cannot be read.
    """
    if not trial.before:
        return trial
    file: Path | None = folder / trial.before / KEPT
    if file is not None and not file.is_file():
        elsewhere = paths.artifacts()
        file = remote.get(elsewhere, trial.before, KEPT) if elsewhere else None
    if file is None:
        raise UsageError(
            f"trial {trial.before}, whose weights it begins with, has kept none in {folder}. Run that one with --keep-weights in a "
            "database that does not have it yet, and this one there; or put its folder back."
        )
    if (owner := about(file)["trial"]) != trial.before:
        raise UsageError(f"{file} holds the weights of trial {owner}, not of {trial.before}. Put the right file there.")
    return replace(trial, files={**trial.files, trial.config["model"]["weights"]["file"]: str(file)})
