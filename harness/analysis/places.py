"""Where, and with which packages, the trials of tables ran, in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.outcome import ROUGH
from harness.store.records import Result, TrialRecord
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


def timed(methods: Mapping[str, Sequence[Result]], environments: Mapping[str, Mapping[str, Any]]) -> tuple[str, frozenset[str]]:
    """The machine whose times a table shows, as those of several say nothing of methods: that on which most have one undisturbed.

    Args:
        methods: their trials.
        environments: digest of an environment -> what is known of where a trial ran.

    Returns:
        Its name, and the digests of the environments of others; nothing where no second machine is known.
    """
    digests = dict.fromkeys(trial.environment_digest or "" for trials in methods.values() for trial in trials)
    at = {digest: place(environments.get(digest, {})) for digest in digests}
    if len({*at.values()} - {""}) < 2:
        return "", frozenset()
    certain: dict[str, set[str]] = defaultdict(set)
    ran: Counter[str] = Counter()
    for method, trials in methods.items():
        for trial in trials:
            where = at[trial.environment_digest or ""]
            ran[where] += 1
            if trial.cost.latency_ms is not None and "latency_ms" not in trial.labels.get(ROUGH, "").split(","):
                certain[where].add(method)
    chosen = min((name for name in ran if name), key=lambda name: (-len(certain[name]), -ran[name], name))
    return chosen, frozenset(digest for digest, name in at.items() if name != chosen)


def places(
    tables: Mapping[str, Iterable[TrialRecord]], environments: Mapping[str, Mapping[str, Any]], times: Mapping[str, str] | None = None
) -> list[str]:
    """Sentences on each of a benchmark's tables, where their trials ran on several machines, or on a GPU, or with several versions.

    None for a benchmark that one processor ran with one set of packages, or of which nothing is recorded.

    Args:
        tables: what a table is called -> its trials.
        environments: digest of an environment -> what is known of where a trial ran.
        times: what a table is called -> the machine whose times it shows, see :func:`timed`.
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
    return [_told(name, ran, (times or {}).get(name, "")) for name, ran in machines.items() if ran] + versions


def _mixed(table: str, packages: Mapping[str, Counter[str]]) -> list[str]:
    several = {name: found for name, found in packages.items() if len(found) > 1 and name not in _NO_MATTER}
    if not several:
        return []
    first = "torch" if "torch" in several else min(several)
    others = sorted({*several} - {first})
    also = f" and several versions of {few(others)}" if others else ""
    return [f"{table}: trials ran with {first} {_counted(several[first])}{also}. What differs between methods may be the version's."]


def _told(table: str, machines: Counter[str], times: str) -> str:
    if len(machines) == 1:
        return f"{table}: ran on {next(iter(machines))}."
    of_times = f" Times are those on {times} alone." if times else ""
    return f"{table}: trials ran on {_counted(machines)}. Digits differ between machines as between seeds.{of_times}"


def _counted(names: Counter[str]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(names.items(), key=lambda item: (-item[1], item[0])))
