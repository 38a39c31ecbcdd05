"""Where, and with which packages, the trials of tables ran, in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from harness.store.records import TrialRecord
from harness.texts import few

_WIDEST = {"avx512f": "AVX-512", "avx2": "AVX2", "sve": "SVE", "asimd": "NEON"}
"""Instructions that decide how a processor rounds sums, the widest first: a virtual machine's name for its processor does not tell."""

_NO_MATTER = ("attention-harness", "python")
"""What the harness changes is in a trial's digest, and numbers do not come from the interpreter."""


def place(about: Mapping[str, Any]) -> str:
    """A machine's name by what it computed on: its GPU, or its processor and the widest instructions it has. Empty where unknown."""
    if about.get("device_name"):
        return str(about["device_name"])
    has = str(about.get("cpu_isa") or "").split()
    widest = next((name for flag, name in _WIDEST.items() if flag in has), "")
    return " with ".join(filter(None, [str(about.get("cpu") or ""), widest]))


def places(tables: Mapping[str, Iterable[TrialRecord]], environments: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Sentences on each of a benchmark's tables, where their trials ran on several machines, or on a GPU, or with several versions.

    None for a benchmark that one processor ran with one set of packages, or of which nothing is recorded.

    Args:
        tables: what a table is called -> its trials.
        environments: digest of an environment -> what is known of where a trial ran.
    """
    machines: dict[str, Counter[str]] = {}
    versions: list[str] = []
    on_gpu = False
    for name, trials in tables.items():
        ran = machines[name] = Counter()
        packages: dict[str, Counter[str]] = defaultdict(Counter)
        for digest, count in Counter(trial.environment_digest or "" for trial in trials).items():
            about = environments.get(digest, {})
            on_gpu |= bool(about.get("device_name"))
            if known := place(about):
                ran[known] += count
            for package, version in about.get("packages", {}).items():
                packages[package][version] += count
        versions += _mixed(name, packages)
    if not on_gpu and len({name for ran in machines.values() for name in ran}) < 2:
        return versions
    return [_told(name, ran) for name, ran in machines.items() if ran] + versions


def _mixed(table: str, packages: Mapping[str, Counter[str]]) -> list[str]:
    several = {name: found for name, found in packages.items() if len(found) > 1 and name not in _NO_MATTER}
    if not several:
        return []
    first = "torch" if "torch" in several else min(several)
    others = sorted({*several} - {first})
    also = f" and several versions of {few(others)}" if others else ""
    return [f"{table}: trials ran with {first} {_counted(several[first])}{also}. What differs between methods may be the version's."]


def _told(table: str, machines: Counter[str]) -> str:
    if len(machines) == 1:
        return f"{table}: ran on {next(iter(machines))}."
    return f"{table}: trials ran on {_counted(machines)}. Digits differ between machines as between seeds, and times compare machines, too."


def _counted(names: Counter[str]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(names.items(), key=lambda item: (-item[1], item[0])))
