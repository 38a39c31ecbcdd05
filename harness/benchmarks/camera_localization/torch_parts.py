"""Imports every module of the family that registers an mmengine class."""

import harness.benchmarks.camera_localization.dataset
import harness.benchmarks.camera_localization.hooks
import harness.benchmarks.camera_localization.metric
import harness.benchmarks.camera_localization.model  # noqa: F401
