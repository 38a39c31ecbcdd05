"""Everything behind a detector's backbone, [(B, C_i, H_i, W_i), ...] -> logits and boxes."""
