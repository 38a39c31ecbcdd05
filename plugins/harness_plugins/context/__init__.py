"""Context modules of a segmentation head, (B, C, H, W) -> (B, C, H, W)."""
