"""Export and import: whole, once, or not at all."""

from __future__ import annotations

import base64
import contextlib
import json
import math
import sqlite3
import zlib
from pathlib import Path

import numpy as np
import pytest
from engine_fakes import CONFUSION, make_trial, outcome_of

from harness.errors import UsageError
from harness.store import Floor, MetricSpec, Store, open_store, process


@pytest.fixture
def filled(tmp_path: Path) -> Store:
    """Two trials done, one failed, one running, one planned."""
    store, lease = open_store(f"sqlite:///{tmp_path}/first.db"), process.new_lease()
    trials = [make_trial(n) for n in range(5)]
    store.plan(trials)
    for trial in trials[:4]:
        store.claim([trial.digest], lease, tmp_path)
    for trial in trials[:2]:
        store.finish(trial.digest, lease.token, outcome_of(trial))
    store.fail(trials[2].digest, lease.token, "error", "it was Ünlücky")
    store.put_specs([MetricSpec("fake", 1, "metric-0", "%", True, primary=True)])
    store.put_floors([Floor("fake", 1, "data-1", "metric-0", 5.0)])
    return store


def test_round_trip(filled: Store, tmp_path: Path):
    assert filled.export_to(tmp_path / "a.jsonl") == 5
    other = open_store(f"sqlite:///{tmp_path}/second.db")
    assert other.import_from(tmp_path / "a.jsonl").trials == 5
    assert repr(other.results()) == repr(filled.results())
    for digest, curves in filled.curves(other.states()).items():
        for name, points in outcome_of(make_trial(int(filled.trial(digest).method[-1]))).curves.items():
            np.testing.assert_array_equal(curves[name], points)
            np.testing.assert_array_equal(other.curves([digest])[digest][name], points)
    assert len(other.curves(other.states())) == 2
    told, again = (store.confusions(other.states()) for store in (filled, other))
    assert len(told) == len(again) == 2
    for digest, confusion in told.items():
        assert confusion.counts.tolist() == again[digest].counts.tolist() == CONFUSION.counts.tolist()
        assert (confusion.classes, confusion.unit) == (again[digest].classes, again[digest].unit) == (CONFUSION.classes, "pixels")
    assert other.specs() == filled.specs() and other.floors() == filled.floors()
    assert other.environments() == filled.environments()
    assert sorted(other.states().values()) == ["done", "done", "failed", "planned", "planned"]
    again = other.import_from(tmp_path / "a.jsonl")
    assert (again.trials, again.skipped) == (0, 5)
    other.export_to(tmp_path / "b.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_what_is_not_finite_travels_as_not_a_number(filled: Store, tmp_path: Path):
    """Those of earlier harnesses held infinities."""
    import sqlalchemy as sa

    from harness.store.schema import numbers

    trial, lease = make_trial(9), process.new_lease()
    filled.plan([trial])
    filled.claim([trial.digest], lease, tmp_path)
    outcome = outcome_of(trial)
    outcome.metrics = {"metric-0": float("inf")}
    filled.finish(trial.digest, lease.token, outcome)
    assert np.isnan(filled.results(digests=[trial.digest])[0].metrics["metric-0"])
    with filled._write() as connection:
        connection.execute(sa.update(numbers).where(numbers.c.trial == trial.digest).values(value=float("inf")))
    filled.export_to(tmp_path / "a.jsonl")
    other = open_store(f"sqlite:///{tmp_path}/second.db")
    other.import_from(tmp_path / "a.jsonl")
    assert np.isnan(other.results(digests=[trial.digest])[0].metrics["metric-0"])


def test_what_is_done_here_stays_and_what_is_not_is_completed(filled: Store, tmp_path: Path):
    filled.export_to(tmp_path / "a.jsonl")
    other, lease = open_store(f"sqlite:///{tmp_path}/second.db"), process.new_lease()
    done_here, planned_here = make_trial(0), make_trial(1)
    other.plan([done_here, planned_here])
    other.claim([done_here.digest], lease, tmp_path)
    own = outcome_of(done_here)
    own.metrics = {"mine": 1.0}
    other.finish(done_here.digest, lease.token, own)
    done = other.import_from(tmp_path / "a.jsonl")
    assert (done.trials, done.skipped, done.completed, done.others) == (4, 1, 0, ()), "it has no metric in common with the file"
    found = {result.digest: result for result in other.results()}
    assert dict(found[done_here.digest].metrics) == {"mine": 1.0}
    assert dict(found[planned_here.digest].metrics) == outcome_of(planned_here).metrics


@pytest.mark.parametrize("bare_first", [False, True])
def test_whichever_comes_first_all_that_is_known_of_an_attempt_is_kept(filled: Store, tmp_path: Path, bare_first: bool):
    filled.export_to(tmp_path / "a.jsonl")
    filled.export_to(tmp_path / "bare.jsonl", bare=True)
    other = open_store(f"sqlite:///{tmp_path}/second.db")
    names = ("bare.jsonl", "a.jsonl") if bare_first else ("a.jsonl", "bare.jsonl")
    other.import_from(tmp_path / names[0])
    before = other.stamp()
    done = other.import_from(tmp_path / names[1])
    ended = 3 if bare_first else 0
    assert (done.trials, done.completed, done.skipped, done.others) == (0, ended, 5 - ended, ())
    assert (other.stamp() != before) == bare_first, "what was drawn of the bare one is out of date"
    other.export_to(tmp_path / "b.jsonl")
    both = [
        [line for line in (tmp_path / name).read_text().splitlines() if '"state":"planned"' not in line] for name in ("a.jsonl", "b.jsonl")
    ]
    assert both[0] == both[1]


@pytest.mark.parametrize(
    ("device", "factor", "others"),
    [
        ("cuda:0", 1.01, [("cpu", "cuda")] * 2),
        ("cuda:0", 1.0, [("cpu", "cuda")] * 2),
        ("cpu", 1.01, [("cpu", "cpu")] * 2),
        (None, 1.01, [("cpu", "")] * 2),
        (None, 1.0, []),
        ("cpu", 1.0 + 1e-12, []),
    ],
)
def test_another_result_of_a_trial_is_told_and_completes_nothing(filled: Store, tmp_path: Path, device, factor: float, others: list):
    """Of the same digest: which device or processor computed it is no part of that."""
    filled.export_to(tmp_path / "a.jsonl")
    filled.export_to(tmp_path / "bare.jsonl", bare=True)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    for line in lines:
        if line["kind"] == "environment":
            line |= {"digest": "e0", "content": {"device": device} if device else {}}
        if line.get("state") == "done":
            metric = {name: value * factor for name, value in line["numbers"]["metric"].items()}
            line |= {"environment_digest": "e0", "finished": line["finished"] + 9, "numbers": line["numbers"] | {"metric": metric}}
    (tmp_path / "elsewhere.jsonl").write_text("\n".join(map(json.dumps, lines)))
    other = open_store(f"sqlite:///{tmp_path}/second.db")
    other.import_from(tmp_path / "bare.jsonl")
    before = repr(other.results())
    done = other.import_from(tmp_path / "elsewhere.jsonl")
    assert sorted((one.device, one.its_device) for one in done.others) == others
    assert done.trials == 0 and done.skipped + done.completed + len(others) == 5
    assert repr(other.results()) == before and not other.per_sample()


def _spoil(text: str, how: str) -> str:
    lines = text.splitlines()
    trial = json.loads(lines[-1])
    done = json.loads(next(line for line in lines if '"state":"done"' in line))
    if how == "no header":
        return "\n".join(lines[1:])
    if how == "empty":
        return ""
    if how == "cut":
        return text[:-20]
    if how == "cut between lines":
        return "\n".join(lines[:-1]) + "\n"
    if how == "no end":
        trial = {**done, "finished": None}
    if how == "half a pair":
        trial["reason"] = "\ud800"
    if how == "unknown key":
        trial["__class__"] = "os.system"
    if how == "unknown kind":
        trial["kind"] = "command"
    if how == "infinite":
        trial["expected"] = float("inf")
    if how == "too large":
        trial["seed"] = 10**30
    if how == "unknown config":
        trial |= {"digest": "abc", "config_digest": "dead"}
    if how == "bad scores":
        trial = done
        trial["samples"]["correct"]["data"] = "AAAA"
    if how == "bad curve":
        trial = done
        trial["curves"]["loss"]["count"] += 1
    if how.startswith("bad counts: "):
        trial = done
        cells = json.loads(how.partition(": ")[2])
        trial["confusions"]["pixels"]["data"] = base64.b64encode(zlib.compress(json.dumps(cells).encode())).decode()
    if how == "another count":
        trial = done
        trial["confusions"]["hairs"] = trial["confusions"].pop("pixels")
    if how == "no metrics":
        trial = done
        trial["numbers"] = {}
    return "\n".join([*lines, json.dumps(trial)])


def test_metrics_of_another_direction_or_unit_and_other_contents_are_refused_and_other_floors_told(filled: Store, tmp_path: Path):
    filled.export_to(tmp_path / "a.jsonl")
    text = (tmp_path / "a.jsonl").read_text()
    config = next(line for line in text.splitlines() if '"kind":"config"' in line)
    changed = json.loads(config)
    changed["content"] = {"another": 1}
    changes = {
        "direction": ('"higher_is_better":true', '"higher_is_better":false'),
        "unit": ('"unit":"%"', '"unit":"m"'),
        "stands for something else": (config, json.dumps(changed)),
    }
    for why, (old, new) in changes.items():
        assert old in text
        (tmp_path / "b.jsonl").write_text(text.replace(old, new))
        with pytest.raises(UsageError, match=why):
            filled.import_from(tmp_path / "b.jsonl")
    assert filled.import_from(tmp_path / "a.jsonl").floors == ()
    (tmp_path / "b.jsonl").write_text(text.replace('"value":5.0', '"value":6.0'))
    assert filled.import_from(tmp_path / "b.jsonl").floors == ("metric-0 of fake v1 5, there 6",)
    assert [floor.value for floor in filled.floors()] == [5.0]


@pytest.mark.parametrize(
    "how",
    [
        "no header",
        "empty",
        "cut",
        "cut between lines",
        "unknown key",
        "unknown kind",
        "infinite",
        "too large",
        "unknown config",
        "bad scores",
        "bad curve",
        "another count",
        'bad counts: [["a", "b"], [], [], []]',
        'bad counts: [["a", "b", "c"], [0], [3], [1]]',
        'bad counts: [["a", "b", "c"], [0], [-1], [1]]',
        'bad counts: [["a", "b", "c"], [0], [1], [-1]]',
        'bad counts: [["a", "b", "c"], [0], [1], [0.5]]',
        'bad counts: [["a", "b", "c"], [0], [1], [1e300]]',
        'bad counts: [["a", "b", "c"], [0, 1], [1], [1]]',
        'bad counts: [["a", "b\\u001b", "c"], [], [], []]',
        'bad counts: [["a", 3, "c"], [], [], []]',
        "bad counts: 3",
        "no metrics",
        "no end",
        "half a pair",
    ],
)
def test_a_malformed_export_changes_nothing(filled: Store, tmp_path: Path, how: str):
    filled.export_to(tmp_path / "a.jsonl")
    (tmp_path / "bad.jsonl").write_text(_spoil((tmp_path / "a.jsonl").read_text(), how))
    other = open_store(f"sqlite:///{tmp_path}/second.db")
    with pytest.raises(UsageError, match=r"bad\.jsonl"):
        other.import_from(tmp_path / "bad.jsonl")
    assert other.trials() == other.specs() == []


LINES = {
    "a time after all dates": ("trial", {"finished": 1e300}, "finished"),
    "a time before all": ("trial", {"created": -1.0}, "created"),
    "a cost of ages": ("trial", {"expected": 1e300}, "expected"),
    "a duration below nothing": ("trial", {"numbers": {"metric": {"metric-0": 1.0}, "duration": {"train": -1.0}}}, "duration"),
    "a file of the system": ("trial", {"log": "/etc/passwd"}, "log"),
    "a log of another trial": ("trial", {"log": "/a/0123/log.txt", "work_dir": "/a/0123"}, "work_dir"),
    "a folder of the system": ("trial", {"log": None, "work_dir": "/etc"}, "work_dir"),
    "a name of two lines": ("trial", {"method": "gap\n<script>"}, "method"),
    "a name that colours the terminal": ("trial", {"benchmark": "\x1b[31mfake"}, "benchmark"),
    "a name that turns what follows": ("trial", {"tier": "\u202equick"}, "tier"),
    "a name with blanks at its ends": ("trial", {"family": " fake"}, "family"),
    "a name longer than its column": ("trial", {"method": "m" * 129}, "method"),
    "a metric of two lines": ("trial", {"numbers": {"metric": {"a\nb": 1.0}}}, "metric"),
    "a negative number of attempts": ("trial", {"attempts": -1}, "attempts"),
    "a metric's unit of two lines": ("spec", {"unit": "%\n"}, "unit"),
    "an infinity in a config": ("config", {"content": {"lr": float("inf")}}, "Infinity"),
    "a config that colours the terminal": ("config", {"content": {"data": [{"\x1b[31m": 1}]}}, "control"),
    "no number in an environment": ("environment", {"content": {"torch": float("nan")}}, "NaN"),
}


@pytest.mark.parametrize("how", LINES)
def test_a_line_that_means_nothing_is_refused_by_name(filled: Store, tmp_path: Path, how: str):
    kind, change, named = LINES[how]
    filled.export_to(tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    place, line = next((n, one) for n, one in enumerate(lines) if one["kind"] == kind and one.get("state", "done") == "done")
    lines[place] = line | change
    (tmp_path / "bad.jsonl").write_text("\n".join(map(json.dumps, lines)))
    other = open_store(f"sqlite:///{tmp_path}/second.db")
    with pytest.raises(UsageError, match=rf"line {place + 1}: .*{named}"):
        other.import_from(tmp_path / "bad.jsonl")
    text = (tmp_path / "bad.jsonl").read_text().replace("Infinity", "1e999")
    (tmp_path / "bad.jsonl").write_text(text)
    with pytest.raises(UsageError, match=rf"line {place + 1}: "):
        other.import_from(tmp_path / "bad.jsonl")
    assert other.trials() == other.specs() == []


def test_text_that_a_terminal_would_obey_is_spelled_out(filled: Store, tmp_path: Path):
    filled.export_to(tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    failed = next(line for line in lines if line.get("state") == "failed")
    failed |= {"reason": "\x1b]0;mine\x07 ü\n\u202egap", "overrides": ["a=\x1b[2J"], "labels": {"map": "\r"}, "notes": ["\x00"]}
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    other = open_store(f"sqlite:///{tmp_path}/second.db")
    other.import_from(tmp_path / "a.jsonl")
    row = next(row for row in other.trials() if row.state == "failed")
    assert row.reason == "\\x1b]0;mine\\x07 ü\n\\u202egap" and row.overrides == ("a=\\x1b[2J",)
    assert row.labels == {"map": "\\r"} and row.notes == ("\\x00",)
    other.export_to(tmp_path / "b.jsonl")
    assert open_store(f"sqlite:///{tmp_path}/third.db").import_from(tmp_path / "b.jsonl").trials == 5


def test_a_trial_that_is_planned_in_one_line_and_done_in_another(filled: Store, tmp_path: Path):
    """Two exports put together, with one first line: whichever comes first, the result is kept, once."""
    filled.export_to(tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    done = json.loads(next(line for line in lines if '"state":"done"' in line))
    planned = done | {
        "state": "planned",
        "numbers": {},
        "samples": {},
        "curves": {},
        "confusions": {},
        "cost": None,
        "finished": None,
        "environment_digest": None,
    }
    parts = [line for line in lines[1:] if '"kind":"trial"' not in line]
    for number, order in enumerate(((planned, done), (done, planned), (planned, planned, done, done))):
        text = "\n".join(['{"kind":"header","schema":1}', *parts, *map(json.dumps, order)])
        (tmp_path / "both.jsonl").write_text(text)
        other = open_store(f"sqlite:///{tmp_path}/both{number}.db")
        assert other.import_from(tmp_path / "both.jsonl").trials == 1
        assert [result.digest for result in other.results()] == [done["digest"]]


BUSY = "the latency is uncertain, since the machine was busy (load 5.0 on 2 cores): half of 10 passes took 1 to 3 ms"


def test_an_export_of_an_earlier_harness_is_read(filled: Store, tmp_path: Path):
    filled.export_to(tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    for line in lines:
        if line["kind"] == "trial":
            del line["labels"], line["overrides"], line["curves"], line["confusions"]
            line["notes"] = ["score map: key map", *line["notes"], BUSY] if line["state"] == "done" else line["notes"]
    (tmp_path / "old.jsonl").write_text("\n".join(map(json.dumps, lines)))
    other = open_store(f"sqlite:///{tmp_path}/second.db")
    other.import_from(tmp_path / "old.jsonl")
    assert [(r.labels, r.notes) for r in other.results()] == [({"map": "key map", "rough": "latency_ms"}, ("a note", BUSY))] * 2
    assert {r.overrides for r in other.trials()} == {()} and other.curves(other.states()) == {}


def test_a_line_without_a_field_of_the_first_exports_is_refused(filled: Store, tmp_path: Path):
    filled.export_to(tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    number, done = next((number, json.loads(line)) for number, line in enumerate(lines) if '"state":"done"' in line)
    other = open_store(f"sqlite:///{tmp_path}/second.db")
    of_trial = done.keys() - {"labels", "overrides", "config_file", "task", "setting", "purpose", "tuning", "curves", "confusions", "kind"}
    of_cost = done["cost"].keys() - {"train_memory_mb"}
    for spoilt, name in [
        *(({k: v for k, v in done.items() if k != name}, name) for name in of_trial),
        *((done | {"cost": {k: v for k, v in done["cost"].items() if k != name}}, f"cost.{name}") for name in of_cost),
    ]:
        (tmp_path / "bad.jsonl").write_text("\n".join([*lines[:number], json.dumps(spoilt), *lines[number + 1 :]]))
        with pytest.raises(UsageError, match=f"line {number + 1}: {name}: Field required"):
            other.import_from(tmp_path / "bad.jsonl")


def test_files_that_cannot_be_read_or_written(filled: Store, tmp_path: Path):
    with pytest.raises(UsageError, match="cannot read"):
        filled.import_from(tmp_path / "missing.jsonl")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        filled.import_from(tmp_path / "binary")
    with pytest.raises(UsageError, match="cannot write"):
        filled.export_to(tmp_path / "no" / "folder.jsonl")


def test_what_is_infinite_is_null_in_an_export(measured, tmp_path):
    """Metrics of other programs, a floor, a cost: JSON knows no infinity, and an export is read by any program."""
    measured("gap", 70.0)
    file = tmp_path / "results" / "harness.db"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE numbers SET value = 9e999 WHERE name = (SELECT id FROM names WHERE name = 'top1' AND kind = 'metric')")
        connection.execute("UPDATE floors SET value = -9e999")
        connection.execute("UPDATE costs SET flops = 9e999")
        connection.commit()
    assert open_store(f"sqlite:///{file}").export_to(tmp_path / "all.jsonl") == 1
    copy = open_store(f"sqlite:///{tmp_path}/copy.db")
    assert copy.import_from(tmp_path / "all.jsonl").trials == 1
    (result,) = copy.results()
    assert math.isnan(result.metrics["top1"]) and result.cost.flops is None and math.isnan(copy.floors()[0].value)


def test_what_editors_do_to_a_text_is_no_damage(filled: Store, tmp_path: Path):
    filled.export_to(tmp_path / "a.jsonl")
    data = (tmp_path / "a.jsonl").read_bytes()
    (tmp_path / "edited.jsonl").write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n\r\n"))
    other = open_store(f"sqlite:///{tmp_path}/second.db")
    assert other.import_from(tmp_path / "edited.jsonl").trials > 0
    other.export_to(tmp_path / "b.jsonl")
    assert (tmp_path / "b.jsonl").read_bytes() == data


@pytest.mark.parametrize("kind", [[None], {"a": 1}, 3, None, "x" * 5000])
def test_a_line_of_no_kind_is_refused_in_short(filled: Store, tmp_path: Path, kind: object):
    filled.export_to(tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    lines[1]["kind"] = kind
    (tmp_path / "bad.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(UsageError, match="line 2: unknown kind") as refused:
        open_store(f"sqlite:///{tmp_path}/second.db").import_from(tmp_path / "bad.jsonl")
    assert len(str(refused.value)) < 500
