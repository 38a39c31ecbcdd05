"""Relations between the regions of an image: the `relation` slot."""
