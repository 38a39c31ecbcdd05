"""The five families of benchmarks, one folder each."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.benchmarks.base import DataOptions, Family, ModelOptions, ScheduleOptions
    from harness.catalog import Benchmark

FAMILIES = ("classification", "object-localization", "segmentation", "keypoint", "camera-localization")


@cache
def family(name: str) -> Family:
    """The family called ``name`` (one of ``FAMILIES``)."""
    assert name in FAMILIES, name
    return importlib.import_module(f"harness.benchmarks.{name.replace('-', '_')}").FAMILY


def options(bench: Benchmark) -> tuple[DataOptions, ModelOptions, ScheduleOptions]:
    """A benchmark's typed options.

    Raises:
        UsageError: an unknown format, an unknown key or a value of a wrong type, named.
    """
    from pydantic import ValidationError

    from harness.catalog.load import explain
    from harness.errors import UsageError, did_you_mean

    kind = family(bench.family)
    chosen = bench.data.get("format")
    if not isinstance(chosen, str):
        raise UsageError(f"benchmark '{bench.id}': data.format is missing. Known: {', '.join(kind.data_options)}.")
    if chosen not in kind.data_options:
        raise UsageError(f"benchmark '{bench.id}': {did_you_mean(chosen, kind.data_options, 'data.format')}")
    parsed = []
    for part, schema in (("data", kind.data_options[chosen]), ("model", kind.model_options), ("schedule", kind.schedule_options)):
        try:
            parsed.append(schema.model_validate(getattr(bench, part)))
        except ValidationError as error:
            raise explain(error, (part,), {}, f"benchmark '{bench.id}'", schema) from None
    return tuple(parsed)
