"""What exists: methods, benchmarks, suites, claims of papers (data) and the plugin files behind them."""

from harness.catalog.claims import Claim
from harness.catalog.load import load_catalog, read_registry
from harness.catalog.schema import Benchmark, Catalog, Filling, Method, Paper, Suite, Tune

__all__ = ["Benchmark", "Catalog", "Claim", "Filling", "Method", "Paper", "Suite", "Tune", "load_catalog", "read_registry"]
