"""Which config files a command runs: those that its user names, and those of the benchmarks that its user names."""

from __future__ import annotations

from collections.abc import Iterable

from harness.catalog import Benchmark, Catalog
from harness.errors import UsageError


def found(catalog: Catalog, benchmarks: Iterable[str], configs: Iterable[str]) -> dict[str, Benchmark]:
    """The benchmarks that are code, by their names: their files run.

    Args:
        benchmarks, configs: as of :func:`named`.

    Raises:
        UsageError: a file fails, or its name is that of another benchmark.
    """
    coded = {name: entry for name in benchmarks if (entry := catalog.benchmarks.get(name)) and _file(entry)}
    files = [*configs]
    if not coded and not files:
        return {}
    from harness.benchmarks.openmmlab.entry import of_file
    from harness.benchmarks.openmmlab.resolve import file_of

    made = {name: of_file(_file(entry), entry) for name, entry in coded.items()}
    for file in files:
        one = of_file(file)
        registered = catalog.benchmarks.get(one.id)
        if registered and _file(registered) and file_of(_file(registered)).resolve() == file_of(file).resolve():
            made[one.id] = of_file(file, registered)
            continue
        if one.id in catalog.benchmarks or one.id in made:
            raise UsageError(f"--config {file}: there is a benchmark '{one.id}' already. Rename the file.")
        made[one.id] = one
    return made


def named(catalog: Catalog, benchmarks: Iterable[str], configs: Iterable[str], suite: str | None = None) -> tuple[Catalog, tuple[str, ...]]:
    """The catalogue with a benchmark for each config file, and the names of all benchmarks.

    Args:
        benchmarks: those named; an entry whose ``data.code`` is a file is replaced by what the file says.
        configs: files, see :func:`harness.benchmarks.openmmlab.resolve.file_of`.
        suite: whose benchmarks are meant where none is named.

    Raises:
        UsageError: a file fails, or its name is that of another benchmark.
    """
    wanted = [*benchmarks] or ([*catalog.suites[suite].benchmarks] if suite in catalog.suites else [])
    made = found(catalog, wanted, configs)
    if not made:
        return catalog, tuple(benchmarks)
    added = [name for name in made if name not in wanted]
    return catalog.model_copy(update={"benchmarks": {**catalog.benchmarks, **made}}), (*benchmarks, *added)


def _file(entry: Benchmark) -> str:
    told = entry.data.get("code")
    return told if entry.family == "openmmlab" and isinstance(told, str) else ""
