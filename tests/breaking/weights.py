"""Files of weights: loaded whole, or refused; nothing that they hold is run."""

from __future__ import annotations

import json
import os
import pickle
import random
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

from breaking import odd
from breaking.case import Case, Wrong, harness

ENTRY = (
    "benchmarks: {mine: {family: classification, data: {format: synthetic, train: 8, test: 8, size: 32}, "
    "model: {backbone: resnet-narrow, weights: {file: w.pth}}}}"
)


class Gadget:
    """What runs a command where it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch pwned",)


def prepare(shared: Path) -> None:
    """Sound weights of the backbone, by torch and as safetensors, and some that a trial kept."""
    import torch
    from safetensors.torch import save_file

    from harness.benchmarks import register, task
    from harness.catalog import Benchmark

    register.setup()
    from mmengine.registry import MODELS

    data = {"format": "synthetic", "train": 8, "test": 8, "size": 32}
    config = task(Benchmark(id="b", family="classification", data=data, model={"backbone": "resnet-narrow"})).config({})
    state = MODELS.build(config["model"]["model"]["backbone"]).state_dict()
    torch.save(state, shared / "w.pth")
    save_file(state, shared / "w.safetensors")
    about = {"trial": "0" * 16, "method": "gap", "benchmark": "mine", "version": 1, "family": "classification", "seed": 0, "overrides": [],
             "config_file": "", "metrics": {"top1": 50.0}}  # fmt: skip
    save_file(state, shared / "kept.safetensors", metadata={"attention-harness": json.dumps(about)})


def make(dice: random.Random, folder: Path, shared: Path) -> Case:
    import torch

    (folder / "registry.yaml").write_text(ENTRY)
    file, must = folder / "w.pth", "refuse"
    match dice.choice(["bytes", "bytes", "special", "state", "state", "state", "gadget", "zip", "safetensors", "kept", "kept"]):
        case "bytes":
            how = dice.choice([*odd.BYTES])
            name = dice.choice(["w.pth", "w.safetensors"])
            file.write_bytes(odd.BYTES[how](dice, (shared / name).read_bytes()))
            how, must = f"{how} of {name}", "either"
        case "special":
            file.write_bytes((shared / "w.pth").read_bytes())
            how = odd.special(dice, file)
        case "state":
            how, content, must = _state(dice, torch.load(shared / "w.pth"))
            try:
                torch.save(content, file)
            except RecursionError:
                file.write_bytes(b"")
        case "gadget":
            state = torch.load(shared / "w.pth")
            content = dice.choice([Gadget(), {"state_dict": state, "more": Gadget()}, [Gadget()], {Gadget(): 1}])
            if dice.random() < 0.5:
                file.write_bytes(pickle.dumps(content))
                how = "a gadget, pickled"
            else:
                torch.save(content, file)
                how = "a gadget, by torch"
            must = "either"
        case "zip":
            how = dice.choice(["empty zip", "bomb", "no pickle", "strange names"])
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
                if how == "bomb":
                    made.writestr("archive/data.pkl", b"\0" * (1 << 26))
                if how == "no pickle":
                    made.writestr("archive/version", b"3\n")
                if how == "strange names":
                    made.writestr("../../pwned", b"x")
        case "safetensors":
            how = dice.choice(["header too long", "header no JSON", "offsets beyond", "overlap", "strange type", "deep header"])
            head: Any = {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}
            if how == "offsets beyond":
                head["a"]["data_offsets"] = [0, 1 << 40]
            if how == "overlap":
                head["b"] = {"dtype": "F32", "shape": [4], "data_offsets": [4, 20]}
            if how == "strange type":
                head["a"]["dtype"] = "F7"
            text = json.dumps(head) if how != "deep header" else '{"a":' + "[" * 50_000 + "]" * 50_000 + "}"
            text = text if how != "header no JSON" else "{" + text
            length = len(text) if how != "header too long" else 1 << 39
            file.write_bytes(struct.pack("<Q", length) + text.encode() + b"\0" * 16)
        case _:
            return _kept(dice, folder, shared)

    def act() -> bool:
        said = harness("data", "check", "mine")
        if Path("pwned").exists() or Path("../pwned").exists():
            raise Wrong("it ran code, or wrote a file")
        return not said.refused

    return Case(how, must, act)  # type: ignore[arg-type]


def _state(dice: random.Random, state: Any) -> tuple[str, Any, str]:
    import torch

    names = [name for name in state if not name.endswith("num_batches_tracked")]
    name = dice.choice(names)
    match dice.randrange(14):
        case 0:
            del state[name]
            return "a tensor lost", state, "refuse"
        case 1:
            state[name] = torch.full_like(state[name], dice.choice([float("nan"), float("inf")]))
            return "not finite", state, "refuse"
        case 2:
            state[name] = state[name].flatten()[:-1]
            return "another shape", state, "refuse"
        case 3:
            state[name] = dice.choice([None, "x", 3, [1.0], {}, b"x"])
            return "no tensor", state, "refuse"
        case 4:
            state[name] = state[name].to(dice.choice([torch.complex64, torch.float16, torch.int64, torch.bool]))
            return f"of type {state[name].dtype}", state, "either"
        case 5:
            content: Any = state
            for _ in range(dice.choice([3, 900])):
                content = {"model": content}
            return "nested", content, "either"
        case 6:
            content = {"state_dict": state}
            content["self"] = content
            return "a cycle", content, "either"
        case 7:
            return "nothing", dice.choice([{}, [], None, 3, "x", OrderedDict()]), "refuse"
        case 8:
            return "prefix", {"state_dict": {f"module.backbone.{key}": value for key, value in state.items()}}, "pass"
        case 9:
            return "keys that are no text", {number: value for number, value in enumerate(state.values())}, "either"
        case 10:
            return "twice, unlike", {"teacher": state, "student": {key: value * 2 for key, value in state.items()}}, "refuse"
        case 11:
            state[name] = state[name].to_sparse() if state[name].ndim else state[name]
            return "sparse", state, "either"
        case 12:
            state[name] = torch.empty(state[name].shape, device="meta")
            return "without data", state, "refuse"
        case _:
            state["\x1b[31m" + name] = state.pop(name)
            return "a name with control characters", state, "refuse"


def _kept(dice: random.Random, folder: Path, shared: Path) -> Case:
    """`harness evaluate` on what says to be kept weights."""
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    (folder / "registry.yaml").write_text(ENTRY.replace(", weights: {file: w.pth}", ""))
    file = folder / "kept.safetensors"
    with safe_open(shared / "kept.safetensors", framework="pt") as opened:
        about = json.loads(opened.metadata()["attention-harness"])
    if dice.random() < 0.3:
        how = dice.choice([*odd.BYTES])
        file.write_bytes(odd.BYTES[how](dice, (shared / "kept.safetensors").read_bytes()))
    else:
        how, where, _, after = odd.tree(dice, about)
        how = f"{how} {where} {'' if after is ... else odd.shown(after)}"
        text = dice.choice([odd.dumped(about), odd.dumped(about), "[1]", "{", "", '"x"', "3"])
        how = how if text.startswith("{") and len(text) > 9 else f"about is {text}"
        save_file(load_file(shared / "kept.safetensors"), file, metadata={"attention-harness": text})

    def act() -> bool:
        # without the weights' own model (its head is missing) all must be refused
        return not harness("evaluate", "kept.safetensors", "--db", "sqlite:///none.db").refused

    return Case(f"kept: {how}", "refuse", act)
