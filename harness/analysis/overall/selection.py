"""Which blocks, slots and methods meet in a table over several benchmarks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from harness.analysis.board import Board, Row


def one_each(board: Board) -> tuple[list[list[Row]], list[str]]:
    """Primary rows of one block for each benchmark and budget, all on one kind of device; and what is left out."""
    first, apart = board.parted()
    seen = {(rows[0].benchmark, rows[0].version, rows[0].setting.budget) for rows in first}
    others = []
    for rows in apart:
        key = rows[0].benchmark, rows[0].version, rows[0].setting.budget
        if rows[0].differs == rows[0].setting.budget and key not in seen:
            seen.add(key)
            first.append(rows)
        else:
            others.append(rows)
    notes = [f"{plainly(rows[0])}: results of another setting are left out ({rows[0].differs})." for rows in others]
    primary = [some for rows in first if (some := [row for row in rows if row.primary])]
    newest = {rows[0].benchmark: rows[0].version for rows in sorted(primary, key=lambda rows: rows[0].version)}
    before = (titled(rows[0]) for rows in primary if rows[0].version < newest[rows[0].benchmark])
    notes += [f"{told}: older versions are left out." for told in before]
    blocks = [rows for rows in primary if rows[0].version == newest[rows[0].benchmark]]
    devices = Counter(rows[0].setting.device for rows in blocks)
    device = devices.most_common(1)[0][0] if devices else ""
    for rows in blocks:
        if (other := rows[0].setting.device) != device:
            notes.append(
                f"{titled(rows[0])} was run on {other or 'an unknown device'}, most were on {device or 'an unknown one'}: left out."
            )
    return [rows for rows in blocks if rows[0].setting.device == device], notes


def joined(blocks: Iterable[Iterable[Row]]) -> list[set[str]]:
    """Slots in the order of the blocks; those that one method fills together."""
    of_method: dict[str, set[str]] = defaultdict(set)
    for rows in blocks:
        for row in rows:
            of_method[row.method].add(row.slot)
    found: list[set[str]] = []
    for slots in of_method.values():
        meets = [some for some in found if some & slots]
        if meets:
            meets[0].update(slots, *meets[1:])
            found = [some for some in found if some not in meets[1:]]
        else:
            found.append(set(slots))
    return found


def plainly(row: Row) -> str:
    """A benchmark and its version."""
    return f"{row.benchmark} v{row.version}"


def titled(row: Row) -> str:
    """With what is special about the block, but for the budget that all of a table have."""
    differs = row.differs.removeprefix(row.setting.budget).removeprefix("; ")
    return f"{plainly(row)} · {differs}" if differs else plainly(row)


def complete(methods: list[str], benchmarks: list[str], there: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Methods and benchmarks that have all results of each other: what most is missing of, as a share, goes first."""
    methods, benchmarks, known = [*methods], [*benchmarks], set(there)
    while True:
        gaps = [(m, b) for m in methods for b in benchmarks if (m, b) not in known]
        if not gaps:
            return methods, benchmarks
        of_method, of_benchmark = Counter(m for m, _ in gaps), Counter(b for _, b in gaps)
        (method, lacks), (benchmark, wants) = of_method.most_common(1)[0], of_benchmark.most_common(1)[0]
        if wants / len(methods) > lacks / len(benchmarks):
            benchmarks.remove(benchmark)
        else:
            methods.remove(method)
