"""The page of a trial."""

from __future__ import annotations


def test_it_shows_why_it_failed(page, measured):
    (digest,) = measured("gap", None)
    assert any("the loss is not a number" in block.value for block in page("trial", trial=digest).text)


def test_one_that_is_not_there_is_a_sentence(page, measured):
    measured("gap", 70.0)
    app = page("trial", trial="ffff")
    assert app.warning and any("no trial 'ffff'" in block.value for block in app.text)


def test_it_shows_what_its_attention_did(page, measured, tmp_path):
    import cv2
    import numpy as np

    (digest,) = measured("gap", 70.0)
    folder = tmp_path / "results" / "trials" / digest / "artifacts"
    folder.mkdir(parents=True)
    for name in ("attention-0.jpg", "trajectories.png", "errors.png"):
        cv2.imwrite(str(folder / name), np.zeros((8, 8, 3), np.uint8))
    (folder / "first_epoch.csv").write_text("iteration,layer,qk_distance,purity\n1,neck,3,1\n2,neck,2,0.5\n")
    app = page("trial", trial=digest[:8])
    table = next(frame.value for frame in app.dataframe if "layer" in frame.value)
    assert list(table["layer"]) == ["mean over layers", "neck", "neck"] and list(table["head"]) == ["", "", "1"]
    assert len(app.get("image")) == 3
    assert len(app.get("vega_lite_chart")) == 2
