"""OpenMMLab config files that fail, lie, or never end."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from breaking import odd, syntax
from breaking.case import Case, harness

SOUND = """
default_scope = "mmpretrain"
model = dict(type="ImageClassifier", backbone=dict(type="ResNet", depth=18, out_indices=(3,)), neck=dict(type="GlobalAveragePooling"),
             head=dict(type="LinearClsHead", num_classes=2, in_channels=512, loss=dict(type="CrossEntropyLoss")))
pipeline = [dict(type="LoadImageFromFile"), dict(type="Resize", scale=32), dict(type="PackInputs")]
loader = dict(batch_size=2, num_workers=0, sampler=dict(type="DefaultSampler", shuffle=False),
              dataset=dict(type="CustomDataset", data_root="data", data_prefix="train", pipeline=pipeline))
train_dataloader = loader
test_dataloader = loader
test_evaluator = dict(type="Accuracy", topk=(1,))
train_cfg = dict(by_epoch=True, max_epochs=1)
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type="SGD", lr=0.1))
"""
PIXELS = """
_base_ = ["base.py"]
custom_imports = dict(imports=["own"])
crop = (32, 32)
data_preprocessor = dict(type="SegDataPreProcessor", size=crop, pad_val=0, seg_pad_val=255)
norm = dict(type="BN", requires_grad=True)
model = dict(type="EncoderDecoder", data_preprocessor=data_preprocessor,
             backbone=dict(type="ResNetV1c", depth=18, out_indices=(0, 1, 2, 3), norm_cfg=norm),
             decode_head=dict(type="FCNHead", in_channels=512, in_index=3, channels=16, num_convs=2, num_classes=2, norm_cfg=norm,
                              loss_decode=dict(type="CrossEntropyLoss", loss_weight=1.0)),
             train_cfg=dict(), test_cfg=dict(mode="whole"))
pipeline = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations"), dict(type="RandomCrop", crop_size=crop),
            dict(type="PackSegInputs")]
train_dataloader = dict(batch_size=2, num_workers=2, sampler=dict(type="InfiniteSampler", shuffle=True),
                        dataset=dict(type="BaseSegDataset", data_root="data", metainfo=dict(classes=("a", "b")), pipeline=pipeline,
                                     data_prefix=dict(img_path="train", seg_map_path="train")))
val_dataloader = dict(batch_size=1, sampler=dict(type="DefaultSampler", shuffle=False), dataset=train_dataloader["dataset"])
test_dataloader = val_dataloader
val_evaluator = dict(type="IoUMetric", iou_metrics=["mIoU"])
test_evaluator = val_evaluator
"""
BASE = """
default_scope = "mmseg"
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.01, momentum=0.9), clip_grad=None)
param_scheduler = [dict(type="PolyLR", eta_min=1e-4, power=0.9, begin=0, end=100, by_epoch=False)]
train_cfg = dict(type="IterBasedTrainLoop", max_iters=100, val_interval=50)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
custom_hooks = [dict(type="EMAHook", momentum=0.01)]
auto_scale_lr = dict(base_batch_size=16, enable=False)
"""
OWN = "from mmengine.registry import HOOKS\n"
ADDED = (
    "while True: pass", "import time; time.sleep(1000)", "import os; os._exit(3)", "import sys; sys.exit(0)", "raise KeyboardInterrupt",
    "1 / 0",
    "import os; os.kill(os.getpid(), 9)", "import os; os.abort()", "print('x' * 3_000_000)",
    "import sys; sys.stdout.write('{}'); sys.stdout.flush()",
    "import os; os.write(1, b'\\xff\\xfe')", "import os; os.close(1)", "import os; os.closerange(0, 99)", "model = None", "model = 3",
    "model = []",
    "model['x'] = model", "model = dict(type=int)", "train_dataloader = None", "optim_wrapper = dict()",
    "optim_wrapper['optimizer']['lr'] = float('nan')",
    "optim_wrapper['optimizer']['lr'] = 'x'", "optim_wrapper['optimizer'] = None", "train_cfg = dict(max_epochs=-1)",
    "train_cfg = dict(max_epochs='x')",
    "train_cfg = dict(type='NoLoop')", "default_scope = None", "default_scope = 'mmfoo'", "default_scope = ['mmseg']",
    "_base_ = 'nowhere.py'",
    "_base_ = ['config.py']", "load_from = 'x'", "resume = True", "test_evaluator = None", "test_evaluator = 3", "test_evaluator = []",
    "x = object()",
    "x = lambda: 1", "x = {1: 2, (3, 4): 5}", "x = b'x'", "x = {object()}", "x = 10 ** 5000", "x = '\\ud800'", "x = '\\x1b[31m'",
    "x = float('inf')",
    "a = []\nfor _ in range(5000): a = [a]", "train_dataloader['batch_size'] = 0", "train_dataloader['batch_size'] = 'x'",
    "train_dataloader['dataset'] = None",
    "train_dataloader['dataset'] = dict()", "train_dataloader['dataset']['data_root'] = 3",
    "train_dataloader['dataset']['data_prefix'] = 5", "pipeline[0] = 3",
    "custom_imports = 3", "custom_imports = dict(imports=['nowhere_at_all'])", "custom_imports = dict(imports=3)", "custom_hooks = 3",
    "custom_hooks = [3]",
    "default_hooks = 3", "param_scheduler = 3", "param_scheduler = [dict()]", "import nowhere_at_all",
    "from mmengine.config import read_base\nwith read_base():\n    from .nowhere import *",
    "train_dataloader = dict(batch_size=2)", "model['data_preprocessor'] = 3", "model['backbone'] = None", "model['backbone'] = 'x'",
    "val_dataloader = 3",
    "train_dataloader['dataset'] = dict(type='ConcatDataset', datasets=3)",
    "train_dataloader['dataset']['metainfo'] = dict(from_file='/dev/zero')",
    "train_cfg = []", "train_cfg = dict(by_epoch=True, max_epochs=10**30)", "optim_wrapper = [1]", "model['backbone']['init_cfg'] = 3",
)  # fmt: skip
REFUSED = ("while True", "import time", "os._exit", "os.kill", "os.abort", "1 / 0", "raise Key", "model = ", "train_dataloader = None",
    "optim_wrapper = ",
           "default_scope", "load_from", "train_cfg = dict(type", "lr'] = ", "x = object", "x = lambda", "x = float",
           "_base_ = 'nowhere")  # fmt: skip


NUMBERS = ("train_dataloader.batch_size", "train_cfg.max_epochs", "optim_wrapper.optimizer.lr")
"""Places of numbers that the harness itself reads."""


def _plain(text: str) -> dict[str, Any]:
    """What a config says, each mention of a part a part of its own."""
    said: dict[str, Any] = {}
    exec(text, {}, said)
    return json.loads(json.dumps({key: value for key, value in said.items() if key not in ("pipeline", "loader")}))


def prepare(shared: Path) -> None:
    """Import what a dry run needs."""
    harness("list", "benchmarks")


def make(dice: random.Random, folder: Path, shared: Path) -> Case:
    file, must, method = folder / "config.py", "either", "gap"
    draw = dice.random()
    if draw < 0.12:
        how = dice.choice([*odd.BYTES])
        file.write_bytes(odd.BYTES[how](dice, SOUND.encode()))
    elif draw < 0.17:
        file.write_text(SOUND)
        how, must = odd.special(dice, file), "refuse"
    elif draw < 0.45:
        how, text = syntax.change(dice, SOUND)
        file.write_text(text, encoding="utf-8")
    elif draw < 0.6:
        parts, method = {"config.py": PIXELS, "base.py": BASE, "own.py": OWN}, dice.choice(["identity", "gc-block", "dnl-pairwise-only"])
        name = dice.choice([*parts])
        how, parts[name] = syntax.change(dice, parts[name]) if dice.random() < 0.9 else ("lost", None)
        how = f"{name}: {how}"
        for one, text in parts.items():
            if text is not None:
                (folder / one).write_text(text, encoding="utf-8")
    elif draw < 0.8:
        content = _plain(SOUND)
        how, where, _, after = odd.tree(dice, content)
        try:
            text = "".join(f"{key} = {syntax.written(value)}\n" for key, value in content.items() if str(key).isidentifier())
        except RecursionError:  # Python cannot print it; nor can it read so many brackets
            text = f"{SOUND}\nmodel = {'[' * 5000}{']' * 5000}\n"
        file.write_text(text)
        if how == "value" and where in NUMBERS and any(after is some for some in odd.HOPELESS):
            must = "refuse"
        how = f"{how} {where} {odd.shown(after)}"
    else:
        how = dice.choice(ADDED)
        file.write_text(SOUND + how + "\n")
        must = "refuse" if how.startswith(REFUSED) or any(words in how for words in REFUSED[2:5]) else "either"
    (folder / "data/train/a").mkdir(parents=True)

    def act() -> bool:
        from harness.benchmarks.openmmlab import entry

        entry.PATIENCE = 45.0
        return not harness("run", "--config", "config.py", "-m", method, "--dry-run", "--db", "sqlite:///h.db").refused

    return Case(how, must, act)  # type: ignore[arg-type]
