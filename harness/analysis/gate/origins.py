"""Where a difference to the baseline may come from, and what follows for how far an entry may fall."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from harness.analysis.board import Row
from harness.analysis.gate import machines as machines_
from harness.analysis.gate.expected import Expected, Key, distance
from harness.analysis.gate.file import Baseline
from harness.analysis.gate.limits import Limit, alphas, between_machines, exact, limit, noises
from harness.texts import amount, few

Source = Literal["repeated", "machine", "code", "tolerance"]
"""What may have changed an entry.

repeated: the same trials (digests of code, config, data and seed) on the same machine. They compute the same numbers, so any
difference is evidence, and the tolerance alone decides; seeds are compared in pairs.
machine: the same trials on another machine, or with other packages. Rounding differs, and training makes more of it: a share of the
seeds' noise is the limit (:data:`harness.analysis.gate.limits.MACHINE`), and seeds are compared in pairs.
code: other trials. The noise of seeds is the limit.
tolerance: the baseline keeps no values, or no noise is known of them and someone chose the tolerance; it decides alone.
"""

Pairs = Sequence[tuple[Expected, Row | None]]
"""Each entry of the baseline, and the row that counts now."""


def source_of(expected: Expected, row: Row, now: Mapping[str, dict[str, Any]]) -> Source:
    """Of one entry.

    Args:
        now: digest of a trial -> the machine it ran on (:func:`harness.analysis.gate.machines.machines_of`).
    """
    if not expected.values:
        return "tolerance"
    before = dict(zip(expected.seeds, zip(expected.digests, expected.machines, strict=True), strict=True))
    both = [(*before[seed], digest) for seed, digest in zip(row.seeds, row.digests, strict=True) if seed in before]
    if len(both) < min(expected.n, row.n) or any(digest != then for then, _, digest in both):
        return "code"
    here = [machines_.known_as(now.get(digest, {})) for *_, digest in both]
    repeated = all(there and there == machine for (_, there, _), machine in zip(both, here, strict=True))
    return "repeated" if repeated else "machine"


def limits_of(pairs: Pairs, sources: Mapping[Key, Source]) -> dict[Key, Limit]:
    """How far each entry may fall. Only those whose difference may be noise share the chance of a false alarm."""
    noisy = [expected for expected, _ in pairs if sources.get(expected.key) in ("machine", "code")]
    places = {(expected.benchmark, expected.version) for expected in noisy}
    known = noises(expected for expected, _ in pairs if expected.key[:2] in places)
    shares = alphas(noisy)
    found = {}
    for expected, row in pairs:
        if row is None:
            continue
        if sources.get(expected.key) == "machine":
            both = len({*row.seeds} & {*expected.seeds})
            found[expected.key] = between_machines(expected, known[expected.key], shares[expected.key], both)
        elif sources.get(expected.key) == "code":
            found[expected.key] = limit(expected, known[expected.key], shares[expected.key], row.n)
        else:
            found[expected.key] = exact(expected)
    return found


def unfailing(pairs: Pairs, sources: Mapping[Key, Source], limits: Mapping[Key, Limit]) -> list[str]:
    """A note where entries of the baseline could not fail: of an earlier harness, edited by hand, or with fewer seeds now."""
    stuck = []
    for expected, row in pairs:
        if row is None or expected.mean is None or expected.key not in sources:
            continue
        room = expected.distance() if expected.values else distance(expected.mean, row.floor, expected.unit, expected.higher_is_better)
        if not limits[expected.key].allowed < room:
            stuck.append(f"{expected.metric} of '{expected.method}' on {expected.benchmark}")
    if not stuck:
        return []
    told = (
        f"{amount(len(stuck), 'entry', 'entries')} of the baseline cannot fail, as what they may lose reaches the floor: {few(stuck, 3)}."
    )
    return [f"{told} Save it anew with more seeds."]


def other_machines(
    baseline: Baseline,
    pairs: Pairs,
    sources: Mapping[Key, Source],
    now: Mapping[str, dict[str, Any]],
) -> list[str]:
    """A note where trials ran on another machine than the baseline's."""
    there: dict[str, int] = defaultdict(int)
    for expected, row in pairs:
        if row is not None and sources.get(expected.key) == "machine":
            then = dict(zip(expected.seeds, expected.machines, strict=True))
            both = [(now.get(digest, {}), then[seed]) for seed, digest in zip(row.seeds, row.digests, strict=True) if seed in then]
            other = next((some for some in both if machines_.known_as(some[0]) != some[1]), both[0])
            there[machines_.difference(other[0], baseline.machines.get(other[1], {}))] += 1
    if not there:
        return []
    where, count = "; ".join(sorted(there)), sum(there.values())
    told = f"{amount(count, 'entry is', 'entries are')} of the same code on another machine"
    return [f"{told} ({where}), which may differ in the digits."]
