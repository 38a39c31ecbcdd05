"""Mask propagation: objects that are marked in the first frame of a video are found in all others, by a backbone's features alone.

Nothing is trained, so that no slot is offered. What is compared is where a backbone comes from: its weights, with the method ``identity``,
or, of a benchmark that comes after another (``weights: {after: ...}``), the method that it was pre-trained with there. The protocol is that
of Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", ICCV 2021 (``eval_video_segmentation.py``), after Jabri et
al., NeurIPS 2020; the scores are DAVIS's.
"""

from harness.benchmarks.base import Family
from harness.benchmarks.mask_propagation.options import NoSchedule, PropagationModel

FAMILY = Family(
    name="mask-propagation",
    slots=(),
    primary="jf_mean",
    by_features=True,
    model=PropagationModel,
    schedule=NoSchedule,
    formats={"synthetic": ".synthetic", "davis": ".readers.davis", "video-folders": ".readers.video_folders"},
)
