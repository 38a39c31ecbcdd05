"""Scores of detections that find the same object: the `duplicate_removal` slot."""
