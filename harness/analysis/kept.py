"""What trials left as numbers among their artifacts: maps of the attention over images and what was predicted there, predicted poses.

Found as :mod:`harness.analysis.artifacts` finds pictures: from the digest beside the database, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harness.analysis import artifacts

if TYPE_CHECKING:
    from harness.benchmarks.camera_localization.trajectories import Trajectory
    from harness.diagnostics.maps import Pictured

T = TypeVar("T")


def pictured(url: str, digest: str) -> tuple[list[Pictured], str]:
    """The test images of a trial with the maps of its attention, if it has any, and with what it predicted there; and why the file that
    is there cannot be read, if so.

    Both are empty where the trial kept none.
    """
    from harness.diagnostics import maps

    found, why = _read(url, digest, maps.FILE, maps.load)
    return found or [], why


def maps_of(url: str, digest: str) -> bool:
    """Whether a trial kept maps of its attention; one whose method has none keeps what it predicted alone."""
    from harness.diagnostics import maps

    file = artifacts.find(url, digest, f"artifacts/{maps.FILE}")
    return file is not None and maps.over_images(file)


def trajectories(url: str, digest: str, setting: str) -> tuple[list[Trajectory], str]:
    """True and predicted paths of a trial of camera localization, one per scene, and why they cannot be read, as :func:`pictured`.

    Args:
        setting: digest of the trial's setting, which names the scenes.
    """
    from harness.benchmarks.camera_localization import trajectories
    from harness.store import open_store

    poses, why = _read(url, digest, trajectories.FILE, trajectories.load)
    if not poses:
        return [], why
    content = open_store(url, read_only=True).settings().get(setting, {})
    scenes = (content.get("data") or {}).get("scenes") or []
    return trajectories.trajectories(poses, [str(name) for name in scenes]), ""


def _read(url: str, digest: str, name: str, load: Callable[[Path], T]) -> tuple[T | None, str]:
    file = artifacts.find(url, digest, f"artifacts/{name}")
    try:
        return (load(file) if file else None), ""
    except ValueError as error:
        return None, f"{name} of the trial {digest}: {error}."
