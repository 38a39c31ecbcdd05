"""The leaderboard as plain data (docs/json.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.analysis.board import Board, Row
from harness.analysis.settings import of_method
from harness.analysis.standing import Standing
from harness.outcome import COSTS

JSON_FIELDS = [
    "benchmark",
    "family",
    "tier",
    "slot",
    "method",
    "metric",
    "unit",
    "higher_is_better",
    "mean",
    "std",
    "ci95",
    "interval",
    "rank",
    "tied",
    "n",
    "floor",
    "below_floor",
    *COSTS,
    "digests",
]
"""What ``harness leaderboard --format json`` prints of a row, no more and no less."""


def plain(row: Row, standing: Standing) -> dict[str, Any]:
    """What :data:`JSON_FIELDS` names.

    Args:
        standing: of the row's block.
    """
    place = {"rank": standing.ranks.get(row.method), "tied": standing.tied.get(row.method)} if row.primary else {"rank": None, "tied": None}
    return {name: place[name] if name in place else getattr(row.cost if name in COSTS else row, name) for name in JSON_FIELDS}


def as_json(board: Board, all_versions: bool = False, costs: Sequence[str] = ()) -> dict[str, Any]:
    """The rows, how the methods of each block stand, and the maps of methods that have one.

    Further settings of a benchmark are ``apart``, so that whoever reads ``rows`` never mixes them.

    Args:
        all_versions: a benchmark is ``name@version``.
        costs: tell which methods are on the front of the primary metric against these.
    """

    def name(row: Row) -> str:
        return f"{row.benchmark}@{row.version}" if all_versions else row.benchmark

    def lines(rows: list[Row]) -> list[dict[str, Any]]:
        return [plain(row, board.standing(row)) | {"benchmark": name(row)} for row in rows]

    def stands(rows: list[Row]) -> dict[str, Any] | None:
        standing = board.standing(rows[0])
        return {"benchmark": name(rows[0]), "metric": rows[0].metric} | standing.plain() if standing.judged else None

    fronts = board.fronts(costs) if costs else {}
    first, others = board.parted()
    shown = [row for rows in first for row in rows]
    apart = [
        {
            "benchmark": name(rows[0]),
            "setting": rows[0].setting.digest,
            "device": rows[0].setting.device,
            "differs": rows[0].differs,
            **({"tuning": tuning} if (tuning := rows[0].setting.content.get("tuning")) else {}),
            "standing": stands(rows),
            "rows": lines(rows),
        }
        for rows in others
    ]
    further = {
        "standings": [standing for rows in first if (standing := stands(rows))],
        "front": [
            {"benchmark": name(row), "method": row.method, "costs": [*costs]}
            for row in shown
            if row.primary and costs and row.method in fronts[row.block]
        ],
        "maps": [{"benchmark": name(row), "method": row.method, "map": row.map} for row in shown if row.primary and row.map],
        "collapsed": [
            {"benchmark": name(row), "method": row.method, "seeds": row.collapsed} for row in shown if row.primary and row.collapsed
        ],
        "rough": [{"benchmark": name(row), "method": row.method, "costs": [*row.rough]} for row in shown if row.primary and row.rough],
        "overrides": [
            {"benchmark": name(row), "differs": row.differs, "method": row.method, "overrides": changed}
            for row in board.rows
            if row.primary and (changed := [*of_method(row.overrides)])
        ],
        "missing": [
            lacks.plain() | ({"benchmark": f"{lacks.benchmark}@{lacks.version}"} if all_versions else {}) for lacks in board.missing
        ],
        "tuned": [{"benchmark": name(rows[0]), **tuning} for rows in first if (tuning := rows[0].setting.content.get("tuning"))],
        "apart": apart,
    }
    return {"rows": lines(shown)} | {key: value for key, value in further.items() if value}
