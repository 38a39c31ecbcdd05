"""What a dataset holds and what is wrong with it, in a few lines for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from harness.benchmarks.base import Listing, Problem
from harness.benchmarks.options import DataOptions
from harness.benchmarks.task import Task
from harness.benchmarks.validation import FEWEST

_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|\([^()]*\d[^()]*\)|[-+]?\d[\d.,:]*")
"""What differs between problems of one kind: names in quotes and numbers."""

_SHOWN = 3
"""Places that are named of a kind."""


def grouped(problems: Iterable[Problem]) -> Iterator[Problem]:
    """One problem for all of a kind, the first of them, with how many more there are and where some of these lie."""
    groups: dict[tuple[str, str, bool], list[Problem]] = {}
    for problem in problems:
        key = (_VARYING.sub("#", problem.what), _VARYING.sub("#", problem.mend), problem.fatal)
        groups.setdefault(key, []).append(problem)
    for first, *rest in groups.values():
        if not rest:
            yield first
            continue
        some = ", ".join(dict.fromkeys(problem.where for problem in rest[: _SHOWN - 1]))
        more = f"{first.what.rstrip('.')}; and {len(rest)} more of this kind, e.g. {some}"
        yield Problem(first.where, more, first.mend, first.fatal)


def _why_none(data: DataOptions, listing: Listing[Any]) -> str:
    if not data.val_share:
        return "the benchmark has none"
    if len(listing.train) < FEWEST:
        return f"of fewer than {FEWEST} training samples none is held out"
    groups = f"hang together in groups that are too large for data.val_share ({data.val_share:.0%})"
    return f"no training sample can be held out: all are tested, too, say too little to be scored, or {groups}"


def describe(task: Task, listing: Listing[Any], problems: Iterable[Problem]) -> list[str]:
    """Samples per split, what is not used and why, and every warning, a line each."""
    data, problems = task.data, list(problems)
    counted = {("class", "classes"): "class_count", ("keypoint", "keypoints"): "count", ("scene", "scenes"): "scene_names"}
    parts = [listing.counted]
    for (one, many), attribute in counted.items():
        if (found := getattr(data, attribute, None)) is not None:
            count = found if isinstance(found, int) else len(found)
            parts.append(f"{count} {one if count == 1 else many}")
    lines = [", ".join(parts)]
    # what is fatal may be why there is none, and hides any other reason
    if listing.train and not listing.val and not any(problem.fatal for problem in problems):
        lines.append(f"no validation split: {_why_none(data, listing)}")
    lines += [f"not used: {count} {what}" for what, count in sorted(listing.left_out.items())]
    return lines + [f"warning: {problem.sentences}" for problem in grouped(problems) if not problem.fatal]
