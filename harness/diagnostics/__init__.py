"""Numbers and pictures that describe the attention itself, for any method that offers q, k or a map."""
