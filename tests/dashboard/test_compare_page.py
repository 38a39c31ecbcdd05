"""The page on which methods are compared."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
import sqlalchemy as sa
import streamlit as st

from harness import paths
from harness.analysis import source
from harness.analysis.compare import compare
from harness.analysis.overall.summary import overall
from harness.store.arrays import pack
from harness.store.schema import samples

BOTH = ["simpool", "gap"]


def _texts(app) -> str:
    return "\n".join(block.value for block in app.text)


def _table(app, column: str):
    return next(frame.value for frame in app.dataframe if column in frame.value)


def _charts(app) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]


@pytest.fixture
def scored(database, measured):
    """Store what a method scores on single images, a line of digits per seed; it takes every other image for class 1."""

    def add(method: str, *seeds: str, **about: str) -> None:
        digests = measured(method, *(100.0 * line.count("1") / len(line) for line in seeds), **about)
        with sa.create_engine(database).begin() as connection:
            connection.execute(samples.delete().where(samples.c.trial.in_(digests)))
            for digest, line in zip(digests, seeds, strict=True):
                arrays = {"top1": [100.0 * int(digit) for digit in line], "guess": np.arange(len(line)) % 2, "label": np.zeros(len(line))}
                rows = [{"name": name, "data": pack(np.array(values, np.float32))} for name, values in arrays.items()]
                connection.execute(samples.insert(), [row | {"trial": digest, "count": len(line)} for row in rows])

    return add


def test_differences_have_verdicts_in_words(database, measured, page):
    measured("simpool", 70.0, 72.0)
    measured("gap", 10.0, 11.0)
    app = page("compare", method=BOTH)
    (row,) = compare(source.board(database), BOTH)
    shown = _table(app, "verdict").loc[0]
    assert shown["verdict"] == "simpool better" and row.sentence == "simpool is better than gap by 60.5 points."
    assert f"v3: {row.sentence}" in _texts(app)
    assert (shown["difference"], shown["from"], shown["to"]) == (row.difference, *row.ci95)
    (chart,) = _charts(app)
    assert "right: the first is better" in json.dumps(chart)


def test_a_download_is_exact_and_names_the_trials(database, measured, page, monkeypatch):
    from dashboard import tables

    a, b = measured("simpool", 70.0, 72.0), measured("gap", 10.0, 11.0)
    files = {}
    monkeypatch.setattr(tables, "download", lambda name, content, *_: files.update({name: content()}))
    page("compare", method=BOTH)
    (row,) = csv.DictReader(io.StringIO(files["differences.csv"]))
    (found,) = compare(source.board(database), BOTH)
    assert (float(row["difference"]), float(row["ci95_low"]), float(row["ci95_high"])) == (found.difference, *found.ci95)
    assert (row["benchmark"], row["version"]) == (found.benchmark, str(found.version))
    assert (row["digests_a"].split(), row["digests_b"].split()) == (a, b)


def test_a_pair_a_line_for_three_methods_on_each_benchmark(database, measured, page):
    for on in ("scenes-classification", "digits"):
        for place, method in enumerate(("simpool", "gap", "gem")):
            measured(method, 10.0 + 30 * place, 12.0 + 30 * place, on=on)
    app = page("compare", method=["gem", "gap", "simpool"])
    table = _table(app, "verdict")
    assert list(table["pair"]) == ["gem − gap", "gem − simpool", "gap − simpool"] * 2 and len(_charts(app)) == 2
    app = page("compare", method=["gem", "gap", "simpool"], benchmark="digits")
    assert list(_table(app, "verdict")["benchmark"]) == ["digits v2"] * 3 and len(_charts(app)) == 1
    app = page("compare", method=["gem", "gap", "simpool"], tab="Over benchmarks")
    (found,) = overall(source.board(database), ["gem", "gap", "simpool"]).tables
    ranks = _table(app, "rank")
    assert list(ranks["method"]) == ["gem", "gap", "simpool"] and list(ranks["rank"]) == found.mean.mean.tolist() == [1, 2, 3]
    assert f"p = {found.ranks.p:.3f}" in _texts(app) and "3 methods apart from 7 benchmarks" in _texts(app)
    (drawn,) = _charts(app)
    data = {row["method"] for layer in drawn["datasets"].values() for row in layer} if "datasets" in drawn else {"gem"}
    assert "gem" in data


def test_one_benchmark_has_no_ranks_over_benchmarks(database, measured, page):
    measured("simpool", 70.0, 72.0)
    measured("gap", 10.0, 11.0)
    assert "need two benchmarks or more" in _texts(page("compare", method=BOTH, tab="Over benchmarks"))


def test_samples_lead_to_the_image_they_differ_on(database, scored, page, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))  # no dataset lies there
    scored("simpool", "1110", "1111")
    scored("gap", "0110", "0111")
    app = page("compare", method=BOTH, tab="Samples")
    assert "4 test samples, means over 2 seeds. ▼ simpool scores higher on 1 · ▲ gap on 0 · ● both alike on 3." in _texts(app)
    assert list(_table(app, "sample")["sample"]) == [0]
    answers = [frame.value for frame in app.dataframe if "taken for" in frame.value]
    assert [list(table["score"]) for table in answers] == [[100.0, 100.0], [0.0, 0.0]]
    assert [list(table["taken for"]) for table in answers] == [["class 0", "class 0"]] * 2
    assert "The image cannot be shown: " in _texts(app) and "harness data prepare scenes-classification" in _texts(app)
    app = page("compare", method=BOTH, tab="Samples", image="3")
    assert [list(frame.value["score"]) for frame in app.dataframe if "taken for" in frame.value] == [[0.0, 100.0], [0.0, 100.0]]
    app = page("compare", method=BOTH, tab="Samples", image="1")
    alike = next(box for box in app.selectbox if box.label.startswith("Image"))
    assert (alike.value, alike.options) == (1, ["1", "2"])
    alike.select_index(1).run()
    assert "2" in app.query_params["image"] and not app.exception
    assert "there is no '9' with this score here" in _texts(page("compare", method=BOTH, tab="Samples", image="9"))


def test_the_image_is_shown_where_its_data_is(database, scored, page):
    from harness import benchmarks, data
    from harness.catalog import load_catalog

    task = benchmarks.task(load_catalog().benchmarks["digits"])
    data.ensure(task, None)
    for method in BOTH:
        line = "".join("1" if place != 5 or method == "gap" else "0" for place in range(797))
        scored(method, line, line, on="digits", data=data.fingerprint(task, None))
    app = page("compare", method=BOTH, tab="Samples")
    listing = task.listing(data.locate(task, None))
    name = str(listing.test[5].file.relative_to(listing.root))
    assert list(_table(app, "sample")["name"]) == [name] and name in _texts(app)
    assert len(app.get("image")) == 1
    answers = [frame.value["taken for"][0] for frame in app.dataframe if "taken for" in frame.value]
    assert answers == [listing.classes[5 % 2]] * 2


def test_maps_over_the_image_stand_side_by_side(database, scored, page, tmp_path):
    from harness.diagnostics.maps import FILE, Marks, Pictured, save

    scored("simpool", "1110", "1111")
    scored("gap", "0110", "0111")
    image = np.full((16, 16, 3), 90, np.uint8)
    for row in source.trials(database, methods=["simpool"]):
        maps = {"neck": np.arange(16.0).reshape(1, 4, 4)}
        kept = [Pictured(sample, image, maps, predicted=Marks(text=f"word-{row.seed}")) for sample in (1, 0)]
        save(tmp_path / "results" / "trials" / row.digest / "artifacts" / FILE, kept)
    app = page("compare", method=BOTH, tab="Samples", image="0")
    assert "attention of neck, seed 0, mean over 1 map" in _texts(app) and "predicted: word-0" in _texts(app)
    assert "No maps of its attention" in _texts(app), "gap's trials have none"
    app = page("compare", method=BOTH, tab="Samples", image="2")
    assert "kept no map over this image" in _texts(app)
    for row in source.trials(database, methods=["gap"]):
        file = tmp_path / "results" / "trials" / row.digest / "artifacts" / FILE
        file.parent.mkdir(parents=True)
        file.write_bytes(b"no archive")
    st.cache_resource.clear()
    assert "the maps cannot be read" in _texts(page("compare", method=BOTH, tab="Samples", image="0"))


def test_scores_that_do_not_pair_are_a_sentence(database, measured, page):
    measured("simpool", 70.0, 72.0)
    measured("gap", 10.0, 11.0)
    assert "nothing to pair" in _texts(page("compare", method=BOTH, tab="Samples"))


def test_methods_that_never_met_say_what_to_run(database, measured, page):
    measured("simpool", 70.0, 72.0)
    measured("gap", 10.0, 11.0, on="digits")
    app = page("compare", method=BOTH)
    assert any("harness run -m simpool -m gap" in block.value for block in app.code)
    assert "share no benchmark" in _texts(page("compare", method=BOTH, tab="Samples"))


def test_where_to_begin(database, measured, page):
    measured("simpool", 70.0, 72.0)
    measured("gap", 10.0, 11.0)
    app = page("compare")
    assert "Choose two methods or more" in _texts(app)
    app = page("compare", method=["simpool", "nobody"])
    assert "there is no 'nobody'" in _texts(app) and "Choose two methods or more" in _texts(app)


def test_names_of_a_store_are_text(database, measured, page):
    evil = "<b>![x](http://example.org/x.png)</b> $x$"
    measured("simpool", 70.0, 72.0)
    measured("gap", 10.0, 11.0)
    with sa.create_engine(database).begin() as connection:
        connection.execute(sa.text("UPDATE trials SET method = :name WHERE method = 'gap'"), {"name": evil})
    for tab in ("Differences", "Over benchmarks", "Samples"):
        app = page("compare", method=["simpool", evil], tab=tab)
        assert all("](http" not in block.value and "<b>" not in block.value for block in (*app.markdown, *app.caption, *app.subheader))
    assert evil in _texts(page("compare", method=["simpool", evil]))


@pytest.mark.slow
def test_in_a_browser_a_point_leads_to_its_image_and_back(database, scored, monkeypatch):
    monkeypatch.syspath_prepend(paths.home() / "docs")
    screenshot = pytest.importorskip("screenshot")
    if screenshot.chromium() is None:
        pytest.skip("no Chromium on this machine")
    scored("simpool", "1110", "1111")
    scored("gap", "0110", "0111")
    with screenshot.served(database) as address, screenshot.browser_page() as tab:
        tab.goto(f"{address}/compare?method=simpool&method=gap&tab=Samples")
        words = "Image, of those with these scores"
        point = tab.locator("path[aria-roledescription=point][aria-label*='samples: 2']")
        point.wait_for(timeout=60_000)
        with tab.expect_navigation(url="**image=1**", timeout=30_000):
            point.click()
        assert tab.get_by_label(words).count()
        tab.get_by_role("row", name="1").first.wait_for(timeout=30_000)
        tab.go_back(timeout=30_000)
        tab.wait_for_url("**tab=Samples", timeout=30_000)
        assert "image=" not in tab.url
