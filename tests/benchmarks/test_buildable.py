"""A registry runs no code: whatever class OpenMMLab registers, and whatever an entry tells it, nothing of a dataset is executed."""

from __future__ import annotations

import contextlib
import inspect
import json
import pickle
import sys
from pathlib import Path

import pytest

from harness.benchmarks import buildable, task
from harness.benchmarks.options import ModelOptions
from harness.catalog import Benchmark
from harness.errors import HarnessError, UsageError


class Gadget:
    def __init__(self, written: Path):
        self.written = written

    def __reduce__(self):
        return Path.touch, (self.written,)


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A dataset whose files write ``ran`` when they are executed, in the current folder."""
    monkeypatch.chdir(tmp_path)
    ran = tmp_path / "ran"
    for name in ("evil.pkl", "evil.pth", "evil.pickle"):
        (tmp_path / name).write_bytes(pickle.dumps([Gadget(ran)]))
    (tmp_path / "evil.py").write_text(f"open({str(ran)!r}, 'w')\ndataset_info = {{}}\n")
    (tmp_path / "a.json").write_text(json.dumps({"images": [], "annotations": [], "categories": []}))
    own = tmp_path / "configs" / "_base_" / "datasets"
    own.mkdir(parents=True)
    (own / "coco.py").write_text((tmp_path / "evil.py").read_text())
    return ran


EXPRESSION = "float32 if __import__('pathlib').Path('ran').touch() else float32"
PRETRAINED = {"type": "Pretrained", "checkpoint": "evil.pth"}
TOLD = ("evil.pth", "evil.py", EXPRESSION, ["evil.pth"], {"checkpoint": "evil.pth"}, PRETRAINED)
POINTS = {"ann_file": "a.json"}


def segmentation(kind: str, **train) -> dict:
    data = {"format": "mmseg", "root": ".", "type": kind, "num_classes": 2, "train": train, "test": train}
    return {"family": "segmentation", "data": data}


def keypoint(kind: str, files: dict = POINTS, **arguments) -> dict:
    given = {"format": "mmpose", "root": ".", "type": kind, "keypoints": 17, "train": POINTS, "test": files, "arguments": arguments}
    return {"family": "keypoint", "data": given}


def network(**backbone) -> dict:
    return {"family": "classification", "data": {"format": "synthetic"}, "model": {"backbone": {"_channels": 8, **backbone}}}


def resnet(**more) -> dict:
    return network(type="mmpretrain.ResNet", depth=18, **more)


CONVERT = [{"type": "mmpretrain.torchvision/ConvertImageDtype", "dtype": EXPRESSION}]
GADGETS = {
    "a pickle as annotations": segmentation("mmpretrain.BaseDataset", ann_file="evil.pkl"),
    "a class in the place of another": segmentation("BaseSegDataset", type="mmpretrain.BaseDataset", ann_file="evil.pkl"),
    "a pickle of several labels": segmentation("mmpretrain.MultiLabelDataset", ann_file="evil.pkl"),
    "an expression in a pipeline": segmentation("BaseSegDataset", pipeline=CONVERT),
    "an expression in a pipeline of points": keypoint("CocoDataset", pipeline=CONVERT),
    "a description of points": keypoint("CocoDataset", metainfo={"from_file": "evil.py"}),
    "a description of points further down": keypoint(
        "CombinedDataset", metainfo={}, datasets=[{"type": "CocoDataset", "metainfo": {"from_file": "evil.py"}, "ann_file": "a.json"}]
    ),
    "detected boxes": keypoint("CocoDataset", {**POINTS, "bbox_file": "evil.pkl"}),
    "first values under another name": resnet(init_cfg={"type": "mmengine.Pretrained", "checkpoint": "evil.pth"}),
    "first values of a part": resnet(plugins=[{"cfg": {"type": "ContextBlock", "init_cfg": [PRETRAINED]}}]),
    "a network of another library": network(type="mmpretrain.TIMMBackbone", model_name="resnet18", checkpoint_path="evil.pth"),
    "a network that loads by itself": network(type="mmseg.VPD", diffusion_cfg={"checkpoint": "evil.pth"}, class_embed_path="evil.pth"),
    "a whole model": network(type="mmpretrain.RAM", tokenizer="x", vision_backbone={}, tag_encoder={}, tagging_head={}, text_decoder={}),
    "a text model": network(type="mmpretrain.HuggingFaceCLIP", name_or_path="evil"),
    "a loss with weights": resnet(norm_cfg={"type": "mmseg.CrossEntropyLoss", "class_weight": "evil.pkl"}),
}  # fmt: skip


@pytest.mark.parametrize("name", GADGETS)
def test_an_entry_that_would_run_code_is_refused(openmmlab, hostile, name):
    entry = Benchmark(id="b", **GADGETS[name])
    with pytest.raises(UsageError, match=r"benchmark 'b': (data|model)"):
        task(entry).check(Path())
    assert not hostile.exists()


def test_the_description_of_points_is_that_of_mmpose_whatever_lies_in_the_current_folder(openmmlab, hostile):
    with contextlib.suppress(HarnessError):
        task(Benchmark(id="b", **keypoint("CocoDataset"))).check(Path())
    assert not hostile.exists()


def test_what_was_said_is_what_a_config_holds(openmmlab):
    """Arguments are typed and stay as they were given: nothing is added to them, so that no digest changes."""
    said = {"data_prefix": {"img_path": "a"}, "metainfo": {"classes": ["x", "y"]}, "indices": 3}
    typed = task(Benchmark(id="b", **segmentation("BaseSegDataset", **said))).data
    assert typed.model_dump(mode="json")["train"] == said
    assert task(Benchmark(id="b", **keypoint("CocoDataset"))).data.model_dump(mode="json")["arguments"] == {}


def _registered() -> dict[str, type]:
    """Every class and function of every registry that a type may name, with its toolbox in front."""
    from mmengine import registry

    found = {}
    for root in (item for item in vars(registry).values() if isinstance(item, registry.Registry)):
        for scope, child in ((root.scope, root), *root.children.items()):
            found |= {f"{scope}.{name}": made for name, made in child.module_dict.items()}
    return found


def _is_taken(entry: dict) -> bool:
    try:
        task(Benchmark(id="b", **entry))
    except UsageError:
        return False
    return True


def test_of_all_that_is_registered_an_entry_may_name_what_is_listed(openmmlab):
    """Wherever a registry entry names a class: as a dataset, as a network, inside of one."""
    every = _registered()
    assert len(every) > 1000
    places = {
        "segmentation": (lambda name: segmentation(name), {f"mmseg.{name}" for name in buildable.MMSEG_DATASETS}),
        "keypoint": (lambda name: keypoint(name.removeprefix("mmpose.")), {f"mmpose.{name}" for name in buildable.MMPOSE_DATASETS}),
        "network": (lambda name: network(type=name), {f"{scope}.{name}" for scope, names in buildable.BACKBONES.items() for name in names}),
    }
    for place, (entry, listed) in places.items():
        assert {name for name in every if _is_taken(entry(name))} == listed, place
    inside = {name for name in every if _is_taken(resnet(norm_cfg={"type": name}))}
    assert {name for name in inside if name not in places["network"][1]} == {n for n in every if n.partition(".")[2] in buildable.PARTS}
    modules = {every[name].__module__ for name in inside}
    allowed = ("mmcv.cnn", "mmcv.ops", "torch.nn", "mmengine.model", "mm")
    assert all(module.startswith(allowed) for module in modules)
    assert not {module for module in modules if "pretrained" in module.lower() or ".runner" in module}


def test_no_class_that_may_be_named_opens_what_it_is_told(openmmlab, hostile):
    """Each argument of each class that an entry can name is told of a pickle, a program and an expression, and the class is built."""
    import torch
    from mmengine.registry import MODELS, DefaultScope

    every, built, refused = _registered(), 0, 0
    opened: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple) -> None:
        if watching and event in ("open", "compile", "exec", "pickle.find_class", "os.system", "subprocess.Popen", "socket.connect"):
            told = str(arguments[0] or "")
            if "evil" in told or event not in ("open", "compile", "exec"):
                opened.append(f"{event} {told:.80}")

    sys.addaudithook(watch)
    for scope, names in buildable.BACKBONES.items():
        for name in sorted(names):
            parameters = {
                parameter
                for kin in every[f"{scope}.{name}"].__mro__
                if "__init__" in vars(kin)
                for parameter in inspect.signature(kin.__init__).parameters
            }
            for parameter in sorted(parameters - {"self", "args", "kwargs"}):
                for value in TOLD:
                    try:
                        typed = ModelOptions(backbone={"type": f"{scope}.{name}", parameter: value})
                    except ValueError:
                        refused += 1
                        continue
                    if typed.weights:  # known by content, and loaded as tensors only
                        continue
                    assert parameter in buildable.WORDS
                    built += 1
                    with contextlib.suppress(Exception), torch.device("meta"), DefaultScope.overwrite_default_scope(scope):
                        MODELS.build(typed.backbone).init_weights()
    watching = False
    assert not hostile.exists() and not opened
    assert refused > 5000 and built > 100
