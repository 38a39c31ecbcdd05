"""The leaderboard as text: aligned tables, CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from harness.analysis.board import Board, Row
from harness.analysis.board_json import JSON_FIELDS, plain
from harness.analysis.leaders import leaders
from harness.analysis.missing import Missing, seeds
from harness.analysis.numbers import NOTHING, limits, number, rank
from harness.analysis.settings import CHOICE, as_changed, of_method
from harness.analysis.standing import Standing
from harness.analysis.tables import WIDTH, aligned, column_widths, commented, csv_table, filled, latex_table, markdown_table, markdown_text
from harness.outcome import COSTS
from harness.texts import short

INTERVAL = "95 %"
"""Heading of the column with the intervals of a board's primary metric."""

_LONGEST_NAME, _SHORTEST_NAME = 32, 12


def _heading(row: Row) -> str:
    direction = "higher" if row.higher_is_better else "lower"
    further = f" · {row.differs}" if row.differs else ""
    return f"{row.benchmark} v{row.version} · {row.family} · {row.tier} · {row.metric} [{row.unit or '1'}], {direction} is better{further}"


def _verdicts(board: Board, methods: Mapping[str, Sequence[Row]]) -> list[str]:
    """What a block's seeds can tell apart, and who leads where they can."""
    primary = [row for rows in methods.values() for row in rows if row.primary]
    if not primary or not (said := (standing := board.standing(primary[0])).sentence()):
        return []
    return [said, leaders(standing).sentence] if standing.told_apart else [said]


def _shown(methods: dict[str, list[Row]]) -> list[str]:
    """The metrics that get a column, the primary one first; scenes and classes are left to the other formats."""
    some = [row for rows in methods.values() for row in rows if "/" not in row.metric]
    return [*dict.fromkeys(row.metric for row in sorted(some, key=lambda row: not row.primary))]


def _cell(rows: Sequence[Row], metric: str) -> Row | None:
    return next((row for row in rows if row.metric == metric), None)


def _floor_cells(methods: dict[str, list[Row]], metrics: list[str]) -> dict[str, str] | None:
    rows = [row for shown in methods.values() for row in shown if row.floor is not None]
    if not rows:
        return None
    return {metric: number(row.floor, row.unit) if (row := _cell(rows, metric)) else NOTHING for metric in metrics}


def _lines(
    board: Board,
    methods: dict[str, list[Row]],
    front: set[str] | None,
    metrics: list[str],
    longest: int | None = None,
    costs: Sequence[str] = tuple(COSTS),
) -> tuple[list[str], list[list[str]]]:
    """Header and body of one benchmark; the floor stands where it ranks, and methods without a result behind all others."""
    block = next(iter(methods.values()))[0].block
    standing = board.standings[block]
    maps = any(row.map for rows in methods.values() for row in rows)
    first_of = {method: _cell(rows, metrics[0]) if metrics else None for method, rows in methods.items()}
    certain = [INTERVAL] * any(row.ci95 for row in first_of.values() if row) + ["tied"] * standing.judged
    header = ["rank" if standing.judged else "", "method", *metrics[:1], *certain, *metrics[1:], "n"]
    header += [*(COSTS[name].heading for name in costs), *["front"] * (front is not None), *["map"] * maps]

    def beside(place: str, name: str, cells: Mapping[str, str], n: str = "") -> list[str]:
        told = [place, name, cells.get(metrics[0], ""), *[""] * len(certain), *(cells.get(metric, "") for metric in metrics[1:]), n]
        return told + [""] * (len(header) - len(told))

    body: list[list[str]] = []
    bounds = _floor_cells(methods, metrics)
    floor = beside("", "floor", bounds) if bounds else None
    letters = [*dict.fromkeys("".join(standing.tied.values()))] if longest is not None else []
    for place, (method, rows) in enumerate(methods.items(), 1):
        first = rows[0]
        shown = first_of[method]
        if floor and shown and shown.below_floor:
            body.append(floor)
            floor = None
        cells = []
        for metric in metrics:
            row = _cell(rows, metric)
            cells.append(NOTHING if row is None else number(row.mean, row.unit) + " !" * row.below_floor)
        of_seeds = {
            INTERVAL: limits(shown.ci95, shown.unit) + " s" * (shown.interval == "samples") if shown else NOTHING,
            "tied": _tied(method, standing, letters),
        }
        ranked = rank(standing.ranks.get(method)) if standing.judged else str(place)
        line = [
            ranked,
            " ".join([_short(method, longest), *first.signs]),
            *cells[:1],
            *(of_seeds[name] for name in certain),
            *cells[1:],
        ]
        last = ["*" * (method in front)] if front is not None else []
        last += [_short(first.map or NOTHING, longest)] * maps
        body.append([*line, seeds(first.n, board.lacks(block, method)), *first.cost.texts(costs, first.rough), *last])
    if floor:
        body.append(floor)
    for lacks in board.without(block):
        body.append(beside(NOTHING, _short(lacks.method, longest), {metrics[0]: lacks.state}, seeds(0, lacks)))
    return header, body


def _empty_heading(lacks: Missing) -> str:
    first = lacks.trials[0]
    differs = f" · {lacks.differs}" if lacks.differs else ""
    return f"{first.benchmark} v{first.version} · {first.family} · {first.tier} · no result yet{differs}"


def _empty_lines(missing: Sequence[Missing], longest: int | None = None) -> tuple[list[str], list[list[str]]]:
    """Header and body of a block without any result."""
    return ["method", "n", "state"], [[_short(lacks.method, longest), seeds(0, lacks), lacks.told] for lacks in missing]


def _tied(method: str, standing: Standing, letters: list[str]) -> str:
    """A method's letters, each in its own place where there are places."""
    mine = standing.tied.get(method)
    if mine is None:
        return NOTHING
    return "".join(letter if letter in mine else " " for letter in letters) if letters else mine


def _told_apart(names: Sequence[str]) -> int:
    """As how few letters names may be cut to and still differ, of those that a table has room for."""
    some = range(_SHORTEST_NAME, _LONGEST_NAME)
    return next((longest for longest in some if len({_short(name, longest) for name in names}) == len({*names})), _LONGEST_NAME)


def _short(name: str, longest: int | None) -> str:
    """Cut to so many letters, where a table wants it so."""
    return name if longest is None else short(name, longest)


def legend(board: Board, costs: Sequence[str], text: str) -> list[str]:
    """What the signs of tables say, of those that are in their text."""
    primary = [row for row in board.rows if row.primary]
    kinds = {row.interval for row in primary}
    lines = [text for kind, text in _INTERVALS.items() if kind in kinds]
    if any(_still(row) for row in primary):
        lines.append(_STILL)
    if any(standing.judged for standing in board.standings.values()):
        lines += _TIED
    if any(row.setting.budget for row in primary):
        lines.append(CHOICE)
    if costs:
        named = " and ".join(COSTS[name].title for name in costs)
        lines.append(f"front: no other method is as good by the mean of the primary metric and as cheap in {named}.")
    if board.missing:
        lines.append("n 2/3: of 3 seeds that were asked for 2 have a result; the mean is over these.")
    if " !" in text:
        lines.append("! worse than the floor, the trivial predictor computed from the training data.")
    if "~" in text:
        lines.append("~ uncertain: other things disturbed the passes that were timed in every seed, or seeds differ by more than a fifth.")
    if "†" in text:
        lines.append("† attention collapsed to next to one position in at least one seed: `harness status DIGEST` says where.")
    if "‡" in text:
        lines.append("‡ run with `--set method.…`, not as registered; a note says with what.")
    return lines


def _still(row: Row) -> bool:
    """Whether an interval over seeds has no width, in print and beside the mean: of what is tiny, the digits of its unit show neither."""
    if row.ci95 is None or row.interval == "samples":
        return False
    low, high = row.ci95
    return number(low, row.unit) == number(high, row.unit) and high - low <= 0.01 * abs(row.mean)


_INTERVALS = {
    "moderated": f"{INTERVAL}: interval of the mean over seeds; its width borrows strength from the other methods.",
    "t": f"{INTERVAL}: Student's interval of the mean over seeds.",
    "samples": f"{INTERVAL} s: over the test samples of one seed; it says nothing of another training.",
}
_STILL = f"{INTERVAL} without a width: seeds give (nearly) the same value; the interval says nothing of other test images."
_TIED = (
    "tied: methods that share a letter cannot be told apart; rank: where a method may stand. Both hold for all methods of a table "
    "together with 95 %.",
    "resolution: the difference of two methods of median spread that is found with a chance of 80 %. τ: agreement of the order with that "
    "of as many new seeds (Kendall; 1 the same, 0 none).",
)


def _fitted(
    board: Board, methods: dict[str, list[Row]], front: set[str] | None, metrics: list[str], width: int, asked: Collection[str]
) -> list[str]:
    """A block's lines in as many columns as ``width``, if they can be."""
    shortest = _told_apart([*methods, *(lacks.method for lacks in board.without(next(iter(methods.values()))[0].block))])
    longest, costs = _LONGEST_NAME, [name for name, quantity in COSTS.items() if not quantity.wide]
    while True:
        header, body = _lines(board, methods, front, metrics, longest, costs)
        lines = aligned(header, body)
        over = max(map(len, lines)) - width
        if over > 0 and len(metrics) > 1:
            behind = 1 + len(costs) + (front is not None) + any(row.map for rows in methods.values() for row in rows)
            wide = column_widths(header, body)[: len(header) - behind]
            while over > 0 and len(metrics) > 1:
                metrics.pop()
                over -= wide.pop() + 2
        elif over > 0 and longest > shortest:
            longest = max(longest - over, shortest)
        elif over > 0 and (spare := [name for name in costs if name not in asked]):
            costs.remove(spare[-1])
        else:
            return lines


def table(board: Board, width: int | None = WIDTH, costs: Sequence[str] = ()) -> str:
    """One block per benchmark, best method first.

    Args:
        width: columns that a line may take: long names and maps are cut, further metrics make room, then both are cut shorter, then costs
            go, the last first. ``None``: nothing is left out, and a row is a line.
        costs: mark the front of the primary metric against these, which stay.
    """
    fronts = board.fronts(costs) if costs else {}
    blocks = []
    for block, methods in board.blocks().items():
        metrics = _shown(methods)
        first, front = next(iter(methods.values()))[0], fronts.get(block)
        if width is None:
            lines = aligned(*_lines(board, methods, front, metrics), fold=False)
        else:
            lines = _fitted(board, methods, front, metrics, width, costs)
        above = [_heading(first), *_verdicts(board, methods)]
        blocks.append("\n".join([*(filled(line, width) for line in above), *lines]))
    for missing in board.empty.values():
        longest = None if width is None else _LONGEST_NAME
        lines = aligned(*_empty_lines(missing, longest), fold=width is not None)
        blocks.append("\n".join([filled(_empty_heading(missing[0]), width), *lines]))
    if signs := legend(board, costs, "\n".join(blocks)):
        blocks.append("\n".join(filled(line, width) for line in signs))
    blocks += [filled(f"note: {note}", width) for note in board.notes]
    return "\n\n".join(blocks)


def csv_text(board: Board, costs: Sequence[str] = ()) -> str:
    """One line per row: the JSON's fields, ``map``, ``differs``, ``overrides`` of the method, seeds that were asked for and what is missing
    of them; methods without a result have a line without a metric. Intervals have two columns, digests and overrides are joined by spaces.
    """
    ends = {name: (f"{name}_low", f"{name}_high") for name in ("ci95", "rank")}
    fields = [name for field in JSON_FIELDS for name in ends.get(field, (field,))]
    fronts = board.fronts(costs) if costs else {}
    body: list[list[object]] = []
    for row in board.rows:
        values = plain(row, board.standing(row)) | {"digests": " ".join(row.digests)}
        for name, columns in ends.items():
            values |= dict(zip(columns, values.pop(name) or (None, None), strict=True))
        cells = [values[name] for name in fields]
        lacks = board.lacks(row.block, row.method)
        seeds = [lacks.asked, lacks.told] if lacks else [row.n, ""]
        front = [row.method in fronts[row.block]] if costs else []
        body.append([cells[0], row.version, *cells[1:], row.map, row.differs, " ".join(of_method(row.overrides)), *seeds, *front])
    for lacks in board.missing:
        if not lacks.ended:
            first = lacks.trials[0]
            cells = [{"n": 0, "digests": ""}.get(name, getattr(first, name, None)) for name in fields]
            told = [lacks.differs, " ".join(of_method(first.overrides)), lacks.asked, lacks.told]
            body.append([cells[0], first.version, *cells[1:], None, *told, *[False] * bool(costs)])
    header = [fields[0], "version", *fields[1:], "map", "differs", "overrides", "asked", "missing", *["front"] * bool(costs)]
    return csv_table(header, body)


def _whole(board: Board, costs: Sequence[str]) -> Iterator[tuple[list[str], tuple[list[str], list[list[str]]]]]:
    """What stands above each block, and its table with nothing left out."""
    fronts = board.fronts(costs) if costs else {}
    for block, methods in board.blocks().items():
        above = [_heading(next(iter(methods.values()))[0]), *_verdicts(board, methods)]
        yield above, _lines(board, methods, fronts.get(block), _shown(methods))


def markdown(board: Board, costs: Sequence[str] = ()) -> str:
    """A table per benchmark."""
    blocks = []
    for (heading, *said), lines in _whole(board, costs):
        blocks.append("\n\n".join([f"### {markdown_text(heading)}", *map(markdown_text, said), markdown_table(*lines)]))
    blocks += [
        f"### {markdown_text(_empty_heading(missing[0]))}\n\n{markdown_table(*_empty_lines(missing))}" for missing in board.empty.values()
    ]
    blocks += ["\n".join(f"> {line}" for line in signs)] if (signs := legend(board, costs, "\n".join(blocks))) else []
    blocks += [f"> {markdown_text(note)}" for note in board.notes]
    return "\n\n".join(blocks)


def latex_legend(board: Board, costs: Sequence[str] = ()) -> list[str]:
    """:func:`legend` of :func:`latex_blocks`, as plain text."""
    return legend(board, costs, "\n".join(cell for _, (_, body) in _whole(board, costs) for line in body for cell in line))


def latex_blocks(board: Board, costs: Sequence[str] = ()) -> list[tuple[str, str, str]]:
    """Heading, what its seeds can tell apart, and the ``booktabs`` table of each block."""
    blocks = [(heading, " ".join(said), latex_table(*lines)) for (heading, *said), lines in _whole(board, costs)]
    return blocks + [(_empty_heading(missing[0]), "", latex_table(*_empty_lines(missing))) for missing in board.empty.values()]


def latex(board: Board, costs: Sequence[str] = ()) -> str:
    """A ``booktabs`` table per benchmark, each below a comment; what the signs say, and each method that ``--set`` changed, as comments."""
    tables = [commented(" · ".join(filter(None, said)), table) for *said, table in latex_blocks(board, costs)]
    changed = [f"{_heading(row)}: {told}" for row in board.rows if row.primary and (told := as_changed(row.method, row.overrides))]
    below = [*latex_legend(board, costs), *changed]
    return "\n\n".join([*tables, *(commented(line, "").rstrip() for line in below)])
