"""Malformed registry entries, flags, baselines and plugin files: each gets exit code 2 or 3 and a clear sentence.

Malformed datasets are in the tests of the families that read them.
"""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

from harness.cli import main

ENTRY = {
    "benchmark": "b",
    "version": 1,
    "method": "m",
    "metric": "top1",
    "unit": "%",
    "higher_is_better": True,
    "mean": 1.0,
    "n": 2,
    "tolerance": 0.1,
}


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """Call the command line and expect a refusal that says each of ``words``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(args: list[str], *words: str) -> None:
        result = CliRunner().invoke(main, args, prog_name="harness")
        said = result.stderr
        assert result.exit_code in (2, 3), f"exit code {result.exit_code}\n{result.output}"
        assert "Traceback" not in said and "The traceback is in" not in said, said
        assert "error:" in said.lower() and len(said) < 1700, said
        for word in words:
            assert word in said, f"{word!r} is not in: {said}"

    return call


def case(name: str, text: str, *words: str):
    return pytest.param(text, words, id=name)


# --- registry entries that no command can read

REGISTRY = [
    case("not-yaml", "methods: {", "registry.yaml", "line"),
    case("tab", "methods:\n\tgap: 1", "line 2"),
    case("null-byte", "methods:\n  a\0: 1", "not plain YAML"),
    case("python-object", "methods: !!python/object/apply:os.system ['true']", "not plain YAML", "line 1"),
    case("python-name", "methods:\n  a: !!python/name:os.system", "not plain YAML", "line 2"),
    case("two-documents", "methods: {}\n---\nmethods: {}", "not plain YAML"),
    case("unknown-alias", "methods: *a", "not plain YAML"),
    case("endless-alias", "methods: &a [*a]", "registry.yaml"),
    case("deep", "methods: " + "[" * 3000 + "]" * 3000, "registry.yaml"),
    case("deeper", "methods: " + "[" * 100_000, "not plain YAML", "levels"),
    case("deep-blocks", "methods: a\nx:\n  " + "- " * 100_000, "not plain YAML", "levels"),
    case("a-list", "- methods", "mapping", "list"),
    case("a-word", "methods", "mapping", "str"),
    case("section-typo", "method: {}", "'method'", "'methods'", "line 1"),
    case("section-number", "3: {}", "'3'", "section"),
    case("section-list", "methods: [gap]", "'methods' is a mapping", "list"),
    case("section-text", "suites: quick", "'suites' is a mapping", "str"),
    case("entry-text", "methods: {a: gap}", "methods.a", "str"),
    case("entry-null", "methods:\n  a:", "methods.a", "NoneType", "line 2"),
    case("entry-list", "benchmarks: {a: []}", "benchmarks.a", "list"),
    case("same-id-twice", "methods:\n  a: {title: A}\n  a: {title: B}", "'a' is given twice", "line 3", "line 2"),
    case("same-key-twice", "methods:\n  a:\n    title: A\n    title: B", "'title' is given twice", "line 4"),
    case("shipped-id", "methods: {gap: {title: G, slots: {pooling: {plugin: gap}}}}", "'gap' is defined in", "Rename"),
    case("shipped-benchmark", "benchmarks: {scenes-classification: {family: keypoint, data: {}}}", "'scenes-classification' is defined in"),
    case("shipped-suite", "suites: {quick: {benchmarks: [scenes-classification], methods: [gap]}}", "suite 'quick' is defined in"),
    # methods
    case("method-without-title", "methods: {a: {slots: {pooling: {plugin: gap}}}}", "methods.a.title", "required"),
    case("method-title-number", "methods: {a: {title: 3, slots: {pooling: {plugin: gap}}}}", "methods.a.title", "string", "3"),
    case("method-unknown-key", "methods: {a: {title: A, slot: {}}}", "methods.a.slot", "'slots'"),
    case("method-without-slots", "methods: {a: {title: A}}", "methods.a", "slots"),
    case("method-empty-slots", "methods: {a: {title: A, slots: {}}}", "methods.a", "at least one slot"),
    case("method-unknown-slot", "methods: {a: {title: A, slots: {poling: {plugin: gap}}}}", "'poling'", "pooling"),
    case("method-slots-list", "methods: {a: {title: A, slots: [pooling]}}", "methods.a.slots", "dictionary"),
    case("method-slot-text", "methods: {a: {title: A, slots: {pooling: gap}}}", "methods.a.slots.pooling", "gap"),
    case("method-no-plugin", "methods: {a: {title: A, slots: {pooling: {gamma: 2}}}}", "methods.a.slots.pooling.plugin", "required"),
    case("method-plugin-number", "methods: {a: {title: A, slots: {pooling: {plugin: 3}}}}", "methods.a.slots.pooling.plugin", "3"),
    case("method-state", "methods: {a: {title: A, state: broken}}", "methods.a.state", "'works'"),
    case("method-planned-why", "methods: {a: {title: A, state: planned}}", "methods.a", "missing"),
    case("method-stands-in", "methods: {a: {title: A, slots: {block: {plugin: identity}}, stands_in: [pool]}}", "'pool'", "stands_in"),
    case("method-paper-text", "methods: {a: {title: A, paper: CVPR, slots: {pooling: {plugin: gap}}}}", "methods.a.paper", "CVPR"),
    case(
        "method-paper-key",
        "methods: {a: {title: A, paper: {title: T, year: 2020}, slots: {pooling: {plugin: gap}}}}",
        "methods.a.paper.year",
    ),
    case("method-id-upper", "methods: {A: {title: A, slots: {pooling: {plugin: gap}}}}", "'A' is not an id", "lower-case"),
    case("method-id-space", "methods: {a b: {title: A, slots: {pooling: {plugin: gap}}}}", "'a b' is not an id"),
    case("method-id-path", "methods: {../a: {title: A, slots: {pooling: {plugin: gap}}}}", "'../a' is not an id"),
    case("method-id-empty", "methods: {'': {title: A, slots: {pooling: {plugin: gap}}}}", "methods..id", "is not an id"),
    case("method-id-long", f"methods: {{{'a' * 65}: {{title: A, slots: {{pooling: {{plugin: gap}}}}}}}}", "64 are the most"),
    case("method-id-bool", "methods: {true: {title: A, slots: {pooling: {plugin: gap}}}}", "'True' is not an id"),
    case("method-id-given", "methods: {a: {id: b, title: A}}", "methods.a.id", "Delete"),
    case("method-param-date", "methods: {a: {title: A, slots: {pooling: {plugin: gap, since: 2020-01-01}}}}", "since", "date", "quotes"),
    case("method-param-set", "methods: {a: {title: A, slots: {pooling: {plugin: gap, s: !!set {x}}}}}", "methods.a.slots.pooling.s", "set"),
    case("method-param-binary", "methods: {a: {title: A, slots: {pooling: {plugin: gap, s: !!binary aGk=}}}}", "pooling.s", "bytes"),
    case("method-number-key", "methods: {a: {title: A, 3: x}}", "methods.a.3", "unknown key '3'"),
    case("method-half-key", "methods: {a: {title: A, 1.5: x}}", "the key 1.5 is a float", "quotes"),
    # benchmarks
    case("benchmark-no-family", "benchmarks: {a: {data: {}}}", "benchmarks.a.family", "required"),
    case("benchmark-family-typo", "benchmarks: {a: {family: keypoints, data: {}}}", "benchmarks.a.family", "'keypoint'", "'keypoints'"),
    case("benchmark-no-data", "benchmarks: {a: {family: keypoint}}", "benchmarks.a.data", "required"),
    case("benchmark-data-text", "benchmarks: {a: {family: keypoint, data: x}}", "benchmarks.a.data", "dictionary"),
    case("benchmark-tier", "benchmarks: {a: {family: keypoint, data: {}, tier: big}}", "benchmarks.a.tier", "'synthetic'"),
    case("benchmark-version-0", "benchmarks: {a: {family: keypoint, data: {}, version: 0}}", "benchmarks.a.version", "greater"),
    case("benchmark-version-text", "benchmarks: {a: {family: keypoint, data: {}, version: '1'}}", "benchmarks.a.version", "integer"),
    case("benchmark-version-half", "benchmarks: {a: {family: keypoint, data: {}, version: 1.5}}", "benchmarks.a.version", "1.5"),
    case("benchmark-version-bool", "benchmarks: {a: {family: keypoint, data: {}, version: true}}", "benchmarks.a.version", "True"),
    case("benchmark-version-yes", "benchmarks: {a: {family: keypoint, data: {}, version: yes}}", "benchmarks.a.version", "'yes'"),
    case("benchmark-cost-0", "benchmarks: {a: {family: keypoint, data: {}, cost: 0}}", "benchmarks.a.cost", "greater than 0"),
    case("benchmark-cost-nan", "benchmarks: {a: {family: keypoint, data: {}, cost: .nan}}", "benchmarks.a.cost"),
    case("benchmark-cost-inf", "benchmarks: {a: {family: keypoint, data: {}, cost: .inf}}", "benchmarks.a.cost", "finite"),
    case("benchmark-time-limit", "benchmarks: {a: {family: keypoint, data: {}, time_limit: -1}}", "benchmarks.a.time_limit"),
    case("benchmark-key-typo", "benchmarks: {a: {family: keypoint, data: {}, shedule: {}}}", "'shedule'", "'schedule'"),
    case("benchmark-id", "benchmarks: {a_b: {family: keypoint, data: {}}}", "'a_b' is not an id"),
    case("benchmark-data-date", "benchmarks: {a: {family: keypoint, data: {format: 2020-01-01}}}", "benchmarks.a.data.format", "date"),
    # suites
    case("suite-no-benchmarks", "suites: {a: {methods: [gap]}}", "suites.a.benchmarks", "required"),
    case("suite-empty-benchmarks", "suites: {a: {benchmarks: [], methods: [gap]}}", "suites.a.benchmarks", "at least 1"),
    case("suite-benchmark-text", "suites: {a: {benchmarks: scenes-classification, methods: [gap]}}", "suites.a.benchmarks", "list"),
    case(
        "suite-benchmark-typo", "suites: {a: {benchmarks: [scene-classification], methods: [gap]}}", "suite 'a'", "'scenes-classification'"
    ),
    case("suite-no-methods", "suites: {a: {benchmarks: [scenes-classification]}}", "suites.a.methods", "required"),
    case("suite-empty-methods", "suites: {a: {benchmarks: [scenes-classification], methods: []}}", "suites.a.methods"),
    case("suite-method-typo", "suites: {a: {benchmarks: [scenes-classification], methods: [simpol]}}", "suite 'a'", "'simpool'"),
    case("suite-family-typo", "suites: {a: {benchmarks: [scenes-classification], methods: {clasification: [gap]}}}", "'classification'"),
    case("suite-methods-number", "suites: {a: {benchmarks: [scenes-classification], methods: [3]}}", "suites.a.methods"),
    case("suite-seeds-0", "suites: {a: {benchmarks: [scenes-classification], methods: [gap], seeds: 0}}", "suites.a.seeds"),
    case(
        "suite-seeds-many", "suites: {a: {benchmarks: [scenes-classification], methods: [gap], seeds: 100000000}}", "suites.a.seeds", "1000"
    ),
    case("suite-id", "suites: {A: {benchmarks: [scenes-classification], methods: [gap]}}", "'A' is not an id"),
]


@pytest.mark.parametrize(("text", "words"), REGISTRY)
def test_registry(refused, tmp_path, text, words):
    (tmp_path / "registry.yaml").write_bytes(text.encode())
    refused(["list", "suites"], *words)


@pytest.mark.parametrize(("content", "word"), [(b"\xff\xfe\x00m", "UTF-8"), (b"methods: \x80", "UTF-8")], ids=["utf-16", "latin"])
def test_registry_bytes(refused, tmp_path, content, word):
    (tmp_path / "registry.yaml").write_bytes(content)
    refused(["list", "suites"], "registry.yaml", word)


@pytest.mark.parametrize("given", ["nowhere.yaml", "."])
def test_registry_file(refused, monkeypatch, given):
    monkeypatch.setenv("HARNESS_REGISTRY", given)
    refused(["list", "suites"], "no registry at", "HARNESS_REGISTRY")


# --- benchmark options, which the family types

OPTIONS = [
    case("no-format", "{family: classification, data: {}}", "data.format is missing", "image-folder"),
    case("format-typo", "{family: classification, data: {format: imagefolder, root: x}}", "'imagefolder'", "'image-folder'"),
    case("format-number", "{family: classification, data: {format: 3}}", "data.format"),
    case("no-root", "{family: classification, data: {format: image-folder}}", "root"),
    case("root-number", "{family: classification, data: {format: image-folder, root: 3}}", "data.root", "3"),
    case(
        "root-without-data-root",
        "{family: classification, data: {format: image-folder, classes: [a, b], root: pets}}",
        "--data-root",
        "HARNESS_DATA",
    ),
    case(
        "root-nowhere",
        "{family: classification, data: {format: image-folder, classes: [a, b], root: /nowhere/at/all}}",
        "/nowhere/at/all",
        "no dataset",
    ),
    case("root-nobody", "{family: classification, data: {format: image-folder, classes: [a, b], root: ~nobody-at-all/x}}", "nobody-at-all"),
    case("data-key", "{family: classification, data: {format: synthetic, trian: 10}}", "data.trian", "'train'"),
    case("data-type", "{family: classification, data: {format: synthetic, train: many}}", "data.train", "many"),
    case("model-key", "{family: classification, data: {format: synthetic}, model: {backbon: resnet18}}", "model.backbon", "'backbone'"),
    case("backbone", "{family: classification, data: {format: synthetic}, model: {backbone: resnet19}}", "resnet19"),
    case("backbone-type", "{family: classification, data: {format: synthetic}, model: {backbone: {depth: 18}}}", "type"),
    case("schedule-key", "{family: classification, data: {format: synthetic}, schedule: {epoch: 3}}", "schedule.epoch", "'epochs'"),
    case("epochs-0", "{family: classification, data: {format: synthetic}, schedule: {epochs: 0}}", "schedule.epochs", "greater"),
    case("lr-inf", "{family: classification, data: {format: synthetic}, schedule: {lr: .inf}}", "schedule.lr", "finite"),
    case("lr-negative", "{family: classification, data: {format: synthetic}, schedule: {lr: -1}}", "schedule.lr"),
    case("optimizer", "{family: classification, data: {format: synthetic}, schedule: {optimizer: Adamw}}", "schedule.optimizer", "'AdamW'"),
    case("primary", "{family: classification, data: {format: synthetic}, primary: top11}", "primary", "'top1'"),
]


@pytest.mark.parametrize(("entry", "words"), OPTIONS)
def test_options(refused, tmp_path, entry, words):
    (tmp_path / "registry.yaml").write_text(f"benchmarks:\n  mine: {entry}\n")
    refused(["run", "-m", "gap", "-b", "mine", "--dry-run"], *words)


# --- flags

RUN = "run -m gap -b scenes-classification --dry-run"
SEGMENT = "run -m identity -b scenes-segmentation --dry-run"
FLAGS = [
    case("verb", "rnu", "'rnu'", "'run'"),
    case("sub-verb", "list method", "method"),
    case("option", f"{RUN} --seed 3", "--seed"),
    case("run-nothing", "run", "-s quick"),
    case("run-no-benchmark", "run -m gap", "-b"),
    case("run-no-method", "run -b scenes-classification", "-m"),
    case("suite", "run -s quik", "'quik'", "'quick'"),
    case("method", "run -m gaap -b scenes-classification", "'gaap'", "'gap'", "harness list methods"),
    case("benchmark", "run -m gap -b scenes-clasification", "'scenes-classification'"),
    case("unfit", "run -m qk-alignment-loss -b scenes-classification", "fits no slot of 'scenes-classification'", "pooling"),
    case("other-family", "run -m attmask-high -b scenes-classification", "fits no slot of 'scenes-classification'", "slot masking"),
    case("seeds-0", f"{RUN} --seeds 0", "--seeds"),
    case("seeds-text", f"{RUN} --seeds two", "--seeds", "two"),
    case("seeds-many", f"{RUN} --seeds 1000000000", "--seeds"),
    case("workers-0", f"{RUN} --workers 0", "--workers"),
    case("device", f"{RUN} --device gpu", "'gpu' is not a device", "cuda"),
    case("device-number", f"{RUN} --device cuda:x", "'cuda:x' is not a device"),
    case("set-no-value", f"{RUN} --set schedule.epochs", "key=value"),
    case("set-no-key", f"{RUN} --set =3", "key=value"),
    case("set-prefix", f"{RUN} --set epochs=3", "epochs=3", "schedule."),
    case("set-many-epochs", f"{RUN} --set schedule.epochs=1e20", "schedule.epochs"),
    case("set-epochs-of-ages", f"{RUN} --set schedule.epochs=100000000000000000000", "schedule.epochs"),
    case("set-true", f"{RUN} --set schedule.epochs=true", "schedule.epochs", "not a number"),
    case("set-true-of-several", f"{SEGMENT} --set model.input.crop=[true,64]", "model.input.crop", "not a number"),
    case("set-nothing-left", f"{SEGMENT} --set model.input.crop=[-1,-1]", "model.input.crop"),
    case("set-no-side", f"{SEGMENT} --set model.input.size=[0,64]", "model.input.size"),
    case("set-crop", "run -m identity -b rooms --dry-run --set data.crop=-1", "data.crop"),
    case("set-rate", f"{RUN} --set schedule.lr=1e300", "schedule.lr"),
    case("set-mean", f"{RUN} --set model.mean=[1e300,1,1]", "model.mean", "beyond all use"),
    case("set-seed", "run -m identity -b figures-keypoint --dry-run --set data.seed=99999999999", "data.seed", "beyond all use"),
    case("set-side", f"{RUN} --set data.size=1000000000", "data.size"),
    case("set-deep-list", f"{RUN} --set method.p={'[' * 100_000}", "not YAML"),
    case("set-deep-blocks", [*RUN.split(), "--set", "method.p=" + "- " * 60_000], "not YAML"),
    case("set-control", f'{RUN} --set model.block_at=[{{"path":"\\x1b"}}]', "no text"),
    case("set-itself", f"{RUN} --set data.x=&a[*a]", "not YAML"),
    case("set-section", f"{RUN} --set schedule=3", "schedule=3"),
    case("set-unknown", f"{RUN} --set schedule.epoch=3", "schedule.epoch", "'epochs'"),
    case("set-type", f"{RUN} --set schedule.epochs=many", "schedule.epochs", "many"),
    case("set-empty", f"{RUN} --set schedule.epochs=", "schedule.epochs"),
    case("set-not-yaml", f"{RUN} --set schedule.epochs=[", "not YAML"),
    case("set-object", f"{RUN} --set method.a=!!python/name:os.system", "not YAML"),
    case("set-date", f"{RUN} --set method.a=2020-01-01", "date"),
    case("set-deep", f"{RUN} --set data.format.x=3", "'format' is not a mapping"),
    case("set-method-deep", f"{RUN} --set method.a.b=3", "method.a.b"),
    case("set-parameter", "run -m gem -b scenes-classification --set method.epps=3", "plugin 'gem'", "unknown parameter 'epps'", "'eps'"),
    case("set-no-parameter", f"{RUN} --set method.p=3", "plugin 'gap'", "takes none", "'p'"),
    case("set-channels", "run -m gem -b scenes-classification --set method.channels=3", "plugin 'gem'", "the harness passes 'channels'"),
    case("set-slot", "run -m gem -b scenes-classification --set method.block.p=3", "unknown slot 'block'", "pooling"),
    case("set-slot-itself", f"{RUN} --set method.pooling=3", "'pooling' is a slot", "method.pooling.PARAMETER=3"),
    case("set-octal", f"{RUN} --set data.seed=010", "data.seed", "010"),
    case("set-sexagesimal", f"{RUN} --set schedule.epochs=1:30", "schedule.epochs", "'1:30'"),
    case("set-number-as-text", f"{RUN} --set schedule.epochs='3'", "schedule.epochs", "3", "a number"),
    case("set-truth-as-number", f"{RUN} --set schedule.epochs=true", "schedule.epochs", "true is not a number"),
    case("set-number-as-truth", f"{SEGMENT} --set model.input.photometric=1", "model.input.photometric: 1 is not true or false"),
    case("set-yes", f"{SEGMENT} --set model.input.photometric=yes", 'model.input.photometric: "yes" is not true or false'),
    case("set-parameter-text", "run -m gem -b scenes-classification --set method.p=1:30", 'p is "1:30"', "takes a number"),
    case("set-parameter-truth", "run -m gem -b scenes-classification --set method.p=true", "p is true", "takes a number"),
    case("set-parameter-off", "run -m gem -b scenes-classification --set method.learnable=off", 'learnable is "off"', "true or false"),
    case("set-parameter-literal", "run -m simpool -b scenes-classification --set method.gamma=two", "a number, auto or null"),
    case("db-options", "leaderboard --db sqlite:///a.db?mode=ro", "has options"),
    case("set-infinite", "run -m gem -b scenes-classification --set method.p=.inf", "inf is not a finite number"),
    case("set-plugin", f"{RUN} --set method.plugin=gaap", "method.plugin=gaap", "Run that method: -m METHOD"),
    case("data-root", f"{RUN} --data-root nowhere", "--data-root nowhere"),
    case("plugin-nowhere", f"{RUN} --plugin nowhere.py", "nowhere.py", "no such file"),
    case("db-url", "leaderboard --db results.db", "'results.db' is not a database URL", "sqlite:///"),
    case("db-driver", "status --db oracle://x/y", "oracle"),
    case("db-dialect", "db current --db nosql://x/y", "nosql"),
    case("db-folder", "db upgrade --db sqlite:////proc/nowhere/x.db", "/proc/nowhere"),
    case("leaderboard-format", "leaderboard --format xml", "xml", "json"),
    case("leaderboard-benchmark", "leaderboard -b scenes-clasification", "'scenes-classification'"),
    case("family", "list methods --family keypoints", "unknown family 'keypoints'", "'keypoint'"),
    case("status-trial", "status zzzz", "no trial 'zzzz'"),
    case("data-benchmark", "data check scenes-clasification", "'scenes-classification'"),
    case("data-argument", "data check", "BENCHMARK"),
    *(
        case(f"{verb.split()[0]}-{value}", f"{verb} {value}", "not a number that means something")
        for value in ("nan", "inf", "1e999")
        for verb in ("compare gap gem --rope", "baseline save b.json --relative", f"{RUN} --time-limit", "submit -s quick --ray --gpus")
    ),
    case("name-too-long", f"data list --data-root {'a' * 300}", "no file can have so long a name"),
    case("plugin-too-long", f"list plugins --plugin {'a' * 300}", "no file can have so long a name"),
    case("folder-too-long", f"plugin new mine --slot pooling --folder {'a' * 300}", "cannot write", "File name too long"),
    case("benchmark-long", f"leaderboard -b {'x' * 5000}", "unknown benchmark", "…"),
    case("control-characters", "list backbones \x1b[31m\u202e", "unexpected extra argument", "\\x1b[31m\\u202e"),
    case("port", "dashboard --port 99999", "--port"),
    case("slot", "plugin new x --slot pool", "unknown slot 'pool'", "'pooling'"),
    case("check-no-baseline", "check", "--baseline"),
    case("tolerance-text", "baseline save b.json --tolerance top1=x", "top1=x", "METRIC=VALUE"),
    case("tolerance-negative", "baseline save b.json --tolerance top1=-1", "at least 0"),
    case("tolerance-nan", "baseline save b.json --tolerance top1=nan", "METRIC=VALUE"),
    case("relative", "baseline save b.json --relative -1", "--relative"),
    case("db-import-nowhere", "db import nowhere.jsonl", "nowhere.jsonl"),
]


@pytest.mark.parametrize(("line", "words"), FLAGS)
def test_flags(refused, line, words):
    refused(line.split() if isinstance(line, str) else line, *words)


# --- baselines


def entries(**changes) -> str:
    entry = {**ENTRY, **changes}
    return json.dumps({"schema": 1, "entries": [{k: v for k, v in entry.items() if v is not ...}]})


BASELINES = [
    case("empty", "", "not JSON"),
    case("truncated", entries()[:-20], "not JSON"),
    case("deep", "[" * 100_000, "not JSON"),
    case("list", "[]", "mapping", "list"),
    case("no-schema", '{"entries": []}', "schema None"),
    case("newer-schema", '{"schema": 4, "cells": []}', "schema 4", "reads 1, 2, 3"),
    case("unknown-setting", entries(setting="5e7"), "the setting 5e7", "`settings`"),
    case("setting-told-twice", entries(measured_in={"digest": "5e7"}), "entries.0.measured_in"),
    case("schema-text", '{"schema": "1", "entries": []}', "schema '1'"),
    case("no-entries", '{"schema": 1}', "entries", "required"),
    case("entries-mapping", '{"schema": 1, "entries": {}}', "entries"),
    case("entry-text", '{"schema": 1, "entries": ["x"]}', "entries.0"),
    case("unknown-key", entries(colour="red"), "entries.0.colour", "unknown key"),
    case("no-method", entries(method=...), "entries.0.method", "required"),
    case("mean-text", entries(mean="1"), "entries.0.mean"),
    case("mean-nan", entries(mean=float("nan")), "NaN is not JSON"),
    case("tolerance-negative", entries(tolerance=-1), "entries.0.tolerance"),
    case("tolerance-huge", entries().replace("0.1", "1e999"), "entries.0.tolerance"),
    case("n-0", entries(n=0), "entries.0.n"),
    case("version-bool", entries(version=True), "entries.0.version"),
    case("direction-text", entries(higher_is_better="up"), "entries.0.higher_is_better"),
    case("twice", json.dumps({"schema": 1, "entries": [ENTRY, ENTRY]}), "twice"),
]


@pytest.mark.parametrize(("text", "words"), BASELINES)
def test_baseline(refused, tmp_path, text, words):
    (tmp_path / "b.json").write_text(text)
    refused(["check", "--baseline", "b.json"], "b.json", *words)


@pytest.mark.parametrize("name", ["nowhere.json", ".", "/dev/zero", "pipe"])
def test_baseline_file(refused, tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    refused(["check", "--baseline", name], "cannot read the baseline", name)


@pytest.mark.parametrize("name", ["/dev/zero", "pipe"])
def test_an_export_is_a_file(refused, tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    refused(["db", "import", name], "cannot read", "it is no regular file")


def test_a_pipe_among_the_plugins_is_named_and_hides_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins").mkdir()
    os.mkfifo(tmp_path / "plugins" / "mine.py")
    result = CliRunner().invoke(main, ["list", "plugins"], prog_name="harness")
    assert result.exit_code == 0 and "it is no regular file" in result.output and "simpool" in result.output


# --- plugin files

PLUGINS = [
    case("empty", "", "defines no plugin", "@attention_method"),
    case("not-python", "def (", "SyntaxError", "line 1"),
    case("null-byte", "a = '\0'", "mine.py"),
    case("deep", "a = " + "(" * 5000 + ")" * 5000, "mine.py"),
    case("unary", "a = " + "-" * 100_000 + "1", "mine.py"),
    case("unknown-slot", "@attention_method('mine', slot='poling')\nclass A: ...", "poling", "pooling"),
    case("id-upper", "@attention_method('Mine', slot='pooling')\nclass A: ...", "'Mine' is not an id"),
    case("id-space", "@attention_method('my pool', slot='pooling')\nclass A: ...", "'my pool' is not an id"),
    case("shipped-name", "@attention_method('gap', slot='pooling')\nclass A: ...", "plugin 'gap' is defined in", "Rename"),
    case("no-slot", "@attention_method('mine')\nclass A: ...", "defines no plugin"),
    case("wrong-slot", "@attention_method('mine', slot='masking')\nclass A: ...", "fits no slot of 'scenes-classification'"),
]


@pytest.mark.parametrize(("text", "words"), PLUGINS)
def test_plugin_file(refused, tmp_path, text, words):
    (tmp_path / "mine.py").write_text(text)
    refused(["run", "-b", "scenes-classification", "--plugin", "mine.py", "--dry-run"], *words)


def test_plugin_bytes(refused, tmp_path):
    (tmp_path / "mine.py").write_bytes(b"# \xff\xfe\na = '\xff'")
    refused(["run", "-b", "scenes-classification", "--plugin", "mine.py", "--dry-run"], "mine.py")


# --- databases

DATABASES = [
    case("text", "this is no database, but a text of some length that SQLite will not take for one", "x.db"),
    case("header-only", "SQLite format 3\0" + "\0" * 100, "x.db"),
]


@pytest.mark.parametrize("verb", ["leaderboard", "status"])
@pytest.mark.parametrize(("text", "words"), DATABASES)
def test_database(refused, tmp_path, text, words, verb):
    (tmp_path / "x.db").write_text(text)
    refused([verb, "--db", "sqlite:///x.db"], *words)


def test_someone_elses_database(refused, tmp_path):
    import sqlite3

    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE bookmarks (id INTEGER)")
    refused(["leaderboard", "--db", "sqlite:///x.db"], "tables of another program", "bookmarks")
