"""A regression check as JUnit XML for CI servers and as Markdown for people."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from harness.analysis.numbers import change, number
from harness.analysis.regression import Check, Entry
from harness.analysis.tables import markdown_table

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def describe(entry: Entry) -> str:
    """One sentence about an entry."""
    direction = "higher" if entry.higher_is_better else "lower"
    parts = [f"{number(entry.current, entry.unit)} now, {number(entry.baseline, entry.unit)} in the baseline"]
    if entry.tolerance is not None:
        parts.append(f"{f'tolerance {number(entry.tolerance)} {entry.unit}'.strip()}, {direction} is better")
    return "; ".join([*parts, *([entry.reason] if entry.reason else [])])


def _clean(text: str) -> str:
    return _NOT_XML.sub("?", text)


def junit(check: Check) -> str:
    """One test case per entry and per failed trial: worse is a failure, missing and incomparable are errors, new is skipped."""
    errors = [*check.of("missing"), *check.of("incomparable")]
    counts = {"failures": len(check.of("worse")), "errors": len(errors) + len(check.failed), "skipped": len(check.of("new"))}
    attributes = {"name": "harness check", "tests": str(len(check.entries) + len(check.failed)), **{k: str(v) for k, v in counts.items()}}
    root = ElementTree.Element("testsuites", attributes)
    suite = ElementTree.SubElement(root, "testsuite", attributes)
    elements = {"worse": "failure", "missing": "error", "incomparable": "error", "new": "skipped"}
    for entry in check.entries:
        names = {"classname": _clean(f"{entry.benchmark} v{entry.version}"), "name": _clean(f"{entry.method} {entry.metric}")}
        case = ElementTree.SubElement(suite, "testcase", names)
        if entry.status in elements:
            ElementTree.SubElement(case, elements[entry.status], {"message": _clean(describe(entry))})
    for trial in check.failed:
        names = {"classname": _clean(f"{trial.benchmark} v{trial.version}"), "name": _clean(f"{trial.method} seed {trial.seed}")}
        case = ElementTree.SubElement(suite, "testcase", names)
        ElementTree.SubElement(case, "error", {"message": _clean(f"{trial.kind}: {trial.reason}")})
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def rows(entries: list[Entry]) -> list[list[str]]:
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
            change(-entry.tolerance if entry.tolerance is not None and entry.higher_is_better else entry.tolerance),
            entry.reason,
        ]
        for entry in entries
    ]


HEADER = ["status", "benchmark", "method", "metric", "baseline", "now", "change", "allowed", "note"]


def noteworthy(check: Check) -> list[Entry]:
    """What is not as expected, worst first."""
    return [entry for status in ("worse", "incomparable", "missing", "better", "new") for entry in check.of(status)]


def markdown(check: Check) -> str:
    """The verdict, what is not as expected, and the rest folded away."""
    parts = [f"## harness check: {check.summary()}", *(f"> {note}" for note in check.notes)]
    if some := noteworthy(check):
        parts.append(markdown_table(HEADER, rows(some)))
    if check.failed:
        cells = [[t.benchmark, t.method, str(t.seed), t.kind or "", t.reason or "", t.log or ""] for t in check.failed]
        parts.append("### Failed trials\n\n" + markdown_table(["benchmark", "method", "seed", "kind", "reason", "log"], cells))
    if fine := check.of("ok"):
        parts.append(f"<details><summary>{len(fine)} as expected</summary>\n\n{markdown_table(HEADER, rows(fine))}\n\n</details>")
    return "\n\n".join(parts) + "\n"
