"""Camera localization: the 6-DoF pose of the camera from one image, in several scenes with one model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.benchmarks.base import Family, Metric, Problem, Sample
from harness.benchmarks.camera_localization.options import (
    CambridgeData,
    CameraModel,
    CameraSchedule,
    ColmapData,
    RoomsData,
    SevenScenesData,
    TransformsData,
    recall_name,
)

if TYPE_CHECKING:
    from harness.catalog import Benchmark, Filling


class CameraLocalization(Family):
    """Pose regression with the Multi-Scene Transformer, or with a model of the ``model`` slot in its place."""

    name = "camera-localization"
    slots = ("encoder_attention", "position_encoding", "attention_loss", "block", "model")
    primary = "position_median_m"
    data_options = {
        "synthetic": RoomsData,
        "7scenes": SevenScenesData,
        "cambridge": CambridgeData,
        "transforms": TransformsData,
        "colmap": ColmapData,
    }
    model_options = CameraModel
    schedule_options = CameraSchedule

    def metrics(self, bench: Benchmark) -> list[Metric]:
        from harness import benchmarks

        data = benchmarks.options(bench)[0]
        found = [
            Metric("position_median_m", "m", False, "Median position error", per_scene=True),
            Metric("orientation_median_deg", "deg", False, "Median orientation error", per_scene=True),
            Metric("scene_accuracy", "%", True, "Scene accuracy", per_scene=True),
        ]
        for metres, degrees in data.thresholds:
            name, title = recall_name(metres, degrees), f"Recall at {metres:g} m, {degrees:g}°"
            found.append(Metric(name, "%", True, title, per_scene=True))
            found.append(Metric(f"{name}_scene_mean", "%", True, f"{title}, mean of scenes"))
        return found

    def config(self, bench: Benchmark, fillings: dict[str, Filling], seed: int) -> dict[str, Any]:
        from harness import benchmarks
        from harness.benchmarks.camera_localization.pipeline import compose

        return compose(*benchmarks.options(bench), fillings)

    def generate(self, bench: Benchmark, out: Path) -> None:
        from harness import benchmarks
        from harness.benchmarks.camera_localization import rooms

        rooms.write(benchmarks.options(bench)[0], out)

    def check(self, bench: Benchmark, root: Path) -> list[Problem]:
        from harness import benchmarks
        from harness.benchmarks.camera_localization import checks

        return checks.check(root, benchmarks.options(bench)[0])

    def floor(self, bench: Benchmark, root: Path) -> dict[str, float]:
        from harness import benchmarks
        from harness.benchmarks.camera_localization import floor

        return floor.constant_pose(root, benchmarks.options(bench)[0])

    def samples(self, bench: Benchmark, root: Path, count: int) -> list[Sample]:
        from harness import benchmarks
        from harness.benchmarks.camera_localization import pictures

        return pictures.samples(root, benchmarks.options(bench)[0], count)


FAMILY = CameraLocalization()
