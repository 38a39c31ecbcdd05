"""``harness compare``: two methods, seed by seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from harness.analysis.compare import Comparison
    from harness.analysis.diagnostics import Difference


@click.command("compare")
@click.argument("a")
@click.argument("b")
@options.benchmarks
@options.family
@options.as_json
@options.database
@click.pass_context
def command(ctx: click.Context, a: str, b: str, benchmarks: tuple[str, ...], family: str | None, as_json: bool, db: str) -> None:
    """Compare methods A and B on the same seeds.

    Per benchmark and setting: the difference A - B of the primary metric, its 95 % interval by a paired t-test, and a
    verdict at 5 % after Holm's correction over all benchmarks shown. Below, the diagnostics that both have: they have no
    direction, so there is no verdict. The exit code is 4 if they share no result.

    \b
    harness compare simpool gap
    """
    from harness.analysis import diagnostics, source
    from harness.analysis.compare import compare
    from harness.analysis.numbers import change, interval, number, probability
    from harness.catalog import load_catalog
    from harness.errors import did_you_mean

    options.know(benchmarks, source.recorded_benchmarks(db))
    board = source.board(db, metrics="primary", benchmarks=benchmarks or None, families=[family] if family else None)
    known = {row.method for row in board.rows} | set(load_catalog().methods)
    for name in (a, b):
        if name not in known:
            raise did_you_mean(name, known, "method", "harness list methods")
    rows = compare(board, a, b)
    described = diagnostics.compare(source.diagnostics(db, board.of((a, b))), a, b)
    if as_json:
        print_json({"a": a, "b": b, "rows": [vars(row) for row in rows], "diagnostics": [vars(row) for row in described]})
    elif rows:
        click.echo(f"a  {a}\nb  {b}\n")
        cells = [
            [
                _where(row),
                f"{row.metric} {row.unit}".strip(),
                number(row.a, row.unit),
                number(row.b, row.unit),
                change(row.difference),
                interval(row.ci95),
                probability(row.p),
                row.n,
                {"a": "a is better", "b": "b is better"}.get(row.verdict, row.verdict),
            ]
            for row in rows
        ]
        print_rows(
            ["benchmark", "metric", "a", "b", "a - b", "95 % interval", "p", "n", "verdict"],
            cells,
            right=["a", "b", "a - b", "p", "n"],
            fold=["benchmark", "metric"],
        )
        _show_diagnostics(described)
    else:
        click.echo(
            f"'{a}' and '{b}' share no benchmark, setting and seed here; `harness run -m {a} -m {b} -b BENCHMARK --seeds 3` makes some.",
            err=True,
        )
    ctx.exit(0 if rows else 4)


def _where(row: Comparison | Difference) -> str:
    return f"{row.benchmark} v{row.version}{f' · {row.differs}' if row.differs else ''}"


def _show_diagnostics(rows: list[Difference]) -> None:
    from harness.analysis.numbers import MEASURE, change, interval, number

    if not rows:
        return
    click.echo()
    cells = [
        [
            _where(row),
            row.measure,
            number(row.a, MEASURE),
            number(row.b, MEASURE),
            change(row.difference),
            interval(row.ci95),
            row.n,
        ]
        for row in rows
    ]
    columns = ["benchmark", "diagnostic", "a", "b", "a - b", "95 % interval", "n"]
    print_rows(columns, cells, right=["a", "b", "a - b", "n"], fold=["benchmark"])
