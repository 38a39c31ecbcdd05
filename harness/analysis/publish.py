"""Leaderboards as files to commit: per benchmark the records behind its board, and the board in Markdown; and pages over all of them.

The records are an export (:mod:`harness.store.portable`) without scores of single samples and paths, so that the board can be drawn
again from them by whoever has the file: ``harness db import FILE`` into an empty database.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.analysis import formats, source, tuned
from harness.analysis.board import Board
from harness.analysis.numbers import NOTHING
from harness.analysis.overall import formats as overall_formats
from harness.analysis.overall.summary import overall
from harness.analysis.tables import Markdown, markdown_link, markdown_table
from harness.errors import UsageError, writing
from harness.files import write_whole
from harness.store import Other, Store, open_store
from harness.texts import few

INDEX, OVERALL = "README.md", "overall.md"

_OVER_ALL = "# Over all benchmarks\n"
"""How :data:`OVERALL` begins; a file of that name that does not is somebody else's."""

_MEND = "Give another folder with --out."


@dataclass(frozen=True)
class Published:
    """One benchmark's files."""

    benchmark: str
    methods: int
    trials: int
    new: int
    """Trials that the folder did not have."""
    hours: float
    """Of computing, by the trials' durations."""
    kept: int
    """Trials of which the folder keeps its own numbers: the database has others, of another machine."""


@contextmanager
def _scratch() -> Iterator[tuple[Path, str, Store]]:
    """A folder that will be gone, and an empty database in it."""
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        url = f"sqlite:///{folder}/published.db"
        with closing(open_store(url)) as store:
            yield Path(folder), url, store


def publish(url: str, folder: Path, benchmarks: Sequence[str] = (), families: Sequence[str] = ()) -> list[Published]:
    """Add a database's results to the files in ``folder``: one board per benchmark, and an index.

    What the folder has and the database has not stays, so that parts can come from several machines; what the board would not
    show (older versions, settings and sources that newer ones replaced) goes.

    Raises:
        UsageError: a file of the folder is no export, or has results of the same trials by another device (nothing has been written then),
            or cannot be written.
    """
    board = source.board(url, benchmarks=benchmarks or None, families=families or None)
    with writing(folder, _MEND):
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="harness-") as aside:
        names = dict.fromkeys(row.benchmark for row in board.rows)
        done = [_one(url, folder, Path(aside), name, board) for name in names]
        for file in (Path(aside) / f"{name}{suffix}" for name in names for suffix in (".jsonl", ".md")):
            with writing(folder / file.name, _MEND):
                write_whole(folder / file.name, file.read_bytes(), durable=True)
    pages = over_all(folder)
    for name, page in pages.items():
        with writing(folder / name, _MEND):
            write_whole(folder / name, page)
    former = folder / OVERALL
    if OVERALL not in pages and former.is_file() and former.read_text(encoding="utf-8", errors="replace").startswith(_OVER_ALL):
        former.unlink()
    return done


def _digests(board: Board, benchmark: str) -> list[str]:
    """The trials behind a board's rows, and those that failed beside them: a page without these would pass over them."""
    done = {digest for row in board.rows if row.benchmark == benchmark for digest in row.digests}
    lacking = [lacks for lacks in (*board.missing, *board.since) if lacks.benchmark == benchmark]
    failed = {row.digest for lacks in lacking for row in lacks.trials if row.state == "failed"}
    return sorted(done | failed)


def _one(url: str, folder: Path, out: Path, benchmark: str, board: Board) -> Published:
    """Write to ``out`` what the files of one benchmark in ``folder`` shall be."""
    published, file = folder / f"{benchmark}.jsonl", out / f"{benchmark}.jsonl"
    with _scratch() as (aside, merged, store):
        if published.exists():
            store.import_from(published)
        before = set(store.states())
        part = aside / file.name
        open_store(url, read_only=True).export_to(part, digests=_digests(board, benchmark), bare=True)
        others = store.import_from(part).others
        _refuse_other_devices(published, others)
        digests = _digests(source.board(merged), benchmark)
        store.export_to(file, digests=digests, bare=True)
        seconds = sum(sum(result.durations.values()) for result in store.results(kinds=["duration"], digests=digests))
    with _imported(file) as stored:
        shown = source.board(stored)
        write_whole(file.with_suffix(".md"), rendered(shown, stored))
    methods = len({row.method for row in shown.rows})
    return Published(benchmark, methods, len(digests), len(set(digests) - before), seconds / 3600, len(others))


def _refuse_other_devices(file: Path, others: Sequence[Other]) -> None:
    devices = sorted({(other.device, other.its_device) for other in others if "" not in (other.device, other.its_device)})
    for device, its in devices:
        if device != its:
            count = sum((other.device, other.its_device) == (device, its) for other in others)
            raise UsageError(
                f"{file} has {count} of the trials by {device}, this database has them by {its}, and a file has one result of a trial. "
                f"Nothing was written. Publish these into a folder of their own: --out {file.parent / its}"
            )


def rendered(board: Board, url: str) -> str:
    """The page of one benchmark's board, and below it what tuning chose."""
    searches = source.searches(url, board)
    validations = source.validations(url, {digest: search["metric"] for digest, search in searches.items()})
    return "\n\n".join([formats.markdown(board), *tuned.sections(board, searches, validations)]) + "\n"


def page_of(file: Path) -> str:
    """The page of the board that a published file holds.

    Raises:
        UsageError: the file is no export.
    """
    with _imported(file) as url:
        return rendered(source.board(url), url)


def board_of(file: Path) -> Board:
    """The board that a published file holds.

    Raises:
        UsageError: the file is no export.
    """
    with _imported(file) as url:
        return source.board(url)


@contextmanager
def _imported(file: Path) -> Iterator[str]:
    """A database with what a file holds."""
    with _scratch() as (_, url, store):
        store.import_from(file)
        yield url


def over_all(folder: Path) -> dict[str, str]:
    """Name -> text of the pages over all boards of ``folder``: the index, and where methods meet on several benchmarks, their ranks."""
    with _scratch() as (_, url, store):
        for file in sorted(folder.glob("*.jsonl")):
            store.import_from(file)
        board = source.board(url, metrics="primary")
    summary = overall(board)
    pages = {INDEX: _index(folder, board, bool(summary.tables))}
    if summary.tables:
        text = overall_formats.markdown(summary)
        pages[OVERALL] = f"{_OVER_ALL}\nOf the boards that are listed [here]({INDEX}); by `harness publish`.\n\n{text}\n"
    return pages


def _index(folder: Path, board: Board, ranked: bool) -> str:
    """A line per table, and the folders in ``folder`` that have such a page."""
    body = []
    for (benchmark, *_), methods in sorted(board.blocks().items(), key=lambda item: item[0][0]):
        primary = [row for rows in methods.values() for row in rows]
        best, seeds, standing = primary[0], sorted({row.n for row in primary}), board.standing(primary[0])
        body.append(
            [
                Markdown(f"{markdown_link(benchmark, f'{benchmark}.md')} v{best.version}"),
                best.family,
                best.tier,
                best.differs or best.setting.budget or "as registered",
                f"{best.metric} [{best.unit or '1'}]",
                str(len(primary)),
                str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}",
                f"{standing.told_apart} of {standing.compared}" if standing.judged else NOTHING,
                few(row.method for row in primary if standing.ranks.get(row.method, (0,))[0] == 1) or NOTHING,
            ]
        )
    elsewhere = [markdown_link(page.parent.name, page.relative_to(folder).as_posix()) for page in sorted(folder.glob(f"*/{INDEX}"))]
    across = f"Who stands where over several of them: {markdown_link('over all benchmarks', OVERALL)}.\n\n" if ranked else ""
    further = f"\nFurther boards: {', '.join(elsewhere)}.\n" if elsewhere else ""
    table = markdown_table(["benchmark", "family", "tier", "run", "metric", "methods", "seeds", "pairs told apart", "may be first"], body)
    return (
        "# Leaderboards\n\nWritten by `harness publish`. A `.jsonl` holds the trials behind a page: every seed's metrics, costs, config, "
        "sources and environment;\n`harness db import FILE` adds them to a database. No file has scores of "
        "single test samples, so that all intervals here are over training seeds.\n*May be first*: methods whose interval of ranks, 95 % "
        f"for all of a table together, begins at 1.\n\n{across}{table}\n{further}"
    )
