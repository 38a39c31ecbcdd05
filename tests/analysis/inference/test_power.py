"""What a number of seeds can show."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.analysis.inference.cells import fit
from harness.analysis.inference.mixtures import sum_of_two
from harness.analysis.inference.power import Spread, detectable, spread_of, verdict


def test_a_known_variance_gives_the_usual_power_of_a_paired_t_test():
    """0.9960: statsmodels 0.15.0, TTestPower().solve_power(nobs=10, alpha=0.05, power=0.8)."""
    assert detectable(10, Spread(1.0, 1e9, 0.0, paired=True)) == pytest.approx(0.9960, rel=1e-3)


def test_units_and_levels():
    spread = Spread(4.0, 3.0, 2.0)
    assert detectable(3, spread) == pytest.approx(2 * detectable(3, Spread(1.0, 3.0, 2.0)))
    assert detectable(3, spread, alpha=0.001) > detectable(3, spread) > detectable(3, spread, power=0.5)
    assert detectable(3, Spread(4.0, 30.0, 2.0)) < detectable(3, spread), "a variance that is known better"


def test_more_seeds_show_more():
    found = [detectable(seeds, Spread(1.0, 3.0, 2.0)) for seeds in (2, 3, 5, 10)]
    assert sorted(found, reverse=True) == found and len({*found}) == 4


def test_the_difference_said_is_found_as_often_as_said():
    """Unpaired, 4 seeds, variance known from 8 degrees of freedom; three Monte Carlo standard errors are 1.9 %."""
    generator = np.random.default_rng(0)
    runs, seeds, borrowed = 4000, 4, 5.0
    true = 1.3 * 8 / generator.chisquare(8, runs)
    delta = detectable(seeds, Spread(1.3, 8.0, borrowed))
    difference = delta + generator.normal(size=runs) * np.sqrt(2 * true / seeds)
    df = borrowed + seeds - 1
    a, b = (true * generator.chisquare(df, runs) / df / seeds for _ in range(2))
    assert np.mean(sum_of_two(a, df, b, df).tail(difference) < 0.05) == pytest.approx(0.8, abs=0.03)


def test_what_samples_hide_no_seeds_show():
    samples = Spread(1e-12, 30.0, 0.0, paired=True, fixed=0.25, fixed_df=1e9)
    assert detectable(2, samples) == pytest.approx(0.5 * (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)), rel=1e-3)
    assert detectable(100, samples) == pytest.approx(detectable(2, samples), rel=1e-3)
    both, seeds = (Spread(1.0, 30.0, 0.0, paired=True, fixed=fixed, fixed_df=40) for fixed in (0.25, 0.0))
    assert detectable(5, both) ** 2 == pytest.approx(detectable(5, seeds) ** 2 + detectable(5, samples) ** 2, rel=0.06)


def test_spread_of_cells():
    cells = fit(np.random.default_rng(1).normal(size=(6, 3)) * 2)
    typical, pair = spread_of(cells), spread_of(cells, (0, 3))
    assert typical.variance == pytest.approx(np.median(cells.variance)) and typical.borrowed > 0
    assert pair.variance == pytest.approx(cells.variance[[0, 3]].mean()) and pair.df == pytest.approx(cells.df[[0, 3]].mean())
    with pytest.raises(ValueError, match="two seeds"):
        spread_of(fit([[1.0], [2.0]]))


def test_one_seed_shows_nothing():
    with pytest.raises(ValueError, match="two seeds each, not 1"):
        detectable(1, Spread(1.0, 3.0, 2.0))


def test_verdicts():
    spread = Spread(1.0, 3.0, 2.0)
    assert verdict("gem", "gap", 3.21, 0.01, 2, spread, unit="%") == "gem is better than gap by 3.21 points."
    assert verdict("gem", "gap", 0.321, 0.01, 2, spread, unit="m", higher_is_better=False) == "gap is better than gem by 0.321 m."
    two, seven = (f"{detectable(count, spread):.1f}" for count in (2, 7))
    assert verdict("gem", "gap", 1.0, 0.2, 2, spread) == (
        f"gem and gap cannot be told apart: 2 seeds show differences from {two} on; 5 more seeds would show {seven}."
    )
    assert "from 134 m on; 5 more seeds would show 53 m" in verdict("gem", "gap", 1.0, 0.2, 2, Spread(530.0, 3.0, 2.0), unit="m")
    assert "2 seeds cannot show any, however large; 5 more seeds would show 53 points" in verdict(
        "gem", "gap", 1.0, 0.2, 2, Spread(530.0, 3.0, 2.0), unit="%"
    )


def test_noncentral_t_is_what_scipy_says():
    """The averages over quantiles against scipy's noncentral t."""
    found = detectable(6, Spread(1.0, 1e9, 4.0, paired=True), alpha=0.01, power=0.6)
    assert stats.nct.sf(stats.t.ppf(0.995, 9), 9, found * np.sqrt(6)) == pytest.approx(0.6, abs=0.003)
