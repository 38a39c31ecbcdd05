"""Camera localization: generated rooms, floor, options, model, loss, second stage, and a trial from end to end."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from harness.benchmarks import backbones, task
from harness.benchmarks.base import undeclared
from harness.benchmarks.camera_localization import rooms
from harness.catalog import Benchmark, Filling, load_catalog
from harness.errors import DataError, UsageError

SMALL = {"backbone": "resnet-thin", "dim": 16, "heads": 2, "depth": [1, 1], "ffn_dim": 16, "hidden": 16, "dropout": 0.0}


def bench(data: dict | None = None, model: dict | None = None, schedule: dict | None = None) -> Benchmark:
    return Benchmark(
        id="b",
        family="camera-localization",
        data={"format": "synthetic", "rooms": 2, "train": 12, "test": 6, "size": 32, **(data or {})},
        model={**SMALL, **(model or {})},
        schedule={"epochs": 1, "batch_size": 8, **(schedule or {})},
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("rooms")
    task(bench()).generate(folder)
    return folder


def content(folder: Path) -> dict[str, str]:
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.rglob("*") if f.is_file()}


# --- generated rooms


def test_rooms_are_deterministic_and_pass_their_own_check(root, tmp_path):
    task(bench()).generate(tmp_path)
    assert content(root) == content(tmp_path)
    assert task(bench()).check(root) == []


def test_test_poses_lie_inside_the_hull_but_on_other_paths(tmp_path):
    task(bench({"train": 80, "test": 40})).generate(tmp_path)
    listing = task(bench()).listing(tmp_path)
    train, test = (np.array([f.position for f in listing.split(s)]) for s in ("train", "test"))
    assert (test.max(0) <= train.max(0)).all()
    assert (test.min(0) >= train.min(0)).all()
    assert np.linalg.norm(test[:, None] - train[None], axis=-1).min() > 1e-3


def test_a_render_agrees_with_its_pose():
    """The corner of two walls and the ceiling is seen where the pinhole model puts it."""
    room, size = rooms.Room.build(0), 200
    position = np.array([0.4, 0.1, -0.6])
    rotation = Rotation.from_quat([math.cos(0.3), 0.02, math.sin(0.3), 0.05], scalar_first=True).as_matrix()
    image = room.render(position, rotation, size).astype(int)
    corner = rotation.T @ (room.half * (1, -1, 1) - position)
    column, row = (corner[:2] / corner[2] + 1) / 2 * size
    ceiling = np.ptp(image, axis=2) == 0  # the one face without a tint
    lowest = [rows[-1] if len(rows := np.flatnonzero(ceiling[:, c])) else -1 for c in range(size)]
    # off a corner the ceiling's edge rises on both sides
    bottom = np.flatnonzero(np.array(lowest) == max(lowest))
    assert len(bottom) < 10
    assert bottom[0] - 1 <= column <= bottom[-1] + 1
    assert abs(max(lowest) - row) <= 2


def test_rooms_share_designs_so_that_one_poster_tells_nothing():
    """Every colour of a poster occurs in both rooms; only arrangement and shade differ."""
    found = [{tuple(c) for c in np.round(rooms.Room.build(index).texels[::7], 3)} for index in range(2)]
    assert len(found[0] & found[1]) >= 12


# --- floor, samples, metrics


def test_floor_is_the_constant_pose(root):
    chosen = task(bench())
    found = chosen.floor(root)
    train, test = (chosen.listing(root).split(split) for split in ("train", "test"))
    for scene, name in enumerate(chosen.data.scene_names):
        guess = np.median([f.position for f in train if f.scene == scene], axis=0)
        errors = [np.linalg.norm(f.position - guess) for f in test if f.scene == scene]
        assert found[f"position_median_m/{name}"] == pytest.approx(np.median(errors))
    assert not list(undeclared(found, chosen.metrics))
    assert found["scene_accuracy"] == 50


def test_samples_show_every_scene(root):
    shown = task(bench()).samples(root, 4)
    assert {sample.name.split("/")[0] for sample in shown} == {"room-1", "room-2"}
    assert all((sample.image != sample.annotated).any() and "m, turned by" in sample.caption for sample in shown)


# --- options


@pytest.mark.parametrize(
    ("data", "model", "says"),
    [
        ({"crop": 300}, {}, "larger than the resized image"),
        ({"crop": None, "resize": 64}, {}, "resize needs"),
        ({"scenes": ["a", "a"]}, {}, "twice"),
        ({"scenes": ["a", "a/"]}, {}, "twice"),
        ({"scenes": ["./a", "a"]}, {}, "twice"),
        ({"scenes": [".", "r"]}, {}, "two scenes are called 'r'"),
        ({"scenes": ["../a"]}, {}, "subfolders"),
        ({"counts": {"b": [1, 1]}}, {}, "not listed"),
        ({}, {"dim": 30, "heads": 4}, "multiple of heads"),
        ({}, {"depth": [0, 1]}, "at least one layer"),
    ],
)
def test_impossible_options_are_refused(data, model, says):
    entry = Benchmark(id="b", family="camera-localization", data={"format": "7scenes", "root": "r", **data}, model=model)
    with pytest.raises(UsageError, match=says):
        task(entry)


@pytest.mark.parametrize(
    ("data", "model", "says"),
    [
        ({}, {"backbone": "efficentnet-b0"}, "Did you mean 'efficientnet-b0'"),
        ({}, {"backbone": {"type": "mmpretrain.ResNet", "depth": 18, "_channels": 512}}, "_channels"),
        ({"augment": True}, {"frozen": True, "weights": {"file": "x"}}, "makes another image of it in every epoch"),
    ],
)
def test_impossible_models_are_refused(data, model, says):
    with pytest.raises(UsageError, match=says):
        task(bench(data, model)).config({})


def test_every_method_of_the_family_makes_a_config():
    catalog = load_catalog()
    chosen = task(bench())
    made = {m.id for m in catalog.methods.values() if m.slots and (f := m.fill(chosen.slots)) and chosen.config(f)}
    assert made >= {"mst-multi-scene-transformer", "mspn-multi-scene-posenet", "qk-alignment-plus-fixed-pe", "se"}


def test_the_papers_schedule():
    catalog = load_catalog()
    config = task(catalog.benchmarks["cambridge-landmarks"]).config({})
    assert config["train_cfg"]["max_epochs"] == 660
    assert [(s["begin"], s["end"], s["step_size"]) for s in config["param_scheduler"]] == [(0, 600, 200), (600, 660, 20)]
    assert config["optim_wrapper"]["optimizer"] == {"type": "Adam", "lr": 1e-4, "weight_decay": 1e-4, "eps": 1e-10}
    assert config["model"]["model"]["uncertainty"] == [-3.0, -6.5]
    assert config["train_dataloader"]["dataset"]["equalise"] and not config["test_dataloader"]["dataset"]["equalise"]


# --- model


def plugins(*names: str) -> None:
    from harness.catalog.plugins import discover, load_plugins

    load_plugins({"encoder-layer", "learnable-pe", *names}, discover())


def model(scenes: int = 2, **fillings: Filling):
    from mmengine.registry import MODELS

    plugins(*(filling.plugin for filling in fillings.values()))
    return MODELS.build(task(bench({"rooms": scenes})).config(fillings)["model"]["model"])


def batch(count: int = 4, scenes: int = 2):
    import torch
    from mmengine.structures import BaseDataElement

    torch.manual_seed(0)
    samples = []
    for n in range(count):
        sample = BaseDataElement()
        sample.position, sample.quaternion, sample.scene = torch.randn(3), torch.randn(4), torch.tensor(n % scenes)
        samples.append(sample)
    return torch.randn(count, 3, 32, 32), samples


def test_loss_by_hand(openmmlab):
    import torch
    from torch.nn import functional as F

    built = model()
    images, samples = batch()
    with torch.no_grad():
        built.uncertainty.copy_(torch.tensor([0.5, -2.0]))
        built.eval()
        losses = built(images, samples, mode="loss")
        scene = torch.stack([s.scene for s in samples])
        out = built.head(tuple(built.backbone(images)), scene)
    x, q = (torch.stack([s.get(name) for s in samples]) for name in ("position", "quaternion"))
    position = (out["position"] - x).norm(dim=1).mean()
    orientation = (out["quaternion"] / out["quaternion"].norm(dim=1, keepdim=True) - q / q.norm(dim=1, keepdim=True)).norm(dim=1).mean()
    torch.testing.assert_close(losses["loss_position"], position * math.exp(-0.5) + 0.5)
    torch.testing.assert_close(losses["loss_orientation"], orientation * math.exp(2.0) - 2.0)
    torch.testing.assert_close(losses["loss_scene"], F.nll_loss(out["scene"], scene))


def test_the_true_scene_selects_in_training_and_the_likeliest_otherwise(openmmlab):
    import torch

    built = model(scenes=3).eval()
    images, _ = batch()
    with torch.no_grad():
        features = tuple(built.backbone(images))
        free = built.head(features)
        likeliest = free["scene"].argmax(-1)
        torch.testing.assert_close(built.head(features, likeliest)["position"], free["position"])
        assert not torch.allclose(built.head(features, (likeliest + 1) % 3)["position"], free["position"])
    torch.testing.assert_close(free["scene"].exp().sum(-1), torch.ones(4))


def test_alignment_is_collected_from_the_encoders_only(openmmlab):
    """One list per branch, one state per layer, with gradients; nothing is collected without the loss."""
    import torch

    built = model(attention_loss=Filling(plugin="qk-alignment-loss", weight=1.0))
    images, samples = batch()
    losses = built(images, samples, mode="loss")
    states: list = []
    built.head(tuple(built.backbone(images)), None, states=states)
    assert [len(branch) for branch in states] == [1, 1]
    expected = sum((s.q.mean(2) - s.k.mean(2)).norm(dim=-1).mean() for branch in states for s in branch)
    torch.testing.assert_close(losses["loss_attention"], expected)
    losses["loss_attention"].backward()
    assert built.head.position_branch.encoder[0].attention.query.weight.grad.abs().sum() > 0
    assert "loss_attention" not in model()(images, samples, mode="loss")


def test_a_method_without_self_attention_yields_no_alignment(openmmlab):
    built = model(attention_loss=Filling(plugin="qk-alignment-loss"), encoder_attention=Filling(plugin="no-encoder-self-attention"))
    assert "loss_attention" not in built(*batch(), mode="loss")


@pytest.mark.parametrize("name", [name for name, known in backbones.BACKBONES.items() if len(known.levels) > 1])
def test_every_backbone_returns_a_fine_and_a_coarse_map_of_the_stated_widths(openmmlab, name):
    import torch
    from mmengine.registry import MODELS

    chosen = task(bench(model={"backbone": name})).config({})["model"]["model"]
    backbone = MODELS.build(chosen["backbone"])
    backbone.eval()
    with torch.no_grad():
        fine, coarse = backbone(torch.zeros(1, 3, 64, 64))
    stated = backbones.BACKBONES[name]
    assert [fine.shape[1], coarse.shape[1]] == chosen["channels"]
    assert [64 // fine.shape[2], 64 // coarse.shape[2]] == [stated.levels[level][1] for level in stated.pair]


def test_authors_size(openmmlab):
    """d 256, 6 + 6 layers per branch, as the published configurations count."""
    from harness.benchmarks.camera_localization.mm.transformer import MultiSceneTransformer

    plugins()
    d, layers, scenes = 256, 6, 4
    filling = {"encoder": {"plugin": "encoder-layer", "params": {}}, "position": {"plugin": "learnable-pe", "params": {}}}
    built = MultiSceneTransformer((40, 112), scenes, dim=d, heads=8, depth=(layers, layers), ffn_dim=d, dropout=0.1, hidden=1024, **filling)
    decoder = 2 * (4 * d * d + 4 * d) + 2 * d * d + 2 * d + 6 * d
    branch = layers * (395_776 + decoder) + 4 * d + scenes * d
    regressors = 2 * (d * 1024 + 1024) + 1024 * 7 + 7
    assert sum(p.numel() for p in built.parameters()) == 2 * branch + 50 * d + (40 + 112) * d + 2 * d + regressors + 2 * d + 1
    assert built.position_branch.position is built.orientation_branch.position, "one table for both maps, 12,800 numbers"


# --- trials


def trial(root: Path, work_dir: Path, method: str = "mst-multi-scene-transformer", **changes):
    from harness.catalog.plugins import discover, load_plugins
    from harness.compose import compose
    from harness.engine.trial import run_trial

    files = discover()
    planned = compose(load_catalog().methods[method], task(bench(**changes)), 0, "fingerprint", files)
    load_plugins(set(planned.plugins), files)
    work_dir.mkdir(exist_ok=True)
    return run_trial(planned, data=root, work_dir=work_dir)


@pytest.mark.parametrize("method", ["qk-alignment-plus-fixed-pe", "mspn-multi-scene-posenet", "se"])
def test_a_trial_reports_what_the_family_promises(openmmlab, root, tmp_path, method):
    outcome = trial(root, tmp_path / "a", method)
    promised = task(bench()).metrics
    assert not list(undeclared(outcome.metrics, promised))
    assert {f"{m.name}/room-2" for m in promised if m.per_scene} <= set(outcome.metrics)
    assert {name: len(values) for name, values in outcome.per_sample.items()} == dict.fromkeys(
        ("position_error_m", "orientation_error_deg", "scene_correct", "group"), 12
    )
    first_room = np.median(outcome.per_sample["position_error_m"][:6])
    assert outcome.metrics["position_median_m/room-1"] == pytest.approx(float(first_room), rel=1e-6)
    assert trial(root, tmp_path / "b", method).metrics == outcome.metrics
    artifacts = tmp_path / "a" / "artifacts"
    for name, width in (("trajectories.png", 800), ("errors.png", 1300)):
        assert Image.open(artifacts / name).size[0] == width
    saved = np.load(artifacts / "predictions.npz", allow_pickle=False)
    assert saved["pred_position"].shape == (12, 3)


def test_plots_survive_wild_predictions_and_an_empty_scene(openmmlab, tmp_path):
    from harness.benchmarks.camera_localization.mm import plots

    rng = np.random.default_rng(0)
    predictions = {"position": rng.normal(size=(9, 3)), "quaternion": rng.normal(size=(9, 4)), "scene": np.repeat([0, 2], [8, 1])}
    predictions |= {f"pred_{name}": values + 0.1 for name, values in predictions.items()}
    predictions["pred_position"][0] = np.nan
    drawn = plots.draw(predictions, ["a", "empty", "c"], [(0.2, 5.0), (0.3, 10.0)], tmp_path / "new")
    assert all(Image.open(file).size[0] >= 800 for file in drawn)


def test_the_second_stage_teaches_the_position_regressor_alone(openmmlab, root, tmp_path, monkeypatch):
    from harness.benchmarks.camera_localization.mm.hooks import FineTunePosition

    states, seen = [], []

    def remember(self, runner):
        states.append({key: value.clone() for key, value in runner.model.state_dict().items()})
        transform = runner.train_dataloader.dataset.pipeline.transforms[1]
        seen.append((transform.active, runner.optim_wrapper.get_lr()["lr"][0]))

    monkeypatch.setattr(FineTunePosition, "after_train_epoch", remember)
    schedule = {"epochs": 2, "finetune": {"epochs": 2, "lr": 0.01, "step": 1}, "weight_decay": 0.01}
    trial(root, tmp_path / "stage", schedule=schedule)
    assert [active for active, _ in seen] == [False, False, True, True]
    assert [lr for _, lr in seen[2:]] == pytest.approx([0.01, 0.001])
    changed = {key for key in states[1] if not states[1][key].equal(states[3][key])}
    assert changed
    assert all(key.startswith("head.position_regressor") for key in changed)


def test_a_model_without_position_regressor_hears_of_it_before_it_trains(openmmlab, root, tmp_path):
    with pytest.raises(UsageError, match=r"MultiScenePoseNet has no `position_regressor`.*finetune=null"):
        trial(root, tmp_path / "stage", "mspn-multi-scene-posenet", schedule={"finetune": {"epochs": 1}})


def test_scenes_weigh_alike(openmmlab, tmp_path):
    """A scene with fewer frames is drawn again; every frame of it stays in."""
    from mmengine.registry import DATASETS

    task(bench({"train": 12})).generate(tmp_path)
    (tmp_path / "room-2" / "TrainSplit.txt").write_text("sequence1\n")
    config = task(bench({"equalise": True})).config({})["train_dataloader"]["dataset"]
    dataset = DATASETS.build({**config, "root": str(tmp_path)})
    assert len(dataset) == 24
    np.random.seed(0)
    drawn = [dataset[i]["data_samples"] for i in range(len(dataset))]
    assert [sample.scene.item() for sample in drawn] == [0] * 12 + [1] * 6 + [1] * 6
    assert [sample.sample_idx for sample in drawn[:18]] == list(range(18))
    for sample in drawn[18:]:  # what is remembered of a frame is found by its own index, however it was drawn
        frame = drawn[sample.sample_idx]
        assert sample.sample_idx in range(12, 18) and sample.img_path == frame.img_path
        assert sample.position.equal(frame.position)


def test_an_image_that_cannot_be_read_ends_the_trial_with_its_name(openmmlab, tmp_path):
    task(bench()).generate(tmp_path)
    (tmp_path / "room-1/seq-01/frame-000003.color.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="frame-000003"):
        trial(tmp_path, tmp_path / "work")


@pytest.mark.real
@pytest.mark.slow
def test_redkitchen_beats_the_constant_pose(openmmlab, tmp_path):
    import os

    from harness.catalog.plugins import discover, load_plugins
    from harness.compose import compose
    from harness.engine.trial import run_trial

    entry, root = task(load_catalog().benchmarks["redkitchen"]), Path(os.environ["HARNESS_DATA"], "7scenes")
    guess = entry.floor(root)
    assert guess["position_median_m"] == pytest.approx(0.746, abs=0.005)
    assert guess["orientation_median_deg"] == pytest.approx(16.2, abs=0.1)
    files = discover()
    planned = compose(load_catalog().methods["mst-multi-scene-transformer"], entry, 0, "fingerprint", files)
    load_plugins(set(planned.plugins), files)
    metrics = run_trial(planned, data=root, work_dir=tmp_path).metrics
    assert metrics["position_median_m"] <= 0.55
    assert metrics["orientation_median_deg"] <= 10
