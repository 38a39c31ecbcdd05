"""Features of regions, gathered from a feature map: the `region_features` slot."""
