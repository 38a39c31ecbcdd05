"""Imports every module that registers an mmengine class; called by ``harness.openmmlab.setup``."""

import harness.benchmarks.camera_localization.torch_parts  # noqa: F401
import harness.benchmarks.classification.torch_parts  # noqa: F401
import harness.benchmarks.keypoint.torch_parts  # noqa: F401
import harness.benchmarks.object_localization.torch_parts  # noqa: F401
import harness.benchmarks.parts.attend  # noqa: F401
import harness.benchmarks.parts.pooling  # noqa: F401
import harness.benchmarks.segmentation.torch_parts  # noqa: F401
