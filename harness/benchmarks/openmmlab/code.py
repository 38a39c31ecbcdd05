"""Which config files a command runs: those that its user names, and those of the benchmarks that its user names."""

from __future__ import annotations

from collections.abc import Iterable

from harness.catalog import Benchmark, Catalog
from harness.errors import UsageError


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
    coded = {name: entry for name in wanted if (entry := catalog.benchmarks.get(name)) and _file(entry)}
    files = [*configs]
    if not coded and not files:
        return catalog, tuple(benchmarks)
    from harness.benchmarks.openmmlab.entry import of_file
    from harness.benchmarks.openmmlab.resolve import file_of

    found = {name: of_file(_file(entry), entry) for name, entry in coded.items()}
    for file in files:
        made = of_file(file)
        registered = catalog.benchmarks.get(made.id)
        if registered and _file(registered) and file_of(_file(registered)).resolve() == file_of(file).resolve():
            found[made.id] = of_file(file, registered)
            continue
        if made.id in catalog.benchmarks or made.id in found:
            raise UsageError(f"--config {file}: there is a benchmark '{made.id}' already. Rename the file.")
        found[made.id] = made
    added = [name for name in found if name not in wanted]
    return catalog.model_copy(update={"benchmarks": {**catalog.benchmarks, **found}}), (*benchmarks, *added)


def _file(entry: Benchmark) -> str:
    told = entry.data.get("code")
    return told if entry.family == "openmmlab" and isinstance(told, str) else ""
