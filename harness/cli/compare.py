"""``harness compare``: methods against each other."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from harness.cli import options
from harness.cli.output import print_json, print_rows, say, table_width

if TYPE_CHECKING:
    from harness.analysis.compare import Comparison
    from harness.analysis.diagnostics import Difference
    from harness.analysis.missing import Missing
    from harness.analysis.overall.across import Across


@click.command("compare")
@click.argument("methods", nargs=-1, required=True, metavar="A B [C]...")
@options.benchmarks
@options.family
@click.option("--bayes", is_flag=True, help="Over several benchmarks: the chance that a method is better by more than --rope.")
@click.option("--rope", type=options.Number(min=0), default=1.0, show_default=True, help="Difference of practical interest, in the unit.")
@options.as_json
@options.database
@click.pass_context
def command(
    ctx: click.Context,
    methods: tuple[str, ...],
    benchmarks: tuple[str, ...],
    family: str | None,
    bayes: bool,
    rope: float,
    as_json: bool,
    db: str,
) -> None:
    """Compare two methods or more.

    Per benchmark and setting, and for each pair: the difference of the primary metric with its 95 % interval, over seeds
    and test samples where scores of samples are stored, else over seeds; its size d in standard deviations; and a verdict
    at 5 % after Holm's correction over all rows, with what more seeds would show (of five methods and more: whom each is
    better than). Over several benchmarks: mean ranks
    with Nemenyi's letters, signed ranks, and with --bayes the chance that one is better in practice. Of two methods also the
    diagnostics that both have: they have no direction, so there is no verdict. The exit code is 4 if no two share a
    result.

    \b
    harness compare simpool gap
    harness compare simpool gap gem --bayes --rope 0.5
    """
    from harness.analysis import diagnostics, source
    from harness.analysis.compare import compare
    from harness.analysis.notes import concerning
    from harness.analysis.overall import formats as overall_formats
    from harness.analysis.overall.across import across
    from harness.analysis.overall.summary import overall
    from harness.errors import UsageError

    options.know(benchmarks, source.recorded_benchmarks(db))
    board = source.board(db, metrics="primary", benchmarks=benchmarks or None, families=[family] if family else None)
    options.know(methods, {row.method for row in board.rows}, "method")
    if len(set(methods)) < max(len(methods), 2):
        raise UsageError("compare needs two or more different methods: `harness compare simpool gap`.")
    rows = compare(board, methods, lambda digests: source.per_sample(db, digests))
    summary = overall(board, methods)
    pairs = [(table.budget, across(table, rope if bayes else None)) for table in summary.tables]
    described = diagnostics.compare(source.diagnostics(db, board.of(methods)), *methods) if len(methods) == 2 else []
    without = [lacks for lacks in board.of(methods).missing if not lacks.ended]
    if as_json:
        told: dict[str, Any] = {"a": methods[0], "b": methods[1], "methods": methods, "rows": [row.plain() for row in rows]}
        told |= overall_formats.as_json(summary) if summary.tables else {}
        plain = [_plain(pair, budget) for budget, some in pairs for pair in some]
        told |= {"across": plain} if plain else {}
        told |= {"missing": [lacks.plain() for lacks in without]} if without else {}
        print_json(told | {"diagnostics": [vars(row) for row in described]})
    elif rows:
        letters = string.ascii_lowercase if len(methods) <= len(string.ascii_lowercase) else map(str, range(1, len(methods) + 1))
        letter = dict(zip(methods, letters, strict=False))
        click.echo("\n".join(f"{letter[name]}  {name}" for name in methods) + "\n")
        _show(rows, letter, len(methods) > 2)
        if summary.tables:
            click.echo("\n" + overall_formats.table(summary, table_width()))
            for budget, of_table in pairs:
                _show_across(of_table, rope, budget)
        _show_diagnostics(described)
        _show_without(without)
    else:
        some, named = " -m ".join(methods), " and ".join(f"'{name}'" for name in methods)
        click.echo(
            options.absent(db)
            or f"{named} share no benchmark and setting here; `harness run -m {some} -b BENCHMARK --seeds 3` makes some.",
            err=True,
        )
        _show_without(without)
    for note in concerning(board.notes, {row.benchmark for row in rows}, methods):
        click.echo(f"note: {note}", err=True)
    ctx.exit(0 if rows else 4)


def _show_without(without: Sequence[Missing]) -> None:
    for lacks in without:
        click.echo(f"note: {_where(lacks)}: {lacks.note}.", err=True)


def _where(row: Comparison | Difference | Missing) -> str:
    return f"{row.benchmark} v{row.version}{f' · {row.differs}' if row.differs else ''}"


def _show(rows: Sequence[Comparison], letter: dict[str, str], several: bool) -> None:
    from harness.analysis.compare_words import sentences
    from harness.analysis.numbers import change, interval, number, probability
    from harness.analysis.settings import CHOICE

    first, second = ("first", "second") if several else ("a", "b")
    cells = [
        [
            _where(row),
            *([f"{letter[row.method_a]} - {letter[row.method_b]}"] if several else []),
            f"{row.metric} {row.unit}".strip(),
            number(row.a, row.unit),
            number(row.b, row.unit),
            change(row.difference),
            interval(row.ci95),
            row.size,
            probability(row.p),
            f"{row.n} x {row.samples}" if row.samples else row.n,
        ]
        for row in rows
    ]
    difference = ["diff"] if several else ["a - b"]
    pair = ["pair"] if several else []
    print_rows(
        ["benchmark", *pair, "metric", first, second, *difference, "95 % interval", "d", "p", "n"],
        cells,
        right=[first, second, *difference, "d", "p", "n"],
        fold=["benchmark", "metric"],
    )
    click.echo()
    for told in sentences(rows, _where):
        say(told)
    if any(row.effect is not None for row in rows):
        of_samples = "; s: of the differences on test samples" * any(row.size.endswith("s") for row in rows)
        say(f"d: the difference in standard deviations of one seed's value{of_samples}.")
    if any(row.samples for row in rows):
        say("n: seeds x test samples, where the interval is over both; otherwise seeds.")
    if any(row.over == "seeds" for row in rows):
        say("Where n counts seeds alone, no scores of test samples are stored, and what another test set would change is in no interval.")
    if tested := sum(row.p is not None for row in rows):
        of_rows = "Verdicts and p hold for all rows together" if tested > 1 else "The verdict and p are of this row"
        say(f"{of_rows} (5 %, Holm), an interval for its row alone. A leaderboard compares all pairs of its table, and may tie these.")
    if any(row.tuned for row in rows):
        say(CHOICE)


def _show_across(pairs: Sequence[Across], rope: float, budget: str) -> None:
    from harness.analysis.numbers import SHARE, number, probability
    from harness.analysis.overall.across import too_few

    if not pairs:
        return
    chances = any(pair.practical for pair in pairs)
    cells = [
        [
            pair.method_a,
            pair.method_b,
            pair.benchmarks,
            probability(pair.p),
            *(number(chance, SHARE) for chance in ((pair.practical.a, pair.practical.neither, pair.practical.b) if pair.practical else ())),
        ]
        for pair in pairs
    ]
    near = [f"first better by > {rope:g} {pairs[0].unit}".strip(), "neither", "second better"] if chances else []
    told = f", {budget}" if budget else ""
    if not chances and (why := too_few(pairs)):
        say(f"\n{budget[:1].upper() + budget[1:] + ': ' if budget else ''}{why}")
        return
    further = "; chances on a benchmark of this kind." if chances else "."
    click.echo(f"\nOver benchmarks of one unit{told}: p of signed ranks after Holm{further}")
    print_rows(["first", "second", "benchmarks", "p", *near], cells, right=["benchmarks", "p", *near])


def _plain(pair: Across, budget: str) -> dict[str, Any]:
    return vars(pair) | {"budget": budget} | {"practical": None if pair.practical is None else vars(pair.practical)}


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
