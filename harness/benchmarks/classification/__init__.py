"""Classification: one label per image, by mmpretrain's ``ImageClassifier``; top-1 and top-5 accuracy."""

from harness.benchmarks.base import Family
from harness.benchmarks.classification.options import ClassificationModel

FAMILY = Family(
    name="classification",
    slots=("pooling", "block"),
    primary="top1",
    model=ClassificationModel,
    formats={
        "synthetic": ".synthetic",
        "digits": ".readers.digits",
        "image-folder": ".readers.image_folder",
        "image-list": ".readers.image_list",
        "imagenet": ".readers.imagenet",
        "cifar": ".readers.cifar",
        "voc-crops": ".readers.voc_crops",
        "tiny-imagenet": ".readers.tiny_imagenet",
    },
)
