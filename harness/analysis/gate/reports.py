"""A regression check as JUnit XML for CI servers, as Markdown for people and as plain data. The same check gives the same text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

from harness.analysis.gate.costs import CostEntry, more
from harness.analysis.gate.file import TRAINING
from harness.analysis.gate.outcome import Check, Entry, Status, counted
from harness.analysis.numbers import change, number
from harness.analysis.tables import markdown_table
from harness.outcome import COSTS

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

MOST = 20
"""Rows of a Markdown table that is not folded away; a comment on a pull request has to be read."""

SEVERITY: tuple[Status, ...] = ("worse", "incomparable", "missing", "better", "new", "same")
"""Worst first."""


def describe(entry: Entry) -> str:
    """One sentence about an entry."""
    direction = "higher" if entry.higher_is_better else "lower"
    parts = [f"{number(entry.current, entry.unit)} now, {number(entry.baseline, entry.unit)} in the baseline"]
    if entry.allowed is not None or entry.tolerance is not None:
        allowed = number(entry.tolerance if entry.allowed is None else entry.allowed)
        parts.append(f"{f'{allowed} {entry.unit}'.strip()} allowed, {direction} is better")
    return "; ".join([*parts, *([entry.reason] if entry.reason else [])])


def _clean(text: str) -> str:
    return _NOT_XML.sub("?", text)


def junit(check: Check) -> str:
    """One test case per entry, cost and failed trial: worse is a failure, missing and incomparable are errors, new is skipped.

    A check that passes for nothing else but that there is nothing to fail has one case, an error: servers read no exit code.
    """
    empty = check.exit_code != 0 and not check.entries and not check.failed
    errors = len(check.of("missing")) + len(check.of("incomparable")) + len(check.failed) + empty
    counts = {"failures": len(check.of("worse")) + len(more(check.costs)), "errors": errors, "skipped": len(check.of("new"))}
    tests = len(check.entries) + len(check.costs) + len(check.failed) + empty
    attributes = {"name": "harness check", "tests": str(tests), **{k: str(v) for k, v in counts.items()}}
    root = ElementTree.Element("testsuites", attributes)
    suite = ElementTree.SubElement(root, "testsuite", attributes)
    elements = {"worse": "failure", "missing": "error", "incomparable": "error", "new": "skipped"}

    def case(benchmark: str, version: int, name: str, element: str | None, message: str) -> None:
        names = {"classname": _clean(f"{benchmark} v{version}"), "name": _clean(name)}
        found = ElementTree.SubElement(suite, "testcase", names)
        if element:
            ElementTree.SubElement(found, element, {"message": _clean(message)})

    for entry in in_order(check.entries):
        case(entry.benchmark, entry.version, f"{entry.method} {entry.metric}", elements.get(entry.status), describe(entry))
    for cost in check.costs:
        message = f"{_cost(cost, cost.current)} now, {_cost(cost, cost.baseline)} in the baseline; {cost.allowed:.2f} times allowed"
        case(cost.benchmark, cost.version, f"{cost.method} {cost.cost}", "failure" if cost.worse else None, message)
    for trial in check.failed:
        case(trial.benchmark, trial.version, f"{trial.method} seed {trial.seed}", "error", f"{trial.kind}: {trial.reason}")
    if empty:
        names = {"classname": "harness check", "name": "baseline"}
        ElementTree.SubElement(ElementTree.SubElement(suite, "testcase", names), "error", {"message": _clean(check.summary())})
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Worst first: by status, primary metrics before others, then by how far beyond what is allowed they are, then by name."""

    def beyond(entry: Entry) -> float:
        if entry.difference is None:
            return 0.0
        allowed = entry.allowed or entry.tolerance or 0.0
        return abs(entry.difference) / allowed if allowed else abs(entry.difference)

    return sorted(
        entries,
        key=lambda e: (SEVERITY.index(e.status), not e.primary, -beyond(e), e.benchmark, e.version, e.method, e.metric),
    )


def rows(entries: Iterable[Entry]) -> list[list[str]]:
    """Entries as the cells of a table, see :data:`HEADER`."""
    return [
        [
            entry.status,
            f"{entry.benchmark} v{entry.version}",
            entry.method,
            f"{entry.metric} {entry.unit}".strip(),
            number(entry.baseline, entry.unit),
            number(entry.current, entry.unit),
            change(entry.difference),
            change(_allowed(entry)),
            entry.reason,
        ]
        for entry in entries
    ]


def _allowed(entry: Entry) -> float | None:
    allowed = entry.tolerance if entry.allowed is None else entry.allowed
    return -allowed if allowed is not None and entry.higher_is_better else allowed


HEADER = ["status", "benchmark", "method", "metric", "baseline", "now", "change", "allowed", "note"]

COST_HEADER = ["benchmark", "method", "cost", "baseline", "now", "ratio", "allowed"]


def _cost(entry: CostEntry, value: float) -> str:
    return f"{value:.3g}" if entry.cost == TRAINING else COSTS[entry.cost].text(value)


def cost_rows(entries: Iterable[CostEntry]) -> list[list[str]]:
    """Costs as the cells of a table, see :data:`COST_HEADER`."""
    return [
        [
            f"{entry.benchmark} v{entry.version}",
            entry.method,
            "training (s)" if entry.cost == TRAINING else COSTS[entry.cost].title,
            _cost(entry, entry.baseline),
            _cost(entry, entry.current),
            f"{entry.ratio:.2f}",
            f"{entry.allowed:.2f}",
        ]
        for entry in entries
    ]


def noteworthy(check: Check) -> list[Entry]:
    """What is not as the baseline has it, worst first; what is new is counted by :func:`by_benchmark` only."""
    return [entry for entry in in_order(check.entries) if entry.status not in ("same", "new")]


def by_benchmark(check: Check) -> list[str]:
    """How many entries of each benchmark have which status; nothing where one benchmark is all there is, as the summary says it."""
    found: dict[tuple[str, int], list[Entry]] = defaultdict(list)
    for entry in check.entries:
        found[entry.benchmark, entry.version].append(entry)
    return [f"{name} v{version}: {counted(some)}" for (name, version), some in sorted(found.items())] if len(found) > 1 else []


def _table(entries: list[Entry]) -> str:
    """A Markdown table without the column that no row fills."""
    header, cells = list(HEADER), rows(entries)
    if not any(row[-1] for row in cells):
        header, cells = header[:-1], [row[:-1] for row in cells]
    return markdown_table(header, cells)


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def markdown(check: Check) -> str:
    """A comment for a pull request: the verdict, each benchmark's counts, what is alarming, worst first, and the rest folded away."""
    parts = [f"## harness check: {check.summary()}"]
    if counts := by_benchmark(check):
        parts.append("\n".join(f"- {line}" for line in counts))
    alarming = [entry for entry in noteworthy(check) if entry.status != "better"]
    if alarming:
        parts.append(_table(alarming[:MOST]))
        if len(alarming) > MOST:
            parts.append(_folded(f"{len(alarming) - MOST} more", _table(alarming[MOST:])))
    if dearer := more(check.costs):
        parts.append("### Costs more\n\n" + markdown_table(COST_HEADER, cost_rows(dearer)))
    if check.failed:
        cells = [[t.benchmark, t.method, str(t.seed), t.kind or "", t.reason or "", t.log or ""] for t in check.failed]
        parts.append("### Failed trials\n\n" + markdown_table(["benchmark", "method", "seed", "kind", "reason", "log"], cells))
    for status in ("better", "same"):
        if some := in_order(check.of(status)):
            parts.append(_folded(f"{len(some)} {status}", _table(some)))
    if fine := [entry for entry in check.costs if not entry.worse]:
        parts.append(_folded(f"{len(fine)} costs as before", markdown_table(COST_HEADER, cost_rows(fine))))
    parts += [f"> {note}" for note in check.notes]
    return "\n\n".join(parts) + "\n"


_OF_FAILED = ("digest", "benchmark", "method", "seed", "kind", "reason", "log")


def as_json(check: Check) -> dict[str, Any]:
    """The check as plain data (docs/json.md), where ``same`` is ``ok`` as in the first harness that wrote it."""
    document: dict[str, Any] = {
        "verdict": check.verdict,
        "exit_code": check.exit_code,
        "entries": [vars(entry) | ({"status": "ok"} if entry.status == "same" else {}) for entry in check.entries],
        "failed": [{name: getattr(trial, name) for name in _OF_FAILED} for trial in check.failed],
    }
    if check.costs:
        document["costs"] = [vars(entry) for entry in check.costs]
    return document | ({"notes": check.notes} if check.notes else {})
