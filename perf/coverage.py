"""Whether the statistics keep what they promise: simulated benchmarks with known truths.

    python perf/coverage.py                  # about a minute on one core
    python perf/coverage.py --full           # three times the draws
    python perf/coverage.py --full --write   # puts the tables into docs/statistics.md

Every table says how far its own figures may be off: two Monte Carlo standard errors of a figure near its target.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from scipy import stats

from harness.analysis.inference import aggregates, friedman, power, ranking
from harness.analysis.inference.cells import Cells, from_moments
from harness.analysis.inference.hierarchical import compare_samples
from harness.analysis.inference.mixtures import Array, t_quantile
from harness.analysis.inference.moderation import fit_moments
from harness.analysis.inference.pairs import Pairs, pairwise, pairwise_paired
from harness.analysis.inference.samples import sample_interval
from harness.analysis.inference.scales import LINEAR, PERCENT, Scale
from harness.analysis.statistics import holm

DOC = Path(__file__).parents[1] / "docs" / "statistics.md"
SEEDS = (2, 3, 5, 10)
METHODS = {2: 160, 5: 100, 20: 30, 40: 6}
"""Methods on a benchmark: benchmarks drawn, times the scale of the run."""

Draw = Callable[[np.random.Generator, int, int, int, bool], tuple[Array, Array]]


def normal(rng: np.random.Generator, count: int, k: int, n: int, equal: bool) -> tuple[Array, Array]:
    return rng.standard_normal((count, k, n)), np.zeros(k)


def heavy(rng: np.random.Generator, count: int, k: int, n: int, equal: bool) -> tuple[Array, Array]:
    return rng.standard_t(3, (count, k, n)), np.zeros(k)


def common(rng: np.random.Generator, count: int, k: int, n: int, equal: bool) -> tuple[Array, Array]:
    """A third of the variance is the seed's, whichever the method, as where all start from one network."""
    return np.sqrt(1 / 3) * rng.standard_normal((count, 1, n)) + np.sqrt(2 / 3) * rng.standard_normal((count, k, n)), np.zeros(k)


def factors(rng: np.random.Generator, count: int, k: int, n: int, equal: bool) -> tuple[Array, Array]:
    """Standard deviations from 1 to 4; the last method's is the largest."""
    return rng.standard_normal((count, k, n)) * np.geomspace(1, 4, k)[:, None], np.zeros(k)


def bimodal(rng: np.random.Generator, count: int, k: int, n: int, equal: bool) -> tuple[Array, Array]:
    """The last method trains to 75 or, one time in four, collapses to 20."""
    values = rng.standard_normal((count, k, n))
    values[:, -1] += np.where(rng.random((count, n)) < 0.25, 20, 75) - 61.25
    return values, np.zeros(k)


def percent(rng: np.random.Generator, count: int, k: int, n: int, equal: bool) -> tuple[Array, Array]:
    """Accuracies from 93 to 99.8 % on 5000 test samples; networks differ by 10 % in their odds, and in which samples they miss."""
    mean = np.full(k, 98.0) if equal else np.linspace(93, 99.8, k)
    odds = np.log(mean / (100 - mean))[:, None] + 0.1 * rng.standard_normal((count, k, n))
    true = 100 / (1 + np.exp(-(np.log(mean / (100 - mean))[:, None] + 0.1 * np.linspace(-4, 4, 201))))
    weight = stats.norm.pdf(np.linspace(-4, 4, 201))
    return rng.binomial(5000, 1 / (1 + np.exp(-odds))) / 50, true @ weight / weight.sum()


KINDS: dict[str, tuple[Draw, Scale]] = {
    "normal": (normal, LINEAR),
    "heavy tails (t3)": (heavy, LINEAR),
    "a third of it common to all": (common, LINEAR),
    "sd 1 to 4": (factors, LINEAR),
    "one method bimodal": (bimodal, LINEAR),
    "93 to 99.8 %": (percent, PERCENT),
}


def moments(values: Array) -> tuple[Array, Array, int]:
    return values.mean(-1), values.var(-1, ddof=1), values.shape[-1]


def one(cells: Cells, index: int | Array) -> Cells:
    """One benchmark of many, or some methods of one."""
    return Cells(*(getattr(cells, f.name) if f.name == "scale" else getattr(cells, f.name)[index] for f in fields(Cells)))


def covers(cells: Cells, truth: Array) -> tuple[Array, Array]:
    low, high = cells.interval()
    return (low <= truth + 1e-12) & (truth - 1e-12 <= high), high - low


def limma(mean: Array, variance: Array, n: int, truth: Array) -> Array:
    squeezed = [fit_moments(row, n - 1).squeeze(row, n - 1) for row in variance]
    half = np.stack([t_quantile(df, 0.05) * np.sqrt(v / n) for v, df in squeezed])
    return np.abs(mean - truth) <= half


def percentages(values: Iterable[float], digits: int = 1) -> str:
    return " · ".join("–" if np.isnan(value) else f"{100 * value:.{digits}f}" for value in values)


def off(share: float, count: float) -> str:
    return f"{200 * np.sqrt(share * (1 - share) / count):.1f}"


def intervals(scale: int, rng: np.random.Generator) -> Iterable[str]:
    """Coverage of the intervals of means over seeds."""
    yield "| spread of the seeds | seeds | Student's t | limma | moderated | the last method, moderated | width over Student's |"
    yield "|---|---|---|---|---|---|---|"
    for kind, (draw, metric) in KINDS.items():
        for n in SEEDS:
            plain, classic, shared, worst, width = ([] for _ in range(5))
            for k, count in METHODS.items():
                values, truth = draw(rng, count * scale, k, n, False)
                cover, wide = covers(from_moments(*moments(values), LINEAR, moderated=False), truth)
                ours, narrow = covers(from_moments(*moments(values), metric), truth)
                others = slice(k - 1) if draw is bimodal else slice(k)
                plain.append(cover[:, others].mean())
                classic.append(limma(*moments(values), truth)[:, others].mean())
                shared.append(ours[:, others].mean())
                worst.append(ours[:, -1].mean())
                width.append(np.median(narrow[:, others]) / np.median(wide[:, others]))
            rows = (np.mean(plain),), classic, shared, worst
            name = f"{kind}: the others" if draw is bimodal else kind
            yield f"| {name} | {n} | {' | '.join(percentages(row) for row in rows)} | {' · '.join(f'{w:.2f}' for w in width)} |"
    yield ""
    cells = [k * count * scale for k, count in METHODS.items()]
    yield f"± {off(0.95, min(cells))} and less; the last method ± {percentages_off(METHODS.values(), scale, 0.95)}."


def percentages_off(counts: Iterable[int], scale: int, share: float) -> str:
    return " · ".join(off(share, count * scale) for count in counts)


def false_claims(scale: int, rng: np.random.Generator) -> Iterable[str]:
    """Benchmarks with one false claim or more, among all pairs of methods."""
    yield "| spread of the seeds | seeds | one pair, not corrected | all pairs | all pairs, a third better | all pairs, Holm |"
    yield "|---|---|---|---|---|---|"
    for kind, (draw, metric) in KINDS.items():
        for n in SEEDS:
            shares: dict[str, list[list[float]]] = {"": [[], [], [], []], "; claims about it": [[], [], [], []]}
            for k, count in METHODS.items():
                values, _ = draw(rng, count * scale, k, n, True)
                better = np.arange(k) < (k // 3 if draw in (normal, factors) else 0)
                same = _pairs_of(from_moments(*moments(values), metric))
                moved = _pairs_of(from_moments(*moments(values + 200.0 * better[:, None]), metric)) if better.any() else []
                of_last = same[0].right == k - 1
                wrong = better[same[0].left] == better[same[0].right]
                for label, some in (("", ~of_last if draw is bimodal else np.ones_like(of_last)), ("; claims about it", of_last)):
                    alone, step, shifted, simple = shares[label]
                    alone.append(_mean([r.p[some] < 0.05 for r in same]))
                    step.append(_mean([(r.adjusted[some] < 0.05).any() for r in same] if some.any() else []))
                    shifted.append(_mean([(r.adjusted[some & wrong] < 0.05).any() for r in moved]))
                    simple.append(_mean([(np.array(holm(r.p.tolist()))[some] < 0.05).any() for r in same] if some.any() else []))
            for label, columns in shares.items():
                if not label or draw is bimodal:
                    name = f"{kind}{label or (': the others' if draw is bimodal else '')}"
                    yield f"| {name} | {n} | {' | '.join(percentages(column) for column in columns)} |"
    yield ""
    yield f"± {percentages_off(METHODS.values(), scale, 0.05)}; one pair ± {off(0.05, METHODS[2] * scale)} and less."


def _pairs_of(cells: Cells) -> list[Pairs]:
    return [pairwise(one(cells, r), draws=199, seed=r) for r in range(len(cells.mean))]


def _mean(shares: list[Array]) -> float:
    return float(np.mean(shares)) if len(shares) and np.size(shares) else np.nan


def two_methods(scale: int, rng: np.random.Generator) -> Iterable[str]:
    """False claims about two methods, over seeds and samples."""
    yield "| comparison | seeds 2 · 3 · 5 · 10 |"
    yield "|---|---|"
    count = 80 * scale
    paired = []
    for n in SEEDS:
        shared = rng.standard_normal((count, 1, n))
        p = [pairwise_paired(values).p for values in rng.standard_normal((count, 5, n)) + shared]
        paired.append(np.mean(np.array(p) < 0.05))
    yield f"| paired over seeds, 5 methods that share half their variance, each pair | {percentages(paired)} |"
    for label, seed_sd, sample_sd in (
        ("seeds and samples, 40 groups of 5: both vary", 0.2, 0.5),
        ("the same, seeds vary most", 0.5, 0.1),
        ("the same, samples vary most", 0.02, 0.5),
    ):
        wrong = []
        for n in SEEDS:
            found = []
            for r in range(count):
                seeds = seed_sd * rng.standard_normal((2, n, 1))
                groups = np.repeat(sample_sd * rng.standard_normal((2, 1, 40)), 5, axis=-1)
                a, b = seeds + groups + rng.standard_normal((2, n, 200)) + rng.standard_normal((1, 1, 200))
                found.append(compare_samples(a, b, np.repeat(np.arange(40), 5), draws=300, seed=r).difference.p < 0.05)
            wrong.append(np.mean(found))
        yield f"| {label} | {percentages(wrong)} |"
    yield ""
    yield f"± {off(0.05, count)}."


def over_samples(scale: int, rng: np.random.Generator) -> Iterable[str]:
    """Coverage of the intervals over test samples."""
    sizes = (8, 15, 30, 100, 300)
    yield f"| score | groups {' · '.join(map(str, sizes))} |"
    yield "|---|---|"
    count = 120 * scale

    def grouped(size: int) -> Array:
        return np.repeat(rng.normal(0, 1, size), 4) + rng.normal(0, 1, 4 * size)

    cases: dict[str, tuple[Callable[[int], Array], Callable[..., Array], int, float, tuple[float, float] | None]] = {
        "mean of normal scores": (lambda size: rng.normal(0, 1, size), np.mean, 1, 0.0, None),
        "mean of errors (exponential)": (lambda size: rng.exponential(1, size), np.mean, 1, 1.0, None),
        "median of errors (exponential)": (lambda size: rng.exponential(1, size), np.median, 1, np.log(2), None),
        "80 % accuracy": (lambda size: (rng.random(size) < 0.8) * 1.0, np.mean, 1, 0.8, (0.0, 1.0)),
        "98 % accuracy": (lambda size: (rng.random(size) < 0.98) * 1.0, np.mean, 1, 0.98, (0.0, 1.0)),
        "mean, groups of 4 that belong together": (grouped, np.mean, 4, 0.0, None),
    }
    for label, (draw, statistic, size_of, truth, bounds) in cases.items():
        shares = []
        for size in sizes:
            hits = 0
            for r in range(count):
                groups = np.repeat(np.arange(size), size_of)
                low, high = sample_interval(draw(size), groups, statistic, bounds=bounds, draws=1000, seed=r).interval
                hits += low <= truth <= high
            shares.append(hits / count)
        yield f"| {label} | {percentages(shares)} |"
    yield ""
    yield f"± {off(0.95, count)}."


def over_benchmarks(scale: int, rng: np.random.Generator) -> Iterable[str]:
    """False claims over several benchmarks, and coverage of mean ranks."""
    yield "| benchmarks | methods | Friedman | Nemenyi | Wilcoxon | mean rank: other seeds | other benchmarks |"
    yield "|---|---|---|---|---|---|---|"
    count = 60 * scale
    for benchmarks in (3, 5, 12, 30):
        for k, better in ((3, 0), (10, 0), (10, 3)):
            wrong: list[Sequence[float]] = []
            for _ in range(count):
                values = rng.standard_normal((benchmarks, k)) + 3 * rng.standard_normal((benchmarks, 1))
                values[:, :better] += 4
                ranks = friedman.friedman(values)
                wrong.append(
                    (
                        np.nan if better else ranks.p < 0.05,
                        max(np.ptp(ranks.mean[:better] if better else 0.0), np.ptp(ranks.mean[better:])) >= ranks.critical_difference,
                        _claims(friedman.wilcoxon(values), better),
                    )
                )
            covered = (np.nan, np.nan) if better else _mean_ranks(benchmarks, k, count, rng)
            label = f"{k}, {better} better" if better else str(k)
            yield f"| {benchmarks} | {label} | {' | '.join(percentages((x,)) for x in (*np.mean(wrong, axis=0), *covered))} |"
    yield ""
    yield f"± {off(0.05, count)}; mean ranks are of 3 seeds, ± {off(0.95, count // 4)} and less."


def _claims(p: Array, better: int) -> bool:
    """Whether methods of one kind are told apart."""
    return bool((p[:better, :better] < 0.05).any() or (p[better:, better:] < 0.05).any())


def _mean_ranks(benchmarks: int, k: int, count: int, rng: np.random.Generator) -> tuple[float, float]:
    """Coverage of the mean ranks that other seeds give on average: on the same benchmarks, and on others."""
    strength = np.linspace(0, 1.5, k)

    def draw(true: Array, times: int) -> Array:
        return true + rng.standard_normal((times, *true.shape)) / np.sqrt(3)

    typical = strength + rng.standard_normal((4000, k))
    expected = stats.rankdata(-draw(typical, 1)[0], axis=1).mean(0)
    same, other = [], []
    for _ in range(count // 4):
        true = strength + rng.standard_normal((benchmarks, k))
        here = stats.rankdata(-draw(true, 200), axis=2).mean((0, 1))
        values = true[..., None] + rng.standard_normal((benchmarks, k, 3))
        found = aggregates.mean_rank([from_moments(*moments(v)) for v in values], [True] * benchmarks, draws=400)
        same.append((found.seeds[:, 0] <= here) & (here <= found.seeds[:, 1]))
        if found.benchmarks is not None:
            other.append((found.benchmarks[:, 0] <= expected) & (expected <= found.benchmarks[:, 1]))
    return _mean(same), _mean(other)


def stated_power(scale: int, rng: np.random.Generator) -> Iterable[str]:
    """How often the difference that is said to be shown at 80 % is shown, and Kendall's τ as said and as it is."""
    yield "| spread of the seeds | methods | found, seeds 2 · 3 · 5 · 10 | τ said / true, seeds 2 · 3 · 5 · 10 |"
    yield "|---|---|---|---|"
    for kind in ("normal", "heavy tails (t3)", "sd 1 to 4"):
        draw, metric = KINDS[kind]
        for k, count in ((2, 100), (5, 100), (20, 40)):
            found, tau = [], []
            for n in SEEDS:
                runs = count * scale
                first, second = (draw(rng, runs, k, n, True)[0] for _ in range(2))
                cells = from_moments(*moments(first), metric)
                delta = np.array([power.detectable(n, power.spread_of(one(cells, r), (0, k - 1))) for r in range(runs)])
                second[:, 0] += delta[:, None]
                again = from_moments(*moments(second), metric)
                hits = [pairwise(one(one(again, r), np.array([0, k - 1]))).p[0] < 0.05 for r in range(runs)]
                found.append(np.mean(hits))
                if k > 2:
                    shift = np.linspace(0, 3, k)[:, None]
                    cells = from_moments(*moments(first + shift), metric)
                    said = np.mean([ranking.reliability(c.mean, c.std**2, n, n).tau for c in (one(cells, r) for r in range(runs))])
                    a, b = (draw(rng, runs, k, n, True)[0] + shift for _ in range(2))
                    true = np.mean([stats.kendalltau(x, y).statistic for x, y in zip(a.mean(-1), b.mean(-1), strict=True)])
                    tau.append(f"{said:.2f} / {true:.2f}")
            yield f"| {kind} | {k} | {percentages(found)} | {' · '.join(tau) or '–'} |"
    yield ""
    yield f"± {percentages_off((100, 100, 40), scale, 0.8)}."


TABLES = {
    "intervals": intervals,
    "pairs": false_claims,
    "two": two_methods,
    "samples": over_samples,
    "benchmarks": over_benchmarks,
    "power": stated_power,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="three times the draws")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {DOC.name}")
    parser.add_argument("--only", choices=TABLES, action="append", help="some tables only")
    args = parser.parse_args()
    page = DOC.read_text(encoding="utf-8") if args.write else ""
    for name in args.only or TABLES:
        start = time.process_time()
        text = "\n".join(TABLES[name](3 if args.full else 1, np.random.default_rng(0)))
        print(f"{TABLES[name].__doc__}\n\n{text}\n({time.process_time() - start:.0f} s)\n", flush=True)
        page = re.sub(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda m, text=text: f"{m[1]}{text}\n{m[2]}", page, flags=re.S)
    if args.write:
        DOC.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
