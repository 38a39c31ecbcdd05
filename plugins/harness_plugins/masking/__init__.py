"""Masking strategies of self-supervised pre-training, (B, N) attention -> (B, N) mask."""
