"""Layers of a transformer encoder, (B, N, D) -> (B, N, D)."""
