"""Benchmark and leaderboard harness for visual attention methods."""

__version__ = "0.2.0"
