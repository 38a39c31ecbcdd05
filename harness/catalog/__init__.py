"""What exists: methods, benchmarks, suites (data) and the plugin files behind them."""

from harness.catalog.load import load_catalog, read_registry
from harness.catalog.schema import Benchmark, Catalog, Filling, Method, Paper, Suite, Tune

__all__ = ["Benchmark", "Catalog", "Filling", "Method", "Paper", "Suite", "Tune", "load_catalog", "read_registry"]
