"""Every entry of the paper tier, composed, is what its authors or its toolbox run: value by value, the source named with each."""

from __future__ import annotations

import importlib.util
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import benchmarks
from harness.benchmarks.config import _DRAWN
from harness.catalog import load_catalog

TABLE = yaml.safe_load(Path(__file__).with_name("official.yaml").read_text(encoding="utf-8"))
SOURCES, ENTRIES = TABLE["sources"], TABLE["entries"]
PAPER = {name: entry for name, entry in load_catalog().benchmarks.items() if entry.tier == "paper"}
ITERATIONS = 0.01
"""Share by which the iterations of whole epochs may miss what is run there."""


def rows(name: str) -> dict[str, tuple[Any, str, str]]:
    """Path -> value, source and place, those of the entry that this one is like included."""
    entry = ENTRIES[name]
    instead = entry.get("source", {})
    found = {}
    if "like" in entry:
        for path, (value, source, place) in rows(entry["like"]).items():
            if path not in entry.get("without", []):
                found[path] = value, instead.get(source, source), place
    for path, value, source, *place in entry["rows"]:
        found[path] = value, instead.get(source, source), place[0] if place else path
    return found


def flat(transforms: list[Any]) -> list[Any]:
    """The transforms of a pipeline in a row, whatever they stand in."""
    row = []
    for transform in transforms:
        if isinstance(transform, (list, tuple)):  # a choice among pipelines
            row += flat(transform)
            continue
        inner = [*transform.get("transforms", []), *transform.get("augmented", []), *transform.get("plain", [])]
        row += flat(inner) if inner else [transform]
    return row


def at(config: dict[str, Any], path: str) -> Any:
    """What stands in a composed config, ours or a toolbox's, at a path of the table."""
    start, _, rest = path.partition("/")
    if start in ("train-pipeline", "test-pipeline"):
        dataset = config[f"{start[:-9]}_dataloader"]["dataset"]
        value: Any = flat((dataset if "pipeline" in dataset else dataset["datasets"][0])["pipeline"])
    elif start in ("train", "test"):
        value = config[f"{start}_dataloader"]
    elif start == "model" and config["model"].get("type") == "Attend":
        value = config["model"]["model"]
    else:
        value = config[start]
    while rest:
        if isinstance(value, dict):
            # a key may have slashes in it, or dots; ours have none of the former
            key, _, rest = rest.partition("/")
            value = value[key]
            continue
        key, _, rest = rest.partition("/")
        value = value[int(key)] if key.isdecimal() else next(item for item in value if bare(item["type"]) == key)
    return plain(value)


def bare(kind: str) -> str:
    """A class without its scope."""
    return kind.rpartition(".")[2].rpartition("/")[2]


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return bare(value) if isinstance(value, str) and "." in value and "/" not in value and not value.endswith(".json") else value


@cache
def toolbox(source: str) -> dict[str, Any]:
    """A config that a toolbox ships."""
    from mmengine.config import Config

    package, _, name = source.partition(":")
    file = Path(importlib.util.find_spec(package).origin).parent / ".mim" / "configs" / name
    return Config.fromfile(file).to_dict()


@cache
def composed(name: str) -> tuple[Any, dict[str, Any]]:
    task = benchmarks.task(PAPER[name])
    return task, task.config({})


def ours(name: str, path: str) -> Any:
    task, config = composed(name)
    if path == "iterations":
        return task.schedule.epochs * ceil(task.data.official["train"] / task.schedule.batch_size)
    if path == "official":
        return task.data.official or {scene: [*counts] for scene, counts in task.data.counts.items()}
    if path == "weights":
        return task.model.weights.torchvision
    return at(config, path)


def test_every_entry_is_in_the_table():
    assert {*ENTRIES} == {*PAPER}
    for name in PAPER:
        paths = {*rows(name)}
        optimizer = {f"optim_wrapper/optimizer/{value}" for value in ("type", "lr", "weight_decay")} | {"train/batch_size"}
        # LOST and the propagation of masks train nothing, and nobody publishes a schedule for Tiny-ImageNet
        if not any(part in name for part in ("corloc", "davis", "tiny")):
            assert optimizer <= paths and {"iterations", "train_cfg/max_epochs"} & paths, name
        assert "official" in paths, name


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_is_what_its_source_says(name):
    different = []
    for path, (value, source, _place) in rows(name).items():
        assert source in SOURCES, source
        found = ours(name, path)
        if path == "iterations":
            same = abs(found - value) <= ITERATIONS * value
        else:
            same = found == (pytest.approx(value) if isinstance(value, float) else value)
        if not same:
            different.append(f"{path}: {found!r} here, {value!r} in {SOURCES[source]}")
    assert not different, "\n".join(different)


PICTURES = ("PosePictures", "RankingPictures", "DrawPropagated")
"""Hooks that draw what was predicted, and move no result."""

OWN = ("corloc", "tiny")
"""Entries whose training nobody has published."""


def moves_results(config: dict[str, Any]) -> list[tuple[str, ...]]:
    """What of a composed config is there only if somebody asked for it, each with the beginnings of rows that speak of it."""
    wrapper, model = config.get("optim_wrapper", {}), config["model"]
    model = model["model"] if model.get("type") == "Attend" else model
    found = [(f"param_scheduler/{i}/", f"param_scheduler/{it['type']}/") for i, it in enumerate(config.get("param_scheduler", ()))]
    found += [(f"optim_wrapper/optimizer/{key}",) for key in wrapper.get("optimizer", {})]
    found += [(f"optim_wrapper/{key}",) for key in wrapper if key not in ("type", "optimizer", "paramwise_cfg")]
    apart = wrapper.get("paramwise_cfg", {})
    found += [(f"optim_wrapper/paramwise_cfg/{key}",) for key in apart if key != "custom_keys"]
    found += [(f"optim_wrapper/paramwise_cfg/custom_keys/{key}/",) for key in apart.get("custom_keys", {})]
    found += [("optim_wrapper/type",)] * (wrapper.get("type", "OptimWrapper") != "OptimWrapper")
    found += [(key,) for key in ("precision", "compile", "channels_last") if key in config]
    found += [(f"custom_hooks/{it['type']}/",) for it in config.get("custom_hooks", ()) if it["type"] not in PICTURES]
    found += [("model/auxiliary_head/",)] * ("auxiliary_head" in model)
    for head in ("decode_head", "auxiliary_head"):
        found += [(f"model/{head}/{key}",) for key in ("align_corners", "loss_decode", "sampler") if key in model.get(head, {})]
    found += [(f"model/train_cfg/augments/{bare(it['type'])}/",) for it in (model.get("train_cfg") or {}).get("augments", ())]
    found += [("model/head/loss/label_smooth_val",)] * ("label_smooth_val" in model.get("head", {}).get("loss", {}))
    found += [(f"model/{key}",) for key in ("scales", "flip") if key in model]
    dataset = config["train_dataloader"]["dataset"] if "train_dataloader" in config else {"pipeline": ()}
    drawn = [bare(it["type"]) for it in flat(dataset.get("pipeline", ())) if _DRAWN.search(it["type"])]
    return found + [(f"train-pipeline/{name}/",) for name in drawn]


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_does_nothing_that_its_source_does_not(name):
    """A warm-up, an average of weights or an augmentation that nobody meant to have, by a default say, has no row."""
    if not any(part in name for part in OWN):
        unsaid = [ways[0] for ways in moves_results(composed(name)[1]) if not any(path.startswith(ways) for path in rows(name))]
        assert not unsaid


@pytest.mark.parametrize("name", ENTRIES)
def test_the_table_quotes_the_toolboxes_rightly(openmmlab, name):
    """Where a source is installed, what the table says of it is looked up in it."""
    for path, (value, source, place) in rows(name).items():
        if ":" not in SOURCES[source] or place.startswith("="):
            continue
        said = at(toolbox(SOURCES[source]), place)
        assert said == (pytest.approx(value) if isinstance(value, float) else value), f"{path}: {SOURCES[source]} has {said!r} at {place}"


def test_weights_are_never_left_out_without_a_word():
    """An entry starts from the weights its source starts from, or from scratch as its source does."""
    scratch = {name for name, entry in PAPER.items() if "weights" not in entry.model}
    trained = ("classification", "background-robustness", "self-supervised")
    assert scratch == {name for name, entry in PAPER.items() if entry.family in trained}
