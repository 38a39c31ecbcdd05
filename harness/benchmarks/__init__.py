"""Benchmarks: one folder per family, and what they share. :func:`task` turns a registry entry into what can be run."""

from harness.benchmarks.task import Task, family, task

__all__ = ["Task", "family", "task"]
