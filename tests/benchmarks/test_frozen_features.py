"""Protocols on frozen features: each against a slow computation or another library, and a trial from weights to leaderboard."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from harness.benchmarks.frozen_features.scores import Vectors, metrics, protocols, summarise, told
from harness.benchmarks.frozen_features.scores.linear import PENALTIES, Regression, linear_probe
from harness.benchmarks.frozen_features.scores.nearest import few_shot, knn, subsets


@pytest.fixture
def sets():
    """Three splits of three classes that overlap, of 4 numbers."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 4))

    def drawn(count: int) -> Vectors:
        labels = np.sort(rng.integers(0, 3, count))
        return Vectors(centres[labels] + 0.8 * rng.normal(size=(count, 4)), labels)

    return drawn(90), drawn(40), drawn(50)


def slow_knn(bank: Vectors, query: np.ndarray, k: int, classes: int) -> int:
    def cosine(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))

    similar = sorted(((cosine(row, query), label) for row, label in zip(bank.features, bank.labels, strict=True)), reverse=True)[:k]
    votes = [math.fsum(math.exp(s / 0.07) for s, label in similar if label == c) for c in range(classes)]
    return votes.index(max(votes))


@pytest.mark.parametrize("chunk", [1 << 24, 100, 1])
def test_neighbours_vote_as_in_the_formula_in_chunks_of_any_size(sets, chunk, monkeypatch):
    train, _, test = sets
    monkeypatch.setattr("harness.benchmarks.frozen_features.scores.nearest._CHUNK", chunk)
    found = knn(train.features, train.labels, test.features, (1, 10, 20, 200), 3)
    for k in found:
        assert found[k].tolist() == [slow_knn(train, query, min(k, 90), 3) for query in test.features], k


def test_neighbours_are_those_of_scikit_learn(sets):
    neighbours = pytest.importorskip("sklearn.neighbors")
    train, _, test = sets
    unit = [some.features / np.linalg.norm(some.features, axis=1, keepdims=True) for some in (train, test)]
    votes = neighbours.KNeighborsClassifier(20, weights=lambda d: np.exp((1 - d**2 / 2) / 0.07)).fit(unit[0], train.labels)
    assert knn(train.features, train.labels, test.features, [20], 3)[20].tolist() == votes.predict(unit[1]).tolist()


def test_few_shots_are_the_mean_over_the_official_subsets(sets):
    train, _, test = sets
    for count in (1, 5, 10):
        hits = []
        for start in [0, 5, 10, 15, 20] if count <= 5 else [0, 10, 20, 30, 40]:
            chosen = [i for c in range(3) for i in np.take(np.flatnonzero(train.labels == c), range(start, start + count), mode="wrap")]
            bank = Vectors(train.features[chosen], train.labels[chosen])
            k = min(1 if count == 1 else 20, len(chosen))
            hits.append([slow_knn(bank, query, k, 3) == label for query, label in zip(test.features, test.labels, strict=True)])
        found = few_shot(train.features, train.labels, test.features, test.labels, count, 3)
        assert found == pytest.approx(np.mean(hits, axis=0), abs=1e-12), count


def test_subsets_share_no_image_where_there_are_enough():
    labels = np.repeat([0, 1], 100)
    for count in (1, 5, 10, 20):
        drawn = np.concatenate(subsets(labels, count))
        assert len(drawn) == len({*drawn.tolist()}) == 5 * 2 * count
        assert all((np.bincount(labels[some]) == count).all() for some in subsets(labels, count))


@pytest.mark.parametrize("penalty", [0.1, 3.0, 100.0])
def test_the_linear_probe_is_the_minimum_that_scikit_learn_finds(sets, penalty):
    linear = pytest.importorskip("sklearn.linear_model")
    train, _, _ = sets
    theirs = linear.LogisticRegression(C=1 / penalty, tol=1e-12, max_iter=100_000, solver="newton-cg").fit(train.features, train.labels)
    regression = Regression(train.features, train.labels, 3)
    ours = regression.fit(penalty, tolerance=1e-11)
    assert ours[:, :-1] == pytest.approx(theirs.coef_, abs=1e-6)
    assert ours[:, -1] == pytest.approx(theirs.intercept_ - theirs.intercept_.mean(), abs=1e-6)
    warm = regression.fit(penalty, start=np.ones_like(ours), tolerance=1e-11)
    assert warm == pytest.approx(ours, abs=1e-6), "from wherever it starts"


def test_validation_chooses_the_penalty_and_units_do_not_matter(sets):
    linear = pytest.importorskip("sklearn.linear_model")
    train, val, test = sets
    mean, std = train.features.mean(axis=0), train.features.std(axis=0)
    accuracy = {}
    for penalty in PENALTIES:
        made = linear.LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=100_000).fit((train.features - mean) / std, train.labels)
        accuracy[penalty] = made.score((val.features - mean) / std, val.labels)
    found = linear_probe(train.features, train.labels, val.features, val.labels, 3)
    assert found.penalty == max(penalty for penalty in PENALTIES if accuracy[penalty] == max(accuracy.values()))
    scale, shift = np.array([1e-3, 10.0, 1.0, 1e4]), np.array([5.0, 0.0, -1.0, 1e3])
    moved = linear_probe(train.features * scale + shift, train.labels, val.features * scale + shift, val.labels, 3)
    assert moved.guess(test.features * scale + shift).tolist() == found.guess(test.features).tolist()
    assert linear_probe(train.features, train.labels, None, None, 3).penalty == 1


def test_a_probe_that_is_asked_for_again_is_that_of_these_samples(sets):
    """The last one is remembered; one that differs in anything is fitted."""
    train, val, _ = sets
    asked = [train.features, train.labels, val.features, val.labels, 3]
    probe = linear_probe(*asked)
    assert linear_probe(*(some.copy() if isinstance(some, np.ndarray) else some for some in asked)) is probe
    others = [train.features + 1e-9, train.labels[::-1].copy(), val.features[::-1].copy(), val.labels[::-1].copy(), 4]
    for place, other in enumerate(others):
        assert linear_probe(*asked[:place], other, *asked[place + 1 :]) is not linear_probe(*asked), place
    assert linear_probe(*asked[:2], None, None, 3).penalty == 1
    again = linear_probe(*asked)
    assert again.penalty == probe.penalty and np.array_equal(again.weights, probe.weights)


def test_batches_in_any_order_and_samples_that_come_twice_change_no_score(sets, openmmlab):
    """As several processes hand them in."""
    import torch

    from harness.benchmarks.frozen_features.mm import Protocols

    train, val, test = sets
    features, labels = (np.concatenate([getattr(some, name) for some in (test, train, val)]) for name in ("features", "labels"))
    guesses = np.random.default_rng(1).integers(0, 3, len(labels))

    def scored(order: list[int], size: int) -> dict[str, float]:
        metric = Protocols()
        metric.dataset_meta = {"classes": "abc", "parts": {"test": len(test.labels), "train": len(train.labels), "val": len(val.labels)}}
        for start in range(0, len(order), size):
            batch = [
                {
                    "sample_idx": index,
                    "gt_label": torch.tensor([labels[index]]),
                    "pred_score": torch.eye(3)[guesses[index]],
                    "pooled": torch.tensor(features[index]),
                }
                for index in order[start : start + size]
            ]
            metric.process(None, batch)
        return metric.evaluate(len(labels))

    found = scored([*range(len(labels))], 64)
    assert found["head"] == pytest.approx(100 * np.mean(guesses[: len(test.labels)] == test.labels))
    assert scored([*range(len(labels)), 0, 1, 2][::-1], 7) == found


def test_a_number_that_is_the_same_in_all_images_does_no_harm(sets):
    train, val, test = sets
    padded = [Vectors(np.hstack([some.features, np.full((len(some.labels), 1), 7.3)]), some.labels) for some in sets]
    before, after = protocols(train, val, test, 3), protocols(*padded, 3)
    assert before[0]["linear"].tolist() == after[0]["linear"].tolist() and before[2] == after[2]


def test_a_penalty_says_how_it_was_chosen(sets):
    _, val, _ = sets
    assert "no validation split" in told(1.0, None) and "chosen" not in told(1.0, None)
    assert [told(penalty, val).rpartition(", ")[2] for penalty in (max(PENALTIES), min(PENALTIES))] == [
        "the largest that was tried",
        "the least that was tried",
    ]
    assert told(PENALTIES[1], val).endswith(f"is {PENALTIES[1]:g}")


def test_what_is_scored_is_what_is_declared(sets):
    train, val, test = sets
    found = summarise(protocols(train, val, test, 3)[0])
    assert {*found, "head"} == {metric.name for metric in metrics(None)}
    assert all(50 < value <= 100 for value in found.values()), "three classes that overlap"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Those of an untrained network, which needs nobody's files."""
    import torch

    from harness.benchmarks import register
    from harness.benchmarks.backbones import BACKBONES

    register.setup()
    from mmengine.registry import MODELS

    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "resnet.pth"
    torch.save(MODELS.build({**BACKBONES["resnet-thin"].config, "out_indices": (2,)}).state_dict(), file)
    return file


@pytest.mark.slow
def test_a_trial_from_weights_to_leaderboard_looks_at_images_once(weights, tmp_path, monkeypatch):
    import mmengine
    from click.testing import CliRunner

    from harness.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "registry.yaml").write_text(
        f"""
benchmarks:
  frozen:
    title: Features of an untrained network
    family: frozen-features
    tier: synthetic
    version: 1
    data: {{format: synthetic, train: 60, test: 24, size: 32, classes: 3}}
    model: {{backbone: resnet-thin, weights: {{file: {weights}}}}}
    schedule: {{epochs: 2, batch_size: 16}}
"""
    )

    def harness(*args: str) -> str:
        done = CliRunner().invoke(main, [*args], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    run = ("run", "-m", "simpool", "-b", "frozen", "--seeds", "2", "--workers", "1", "--device", "cpu")
    harness(*run, "--db", "sqlite:///one.db")
    listed = json.loads(harness("features", "list", "--json"))
    assert [(row["split"], row["samples"], row["kept"]) for row in listed["rows"]] == [("test", 96, 96), ("train", 60, 60), ("val", 72, 72)]
    # kept features are found by number: images are for diagnostics and costs, once and not in each epoch
    read = tmp_path / "read"
    plain = mmengine.dataset.BaseDataset.__getitem__

    def counted(self, index):
        with read.open("a") as stream:
            stream.write(".")
        return plain(self, index)

    monkeypatch.setattr(mmengine.dataset.BaseDataset, "__getitem__", counted)
    monkeypatch.setattr("harness.engine.lookup.Lookup._image", None)
    harness(*run, "--db", "sqlite:///two.db")
    assert len(read.read_text()) <= 2 * (24 + 16 + 1)
    both = [json.loads(harness("leaderboard", "--format", "json", "--db", f"sqlite:///{name}.db"))["rows"] for name in ("one", "two")]
    assert [(row["metric"], row["mean"]) for row in both[0]] == [(row["metric"], row["mean"]) for row in both[1]]
    assert {row["metric"] for row in both[0]} == {metric.name for metric in metrics(None)}
    assert all(row["floor"] is not None for row in both[0])
    assert "deleted, 0.00 GB kept" in harness("features", "evict", "--to", "0")
    assert json.loads(harness("features", "list", "--json"))["rows"] == []
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    assert harness("features", "build", "frozen") == "frozen: the features of 228 samples are kept.\n"
    assert json.loads(harness("features", "list", "--json"))["rows"] == listed["rows"]
