"""The page of runs."""

from __future__ import annotations

import time

from harness.store import open_store, process
from harness.store.schema import trials


def texts(app) -> str:
    return "\n".join(block.value for block in app.text)


def shown(app, column: str) -> list:
    return list(next(frame.value for frame in reversed(app.dataframe) if "trial" in frame.value)[column])


def change(database: str, digest: str, **values) -> None:
    with open_store(database)._write() as connection:
        connection.execute(trials.update().where(trials.c.digest == digest).values(**values))


def test_every_state_is_counted_and_can_be_asked_for(page, measured, database):
    """A running trial whose process is gone is interrupted, not running."""
    done, failed, running, dead, planned = measured("gap", 70.0, None, 71.0, 72.0, 73.0)
    here = {"state": "running", "host": process.host(), "finished": None, "started": time.time() - 5}
    change(database, running, **here, pid=1, process_start=process.started(1))
    change(database, dead, **here, pid=1, process_start="long ago")
    change(database, planned, state="planned", started=None, finished=None)
    app = page("runs")
    assert app.text[0].value == "1 planned · 1 running · 1 interrupted · 1 done · 1 failed"
    expected = {"done": done, "failed": failed, "running": running, "interrupted": dead, "planned": planned}
    for state, digest in expected.items():
        one = page("runs", state=state)
        assert shown(one, "trial") == [digest] and shown(one, "state") == [state]
    assert sorted(shown(app, "trial")) == sorted(expected.values())
    assert [name for name in shown(app, "score") if name] == ["70.0 %"]


def test_a_batch_that_runs_says_how_long_it_takes(page, measured, database, tmp_path):
    digests = measured("gap", 70.0, 71.0, 72.0)
    now = time.time()
    change(database, digests[0], created=now, started=now - 9000, finished=now - 1800, expected=3600.0)
    change(database, digests[2], created=now, state="planned", started=None, finished=None, expected=3600.0)
    change(
        *(database, digests[1]),
        **{"created": now, "state": "running", "started": now - 1800, "finished": None, "expected": 3600.0},
        **{"host": process.host(), "pid": 1, "process_start": process.started(1)},
    )
    folder = tmp_path / "results" / "trials" / digests[1]
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("11/26 - mmengine - INFO - Epoch(train) [3][20/23]  lr: 1\n")
    app = page("runs")
    (bar,) = app.get("progress")
    assert bar.proto.value == 33
    assert "1 of 3 trials · 1 running, about 3.5 h left" in texts(app), "twice as long as expected: 2 h, and 1.5 h of the running one"
    table = app.dataframe[0].value
    assert list(table["how far"]) == ["training, epoch 3, 20 of 23"] and list(table["seed"]) == [1]
    change(database, digests[1], process_start="long ago")
    app = page("runs")
    assert "none is running" in texts(app) and "left" not in texts(app)


def test_failures_are_grouped_by_reason(page, measured, database):
    digests = [*measured("gap", None, None), *measured("gem", None)]
    change(database, digests[2], reason="the loss is not a number in epoch 31")
    change(database, digests[1], reason="took longer than 600 s", kind="timeout")
    app = page("runs")
    table = app.dataframe[0].value
    assert table["trials"].tolist() == [2, 1] and table["methods"].tolist() == ["gap, gem", "gap"]
    assert table["reason"].tolist() == ["the loss is not a number in epoch 31", "took longer than 600 s"]
    from harness.analysis import source
    from harness.analysis.views import runs

    first, second = runs.failures(source.trials(database))
    one = page("runs", state="failed", failure=first.key)
    assert sorted(shown(one, "trial")) == sorted([digests[0], digests[2]])
    assert shown(page("runs", failure=second.key), "trial") == [digests[1]]
    gone = page("runs", failure="0" * 16)
    assert "no failure of this kind any more" in texts(gone) and "No trial is like that." in texts(gone)


def test_filters_search_and_pages(page, measured, caplog):
    measured("gap", *range(1, 41))
    gem = measured("gem", *range(1, 31))
    assert {*shown(page("runs", method="gem"), "method")} == {"gem"}
    assert "1 to 30 of 30" in texts(page("runs", method="gem"))
    assert shown(page("runs", q=f"GEM {gem[3][3:9]}"), "trial") == [gem[3]]
    first, second = page("runs"), page("runs", page="2")
    assert "51 to 70 of 70" in texts(second) and len({*shown(first, "trial"), *shown(second, "trial")}) == 70
    assert "there is no 'nobody' here" in texts(page("runs", method="nobody"))
    assert "No trial is like that." in texts(page("runs", state="failed"))
    assert not [record.message for record in caplog.records if record.name.startswith("streamlit.elements")]


def test_what_differs_does_not_look_alike(page, measured, database):
    (one,) = measured("gem", 70.0)
    measured("gem", 71.0, sets=("method.p=4",))
    change(database, one, version=9)
    app = page("runs")
    (now,) = {row.version for row in open_store(database).trials() if row.digest != one}
    assert {(version, told) for version, told in zip(shown(app, "version"), shown(app, "--set"), strict=True)} == {
        (9, ""),
        (now, "method.p=4"),
    }
