"""Stock configs of the installed toolboxes on a few drawn images: which of them run as benchmarks, as a table for docs/openmmlab.md.

    python docs/stock_configs.py [NAME ...]

Each config file is taken from its toolbox and cut down in length and in the size of its images; all else is as it is there. Two
methods are run on each by ``harness run --config``, and what came out is written to docs/stock_configs.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

STOCK = {
    "FCN, ResNet-50": ("mmseg::fcn/fcn_r50-d8_4xb4-80k_ade20k-512x512.py", "identity gc-block"),
    "DeepLabV3, ResNet-50": ("mmseg::deeplabv3/deeplabv3_r50-d8_4xb4-80k_ade20k-512x512.py", "identity gc-block"),
    "SegFormer, MiT-B0": ("mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py", "identity gc-block"),
    "UPerNet, Swin-T": (
        "mmseg::swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py",
        "identity gc-block",
    ),
    "HRNet-W18, FCN": ("mmseg::hrnet/fcn_hr18_4xb4-80k_ade20k-512x512.py", "identity gc-block"),
    "SimpleBaseline, ResNet-50": (
        "mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py",
        "identity gc-block",
    ),
    "HRNet-W32, heatmaps": (
        "mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_hrnet-w32_8xb64-210e_coco-256x192.py",
        "identity gc-block",
    ),
    "RTMPose-t": ("mmpose::body_2d_keypoint/rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py", "identity gc-block"),
    "ViTPose-S": (
        "mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_ViTPose-small_8xb64-210e_coco-256x192.py",
        "identity gc-block",
    ),
    "ResNet-18": ("mmpretrain::resnet/resnet18_8xb32_in1k.py", "gap simpool gc-block"),
    "ViT-B/16": ("mmpretrain::vision_transformer/vit-base-p16_64xb64_in1k.py", "identity gc-block sigma-reparam"),
    "ConvNeXt-T": ("mmpretrain::convnext/convnext-tiny_32xb128_in1k.py", "identity gc-block"),
    "Faster R-CNN, ResNet-50": ("mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py", "identity gc-block"),
    "RetinaNet, ResNet-50": ("mmdet::retinanet/retinanet_r50_fpn_1x_coco.py", "identity gc-block"),
    "DETR, ResNet-50": ("mmdet::detr/detr_r50_8xb2-150e_coco.py", "identity gc-block qk-alignment-loss"),
}
"""Name -> config, and the methods that are run on it."""

FILE = Path(__file__).with_suffix(".json")

_SIDE = {"mmpose": 128}
"""Longest side of what a network sees, 64 elsewhere: HRNet's branches want multiples of 32."""

_SIZES = ("crop_size", "scale", "scales", "size", "img_size", "img_scale", "input_size", "heatmap_size", "stride", "resize_scale")


def draw(folder: Path) -> None:
    """The datasets of all configs, a few images each, in their official layouts."""
    rng = np.random.default_rng(0)

    def image(file: Path, height: int, width: int) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR).save(file, quality=95)

    ade, imagenet, coco = folder / "ade/ADEChallengeData2016", folder / "imagenet", folder / "coco"
    for split, count in (("training", 4), ("validation", 2)):
        for index in range(count):
            image(ade / "images" / split / f"ADE_{index:08d}.jpg", 96, 128)
            label = ade / "annotations" / split / f"ADE_{index:08d}.png"
            label.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 151, (6, 8), dtype=np.uint8)).resize((128, 96), Image.Resampling.NEAREST).save(label)
    for split, count in (("train", 4), ("val", 2)):
        for number in range(1000):  # as many folders as ImageNet has classes
            (imagenet / split / f"n{number:08d}").mkdir(parents=True)
        for number in (0, 1):
            for index in range(count):
                image(imagenet / split / f"n{number:08d}" / f"{index}.JPEG", 96, 96)
    for split, count in (("train2017", 4), ("val2017", 2)):
        images, people = [], []
        for index in range(1, count + 1):
            image(coco / split / f"{index:012d}.jpg", 120, 160)
            images.append({"id": index, "file_name": f"{index:012d}.jpg", "height": 120, "width": 160})
            x, y, w, h = (int(v) for v in (*rng.integers(5, 40, 2), *rng.integers(60, 78, 2)))
            points = np.column_stack([rng.integers(x, x + w, 17), rng.integers(y, y + h, 17), np.full(17, 2)])
            people.append(
                {
                    "id": index, "image_id": index, "category_id": 1, "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0,
                    "num_keypoints": 17, "keypoints": points.flatten().tolist(), "segmentation": [[x, y, x + w, y, x + w, y + h]],
                }
            )  # fmt: skip
        (coco / "annotations").mkdir(exist_ok=True)
        for kind, names in (("person_keypoints", ["person"]), ("instances", _categories())):
            categories = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
            whole = {"images": images, "annotations": people, "categories": categories}
            (coco / "annotations" / f"{kind}_{split}.json").write_text(json.dumps(whole))
    found = [{"image_id": p["image_id"], "category_id": 1, "bbox": p["bbox"], "score": 0.9} for p in people]
    boxes = coco / "person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
    boxes.parent.mkdir()
    boxes.write_text(json.dumps(found))


def _categories() -> list[str]:
    """COCO's, all of which a detector may predict."""
    from harness import openmmlab

    openmmlab.setup()
    from mmdet.datasets import CocoDataset

    return [*CocoDataset.METAINFO["classes"]]


def cut(config: dict[str, Any]) -> None:
    """Give a resolved config smaller images, two epochs or iterations and batches of two; in place."""
    longest = max((side for side in _sides(config.get("train_dataloader"))), default=224)
    shrunk: dict[str, Any] = _shrink(config, max(longest // _SIDE.get(config["default_scope"], 64), 1))
    config.clear()
    config.update(shrunk)
    loop = config["train_cfg"]
    length = "max_iters" if "max_iters" in loop else "max_epochs"
    loop.update({length: 2, "val_interval": 2})
    config["train_dataloader"]["batch_size"] = 2
    schedulers = config.get("param_scheduler") or []
    schedulers = [schedulers] if isinstance(schedulers, dict) else schedulers
    config["param_scheduler"] = [one for one in schedulers if one.get("begin", 0) < 2]


def _sides(value: Any) -> list[int]:
    """Sides of the crops of a pipeline, or of what it resizes to where there is no crop."""
    for keys in (("crop_size", "input_size"), ("scale", "size")):
        found = [side for side in _of(value, keys) if side > 8]
        if found:
            return found
    return []


def _of(value: Any, keys: tuple[str, ...]) -> list[int]:
    if isinstance(value, dict):
        own = [value[key] for key in keys if key in value]
        sides = [side for one in own for side in (one if isinstance(one, (list, tuple)) else [one]) if isinstance(side, int)]
        return sides + [side for item in value.values() for side in _of(item, keys)]
    return [side for item in value for side in _of(item, keys)] if isinstance(value, (list, tuple)) else []


def _shrink(value: Any, factor: int, inside: bool = False) -> Any:
    if isinstance(value, dict):
        shrunk = {key: _shrink(item, factor, key in _SIZES) for key, item in value.items()}
        if (map_size := value.get("in_featuremap_size")) is not None:  # of what a head of RTMPose gets, a 32nd of the image
            shrunk["in_featuremap_size"] = type(map_size)(max(side // factor, 1) for side in map_size)
        return shrunk
    if isinstance(value, (list, tuple)):
        return type(value)(_shrink(item, factor, inside) for item in value)
    return max(value // factor, 1) if inside and type(value) is int and value > 8 else value


def cut_file(name: str, folder: Path) -> Path:
    """The cut config as a file of its own."""
    from mmengine.config import Config

    from harness.benchmarks.openmmlab.resolve import file_of

    config = Config.fromfile(str(file_of(name)))
    plain = config.to_dict()
    cut(plain)
    file = folder / Path(name).name
    file.write_text("".join(f"{key} = {value!r}\n" for key, value in plain.items()), encoding="utf-8")
    return file


def run(name: str, folder: Path) -> dict[str, Any]:
    """What came of a config: states of its trials, metrics, seconds."""
    stock, methods = STOCK[name]
    file = cut_file(stock, folder)
    database = f"sqlite:///{folder}/results/{file.stem}.db"
    chosen = [part for method in methods.split() for part in ("-m", method)]
    options = ["--device", "cpu", "--workers", "1", "--db", database, "--set", "model.pretrained=null"]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", "--config", str(file), *chosen, *options],
        cwd=folder, env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = subprocess.run(
        [sys.executable, "-m", "harness", "status", "--json", "--db", database], cwd=folder, capture_output=True, text=True, check=False
    )
    rows = json.loads(told.stdout or "{}").get("rows", [])
    reasons = sorted({row["reason"] for row in rows if row["reason"]})
    return {
        "config": stock,
        "trials": {row["method"]: row["state"] for row in rows},
        "reason": reasons[0] if reasons else "" if rows else done.stderr.strip().splitlines()[-1],
        "seconds": round(time.monotonic() - began),
    }


def table(found: dict[str, Any]) -> str:
    """As Markdown."""
    lines = ["| config | toolbox | methods that ran | what stopped it |", "|---|---|---|---|"]
    for name, told in found.items():
        toolbox, _, file = told["config"].partition("::")
        ran = ", ".join(method for method, state in told["trials"].items() if state == "done") or "none"
        lines.append(f"| {name}<br>`{file}` | {toolbox} | {ran} | {told['reason'].replace('|', '/')} |")
    return "\n".join(lines) + "\n"


def write(found: dict[str, Any]) -> None:
    """Put the table into its page."""
    page = FILE.with_name("openmmlab.md")
    before, rest = page.read_text(encoding="utf-8").split("<!-- stock -->")
    after = rest.partition("<!-- /stock -->")[2]
    page.write_text(f"{before}<!-- stock -->\n{table(found)}<!-- /stock -->{after}", encoding="utf-8")


def main(names: list[str]) -> None:
    """Run those named, or all, and write what came out."""
    found = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        draw(folder / "data")
        for name in names or STOCK:
            found[name] = run(name, folder)
            print(name, found[name], flush=True)
            ordered = {name: found[name] for name in STOCK if name in found}
            FILE.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
            write(ordered)


if __name__ == "__main__":
    main(sys.argv[1:])
