"""Features of frozen backbones on disk: kept by the content of weights and image, found by the number of a sample.

``store`` holds the rows, in a folder for each backbone; ``samples`` says which image each sample of a dataset is; ``room`` keeps
all of it within a size. Nothing here imports torch: what is kept are bytes with a shape and the name of a type.
"""

from harness.features.store import Level, Store

__all__ = ["Level", "Store"]
