"""Blocks, (B, C, H, W) -> (B, C, H, W), behind a module of any backbone."""
