"""Readers of localization datasets in their official layouts: files and text in, :class:`Picture` out."""

from harness.benchmarks.object_localization.readers.listing import Role, read, scan
from harness.benchmarks.object_localization.readers.picture import Box, Listing, Picture

__all__ = ["Box", "Listing", "Picture", "Role", "read", "scan"]
