"""Plugins in configs of all toolboxes, trained by mmengine's Runner: nothing of ours but the import."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"

RUN = """
import sys
from mmengine.config import Config
from mmengine.runner import Runner

runner = Runner.from_cfg(Config.fromfile(sys.argv[1]))
before = {name: value.clone() for name, value in runner.model.named_parameters()}
runner.train()
print("MODULES", sorted({type(module).__name__ for module in runner.model.modules()}))
blocks = {name: value for name, value in runner.model.named_parameters() if name.startswith("attention_blocks")}
changed = {name.split(".")[1] for name, value in blocks.items() if (value != before[name]).any()}
print("LEARNT", len(changed) == len(getattr(runner.model, "attention_blocks", ())))
"""

CASES = {
    "mmseg": (
        "mmseg::fcn/fcn_r50-d8_4xb4-80k_ade20k-512x512.py",
        {
            "blocks": [
                {"path": "backbone.layer3", "plugin": "gc-block"},
                {"path": "decode_head.convs.0", "plugin": "cbam"},
                {"path": "decode_head.conv_cat", "plugin": "se"},
            ]
        },
        {"GCBlock", "CBAM", "SqueezeExcite"},
    ),
    "mmpose": (
        "mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py",
        {"blocks": [{"path": "head.deconv_layers", "plugin": "gc-block"}]},
        {"GCBlock"},
    ),
    "mmpretrain": (
        "mmpretrain::vision_transformer/vit-base-p16_64xb64_in1k.py",
        {"encoder": {"layers": "backbone.layers", "attention": {"plugin": "sigma-reparam"}, "position": {"plugin": "rotary-pe"}}},
        {"SigmaReparamLayer", "RotaryPosition"},
    ),
    "mmdet": (
        "mmdet::detr/detr_r50_8xb2-150e_coco.py",
        {
            "blocks": [{"path": "neck", "plugin": "gc-block"}],
            "encoder": {"layers": "encoder.layers", "loss": {"plugin": "qk-alignment-loss"}},
        },
        {"GCBlock", "QueryKeyAlignment"},
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("toolbox", CASES)
def test_a_toolbox_trains_with_plugins(tmp_path, toolbox):
    stock, told, expected = CASES[toolbox]
    tools = runpy.run_path(str(DOCS / "stock_configs.py"))
    tools["draw"](tmp_path / "data")
    file = tools["cut_file"](stock, tmp_path)
    side = {"mmpose": (128, 96), "mmpretrain": (74, 74)}.get(toolbox, (64, 64))
    wrapped = {"type": "Attend", "input_size": side, **told}
    no_weights = "model.pop('pretrained', None)\nmodel['backbone'].pop('init_cfg', None)\n"
    wrap = f"{no_weights}model = dict(model=model, **{wrapped!r})\n"
    rest = "custom_imports = dict(imports=['harness.register'])\nval_dataloader = val_cfg = val_evaluator = None\nwork_dir = 'work'\n"
    quiet = "for name in list(default_hooks):\n    if name in ('visualization',):\n        default_hooks.pop(name)\n"
    text = file.read_text() + wrap + rest + quiet + "train_dataloader['num_workers'] = 0\ntrain_dataloader['persistent_workers'] = False\n"
    file.write_text(text)
    (tmp_path / "run.py").write_text(RUN)
    done = subprocess.run([sys.executable, "run.py", str(file)], cwd=tmp_path, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    modules = next(line for line in done.stdout.splitlines() if line.startswith("MODULES"))
    plugins = [name for name in modules.removeprefix("MODULES ").strip("[]").replace("'", "").split(", ")]
    assert expected <= set(plugins), plugins
    assert "LEARNT True" in done.stdout
    assert "loss_attention" in done.stdout + done.stderr or "loss" not in json.dumps(told)
