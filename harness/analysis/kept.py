"""What trials left as numbers among their artifacts: maps of the attention over images, predicted poses.

Found as :mod:`harness.analysis.artifacts` finds pictures: from the digest beside the database, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.analysis import artifacts
from harness.errors import DataError

if TYPE_CHECKING:
    from harness.benchmarks.camera_localization.trajectories import Trajectory
    from harness.diagnostics.maps import Pictured

T = TypeVar("T")


def pictured(url: str, digest: str) -> list[Pictured]:
    """The test images of a trial with the maps of its attention; empty where it kept none.

    Raises:
        DataError: the file is damaged.
    """
    from harness.diagnostics import maps

    return _read(url, digest, maps.FILE, maps.load) or []


def trajectories(url: str, digest: str, setting: dict[str, Any]) -> list[Trajectory]:
    """True and predicted paths of a trial of camera localization, one per scene; empty where it kept none.

    Args:
        setting: what is behind the trial's setting; it names the scenes.

    Raises:
        DataError: the file is damaged.
    """
    from harness.benchmarks.camera_localization import trajectories

    poses = _read(url, digest, trajectories.FILE, trajectories.load)
    names = setting.get("data", {}).get("scenes") or []
    return trajectories.trajectories(poses, [str(name) for name in names]) if poses and len(poses["scene"]) else []


def _read(url: str, digest: str, name: str, load: Callable[[Path], T]) -> T | None:
    file = artifacts.find(url, digest, f"artifacts/{name}")
    try:
        return load(file) if file else None
    except ValueError as error:
        raise DataError(f"{name} of the trial {digest}: {error}.") from None
