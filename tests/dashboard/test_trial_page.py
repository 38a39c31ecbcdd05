"""The page of a trial."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

EVIL = "![x](http://example.invalid/x.png) <script>alert(1)</script> $\\frac{1}{2}$ :smile: [l](javascript:alert(1))"


def texts(app) -> str:
    return "\n".join(block.value for block in app.text)


def leave(folder: Path, digest: str) -> Path:
    """Pictures and a log, as a trial leaves them."""
    artifacts = folder / "trials" / digest / "artifacts"
    artifacts.mkdir(parents=True)
    for name in ("attention-0.jpg", "attention-1.jpg", "trajectories.png", "errors.png"):
        cv2.imwrite(str(artifacts / name), np.full((8, 16, 3), 90, np.uint8))
    (artifacts / "first_epoch.csv").write_text("iteration,layer,qk_distance,purity\n1,neck,3,1\n2,neck,2,0.5\n")
    (artifacts.parent / "log.txt").write_text("\n".join(f"line {number}" for number in range(500)))
    return artifacts


def test_the_numbers_stand_beside_the_floor_and_another_trial(page, measured):
    (gap,), (gem,) = measured("gap", 70.04), measured("gem", 10.0)
    app = page("trial", trial=gem[:8], other=gap)
    assert app.subheader[0].value == r"10\.0 \%" and "below the floor 16.7 %; the other trial 70.0 %" in texts(app)
    table = app.dataframe[0].value.set_index("")
    assert table["top1 (%) ↑"].to_dict() == {"this trial": 10.0, "the other trial": 70.04, "floor": 16.7}
    assert app.dataframe[1].value.set_index("").loc["this trial", "parameters (M)"] == 0.7


def test_it_shows_why_it_failed(page, measured):
    (digest,) = measured("gap", None)
    app = page("trial", trial=digest)
    assert app.error and "nan: the loss is not a number in epoch 2" in texts(app)


def test_one_that_is_not_there_is_a_sentence(page, measured):
    (digest,) = measured("gap", 70.0)
    for parameters in ({"trial": "ffff"}, {"trial": digest, "other": "ffff"}, {"trial": "%_"}):
        app = page("trial", **parameters)
        assert app.warning and "no trial '" in texts(app)
    assert "Choose a trial" in texts(page("trial"))
    assert "there is no 'Nowhere' here" in texts(page("trial", trial=digest, tab="Nowhere"))


def test_learning_curves_stand_beside_those_of_another_trial(page, measured):
    (gap,), (gem,) = measured("gap", 70.0), measured("gem", 80.0)
    app = page("trial", trial=gap, other=gem, tab="Learning")
    assert len(app.get("vega_lite_chart")) == 2
    assert [box.value for box in app.selectbox if box.label == "On the validation split"] == ["val/top1"]


def test_it_shows_what_its_attention_did(page, measured, tmp_path):
    (digest,) = measured("gap", 70.0)
    leave(tmp_path / "results", digest)
    table = page("trial", trial=digest, tab="Diagnostics").dataframe[0].value
    assert list(table["layer"]) == ["mean over layers", "neck", "neck"] and list(table["head"]) == ["", "", "1"]
    assert list(table["entropy"]) == [0.7, 0.7, 0.5]
    assert len(page("trial", trial=digest, tab="Diagnostics").get("vega_lite_chart")) == 2


def test_it_shows_what_was_taken_for_what(page, measured):
    (digest,) = measured("gap", 70.0)
    app = page("trial", trial=digest, tab="Numbers")
    assert "What is taken for what" in [one.value for one in app.subheader] and len(app.get("vega_lite_chart")) == 1


def test_moved_results_show_maps_and_predictions(page, measured, tmp_path, monkeypatch):
    (digest,) = measured("gap", 70.0)
    leave(tmp_path / "results", digest)
    (tmp_path / "results").rename(tmp_path / "elsewhere")
    monkeypatch.setenv("HARNESS_DB", f"sqlite:///{tmp_path}/elsewhere/harness.db")
    app = page("trial", trial=digest, tab="Maps and predictions", image="1")
    assert len(app.get("image")) == 3, "the maps over one image, and two plots"
    assert "taken for    blue-triangle" not in app.code[0].value
    told = dict(line.split("  ", 1) for line in app.code[0].value.splitlines())
    assert told["test sample"].strip() == "3 (from 0)" and {name: text.strip() for name, text in told.items()}["taken for"]
    assert "line 499" in page("trial", trial=digest, tab="Log").code[0].value


def test_what_a_method_without_maps_predicted(page, measured, tmp_path):
    from harness.diagnostics.maps import FILE, Marks, Pictured, save

    (digest,) = measured("gap", 70.0)
    folder = tmp_path / "results" / "trials" / digest / "artifacts"
    boxes = Marks(boxes=np.array([[0.1, 0.1, 0.9, 0.9]]), kinds=np.zeros(1, int), text="one cell")
    save(
        folder / FILE,
        [Pictured(place, np.zeros((16, 16, 3), np.uint8), true=boxes, predicted=boxes, classes=("cell",)) for place in (0, 3)],
    )
    for place in range(2):
        Image.new("RGB", (40, 20)).save(folder / f"prediction-{place}.jpg")
    app = page("trial", trial=digest, tab="Maps and predictions", image="1")
    assert len(app.get("image")) == 3, "what is true, what was predicted, and the colours of the classes"
    assert "No maps over this image." in texts(app) and "predicted: one cell" in texts(app) and "3 (from 0)" in app.code[0].value


def test_what_another_machine_left_is_shown_and_what_cannot_be_read_is_a_sentence(page, measured, tmp_path, monkeypatch):
    (digest,) = measured("gap", 70.0)
    leave(tmp_path / "left", digest)
    monkeypatch.setenv("HARNESS_ARTIFACTS", (tmp_path / "left").as_uri())
    assert len(page("trial", trial=digest, tab="Maps and predictions", image="1").get("image")) == 3
    assert "line 499" in page("trial", trial=digest, tab="Log").code[0].value
    monkeypatch.setenv("HARNESS_ARTIFACTS", "nosuch://bucket")
    (told,) = page("trial", trial=digest, tab="Log").error
    assert told.value == "What trials left elsewhere cannot be read."


@pytest.mark.parametrize("content", [b"", b"no picture", b"<svg onload='alert(1)'/>", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_broken_picture_is_a_sentence_and_hides_nothing(page, measured, tmp_path, content):
    (digest,) = measured("gap", 70.0)
    artifacts = leave(tmp_path / "results", digest)
    for name in ("attention-0.jpg", "errors.png"):
        (artifacts / name).write_bytes(content)
    app = page("trial", trial=digest, tab="Maps and predictions")
    assert len(app.get("image")) == 1 and texts(app).count("cannot be shown") == 2


def test_a_log_path_in_the_store_is_not_opened(page, measured, tmp_path):
    from harness.store import open_store
    from harness.store.schema import trials

    (digest,) = measured("gap", None)
    secret = tmp_path / "secret"
    (secret / "artifacts").mkdir(parents=True)
    (secret / "log.txt").write_text("a secret")
    Image.new("RGB", (9, 9)).save(secret / "artifacts" / "attention-0.jpg")
    with open_store(f"sqlite:///{tmp_path}/results/harness.db")._write() as connection:
        connection.execute(trials.update().values(log=str(secret / "log.txt"), work_dir=str(secret)))
    for tab in ("Log", "Maps and predictions", "Provenance"):
        app = page("trial", trial=digest, tab=tab)
        assert not app.get("image") and not any("secret" in block.value for block in (*app.code, *app.text))


def test_the_config_says_what_another_trial_has_otherwise(page, measured):
    (one,), (two,) = measured("gem", 70.0), measured("gem", 71.0, sets=("method.p=4",))
    app = page("trial", trial=one, other=two, tab="Config")
    table = app.dataframe[0].value.set_index("key")
    assert table.loc["--set", ["this trial", "the other trial"]].tolist() == ["", "method.p=4"]
    assert table.loc["model.model.neck.params.p", "the other trial"] == "4"
    assert "plugin: gem" in app.code[0].value


def test_provenance_has_the_command(page, measured):
    _, second = measured("gem", 70.0, 71.0, sets=("method.p=4",), device="cpu")
    app = page("trial", trial=second, tab="Provenance")
    command = "harness run -m gem -b scenes-classification --seeds 2 --set method.p=4 --device cpu --db sqlite:///again/harness.db"
    assert app.code[0].value == command
    assert "plan this very trial" in texts(app) and "Seed 0 is run before it." in texts(app)
    assert any("plugin gem" in block.value for block in app.code)


def test_text_of_a_store_stays_text(page, measured, tmp_path):
    from harness.store import open_store
    from harness.store.schema import trials

    (digest,) = measured("gap", 70.0)
    leave(tmp_path / "results", digest)
    with open_store(f"sqlite:///{tmp_path}/results/harness.db")._write() as connection:
        connection.execute(trials.update().values(method=EVIL, benchmark=EVIL, notes=[EVIL], overrides=[f"model.x={EVIL}"], host=EVIL))
    for tab in ("Numbers", "Learning", "Maps and predictions", "Diagnostics", "Config", "Provenance", "Log"):
        app = page("trial", trial=digest, tab=tab)
        assert EVIL in texts(app), "or the test would show nothing"
        marked = [*app.markdown, *app.caption, *app.subheader, *app.title, *app.error, *app.info]
        assert not any("example.invalid" in block.value and "\\!" not in block.value for block in marked)
