"""Where the trials of tables ran, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from harness.store.records import TrialRecord

_WIDEST = {"avx512f": "AVX-512", "avx2": "AVX2", "sve": "SVE", "asimd": "NEON"}
"""Instructions that decide how a processor rounds sums, the widest first: a virtual machine's name for its processor does not tell."""


def place(about: Mapping[str, Any]) -> str:
    """A machine's name by what it computed on: its GPU, or its processor and the widest instructions it has. Empty where unknown."""
    if about.get("device_name"):
        return str(about["device_name"])
    has = str(about.get("cpu_isa") or "").split()
    widest = next((name for flag, name in _WIDEST.items() if flag in has), "")
    return " with ".join(filter(None, [str(about.get("cpu") or ""), widest]))


def places(tables: Mapping[str, Iterable[TrialRecord]], environments: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A sentence for each of a benchmark's tables, where their trials ran on several machines, or on a GPU.

    None for a benchmark that one processor ran, or of which nothing is recorded.

    Args:
        tables: what a table is called -> its trials.
        environments: digest of an environment -> what is known of where a trial ran.
    """
    counted: dict[str, Counter[str]] = {}
    on_gpu = False
    for name, trials in tables.items():
        machines = counted[name] = Counter()
        for digest, count in Counter(trial.environment_digest or "" for trial in trials).items():
            about = environments.get(digest, {})
            on_gpu |= bool(about.get("device_name"))
            if known := place(about):
                machines[known] += count
    if not on_gpu and len({name for machines in counted.values() for name in machines}) < 2:
        return []
    return [_told(name, machines) for name, machines in counted.items() if machines]


def _told(table: str, machines: Counter[str]) -> str:
    if len(machines) == 1:
        return f"{table}: ran on {next(iter(machines))}."
    names = ", ".join(f"{name} ({count})" for name, count in sorted(machines.items(), key=lambda item: (-item[1], item[0])))
    return f"{table}: trials ran on {names}. Digits differ between machines as between seeds, and times compare machines, too."
