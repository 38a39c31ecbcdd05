"""One method: what it is, where it stands on each benchmark, what papers print of it and what they claim."""

from __future__ import annotations

import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import paths
from harness.analysis.claims import published
from harness.benchmarks.hosts import standing
from harness.catalog.documented import Documented, documented
from harness.catalog.plugins import owners

if TYPE_CHECKING:
    from harness.analysis.board import Board, Row
    from harness.analysis.claims.published import Number
    from harness.analysis.claims.verdicts import Judged
    from harness.analysis.diagnostics import Diagnostic
    from harness.catalog import Catalog, Method
    from harness.catalog.plugins import PluginFile
    from harness.store import TrialRow


@dataclass(frozen=True)
class Part:
    """What a method puts into one slot."""

    slot: str
    plugin: str
    params: Mapping[str, Any]
    """What the registry sets."""
    told: Documented | None
    """What the plugin says of itself; ``None`` where its file is not here."""
    file: str
    """Of the plugin, relative to the distribution where it lies in it; empty where it is not here."""


@dataclass(frozen=True)
class About:
    """A method as the registry and its plugins describe it."""

    method: Method
    state: str
    """See :func:`harness.benchmarks.hosts.standing`."""
    missing: str
    parts: tuple[Part, ...]


def about(catalog: Catalog, files: list[PluginFile], name: str) -> About | None:
    """What a method is; ``None`` where the registry has none of this name: it has left, or was another registry's."""
    method = catalog.methods.get(name)
    if method is None:
        return None
    state, missing = standing(method)
    owner = owners(files)
    return About(method, state, missing or "", tuple(_part(slot, some.plugin, some.params, owner) for slot, some in method.slots.items()))


def _part(slot: str, plugin: str, params: Mapping[str, Any], owner: Mapping[str, PluginFile]) -> Part:
    if plugin not in owner:
        return Part(slot, plugin, params, None, "")
    file = owner[plugin]
    inside = file.path.is_relative_to(paths.home())
    where = os.path.relpath(file.path, paths.home()) if inside else str(file.path)
    return Part(slot, plugin, params, documented(file.path, plugin, file.parameters.get(plugin)), where)


@dataclass(frozen=True)
class Place:
    """Where a method stands in one block, by its primary metric."""

    row: Row
    position: int | None
    """By the mean, 1 for the best; ``None`` where the mean is not a number."""
    ends: tuple[int, int] | None
    """Where it may stand, see :attr:`harness.analysis.standing.Standing.ranks`; ``None`` under two seeds."""
    of: int
    """Methods of the block."""
    tied: str
    """Letters; methods that share one cannot be told apart."""
    best: Row
    """Of the block."""

    @property
    def where(self) -> str:
        """The block, in a line."""
        return f"{self.row.benchmark} v{self.row.version}{f' · {self.row.differs}' if self.row.differs else ''}"


def places(board: Board, name: str) -> list[Place]:
    """One for each block that has the method, in the order of the leaderboard."""
    found = []
    for methods in board.blocks().values():
        primary = [row for rows in methods.values() for row in rows if row.primary]
        mine = next((row for row in primary if row.method == name), None)
        if mine is not None:
            stands = board.standing(mine)
            ranked = [row.method for row in primary if not math.isnan(row.mean)]  # a block is in the order of its means
            position = ranked.index(name) + 1 if name in ranked else None
            found.append(Place(mine, position, stands.ranks.get(name), len(primary), stands.tied.get(name, ""), primary[0]))
    return found


@dataclass(frozen=True)
class Unfinished:
    """Trials of a method on one benchmark that give no result."""

    benchmark: str
    state: str
    """``planned``, ``running``, ``interrupted`` or ``failed``."""
    count: int
    reason: str
    """The most frequent one of those that failed."""


def unfinished(trials: Iterable[TrialRow]) -> list[Unfinished]:
    """What is missing of some trials of one method, by benchmark and state."""
    grouped: dict[tuple[str, str], list[TrialRow]] = defaultdict(list)
    for trial in trials:
        if trial.state != "done" and not trial.purpose:
            state = "interrupted" if trial.state == "running" and not trial.alive else trial.state
            grouped[trial.benchmark, state].append(trial)
    return [
        Unfinished(benchmark, state, len(some), Counter(trial.reason or "" for trial in some).most_common(1)[0][0])
        for (benchmark, state), some in sorted(grouped.items())
    ]


@dataclass(frozen=True)
class Beside:
    """A number that a paper prints, with the benchmark here that measures the same, if there is one."""

    number: Number
    benchmark: str
    """Empty where no benchmark here has this dataset and metric."""
    metric: str
    measured: Row | None
    differs: str
    """How what is printed was measured otherwise."""


def printed(catalog: Catalog, board: Board, numbers: Sequence[Number], name: str) -> list[Beside]:
    """What papers print of a method: first what a benchmark here measures, too, then the rest in the order of the file.

    A baseline that the file calls otherwise (``published: methods:`` in the registry) is this method on that entry's benchmark.
    """
    found = [row for row in published.beside(catalog, board, numbers) if row.method == name]
    mine = [Beside(row.published, row.benchmark, row.metric, row.measured, row.differs) for row in found]
    measured = [match.where for entry in catalog.published.values() for match in entry.rows]
    rest = [number for number in numbers if number.method_id == name and number.value is not None]
    return [*mine, *(Beside(number, "", "", None, "") for number in rest if not any(number.stands_in(where) for where in measured))]


def claims(judged: Iterable[Judged], name: str) -> dict[str, list[Judged]]:
    """Claims that are about a method, or hold it up to another: id -> a verdict per tier."""
    found: dict[str, list[Judged]] = defaultdict(list)
    for row in judged:
        if name in row.claim.methods:
            found[row.claim.id].append(row)
    return dict(found)


def diagnosed(described: Iterable[Diagnostic], name: str) -> dict[str, dict[str, Diagnostic]]:
    """Block, in a line -> measure -> its mean over layers, of one method."""
    found: dict[str, dict[str, Diagnostic]] = defaultdict(dict)
    for row in described:
        if row.method == name and row.layer is None:
            found[f"{row.benchmark} v{row.version}{f' · {row.differs}' if row.differs else ''}"][row.measure] = row
    return dict(found)
