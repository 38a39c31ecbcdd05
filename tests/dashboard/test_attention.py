"""The page of the attention: maps side by side, measures, the first epoch, paths of cameras."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from harness.diagnostics import maps
from harness.diagnostics.maps import Marks, Pictured

EVIL = "![x](http://example.invalid/x.png) <script>alert(1)</script>"
DRAW = np.random.default_rng(0)


@pytest.fixture
def artifacts(tmp_path):
    """``artifacts(digest)``: the folder in which a trial keeps what it leaves."""

    def folder(digest):
        found = tmp_path / "results" / "trials" / digest / "artifacts"
        found.mkdir(parents=True, exist_ok=True)
        return found

    return folder


def keep(folder, layers, *, images=2, true="red-disc", predicted="blue-bar", labels=None):
    """Write maps of ``{layer: heads}`` over some images."""
    maps.save(
        folder / maps.FILE,
        [
            Pictured(
                10 * number,
                DRAW.integers(0, 255, (16, 16, 3)).astype(np.uint8),
                {layer: DRAW.random((heads, 4, 4)) for layer, heads in layers.items()},
                Marks(text=true, labels=labels),
                Marks(text=predicted, labels=labels),
                ("ground", EVIL),
            )
            for number in range(images)
        ],
    )


def captions(app):
    return [image.proto.imgs[0].caption for image in app.get("image")]


def shown(app, column="least"):
    return next(frame.value for frame in app.dataframe if column in frame.value)


def test_methods_stand_side_by_side_over_one_image(page, measured, artifacts):
    for method, level, layers in (("gap", 70.0, {"neck": 1}), ("gem", 80.0, {"encoder.0": 2, "encoder.1": 3}), ("how", 60.0, {})):
        (digest,) = measured(method, level)
        if layers:
            keep(artifacts(digest), layers)
    app = page("attention", benchmark="scenes-classification")
    assert captions(app) == ["test image 0  \nred\\-disc", "gem  \nblue\\-bar", "gap  \nblue\\-bar"], "by rank; how kept none"
    table = shown(app)
    assert table["layer"].tolist() == ["encoder.1", "neck"] and table["head"].tolist() == ["mean", "mean"]
    app = page(
        "attention", benchmark="scenes-classification", method=["gap", "how", "gem"], image="1", layer="encoder.0", head="1", blend="0"
    )
    assert captions(app) == ["test image 10  \nred\\-disc", "gem  \nblue\\-bar"], "gap has no such layer"
    assert app.slider[0].value == 0
    assert any("No maps were kept of how" in block.value for block in app.text)
    app.slider[0].set_value(70).run()
    assert (app.query_params["blend"], app.query_params["layer"]) == ("70", "encoder.0")


def test_a_method_without_maps_shows_what_it_predicts(page, measured, artifacts):
    for method, layers in (("gap", {"neck": 1}), ("gem", {}), ("how", {})):
        keep(artifacts(measured(method, 70.0)[0]), layers, predicted=f"by-{method}")
    app = page("attention", benchmark="scenes-classification")
    assert len(captions(app)) == 2 and captions(app)[1].startswith("gap"), "those with maps come first"
    both = ["gap", "gem"]
    app = page("attention", benchmark="scenes-classification", method=both)
    assert len(captions(app)) == 2 and any("No maps were kept of gem" in block.value for block in app.text)
    for what in ("maps and predictions", "predictions"):
        app = page("attention", benchmark="scenes-classification", method=both, shown=what)
        assert captions(app)[1:] == ["gap  \nby\\-gap", "gem  \nby\\-gem"]
        assert shown(app, "predicted")["predicted"].tolist() == ["by-gap", "by-gem"]
    app = page("attention", benchmark="scenes-classification", method=["gem", "how"])
    assert len(captions(app)) == 3 and "shown" not in app.query_params, "predictions where there is nothing else"
    app = page("attention", benchmark="scenes-classification", method=both, shown="predictions", layer="every", head="every")
    assert len(captions(app)) == 3


def test_every_layer_and_each_head(page, measured, artifacts):
    methods = ["gap", "gem", "how"]
    for method in methods:
        keep(artifacts(measured(method, 70.0)[0]), {f"encoder.{layer}": 2 for layer in range(9)})
    app = page("attention", benchmark="scenes-classification", layer="every", head="every", method=methods)
    assert len(captions(app)) == 1 + 2 * 9 * 2 and len(shown(app)) == 3 * 9 * 2
    assert any("Not drawn" in block.value and "how" in block.value for block in app.text)


def test_label_maps_have_a_key(page, measured, artifacts):
    keep(artifacts(measured("gap", 70.0)[0]), {"neck": 1}, labels=np.ones((8, 8), np.uint8), true="ground", predicted=EVIL)
    count = len(page("attention", benchmark="scenes-classification").get("image"))
    for what in ("maps and predictions", "predictions"):
        app = page("attention", benchmark="scenes-classification", shown=what)
        assert len(app.get("image")) == count + 1
        assert captions(app)[1] == "gap", "what is in a label map is seen there"


def test_what_files_say_is_text(page, measured, artifacts):
    keep(artifacts(measured("gap", 70.0)[0]), {EVIL: 1, "other": 2}, true=EVIL, predicted=EVIL)
    app = page("attention", benchmark="scenes-classification", layer="every", head="every")
    assert any(block.value == EVIL for block in app.text), "the layer's name"
    assert shown(app)["predicted"][0] == EVIL
    told = [*captions(app), *(block.value for some in (app.markdown, app.caption, app.subheader) for block in some)]
    assert not any(re.search(r"(?<!\\)(!\[|\]\(|<script)|https?:", each) for each in told)


def test_a_damaged_file_is_a_sentence(page, measured, artifacts):
    (good,), (bad,) = measured("gap", 70.0), measured("gem", 60.0)
    keep(artifacts(good), {"neck": 1})
    (artifacts(bad) / maps.FILE).write_bytes(b"PK\x03\x04 no maps")
    app = page("attention", benchmark="scenes-classification")
    assert [block.value for block in app.warning] == ["The maps of a trial cannot be read."]
    assert any(bad in block.value for block in app.text)
    assert [caption.split("  ")[0] for caption in captions(app)] == ["test image 0", "gap"]


def test_trials_of_earlier_harnesses_show_their_figures(page, measured, artifacts):
    (first,), (second,) = measured("gap", 70.0), measured("gem", 60.0)
    for digest in (first, second):
        Image.new("RGB", (40, 20), (200, 30, 30)).save(artifacts(digest) / "attention-0.jpg")
    (artifacts(second) / "attention-0.jpg").write_bytes(b"")
    app = page("attention", benchmark="scenes-classification")
    assert len(app.get("image")) == 1 and [block.value for block in app.subheader] == ["gap", "gem"]
    assert any("is empty" in block.value for block in app.text)


def test_without_files_it_says_so(page, measured):
    measured("gap", 70.0, None)
    assert any("No maps lie beside" in block.value for block in page("attention", benchmark="scenes-classification").text)
    for name, value in (("benchmark", "none"), ("layer", "none"), ("method", "none"), ("seed", "77"), ("tab", "none"), ("image", "9")):
        asked = {"benchmark": "scenes-classification", name: value}
        told = [block.value for block in page("attention", **asked).text]
        assert any(f"there is no {value!r} here" in each for each in told) or name in ("layer", "image"), (
            "these are not asked for without maps"
        )


def test_measures_by_layer(page, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0, 82.0)
    app = page("attention", benchmark="scenes-classification", tab="Measures")
    table = shown(app, "entropy")
    assert table["method"].tolist() == ["gem", "gap"] and table["entropy"].tolist() == pytest.approx([0.81, 0.71])
    assert next(box for box in app.selectbox if box.label == "Measure").value == "entropy"
    assert len(app.get("vega_lite_chart")) == 1
    app = page("attention", benchmark="scenes-classification", tab="Measures", metric="none")
    assert any("there is no 'none' here" in block.value for block in app.text)


def test_the_first_epoch(page, measured, artifacts):
    digests = measured("gap", 70.0, 72.0)
    app = page("attention", benchmark="scenes-classification", tab="First epoch")
    assert any("No curve of the first epoch" in block.value for block in app.text)
    old = "iteration,layer,qk_distance,purity\n1,neck,3,0.9\n2,neck,2,0.5\n"
    new = "iteration,layer,qk_distance,purity,entropy\n1,neck,3,nan,2.5\n2,neck,2,nan,nan\n"
    for digest, content in zip(digests, (old, new), strict=True):
        (artifacts(digest) / "first_epoch.csv").write_text(content)
    from streamlit import cache_resource

    cache_resource.clear()
    for measure in ("entropy", "purity", "qk_distance"):
        app = page("attention", benchmark="scenes-classification", tab="First epoch", course=measure)
        assert next(box for box in app.selectbox if box.label == "Measure").value == measure
        assert len(app.get("vega_lite_chart")) == 1


def test_paths_of_cameras(page, measured, artifacts):
    (digest,) = measured("mst-multi-scene-transformer", 0.5, on="rooms")
    app = page("attention", benchmark="rooms", tab="Paths")
    assert any("No predicted poses" in block.value for block in app.text)
    count = 9
    poses = {"position": DRAW.random((count, 3)), "quaternion": DRAW.random((count, 4)), "scene": np.arange(count) % 2}
    np.savez(artifacts(digest) / "predictions.npz", **poses, **{f"pred_{name}": values for name, values in poses.items()})
    from streamlit import cache_resource

    cache_resource.clear()
    app = page("attention", benchmark="rooms", tab="Paths")
    scene = next(box for box in app.selectbox if box.label == "Scene")
    assert scene.options == ["room-1", "room-2"] and len(app.get("vega_lite_chart")) == 1
    np.savez(artifacts(digest) / "predictions.npz", scene=np.zeros(3))
    cache_resource.clear()
    app = page("attention", benchmark="rooms", tab="Paths")
    assert [block.value for block in app.warning] == ["The poses of a trial cannot be read."]
