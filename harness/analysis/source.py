"""What readers (command line, dashboard, reports) ask of a database, opened read-only."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.garbage import uncollected
from harness.store import COST, KINDS, Store, open_store

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from harness.analysis.board import Board
    from harness.analysis.claims.verdicts import Judged
    from harness.analysis.diagnostics import Diagnostic
    from harness.analysis.gate.file import Baseline
    from harness.analysis.gate.outcome import Check
    from harness.analysis.history.versions import History
    from harness.analysis.views.trial import TrialView
    from harness.outcome import Confusion
    from harness.store import Lot, Metrics, Result, TrialRow

UNFINISHED = ("planned", "running", "failed")
"""States of trials without a result."""

# statistics take scipy a quarter of a second to import, and most questions need none: whoever does imports them

_open = threading.local()


@contextmanager
def reading(url: str) -> Iterator[Store]:
    """The database; what this thread reads of it in the block, by functions that are called there too, is of one moment."""
    stores: dict[str, Store] = _open.__dict__
    if url in stores:
        yield stores[url]
        return
    store = open_store(url, read_only=True)
    with store.snapshot():
        stores[url] = store
        try:
            yield store
        finally:
            del stores[url]


def board(
    url: str,
    *,
    all_versions: bool = False,
    metrics: Metrics = None,
    moderated: bool = True,
    samples: bool = False,
    **filters: Iterable[str] | None,
) -> Board:
    """The leaderboard of a database.

    Args:
        all_versions, moderated: see :func:`harness.analysis.leaderboard.build`.
        metrics: which metrics get a row: names, ``primary``, ``whole`` (without single scenes and classes), or all.
        samples: where there is one seed, give the interval over test samples; it reads their scores.
        filters: ``benchmarks``, ``families``, ``slots``, ``methods``, ``digests``; each a collection of names, none means all.

    Raises:
        UsageError: the database cannot be read. One that does not exist yet has no rows.
    """
    from harness.analysis import sampled

    with uncollected(), reading(url) as store:
        found = _board(
            store,
            store.results(kinds=("metric", "cost"), metrics=metrics, **filters),
            all_versions=all_versions,
            moderated=moderated,
            **filters,
        )
        return sampled.with_samples(found, lambda digests: store.per_sample(digests=digests)) if samples else found


def _board(store: Store, results: Iterable[Result], *, all_versions: bool, moderated: bool, **filters: Iterable[str] | None) -> Board:
    from harness.analysis import leaderboard

    waiting: dict[str, Any] = {**filters, "states": UNFINISHED, "purposes": [""]}
    return leaderboard.build(
        results,
        store.specs(),
        store.floors(),
        unfinished=store.trials(**waiting),
        environments=store.environments(),
        settings=store.settings(),
        all_versions=all_versions,
        moderated=moderated,
    )


def diagnostics(url: str, shown: Board, names: Iterable[str] | None = None) -> list[Diagnostic]:
    """The diagnostics of the trials behind a leaderboard.

    Args:
        names: as they are recorded; all otherwise.
    """
    from harness.analysis import diagnostics

    digests = {digest for row in shown.rows for digest in row.digests}
    with reading(url) as store:
        return diagnostics.build(shown, store.results(kinds=("diagnostic",), diagnostics=names, digests=digests))


def described(url: str, method: str) -> list[Diagnostic]:
    """The diagnostics of one method on every benchmark."""
    with reading(url):
        return diagnostics(url, board(url, metrics="primary", methods=[method]))


def trials(url: str, *, page: tuple[int, int] | None = None, newest: bool = False, **filters: Iterable[str] | None) -> list[TrialRow]:
    """Where every trial stands, or those of one page: how many to leave out, and how many follow.

    Args:
        newest: see :meth:`harness.store.Store.trials`.
    """
    with reading(url) as store:
        return store.trials(page=page, newest=newest, **filters)


def lots(url: str, **filters: Iterable[str] | None) -> list[Lot]:
    """How many trials stand how, by when they were planned and benchmark."""
    with reading(url) as store:
        return store.lots(**filters)


def counts(url: str, **filters: Iterable[str] | None) -> dict[str, dict[str, int]]:
    """Benchmark -> state -> number of trials."""
    with reading(url) as store:
        return store.counts(**filters)


def stamp(url: str) -> str:
    """A word that changes whenever what is read of the database does, for caches."""
    with reading(url) as store:
        return store.stamp()


def results(url: str, *, metrics: Metrics = None, **filters: Iterable[str] | None) -> list[Result]:
    """Trials that are done, with all of their numbers, or some of their metrics as in :func:`board`."""
    with reading(url) as store:
        return store.results(kinds=(*KINDS, COST), metrics=metrics, **filters)


def environments(url: str) -> dict[str, dict[str, Any]]:
    """:attr:`Result.environment_digest` -> packages, processor, device and source revision."""
    with reading(url) as store:
        return store.environments()


def history(url: str, benchmark: str, method: str, metric: str | None = None) -> History | None:
    """A method's metric over versions of the code; ``None`` where it was never measured there.

    Args:
        metric: the benchmark's primary one otherwise.

    Raises:
        UsageError: the benchmark has no such metric.
    """
    from harness.analysis.history import versions  # scipy, which no other reader waits for

    with reading(url) as store:
        specs = [spec for spec in store.specs() if spec.benchmark == benchmark]
        newest = [spec for spec in specs if spec.version == max(spec.version for spec in specs)]
        wanted = [spec for spec in newest if (spec.primary if metric is None else spec.metric == metric)]
        if not wanted and newest:
            known = ", ".join(spec.metric for spec in newest)
            raise UsageError(
                f"{benchmark} has no metric '{metric}'. Known: {known}." if metric else f"{benchmark}: name one by --metric: {known}."
            )
        found = store.results(benchmarks=[benchmark], methods=[method])
        if not found or not wanted:
            return None
        waiting = store.trials(benchmarks=[benchmark], methods=[method], states=UNFINISHED, purposes=[""])
        return versions.build(found, wanted[0], store.environments(), store.settings(), waiting)


def trial(url: str, prefix: str) -> tuple[TrialRow, Result | None]:
    """The one trial whose digest begins with ``prefix``, with its result if it is done.

    Raises:
        UsageError: there is none, or more than one.
    """
    with reading(url) as store:
        row = store.trial(prefix)
        return row, next(iter(store.results(purposes=[row.purpose], digests=[row.digest])), None)


def trial_view(url: str, prefix: str) -> TrialView:
    """All that is known of the one trial whose digest begins with ``prefix``.

    Raises:
        UsageError: there is none, or more than one.
    """
    from harness.analysis import reproduction
    from harness.analysis.views import trial as views

    with reading(url) as store:
        row, result = trial(url, prefix)
        searched = _search_of(url, row) if row.purpose else tuning(url, row)
        conditions, environment = store.settings().get(row.setting, {}), store.environments().get(row.environment_digest or "", {})
        confused = confusion(url, [row])
        return views.build(
            row,
            result,
            specs=store.specs(),
            floors=store.floors(),
            curves=store.curves([row.digest]).get(row.digest, {}),
            per_sample=store.per_sample(digests=[row.digest]).get(row.digest, {}),
            classes=confused.classes if confused else (),
            config=store.config(row.config_digest),
            conditions=conditions,
            environment=environment,
            tuning=searched,
            command=reproduction.command(row, environment, searched),
        )


def differs_here(url: str, prefix: str) -> str:
    """Why the code that is here would run another trial than the one that begins so, see :mod:`harness.analysis.reproduction`."""
    from harness.analysis import reproduction

    view = trial_view(url, prefix)
    return reproduction.differs_here(view.row, view.conditions, view.tuning)


def siblings(url: str, prefix: str) -> list[TrialRow]:
    """The trials of the benchmark that are done and of the same purpose as the one that begins so, for comparison."""
    with reading(url) as store:
        row = store.trial(prefix)
        rows = store.trials(benchmarks=[row.benchmark], purposes=[row.purpose], states=["done"])
        return [some for some in rows if some.digest != row.digest]


def _search_of(url: str, row: TrialRow) -> dict[str, Any] | None:
    """What a tuning trial was part of, as a final trial of the same method tells it; ``None`` where there is none yet."""
    with reading(url) as store:
        finals = store.trials(benchmarks=[row.benchmark], methods=[row.method], purposes=[""])
        for digest in dict.fromkeys(final.tuning for final in finals if final.tuning):
            found = store.config(digest)
            if any(row.digest in point["trials"] for point in found.get("points", ())):
                return found
        return None


def budgets(url: str) -> dict[str, str]:
    """:attr:`TrialRow.setting` -> how much its methods were tuned, of settings in which they were."""
    from harness.analysis.settings import Setting

    with reading(url) as store:
        told = {digest: Setting(digest, content=content).budget for digest, content in store.settings().items()}
    return {digest: budget for digest, budget in told.items() if budget}


def tuning(url: str, row: TrialRow) -> dict[str, Any] | None:
    """What was tried to find a trial's options, see :meth:`harness.compose.tuning.Search.report`; ``None`` where nothing was."""
    with reading(url) as store:
        return store.config(row.tuning) or None if row.tuning else None


def searches(url: str, shown: Board) -> dict[str, dict[str, Any]]:
    """Digest of a trial behind a leaderboard -> :func:`tuning`, of those that were tuned."""
    with reading(url) as store:
        rows = store.trials(digests={digest for row in shown.rows if row.primary for digest in row.digests})
        found = {digest: store.config(digest) for digest in {row.tuning for row in rows if row.tuning}}
        return {row.digest: found[row.tuning] for row in rows if row.tuning and found[row.tuning]}


def validations(url: str, metrics: Mapping[str, str]) -> dict[str, float]:
    """Digest of a trial -> the last value of one of its learning curves; none where it has no such curve.

    Args:
        metrics: digest -> name of the curve.
    """
    with reading(url) as store:
        curves = store.curves(metrics)
    return {digest: float(some[metrics[digest]][-1, 1]) for digest, some in curves.items() if len(some.get(metrics[digest], ()))}


def confusion(url: str, trials: Iterable[TrialRow]) -> Confusion | None:
    """What the models of some trials of one setting take for what; ``None`` where none has classes, or none said."""
    from harness.analysis import confusion

    trials = list(trials)
    with reading(url) as store:
        told = store.confusions(row.digest for row in trials)
        silent = [row.digest for row in trials if row.digest not in told]
        guessed = store.per_sample(digests=silent).values() if silent else ()
        return confusion.together([*told.values(), *confusion.of_samples(guessed, store.settings().get(trials[0].setting, {}))])


def per_sample(url: str, digests: Iterable[str]) -> dict[str, dict[str, np.ndarray]]:
    """Digest -> score -> one value per test sample."""
    with reading(url) as store:
        return store.per_sample(digests=digests)


def curves(url: str, row: TrialRow) -> tuple[dict[str, np.ndarray], str]:
    """The learning curves of a trial, see :attr:`harness.outcome.Outcome.curves`, and the primary metric of its benchmark."""
    with reading(url) as store:
        primary = [s.metric for s in store.specs() if (s.benchmark, s.version) == (row.benchmark, row.version) and s.primary]
        return store.curves([row.digest]).get(row.digest, {}), next(iter(primary), "")


def methods(url: str) -> list[str]:
    """Methods of which there are trials, by name."""
    with reading(url) as store:
        return store.methods()


def primaries(url: str, digests: Iterable[str]) -> dict[str, str]:
    """Digest -> the primary metric of a trial as text with its unit, of those that are done and tested."""
    from harness.analysis.numbers import number

    with reading(url) as store:
        primary = {(spec.benchmark, spec.version): spec for spec in store.specs() if spec.primary}
        results = store.results(kinds=("metric",), metrics="primary", digests=digests)
    found = {}
    for result in results:
        spec = primary.get((result.benchmark, result.version))
        if spec and spec.metric in result.metrics:
            found[result.digest] = f"{number(result.metrics[spec.metric], spec.unit)} {spec.unit}".strip()
    return found


def states(url: str, digests: Iterable[str]) -> dict[str, str]:
    """Digest -> state, of the trials that are known."""
    with reading(url) as store:
        return store.states(digests=digests)


def recorded_benchmarks(url: str) -> set[str]:
    """Benchmarks that were run at least once."""
    with reading(url) as store:
        return {spec.benchmark for spec in store.specs()}


def claims(url: str, *, tuned: bool = False) -> list[Judged]:
    """Every claim of the registry on every tier, judged by what the database has.

    Args:
        tuned: by methods that were tuned alike, rather than as registered.
    """
    from harness.analysis.board import Board
    from harness.analysis.claims import verdicts
    from harness.analysis.claims.columns import Blocks
    from harness.analysis.diagnostics import build
    from harness.catalog import load_catalog
    from harness.diagnostics import MEASURES
    from harness.listing import places, unmeasurable

    catalog = load_catalog()
    where = places(catalog)
    every = [place for some in where.values() for place in some]
    benchmarks = sorted({place.benchmark for place in every})
    told = [claim for claim in catalog.claims.values() if claim.diagnostic]
    there = {place.benchmark for claim in told for place in where[claim.id]}
    measures = {name for claim in told for name in (claim.measure, claim.than) if name in MEASURES}
    with reading(url) as store:
        # what nobody claims anything about is not read; a method is known by its primary metric, too
        metrics = {spec.metric for spec in store.specs() if spec.primary} | {place.measure for place in every}
        found = store.results(kinds=("metric", "cost", "diagnostic"), metrics=metrics, diagnostics=measures, benchmarks=benchmarks)
        shown = _board(store, found, all_versions=False, moderated=False, benchmarks=benchmarks)
    described = build(Board([row for row in shown.rows if row.benchmark in there]), found)
    why = {claim.id: unmeasurable(claim, catalog) for claim in catalog.claims.values() if not where[claim.id]}
    return verdicts.judge(catalog.claims.values(), where, Blocks(shown, described, tuned), why)


def check(url: str, baseline: Baseline, *, costs: bool = False) -> Check:
    """What the database has, held against a baseline, see :func:`harness.analysis.gate.regression.check`.

    Args:
        costs: judge time, memory, parameters and operations, too.

    Raises:
        UsageError: the two disagree about a metric's unit or direction.
    """
    from harness.analysis import artifacts
    from harness.analysis.gate import here, regression

    benchmarks = sorted({entry.benchmark for entry in baseline.entries})
    cells = {entry.key[:3] for entry in baseline.entries}
    with reading(url) as store:
        found = store.results(kinds=("metric", "cost"), metrics="whole", benchmarks=benchmarks)
        shown = _board(store, found, all_versions=True, moderated=False, benchmarks=benchmarks)
        digests = {digest for row in shown.rows if (row.benchmark, row.version, row.method) in cells for digest in row.digests}
        judged = (result for result in found if (result.benchmark, result.version, result.method) in cells)
        other = here.elsewhere(judged, digests)
        del found  # thousands of objects, which the collector need not look through for what follows
        measured = {result.digest: result for result in results(url, digests=digests)} if costs else None
        failed = artifacts.placed(url, trials(url, states=["failed"], purposes=[""]))
        return regression.check(baseline, shown, [*failed, *trials(url, digests=digests)], environments(url), measured, other)


def checked(url: str, file: str, _written: int, *, costs: bool = False) -> Check:
    """:func:`check` of a baseline's file.

    Args:
        _written: when the file was; for whoever keeps the answer until it is another one.

    Raises:
        UsageError: the file cannot be read.
    """
    from pathlib import Path

    from harness.analysis.gate.file import load

    return check(url, load(Path(file)), costs=costs)


def baselines(url: str) -> dict[str, Path]:
    """Name of a baseline -> its file: those in ``baselines`` beside the database, then those that are shipped."""
    from harness import paths
    from harness.store.url import results_folder

    folders = (results_folder(url) / "baselines", paths.home() / "results" / "baselines")
    return {file.stem: file for folder in reversed(folders) for file in sorted(folder.glob("*.json")) if file.is_file()}
