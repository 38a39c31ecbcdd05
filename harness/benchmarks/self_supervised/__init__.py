"""Self-supervised pre-training: a vision transformer learns from images without labels, of which a strategy hides parts.

Each trial pre-trains a network, and puts what its [CLS] token says of each image through the protocols of frozen features, beside the
same network before training. Formats are those of classification; labels are read by the protocols only.
"""

from harness.benchmarks.base import Family
from harness.benchmarks.self_supervised.options import PretrainedModel, PretrainingSchedule

_CLASSIFICATION = "harness.benchmarks.classification"

FAMILY = Family(
    name="self-supervised",
    slots=("masking",),
    primary="knn20",
    model=PretrainedModel,
    schedule=PretrainingSchedule,
    formats={
        "synthetic": ".synthetic",
        "digits": f"{_CLASSIFICATION}.readers.digits",
        "image-folder": f"{_CLASSIFICATION}.readers.image_folder",
        "image-list": f"{_CLASSIFICATION}.readers.image_list",
        "imagenet": f"{_CLASSIFICATION}.readers.imagenet",
        "cifar": f"{_CLASSIFICATION}.readers.cifar",
        "tiny-imagenet": f"{_CLASSIFICATION}.readers.tiny_imagenet",
    },
)
