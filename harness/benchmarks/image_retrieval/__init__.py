"""Image retrieval: of a database, the images that show what a query shows come first.

The revisited Oxford and Paris protocol (Radenovic et al., "Revisiting Oxford and Paris: Large-Scale Image Retrieval Benchmarking", CVPR
2018; filipradenovic/revisitop). A trial trains a pooling with a linear classifier on images of other places, behind a backbone that
stays as it is, and ranks the database by the cosine of the pooled vectors.
"""

from harness.benchmarks.base import Family
from harness.benchmarks.image_retrieval.options import RetrievalModel

FAMILY = Family(
    name="image-retrieval",
    slots=("pooling", "block"),
    primary="mAP_medium",
    by_features=True,
    model=RetrievalModel,
    formats={"synthetic": ".synthetic", "revisited": ".readers.revisited", "image-folder": ".readers.image_folder"},
)
