"""Runs what a plan says: :func:`harness.engine.run.run_plan`. Importing the package itself imports nothing."""
