"""Imports every module that registers an mmengine class; called by ``harness.openmmlab.setup``."""

import harness.benchmarks.camera_localization.torch_parts
import harness.benchmarks.classification.torch_parts
import harness.benchmarks.keypoint.torch_parts
import harness.benchmarks.object_localization.torch_parts
import harness.benchmarks.parts.attend
import harness.benchmarks.parts.pooling
import harness.benchmarks.segmentation.torch_parts  # noqa: F401
