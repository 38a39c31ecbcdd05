"""Limits keep what they promise: against simulation, and against a search that is obviously right."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.analysis.gate.expected import Expected, default_tolerance
from harness.analysis.gate.limits import FALSE_ALARMS, Noise, alphas, can_fail, limit, limits, noises, seeds_needed


def entry(method="gap", values=(80.0, 81.0, 82.0), **changes) -> Expected:
    mean = float(np.mean(values))
    told = {"unit": "%", "higher_is_better": True, "floor": 10.0, "tolerance": 1.0, "n": len(values), "seeds": tuple(range(len(values)))}
    return Expected(benchmark="scenes", version=1, method=method, metric="top1", mean=mean, values=tuple(values), **(told | changes))


@pytest.mark.parametrize(
    ("mean", "floor", "unit", "higher", "expected"),
    [(80.0, 20.0, "%", True, 1.8), (30.0, 20.0, "%", True, 1.0), (0.5, 2.0, "m", False, 0.045), (0.5, None, "m", False, 0.015),
     (10.0, 20.0, "%", True, 1.0), (90.0, None, "%", True, 2.7), (math.nan, 20.0, "%", True, 0.0)],
)  # fmt: skip
def test_default_tolerance_is_a_share_of_what_there_is_to_lose(mean, floor, unit, higher, expected):
    assert default_tolerance(mean, floor, unit, higher) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("mean", "floor", "unit", "higher", "expected"),
    [(80.0, 20.0, "%", True, 60.0), (80.0, None, "%", True, 80.0), (20.0, 90.0, "%", False, 70.0), (20.0, None, "%", False, 80.0),
     (1.0, 3.0, "m", False, 2.0), (1.0, None, "m", False, math.inf), (10.0, 20.0, "%", True, -10.0), (-1.0, None, "", True, math.inf)],
)  # fmt: skip
def test_distance_ends_at_the_floor_or_the_scale(mean, floor, unit, higher, expected):
    changed = entry(values=(mean,), floor=floor, unit=unit, higher_is_better=higher)
    assert changed.distance() == expected


def test_all_entries_share_one_chance():
    some = [entry(f"p{i}") for i in range(3)] + [entry(f"s{i}", primary=False) for i in range(20)]
    shares = alphas(some)
    assert math.fsum(shares.values()) == pytest.approx(FALSE_ALARMS)
    assert shares[some[0].key] > 10 * shares[some[-1].key]
    assert alphas(some[:3])[some[0].key] == pytest.approx(FALSE_ALARMS / 3) and alphas(some[3:])[some[3].key] == pytest.approx(
        FALSE_ALARMS / 20
    )


def test_limits_against_simulation():
    """Methods whose seeds are normal: false alarms of the whole are 1 % or less, and 80 % of drops of the stated size are caught."""
    rng, repeats, alarms, caught, stated = np.random.default_rng(0), 600, 0, 0, []
    for _ in range(repeats):
        means = np.array([70.0, 75.0, 65.0, 72.0])
        some = [entry(f"m{i}", tuple(rng.normal(mean, 1.5, 5)), tolerance=0.0) for i, mean in enumerate(means)]
        known = limits(some)
        now = rng.normal(means, 1.5 / math.sqrt(5))
        drops = np.array([each.mean for each in some]) - now
        allowed = np.array([known[each.key].allowed for each in some])
        alarms += bool((drops > allowed).any())
        stated.append(known[some[0].key].detectable())
        again = rng.normal(means[0], 1.5 / math.sqrt(5)) - stated[-1]
        caught += some[0].mean - again > allowed[0]
    assert alarms <= 0.01 * repeats + 3 * math.sqrt(0.01 * repeats)
    assert 0.76 < caught / repeats < 0.92 and 2.0 < np.median(stated) < 8.0


def test_the_chance_to_catch_a_drop_is_80_percent_at_the_smallest_that_is_called_detectable():
    some = [entry(), entry("gem", (90.0, 91.5, 89.0))]
    found = limits(some)[some[0].key]
    assert found.caught(found.detectable()) == pytest.approx(0.8) and found.caught(found.allowed) == pytest.approx(0.5)


def test_noise_is_borrowed_from_other_methods():
    alone = noises([wild := entry(values=(70.0, 80.0, 90.0))])
    among = noises([wild, *(entry(f"m{i}", (80.0, 80.5, 81.0)) for i in range(6))])
    assert among[wild.key].variance < alone[wild.key].variance and among[wild.key].df > alone[wild.key].df


def test_more_seeds_let_an_entry_fail():
    """The number named is the first with which the limit leaves room, by trying each."""
    some = entry(values=(60.0, 70.0, 65.0), tolerance=2.0, floor=30.0)
    noise = Noise(40.0, 4.0)
    tried = []
    for n in range(3, 31):
        more = replace(some, values=(65.0,) * n)
        tried.append(can_fail(more, limit(more, Noise(40.0, 4.0 + n - 3), 1e-3, n)))
    assert seeds_needed(some, noise, 1e-3) == 3 + tried.index(True) > 3
    assert seeds_needed(replace(some, tolerance=50.0), noise, 1e-3) is None


def test_unknown_noise_lets_nothing_fail_unless_a_tolerance_was_chosen():
    some = [entry(values=(80.0,)), entry("gem", (90.0,))]
    assert not any(can_fail(each, limits(some)[each.key]) for each in some)
    chosen = [replace(each, given=True, tolerance=5.0) for each in some]
    assert [limits(chosen)[each.key].allowed for each in chosen] == [5.0, 5.0]
    reach = replace(chosen[0], tolerance=75.0)
    assert not can_fail(reach, limits([reach])[reach.key]), "beyond the floor"
