"""Keeps trials, their results and the queue, in any database SQLAlchemy reaches.

    store = open_store("sqlite:///results/harness.db", read_only=True)
    for result in store.results(benchmarks=["scenes-classification"]):
        print(result.method, result.seed, result.metrics)

Importing this package imports SQLAlchemy (not torch): the command line does so inside its commands.
"""

from harness.store.database import StoreError, current, upgrade
from harness.store.numbers import COST, KINDS, Metrics
from harness.store.records import Floor, Imported, Lease, Lot, MetricSpec, Other, Result, State, TrialRow
from harness.store.store import Store, open_store

__all__ = [
    "COST",
    "KINDS",
    "Floor",
    "Imported",
    "Lease",
    "Lot",
    "MetricSpec",
    "Metrics",
    "Other",
    "Result",
    "State",
    "Store",
    "StoreError",
    "TrialRow",
    "current",
    "open_store",
    "upgrade",
]
