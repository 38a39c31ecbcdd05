"""Equal tuning: what is tried of each method, what is chosen, and what may be compared with what."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from pydantic import ValidationError

from harness.analysis.settings import Setting, difference
from harness.benchmarks.hosts import standing
from harness.catalog import Tune, load_catalog
from harness.catalog.plugins import PluginFile, discover, owners
from harness.catalog.ranges import Range
from harness.compose import Selection, plan, tuning
from harness.compose.overrides import Overrides
from harness.compose.plan import Plan
from harness.compose.tuning import Search, places
from harness.errors import UsageError
from harness.plugin_tools.contract import subjects
from harness.slots import build

BENCH = "scenes-classification"


@pytest.fixture(scope="module")
def files() -> list[PluginFile]:
    return discover()


@pytest.fixture(scope="module")
def searched(files):
    """``searched("gap", "simpool", tune=8)`` -> the plan and the search of each method."""

    def search(*methods: str, bench: str = BENCH, sets: tuple[str, ...] = (), **options) -> tuple[Plan, dict[str, Search]]:
        planned = plan(Selection(None, methods, (bench,), overrides=sets, **options), load_catalog(), files)
        return planned, {found.cell.method.id: found for found in tuning.searches(planned, Overrides.parse(sets), files)}

    return search


@pytest.mark.parametrize("count", [4, 16, 64])
def test_points_are_spread_as_those_of_a_net_are(count):
    """Of 2^m points each of 2^m equal boxes holds one, however the first two options are parted (a (0, m, 2)-net in base 2)."""
    drawn = places(BENCH, count)[:, :2]
    for exponent in range(count.bit_length()):
        boxes = np.array([2**exponent, count // 2**exponent])
        assert len({*map(tuple, np.floor(drawn * boxes).astype(int))}) == count, f"parted into {boxes}"


def test_fewer_points_are_the_beginning_of_more_and_each_benchmark_has_its_own():
    assert np.array_equal(places(BENCH, 5), places(BENCH, 12)[:5]) and places(BENCH, 0).shape == (0, tuning.DIMENSIONS)
    assert not np.array_equal(places(BENCH, 5), places("digits", 5))


@pytest.mark.parametrize(
    ("given", "distribution"),
    [
        ({"linear": [1.5, 6.0]}, lambda u: 1.5 + 4.5 * u),
        ({"log": [0.01, 1.0]}, lambda u: math.exp(math.log(0.01) * (1 - u))),
        ({"times": [0.25, 4]}, lambda u: 0.002 * math.exp(math.log(0.25) + u * math.log(16))),
    ],
)
def test_a_number_has_its_distribution_to_three_digits(given, distribution):
    for place in np.linspace(0, 1, 101)[:-1]:
        value = Range(**given).at(float(place), registered=0.002)
        assert value == pytest.approx(distribution(place), rel=0.005) and value == float(f"{value:.3g}")


def test_whole_bounds_and_choices_are_taken_equally_often():
    grid = [index / 1000 for index in range(1000)]
    assert [sum(Range(linear=[1, 5]).at(u) == value for u in grid) for value in range(1, 6)] == [200] * 5
    assert [sum(Range(choices=["a", None, 3]).at(u) == value for u in grid) for value in ("a", None, 3)] == [334, 333, 333]
    assert {type(Range(log=[2, 32]).at(u)) for u in grid} == {int} and {Range(log=[2, 32]).at(u) for u in (0.0, 0.9999)} == {2, 32}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "found none"),
        ({"log": [1, 2], "linear": [1, 2]}, "found log, linear"),
        ({"linear": [2, 1]}, "2 is not below 1"),
        ({"log": [0, 1]}, "0 has no logarithm"),
        ({"linear": [1]}, "at least 2 items"),
        ({"linear": [False, True]}, "valid"),
        ({"choices": [1]}, "at least 2 items"),
        ({"factor": [1, 2]}, "Extra inputs"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(given, reason):
    with pytest.raises(ValidationError, match=reason):
        Range(**given)


def test_every_method_is_tried_at_the_same_learning_rates_and_first_as_registered(searched):
    planned, found = searched("gap", "gem", "simpool", "vit-cls", tune=9)
    values = {method: [point.values for point in search.points] for method, search in found.items()}
    rates = {method: [some.get("schedule.lr") for some in points] for method, points in values.items()}
    assert {len(points) for points in values.values()} == {9} and {points[0] == {} for points in values.values()} == {True}
    assert len({tuple(some) for some in rates.values()}) == 1 and len({*rates["gap"]}) == 9
    assert all(0.002 <= rate <= 0.032 for rate in rates["gap"][1:]), "a quarter of 0.008 to four times of it"
    lr_mult = [[point.get("method.lr_mult") for point in values[method]] for method in ("simpool", "vit-cls")]
    assert lr_mult[0] == lr_mult[1] and None not in lr_mult[0][1:]
    assert {*found["gem"].space} == {"schedule.lr", "method.p"} and {*found["gap"].space} == {"schedule.lr"}
    assert {*found["simpool"].space} == {"schedule.lr", "method.lr_mult", "method.gamma"}
    for method, search in found.items():
        (registered,) = (trial for trial in planned.trials if trial.method == method)
        assert search.points[0].trials[0].config == registered.config
        for point in search.points[1:]:
            (trial,) = point.trials
            assert trial.config["optim_wrapper"]["optimizer"]["lr"] == point.values["schedule.lr"]
            assert trial.overrides == tuple(f"{key}={value}" for key, value in point.values.items())
            assert trial.dataset == registered.dataset and trial.task == registered.task, "data and scores are never tuned"
    pooled = found["simpool"].points[3].trials[0].config["model"]["model"]["neck"]["params"]
    assert pooled == {name: values["simpool"][3][f"method.{name}"] for name in ("lr_mult", "gamma")}


def test_tuning_seeds_are_apart_and_a_larger_budget_goes_on_from_a_smaller_one(searched):
    planned, found = searched("gap", tune=4, tune_seeds=3, seeds=1000)
    tried = tuning.tuning_plan(planned, [*found.values()]).trials
    assert sorted({trial.seed for trial in tried}) == [1000, 1001, 1002] and len(tried) == 12
    assert {trial.purpose for trial in tried} == {"tuning"} and {trial.setting for trial in tried} == {""}
    assert max(trial.seed for trial in planned.trials) == 999 and not {t.digest for t in planned.trials} & {t.digest for t in tried}
    (more,) = searched("gap", tune=8, tune_seeds=3)[1].values()
    assert [point.trials for point in more.points[:4]] == [point.trials for point in found["gap"].points]


@pytest.mark.parametrize(("bench", "method"), [(BENCH, "gap"), ("rooms", "mst-no-encoder-sa")])
def test_the_best_point_on_validation_is_chosen(searched, bench, method):
    """Against the rule read out word by word; on the one benchmark more is better, on the other less."""
    (search,) = searched(method, bench=bench, tune=6, tune_seeds=2)[1].values()
    assert search.primary.higher_is_better == (bench == BENCH)
    generator = np.random.default_rng(0)
    winners = set()
    for _ in range(300):
        table = generator.integers(0, 3, (6, 2)) / 2
        table[generator.random((6, 2)) < 0.2] = math.nan
        lacking = generator.random((6, 2)) < 0.1
        values = {
            trial.digest: float(table[index, seed])
            for index, point in enumerate(search.points)
            for seed, trial in enumerate(point.trials)
            if not lacking[index, seed]
        }
        best, winner = None, None
        for index in range(6):
            if lacking[index].any() or np.isnan(table[index]).any():
                continue
            mean = (table[index, 0] + table[index, 1]) / 2
            if best is None or (mean > best if search.primary.higher_is_better else mean < best):
                best, winner = mean, index
        verdict = search.judge(values)
        assert verdict.winner == winner
        assert search.report(verdict)["points"][5]["validation"] == [None if math.isnan(v) else v for v in verdict.scores[5]]
        winners.add(winner)
    assert winners >= {0, 1, 2, 3, 4, 5}
    assert search.judge({}).winner is None


def _won(search: Search, winner: int) -> tuning.Verdict:
    sign = 1 if search.primary.higher_is_better else -1
    values = {trial.digest: sign * float(index == winner) for index, point in enumerate(search.points) for trial in point.trials}
    verdict = search.judge(values)
    assert verdict.winner == winner
    return verdict


def test_methods_of_one_budget_share_a_setting_and_no_other(searched, files):
    planned, found = searched("gap", "simpool", tune=4, seeds=2)
    finals = {(method, winner): search.finals(_won(search, winner), 2, files) for method, search in found.items() for winner in range(4)}
    trials = [trial for some in finals.values() for trial in some]
    assert [trial.seed for trial in trials] == [0, 1] * 8 and len({trial.digest for trial in trials}) == 16
    (tuned,) = {trial.setting for trial in trials}
    assert {trial.task for trial in trials} == {planned.trials[0].task} and {trial.purpose for trial in trials} == {""}
    assert {trial.overrides for trial in trials} == {()}, "what was found is no --set"
    lr = trials[2].config["optim_wrapper"]["optimizer"]["lr"]
    assert lr == found["gap"].points[1].values["schedule.lr"] != trials[2].conditions["schedule"]["lr"]
    others = {}
    for name, options in {"more": {"tune": 5}, "seeds": {"tune": 4, "tune_seeds": 2}}.items():
        (search,) = searched("gap", **options)[1].values()
        others[name] = search.finals(_won(search, 0), 1, files)[0]
    other_space = replace(found["gap"], space={"schedule.lr": Range(times=[0.5, 2])})
    others["space"] = other_space.finals(_won(other_space, 0), 1, files)[0]
    assert len({tuned, planned.trials[0].setting, *(trial.setting for trial in others.values())}) == 5
    first = finals["gap", 0][0]
    assert first.config == planned.trials[0].config and first.digest != planned.trials[0].digest, "it belongs to its budget"
    assert len({first.digest, *(trial.digest for trial in others.values())}) == 4

    def setting(trial) -> Setting:
        return Setting(trial.setting, "cpu", (), trial.conditions)

    told = {name: difference(setting(trial), setting(first), "the other") for name, trial in others.items()}
    assert told == {
        "more": "tuned with 5 trials, where the other is tuned with 4 trials",
        "seeds": "tuned with 4 trials of 2 seeds, where the other is tuned with 4 trials",
        "space": "tuning.space.schedule.lr.times [0.5, 2], where the other has [0.25, 4]",
    }
    assert difference(setting(planned.trials[0]), setting(first), "it") == "not tuned, where it is tuned with 4 trials"
    assert difference(setting(first), setting(planned.trials[0]), "it") == "tuned with 4 trials"


def test_the_report_says_all_of_it(searched, files):
    (search,) = searched("gem", tune=3, tune_seeds=2)[1].values()
    values = {trial.digest: 50.0 + index for index, point in enumerate(search.points) for trial in point.trials}
    del values[search.points[1].trials[1].digest]
    (final,) = search.finals(search.judge(values), 1, files)
    assert final.search == {
        "trials": 3,
        "seeds": [1000, 1001],
        "metric": "val/top1",
        "higher_is_better": True,
        "space": {"schedule.lr": {"times": [0.25, 4]}, "method.p": {"linear": [1.5, 6.0]}},
        "points": [
            {"values": point.values, "validation": scores, "trials": [trial.digest for trial in point.trials]}
            for point, scores in zip(search.points, [[50.0, 50.0], [51.0, None], [52.0, 52.0]], strict=True)
        ],
        "winner": 2,
    }


def test_what_set_says_is_kept(searched):
    _, found = searched("simpool", tune=3, sets=("schedule.lr=0.01", "method.pooling.gamma=2"))
    assert {*found["simpool"].space} == {"method.lr_mult"}
    for point in found["simpool"].points:
        (trial,) = point.trials
        assert trial.config["optim_wrapper"]["optimizer"]["lr"] == 0.01
        assert trial.config["model"]["model"]["neck"]["params"]["gamma"] == 2
        assert trial.overrides[:2] == ("schedule.lr=0.01", "method.pooling.gamma=2")
    with pytest.raises(UsageError, match="tuning 'gap' on 'scenes-classification': nothing is left to tune"):
        searched("gap", tune=3, sets=("schedule.lr=0.01",))


@pytest.mark.parametrize(
    ("of_method", "of_benchmark", "reason"),
    [
        ({"gama": Range(linear=[1.0, 2.0])}, {}, "unknown parameter 'gama'"),
        ({"gamma": Range(times=[0.5, 2])}, {}, "method.gamma has no registered number that `times` could multiply"),
        ({"poling.gamma": Range(linear=[1.0, 2.0])}, {}, "unknown slot 'poling'"),
        ({"gamma": Range(choices=["a", "b"])}, {}, 'gamma is "[ab]", but takes'),
        ({}, {"schedule.rate": Range(log=[1.0, 2.0])}, "unknown option of the schedule 'rate'"),
        ({}, {"schedule.clip": Range(times=[0.5, 2])}, "schedule.clip has no registered number"),
        ({}, {"schedule.lr": Range(linear=[-2.0, -1.0])}, "schedule.lr"),
    ],
)
def test_ranges_that_do_not_fit_are_refused(searched, files, of_method, of_benchmark, reason):
    planned, _ = searched("simpool")
    (cell,) = planned.cells
    entry = cell.task.entry.model_copy(update={"tune": of_benchmark})
    cell = replace(cell, method=cell.method.model_copy(update={"tune": of_method}), task=replace(cell.task, entry=entry))
    with pytest.raises(UsageError, match=f"tuning 'simpool' on '{BENCH}'.*{reason}"):
        tuning.searches(replace(planned, cells=[cell], tune=Tune(trials=4)), Overrides(), files)


@pytest.mark.parametrize("method", [m.id for m in load_catalog().methods.values() if standing(m)[0] in ("works", "wraps")])
def test_every_method_can_be_tuned_where_it_can_be_run(searched, method):
    fits = [name for name in (BENCH, "scenes-segmentation", "rooms", "teams-detection", "scenes-pretraining") if _fits(method, name)]
    for bench in fits:
        (search,) = searched(method, bench=bench, tune=3)[1].values()
        assert len({tuple(point.values.items()) for point in search.points}) == 3
    assert fits


def _fits(method: str, bench: str) -> bool:
    from harness.benchmarks import task

    catalog = load_catalog()
    return catalog.methods[method].fill(task(catalog.benchmarks[bench]).slots) is not None


TUNED = [m.id for m in load_catalog().methods.values() if m.state != "planned" and tuning.of_method(m, owners(discover()))]


@pytest.mark.parametrize("method", TUNED)
def test_all_that_is_tried_of_a_method_can_be_built(openmmlab, files, method):
    """Or it would have fewer chances than the others: a point that fails counts as the worst."""
    entry = load_catalog().methods[method]
    for (key, some), place in product(tuning.of_method(entry, owners(files)).items(), (0.0, 0.3, 0.7, 0.999)):
        _, *slot, option = key.split(".")
        filling = entry.slots[slot[0] if slot else entry.slot]
        (subject,) = subjects(filling.plugin)
        params = filling.params | {option: some.at(place, filling.params.get(option))}
        assert build(filling.plugin, params, **subject.probe.context(subject.channels)), params


def test_a_suite_says_how_much_is_tuned_and_the_command_line_wins(files):
    catalog = load_catalog()
    quick = catalog.suites["quick"]

    def tune(given, **options):
        suite = type(quick).model_validate(quick.model_dump() | {"tune": given})
        some = catalog.model_copy(update={"suites": {"quick": suite}})
        return plan(Selection("quick", benchmarks=(BENCH,), **options), some, files).tune

    assert tune(6) == Tune(trials=6) and tune({"trials": 6, "seeds": 2}) == Tune(trials=6, seeds=2) and tune(None) is None
    assert tune(6, tune=0) is None and tune({"trials": 6, "seeds": 2}, tune=8) == Tune(trials=8, seeds=2)
    assert tune(6, tune_seeds=3) == Tune(trials=6, seeds=3)
    for given, options, reason in [(None, {"tune": 1}, "--tune 1"), (None, {"tune_seeds": 2}, "--tune-seeds needs --tune")]:
        with pytest.raises(UsageError, match=reason):
            tune(given, **options)
