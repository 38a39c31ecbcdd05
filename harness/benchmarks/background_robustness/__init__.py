"""Background robustness: a classifier is tested on images whose foregrounds and backgrounds have been taken apart and put together anew.

ImageNet-9's eight variants and their rules (Xiao et al., "Noise or Signal: The Role of Image Backgrounds in Object Recognition", ICLR
2021; MadryLab/backgrounds_challenge). A trial trains as one of classification does, and its evaluator tells the variants apart.
"""

from harness.benchmarks.background_robustness.options import ClassificationModel
from harness.benchmarks.base import Family

FAMILY = Family(
    name="background-robustness",
    slots=("pooling", "block"),
    primary="mixed_rand",
    model=ClassificationModel,
    formats={"synthetic": ".synthetic", "in9": ".readers.in9"},
)
