"""Diagnostics of the attention, averaged over the seeds of the trials that a leaderboard shows.

They describe a method; none is better for being higher or lower.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.statistics import Summary, paired, summarize
from harness.diagnostics import MEASURES

if TYPE_CHECKING:
    from harness.analysis.board import Board
    from harness.analysis.settings import Setting
    from harness.store import Result

FLAG = "renormalised"
"""Recorded per layer whose weights are no distribution: entropy took their shares of the absolute sum."""


@dataclass(frozen=True)
class Diagnostic:
    """One benchmark x method x measure, of all layers together, of one layer or of one head."""

    benchmark: str
    version: int
    family: str
    tier: str
    method: str
    measure: str
    layer: str | None
    """``None``: the mean over layers."""
    head: int | None
    """``None``: the mean over heads."""
    renormalised: bool
    """Whether the weights are no distribution (gates, dot products): their entropy is that of their absolute shares."""
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    """One per seed."""
    digests: tuple[str, ...]
    differs: str = ""
    """How the block differs, see :attr:`harness.analysis.board.Row.differs`."""
    setting: Setting | None = None
    """The block's."""

    @property
    def summary(self) -> Summary:
        """Mean and interval over seeds."""
        return summarize(self.values)


def parts(name: str) -> tuple[str, str | None, int | None]:
    """(measure, layer, head) of a recorded name ``measure[/layer[/headN]]``."""
    measure, _, place = name.partition("/")
    layer, _, head = place.partition("/head")
    return measure, layer or None, int(head) if head else None


def in_order(measures: Iterable[str]) -> list[str]:
    """Measures as they are shown."""
    order = list(MEASURES)
    return sorted(set(measures), key=lambda measure: (order.index(measure) if measure in MEASURES else len(order), measure))


def in_depth(places: Iterable[tuple[str | None, int | None]]) -> list[tuple[str | None, int | None]]:
    """(layer, head) pairs as they are shown: all layers together, then each layer before its heads."""
    return sorted(set(places), key=lambda place: (place[0] or "", -1 if place[1] is None else place[1]))


def build(board: Board, results: Iterable[Result]) -> list[Diagnostic]:
    """The diagnostics of the trials behind a leaderboard, in its order of benchmarks and methods.

    A diagnostic that some seeds lack is averaged over those that have it.
    """
    by_digest = {result.digest: result for result in results}
    found = []
    for methods in board.blocks().values():
        for rows in methods.values():
            trials = [by_digest[digest] for digest in rows[0].digests if digest in by_digest]
            if trials:
                found += _of_method(trials, rows[0].differs, rows[0].setting)
    return found


def _of_method(trials: Sequence[Result], differs: str, setting: Setting) -> list[Diagnostic]:
    values: dict[str, dict[tuple[str | None, int | None], list[tuple[Result, float]]]] = defaultdict(lambda: defaultdict(list))
    for trial in trials:
        for name, value in trial.diagnostics.items():
            measure, layer, head = parts(name)
            values[measure][layer, head].append((trial, value))
    flagged = {layer for layer, _ in values.pop(FLAG, {})}
    first = trials[0]
    found = []
    for measure in in_order(values):
        for layer, head in in_depth(values[measure]):
            having, numbers = zip(*values[measure][layer, head], strict=True)
            found.append(
                Diagnostic(
                    *(first.benchmark, first.version, first.family, first.tier, first.method, measure, layer, head),
                    renormalised=measure in ("entropy", "unary_entropy") and (layer in flagged if layer else bool(flagged)),
                    seeds=tuple(trial.seed for trial in having),
                    values=tuple(numbers),
                    digests=tuple(trial.digest for trial in having),
                    differs=differs,
                    setting=setting,
                )
            )
    return found


JSON_FIELDS = (
    *("benchmark", "family", "tier", "method", "measure", "layer", "head"),
    *("mean", "std", "ci95", "n", "renormalised", "digests", "differs"),
)
"""What ``harness leaderboard --diagnostics --format json`` prints of a row (docs/json.md)."""


def as_json(rows: Iterable[Diagnostic], all_versions: bool = False) -> dict[str, Any]:
    """The rows as plain data; with ``all_versions`` a benchmark is written ``name@version``."""
    return {"rows": [_plain(row) | ({"benchmark": f"{row.benchmark}@{row.version}"} if all_versions else {}) for row in rows]}


def _plain(row: Diagnostic) -> dict[str, Any]:
    values = {**vars(row), **vars(row.summary)}
    return {field: values[field] for field in JSON_FIELDS}


@dataclass(frozen=True)
class Difference:
    """A measure of two methods on the same seeds: no verdict, since it has no direction."""

    benchmark: str
    version: int
    measure: str
    a: float
    b: float
    difference: float
    """a - b."""
    ci95: tuple[float, float] | None
    n: int
    differs: str


def compare(rows: Sequence[Diagnostic], a: str, b: str) -> list[Difference]:
    """The measures, over all layers, that two methods share on the same benchmark, setting and seeds."""
    whole = {(row.benchmark, row.version, row.setting, row.method, row.measure): row for row in rows if row.layer is None}
    found = []
    for (benchmark, version, setting, method, measure), left in whole.items():
        right = whole.get((benchmark, version, setting, b, measure)) if method == a else None
        if right is None:
            continue
        of_b = dict(zip(right.seeds, right.values, strict=True))
        pairs = [(value, of_b[seed]) for seed, value in zip(left.seeds, left.values, strict=True) if seed in of_b]
        if pairs:
            ours, theirs = zip(*pairs, strict=True)
            result = paired(ours, theirs)
            means = summarize(ours).mean, summarize(theirs).mean
            found.append(Difference(benchmark, version, measure, *means, result.difference, result.ci95, result.n, left.differs))
    return found


def curve(file: Path) -> list[dict[str, Any]]:
    """A trial's first epoch (``artifacts/first_epoch.csv``): ``iteration``, ``layer``, ``qk_distance``, ``purity``, ``entropy`` per row.

    Empty where there is none; files of earlier harnesses have no entropy.
    """
    if not file.is_file():
        return []
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [
        {"iteration": int(row["iteration"]), "layer": row["layer"]}
        | {name: float(row[name]) for name in ("qk_distance", "purity", *{"entropy"} & row.keys())}
        for row in rows
    ]
