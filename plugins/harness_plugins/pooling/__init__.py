"""Poolings, (B, C, H, W) -> (B, C)."""
