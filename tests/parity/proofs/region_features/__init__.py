"""What features of regions are compared with: one region, one part and one point at a time."""
