"""Self-supervised pre-training: a vision transformer learns from images without labels, of which a strategy hides parts.

Each trial pre-trains a network, and puts what its [CLS] token says of each image through the protocols of frozen features, beside the
same network before training. A method of the slot ``pooling`` takes the place of that token: the network has none, nothing is masked,
and DINO trains both. Formats are those of classification; labels are read by the protocols only.
"""

from harness.benchmarks.base import Family
from harness.benchmarks.self_supervised.options import PretrainedModel, PretrainingSchedule

FAMILY = Family(
    name="self-supervised",
    slots=("masking", "pooling"),
    handed_on=("masking",),
    primary="knn20",
    by_features=True,
    model=PretrainedModel,
    schedule=PretrainingSchedule,
    formats={"synthetic": ".synthetic"},
    formats_of="classification",
)
