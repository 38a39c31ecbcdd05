"""What a detector reads of a feature map for a region, (B, C, H, W) and regions (R, 5) -> (R, C, size, size)."""
