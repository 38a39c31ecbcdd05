"""Seeds that were asked for and have no result: a leaderboard without them would pass over whoever failed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.analysis.notes import OfMethod
from harness.analysis.settings import Setting, of_benchmark, setting_of
from harness.texts import amount

if TYPE_CHECKING:
    from harness.store import Result, TrialRow

STATES = ("failed", "interrupted", "running", "planned")
"""Of trials without a result, what a reader should know first."""

_NAMED = 5
"""Methods that a note names of those that lack seeds."""


@dataclass(frozen=True)
class Missing:
    """One method of one block."""

    trials: tuple[TrialRow, ...]
    """Without a result, by seed."""
    ended: int
    """Seeds that have one."""
    setting: Setting
    differs: str
    """As of the block's rows."""

    @property
    def benchmark(self) -> str:
        return self.trials[0].benchmark

    @property
    def version(self) -> int:
        return self.trials[0].version

    @property
    def method(self) -> str:
        return self.trials[0].method

    @property
    def slot(self) -> str:
        return self.trials[0].slot

    @property
    def block(self) -> tuple[str, int, Setting]:
        return self.benchmark, self.version, self.setting

    @property
    def asked(self) -> int:
        """Seeds that were asked for."""
        return self.ended + len(self.trials)

    @property
    def counts(self) -> dict[str, int]:
        """Number of trials by state, in the order of :data:`STATES`."""
        counted = Counter(state_of(row) for row in self.trials)
        return {state: counted[state] for state in STATES if counted[state]}

    @property
    def state(self) -> str:
        """The first of :data:`STATES` that one of the trials is in."""
        return next(iter(self.counts))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of failure, the most frequent first."""
        return tuple(kind for kind, _ in Counter(row.kind for row in self.trials if row.state == "failed" and row.kind).most_common())

    @property
    def failed(self) -> int:
        """Seeds that failed: the others of the method are a selection."""
        return self.counts.get("failed", 0)

    @property
    def told(self) -> str:
        """In words: ``2 failed: out-of-memory; 1 planned``."""
        kinds = f": {', '.join(self.kinds)}" if self.kinds else ""
        return "; ".join(f"{count} {state}{kinds if state == 'failed' else ''}" for state, count in self.counts.items())

    @property
    def note(self) -> str:
        """Beside a number: ``simpool has a result in 2 of 5 seeds (3 failed: no-result)``."""
        return f"{self.method} has a result in {self.ended} of {self.asked} seeds ({self.told})"

    @property
    def survivors(self) -> str:
        """The same of a mean over the others."""
        return f"{self.note}, and those that did not fail are a selection" if self.failed else self.note

    @property
    def overtaken(self) -> str:
        """Beside the results before it, of what was planned since."""
        return f"{self.method} was planned since with other settings or sources, without a result yet: {self.told}"

    def plain(self) -> dict[str, Any]:
        """As plain data (docs/json.md)."""
        about = {"benchmark": self.benchmark, "differs": self.differs, "slot": self.slot, "method": self.method}
        digests = [row.digest for row in self.trials]
        return about | {"n": self.ended, "asked": self.asked, "states": self.counts, "failures": [*self.kinds], "digests": digests}


def state_of(row: TrialRow) -> str:
    """The state, told apart from ``running`` where the process that ran it is gone."""
    return "interrupted" if row.state == "running" and not row.alive else row.state


def seeds(n: int, lacks: Missing | None) -> str:
    """Seeds behind a mean, of those that were asked for where some have no result: ``2/3``."""
    return f"{n}/{lacks.asked}" if lacks else str(n)


def _variant(trial: Result | TrialRow) -> tuple[Any, ...]:
    return trial.slot, trial.config_digest, tuple(sorted(trial.plugins.items()))


def of_block(
    setting: Setting, differs: str, shown: Mapping[str, Sequence[Result]], trials: Iterable[TrialRow], where: str, notes: list[str]
) -> tuple[list[Missing], list[Missing]]:
    """What is missing in one block, methods without any result last; and what was planned since with other settings or sources.

    Of a method that is shown, seeds of the settings and sources that are shown count; of another one those that were planned last.

    Args:
        shown: method -> the results behind its rows.
        trials: those of the block without a result.
        notes: gets a line about methods whose newer settings or sources have no result, and one about all that is missing.
    """
    waiting: dict[str, dict[tuple[Any, ...], list[TrialRow]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(trials, key=lambda row: (row.method, row.seed, row.created)):
        waiting[row.method][_variant(row)].append(row)
    found, since = [], []
    for method, variants in sorted(waiting.items(), key=lambda pair: (pair[0] not in shown, pair[0])):
        results = shown.get(method, ())
        newest = max(variants.values(), key=lambda rows: max(row.created for row in rows))
        chosen = variants.get(_variant(results[0]), []) if results else newest
        lacking = {row.seed: row for row in chosen if row.seed not in {result.seed for result in results}}
        if lacking:
            found.append(Missing(tuple(lacking.values()), len(results), setting, differs))
        others = [rows for rows in variants.values() if rows is not chosen]
        for rows in _later(others, max(result.finished for result in results)) if results else ():
            since.append(Missing(tuple(rows), 0, setting, differs))
            notes.append(OfMethod.note(f"{where}: {since[-1].overtaken}."))
    if found:
        notes.append(OfMethod.note(f"{where}: seeds with a result: {listed(found)}. `harness status` tells why."))
    return found, since


def _later(variants: Iterable[list[TrialRow]], finished: float) -> Iterable[list[TrialRow]]:
    """Of what was planned after the last result, the newest variant; with other ``--set`` it is another question, told apart."""
    later = [rows for rows in variants if min(row.created for row in rows) > finished]
    return {rows[0].overrides: rows for rows in sorted(later, key=lambda rows: max(row.created for row in rows))}.values()


def of_versions(
    versions: Sequence[tuple[Setting, Sequence[Result]]], trials: Iterable[TrialRow], contents: Mapping[str, dict[str, Any]]
) -> tuple[list[Missing | None], list[Missing]]:
    """What is missing of each version of a method on a benchmark, and of those of which nothing has a result, oldest first.

    Args:
        versions: with their results, oldest first.
        contents: :attr:`TrialRow.setting` -> what is behind it.
    """
    waiting = {row.digest: row for row in sorted(trials, key=lambda row: (row.created, row.seed))}
    found: list[Missing | None] = []
    for setting, results in reversed(versions):  # of versions that differ in the device alone the newest is chosen
        first, seeds = results[0], {result.seed for result in results}
        version = first.version, _variant(first)
        rows = [row for row in waiting.values() if (row.version, _variant(row)) == version and _belongs(row, setting)]
        lacking = {row.seed: waiting.pop(row.digest) for row in rows}
        lacking = {seed: lacking[seed] for seed in sorted(lacking.keys() - seeds)}
        found.append(Missing(tuple(lacking.values()), len(seeds), setting, "") if lacking else None)
    rest: dict[Any, list[TrialRow]] = defaultdict(list)
    for row in waiting.values():
        rest[row.version, row.setting or row.dataset, _variant(row)].append(row)
    return found[::-1], [Missing(tuple(rows), 0, setting_of(rows[0], contents, {}), "") for rows in rest.values()]


def listed(found: Sequence[Missing], where: Sequence[str] = ()) -> str:
    """The worst of them in words, and how many more there are.

    Args:
        where: of each, to be named with it; without it all are of one benchmark.
    """
    places = [f" on {name}" for name in where] or [""] * len(found)
    ordered = sorted(zip(found, places, strict=True), key=lambda pair: (STATES.index(pair[0].state), -len(pair[0].trials) / pair[0].asked))
    named = [f"'{lacks.method}' {lacks.ended} of {lacks.asked}{place} ({lacks.told})" for lacks, place in ordered[:_NAMED]]
    return ", ".join(named) + (f" and those of {amount(len(ordered) - _NAMED, 'more method')}" if len(ordered) > _NAMED else "")


def by_setting(
    trials: Iterable[TrialRow],
    blocks: Mapping[Setting, Sequence[Result]],
    left_out: Collection[Any],
    contents: Mapping[str, dict[str, Any]],
) -> dict[Setting, list[TrialRow]]:
    """Trials without a result, by the block they belong to; those of a setting without any make one of their own.

    No trial without a result says on which device it ran; of blocks that differ in it alone see :func:`_likeliest`.

    Args:
        blocks: settings with results that are shown, in their order.
        left_out: versions of the numerics whose results are not shown; neither is what is missing of them.
        contents: :attr:`TrialRow.setting` -> what is behind it.
    """
    found: dict[Setting, list[TrialRow]] = defaultdict(list)
    for row in trials:
        fits = [block for block in blocks if _belongs(row, block)]
        alike = {block: blocks[block] for block in fits if block.digest == fits[0].digest}
        setting = _likeliest(row, alike) if alike else setting_of(row, contents, {})
        if alike or setting.content.get("numerics") not in left_out:
            found[setting].append(row)
    return found


def _likeliest(row: TrialRow, blocks: Mapping[Setting, Sequence[Result]]) -> Setting:
    """Where a trial without a result would stand: in the block of what was planned with it, then in that with most of its method's results,
    as it is here and at all, then in the first."""

    def near(block: Setting) -> tuple[bool, int, int]:
        own = [result for result in blocks[block] if result.method == row.method]
        same = sum(_variant(result) == _variant(row) for result in own)
        return any(result.created == row.created for result in blocks[block]), same, len(own)

    return next(iter(blocks)) if len(blocks) == 1 else max(blocks, key=near)


def _belongs(row: TrialRow, block: Setting) -> bool:
    if row.setting:
        return row.setting == block.digest
    return not block.recorded and block.overrides == of_benchmark(row.overrides) and block.content.get("dataset") == row.dataset
